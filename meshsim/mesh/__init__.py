"""A mesh: services with their proxies, a network between them, load, and what a run of it leaves.

================================  ================================================================================
:mod:`meshsim.mesh.topology`      who is there and who calls whom; :mod:`meshsim.mesh.isotope` reads isotope's form
:mod:`meshsim.mesh.times`         distributions of times
:mod:`meshsim.mesh.network`       latency, bandwidth, loss, zones, TLS
:mod:`meshsim.mesh.load`          open and closed loops, phases, recorded traces
:mod:`meshsim.mesh.actions`       what can be done to a mesh while it runs
:mod:`meshsim.mesh.mesh`          :class:`Mesh`, which puts these together and runs
:mod:`meshsim.mesh.result`        :class:`Result`, what a run leaves
================================  ================================================================================
"""

from meshsim.mesh.actions import AddLatency, CrashWorker, Partition, RollOut, Scale, SetFault
from meshsim.mesh.load import ClosedLoop, OpenLoop, Phases, Trace
from meshsim.mesh.mesh import Mesh, WasmFilter
from meshsim.mesh.network import Link, Network, Tls
from meshsim.mesh.result import Result
from meshsim.mesh.times import (
    Constant,
    Erlang,
    Exponential,
    HyperExponential,
    LogNormal,
    Observed,
    Pareto,
    Uniform,
    duration_ns,
    times,
)
from meshsim.mesh.topology import Call, Retry, Service, Sleep, Together, Topology, Traffic

__all__ = [
    "AddLatency",
    "Call",
    "ClosedLoop",
    "Constant",
    "CrashWorker",
    "Erlang",
    "Exponential",
    "HyperExponential",
    "Link",
    "LogNormal",
    "Mesh",
    "Network",
    "Observed",
    "OpenLoop",
    "Pareto",
    "Partition",
    "Phases",
    "Result",
    "Retry",
    "RollOut",
    "Scale",
    "Service",
    "SetFault",
    "Sleep",
    "Tls",
    "Together",
    "Topology",
    "Trace",
    "Traffic",
    "Uniform",
    "WasmFilter",
    "duration_ns",
    "times",
]

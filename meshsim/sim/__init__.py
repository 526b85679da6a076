"""Simulation without a subject: time, chance, records, measures.

============================  ====================================================================================
:mod:`meshsim.sim.kernel`     :class:`Kernel`: a virtual clock in ns and a queue of callbacks
:mod:`meshsim.sim.strands`    :class:`Strand`: a call stack that can wait in the middle
:mod:`meshsim.sim.random`     :class:`Streams`: named random streams from one seed
:mod:`meshsim.sim.record`     :class:`Recorder`, its :class:`Level` and its :class:`EventLog`
:mod:`meshsim.sim.table`      :class:`Table`: rows of one type, kept as columns
:mod:`meshsim.sim.histogram`  :class:`Histogram`: a distribution in constant memory; :func:`quantile` of a list
:mod:`meshsim.sim.measure`    :class:`Moments`, :class:`TimeAverage`, :func:`confidence_interval`
============================  ====================================================================================

Nothing here knows Envoy, Wasm, the wall clock or a file.
"""

from meshsim.sim.histogram import Histogram, quantile
from meshsim.sim.kernel import Handle, Kernel
from meshsim.sim.measure import Interval, Moments, TimeAverage, confidence_interval
from meshsim.sim.random import Streams
from meshsim.sim.record import Entry, EventLog, Level, Note, Recorder
from meshsim.sim.table import Table

__all__ = [
    "Entry",
    "EventLog",
    "Handle",
    "Histogram",
    "Interval",
    "Kernel",
    "Level",
    "Moments",
    "Note",
    "Recorder",
    "Streams",
    "Table",
    "TimeAverage",
    "confidence_interval",
    "quantile",
]

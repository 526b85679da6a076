"""The ``env.*`` host functions, as Envoy's host answers them.

Each method is one import; its name is the import's. Arguments arrive as unsigned integers. A refusal is raised as
:class:`Refusal` and becomes the status that the guest gets, so that a function reads in the order of its checks:
arguments, memory, then the work. The order matters, because a guest can see which check came first.
"""

from __future__ import annotations

from meshsim.abi.hostcalls.base import Refusal, guest_text, signed64
from meshsim.abi.hostcalls.buffers import BufferCalls
from meshsim.abi.hostcalls.callouts import CalloutCalls
from meshsim.abi.hostcalls.headers import HeaderCalls
from meshsim.abi.hostcalls.metrics import MetricCalls
from meshsim.abi.hostcalls.shared import SharedCalls
from meshsim.abi.hostcalls.streams import StreamCalls
from meshsim.abi.hostcalls.system import SystemCalls

__all__ = ["HostCalls", "Refusal", "guest_text", "signed64"]


class HostCalls(SystemCalls, StreamCalls, HeaderCalls, BufferCalls, MetricCalls, SharedCalls, CalloutCalls):
    """All host functions of one VM."""

"""What an Envoy tells of a run, a row at a time."""

from __future__ import annotations

from typing import NamedTuple

from meshsim.abi.events import Crossing
from meshsim.errors import GuestTrap


class AbiLine(NamedTuple):
    """One line of the ABI trace: when (virtual ns) and on which thread the border was crossed, and how."""

    thread: str
    time_ns: int
    text: str
    event: Crossing


class VmMemory(NamedTuple):
    """What one VM weighs, in bytes; ``kind`` is ``base`` or ``local``.

    Compiled code is shared by all VMs of a key: its weight is in the ``v8_bytes`` of the base VM.
    """

    thread: str
    vm: str
    kind: str
    code_bytes: int
    linear_bytes: int
    v8_bytes: int


class Failure(NamedTuple):
    """A trap that failed a VM: when (virtual ns), on which thread, and which; the error names plugin and callback."""

    thread: str
    time_ns: int
    error: GuestTrap


class Crash(NamedTuple):
    """What would have ended the real Envoy's process: when (virtual ns), on which thread, and which plugin did what."""

    thread: str
    time_ns: int
    plugin: str
    what: str

"""How much the host keeps, and copies, for what one VM asks of it.

Envoy has no such limits: a module that writes a million log lines in one callback, or a gigabyte in one, has its way
until the process runs out of memory. A notebook's process must not, so there are limits of our own, far beyond what a
filter needs. They do not change what a module sees: a call that goes beyond one ends the run with
:class:`AllowanceExceeded`, which says which plugin, callback and host call it was.
"""

from __future__ import annotations

from collections.abc import Callable

from meshsim.abi.events import Event
from meshsim.errors import MeshsimError

EVENT_BYTES = 256
"""What an event of the trace takes, about."""

SMALL_BYTES = 4096
"""What a host call may copy without being counted: what it keeps of that is in :data:`WEIGHTS`."""

WEIGHTS = {
    "proxy_http_call": 16 << 10,
    "proxy_grpc_call": 16 << 10,
    "proxy_grpc_stream": 16 << 10,
    "proxy_grpc_send": 4 << 10,
    "envoy_resolve_dns": 4 << 10,
    "proxy_call_foreign_function": 4 << 10,
    "proxy_send_local_response": 4 << 10,
    "proxy_enqueue_shared_queue": 4 << 10,
    "proxy_register_shared_queue": 4 << 10,
    "proxy_set_shared_data": 4 << 10,
    "proxy_set_property": 4 << 10,
    "proxy_add_header_map_value": 4 << 10,
    "proxy_replace_header_map_value": 4 << 10,
    "proxy_set_buffer_bytes": 4 << 10,
    "proxy_define_metric": 4 << 10,
    "proxy_set_tick_period_milliseconds": 1 << 10,
    "proxy_continue_stream": 512,
    "proxy_continue_request": 512,
    "proxy_continue_response": 512,
    "proxy_close_stream": 512,
    "proxy_log": 512,
    "fd_write": 512,
    "fd_pwrite": 512,
    "proxy_record_metric": 64,
}
"""Bytes that the host keeps at most for a call of these functions, until the callback is over or for good, besides what
is larger than :data:`SMALL_BYTES`; the others leave nothing behind."""


class AllowanceExceeded(MeshsimError):
    """A module made the host keep, or copy, more than it may; nothing that Envoy would have done."""

    @classmethod
    def of(cls, what: str, limit: int, remedy: str = "a limit of meshsim, Envoy has none") -> AllowanceExceeded:
        """Say of what there is more than ``limit`` bytes."""
        amount = f"{limit >> 20} MiB" if limit >= 1 << 20 else f"{limit} bytes"
        return cls(f"{what} would take more than {amount}", remedy=remedy)


class Allowance:
    """What is left for one VM.

    Parameters
    ----------
    per_call : int
        Bytes that one call from outside may cost, with all that it calls.
    in_all : int
        Bytes that the records of all calls together may take.

    Attributes
    ----------
    spent : int
        Bytes that the call under way has cost; set to 0 by who begins one.

    Examples
    --------
    >>> allowance = Allowance(per_call=1000, in_all=10_000)
    >>> allowance.spend(600)
    >>> allowance.spend(600)
    Traceback (most recent call last):
    meshsim.abi.allowance.AllowanceExceeded: what the host keeps for one call would take more than 1000 bytes
      -> a limit of meshsim, Envoy has none: Limits(kept_bytes_per_call=...) sets it
    """

    __slots__ = ("_in_all", "_per_call", "kept", "spent")

    def __init__(self, per_call: int, in_all: int) -> None:
        self._per_call = per_call
        self._in_all = in_all
        self.spent = 0
        self.kept = 0

    def spend(self, size: int) -> None:
        """Let the call under way cost ``size`` bytes.

        Raises
        ------
        AllowanceExceeded
            It has cost more than a call may.
        """
        self.spent += size
        if self.spent > self._per_call:
            raise _exceeded("what the host keeps for one call", self._per_call, "kept_bytes_per_call")

    def keep(self, size: int) -> None:
        """The same, for what is recorded: it stays until the end of the run."""
        self.spend(size)
        self.kept += size
        if self.kept > self._in_all:
            raise _exceeded("what the host records of one VM", self._in_all, "kept_bytes")

    def recorder(self, record: Callable[[Event], None]) -> Callable[[Event], None]:
        """Return what records an event and counts it."""

        def counted(event: Event) -> None:
            self.keep(EVENT_BYTES)
            record(event)

        return counted

    def weighed(self, name: str, call: Callable[..., int | None]) -> Callable[..., int | None]:
        """Return a host function that costs what it keeps; the function itself when it keeps nothing."""
        weight = WEIGHTS.get(name)
        if weight is None:
            return call

        def host_call(*arguments: int) -> int | None:
            self.spend(weight)
            return call(*arguments)

        return host_call


def _exceeded(what: str, limit: int, option: str) -> AllowanceExceeded:
    remedy = f"a limit of meshsim, Envoy has none: Limits({option}=...) sets it"
    return AllowanceExceeded.of(what, limit, remedy)

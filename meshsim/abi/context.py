"""Contexts: the module's view of a plugin (root context) or of one stream (stream context).

Theory of operation. A context is a number on both sides of the border. Context 0 stands for the VM itself, a root
context for one plugin in one VM, a stream context for one filter instance on one stream. A stream context exists
on the host as soon as its filter does, but the module hears of it only with the first event
(``proxy_on_context_create``). Every method here that calls the module first asks whether the VM still lives, and
afterwards runs what the module asked for during the call (see :meth:`ProxyWasm.settle`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from meshsim.abi.callbacks import data_action, headers_action, trailers_action
from meshsim.abi.constants import CloseType, DataAction, HeadersAction, TrailersAction
from meshsim.abi.foreign.state import ForeignState
from meshsim.abi.ports import ContextHost
from meshsim.abi.shim.drivers import CLOSE, FINISH, OPEN

if TYPE_CHECKING:
    from meshsim.abi.proxy_wasm import ProxyWasm

_CONTINUE = HeadersAction.CONTINUE

Action = TypeVar("Action", HeadersAction, DataAction, TrailersAction)


@dataclass(frozen=True, slots=True)
class Plugin:
    """What a plugin's configuration says to its VMs.

    ``key`` tells plugins of one VM apart: equal keys share a root context.
    """

    name: str
    root_id: str
    vm_id: str
    key: str
    configuration: bytes = b""
    fail_open: bool = False
    allow_stop_iteration: bool = False
    stream_log_prefix: str = field(init=False)
    root_log_prefix: str = field(init=False)

    def __post_init__(self) -> None:
        """Compute, once for all streams, what Envoy puts behind ``wasm log``."""
        root = "".join(f" {part}" for part in (self.root_id, self.vm_id) if part)
        object.__setattr__(self, "root_log_prefix", root)
        object.__setattr__(self, "stream_log_prefix", f" {self.name}{root}" if self.name else root)


class Context:
    """One context: ``parent`` is None for root contexts and for the VM's own."""

    __slots__ = ("_foreign", "configuration_visible", "created", "host", "id", "log_prefix", "parent", "plugin", "wasm")

    def __init__(
        self,
        wasm: ProxyWasm,
        context_id: int,
        plugin: Plugin | None,
        host: ContextHost,
        parent: Context | None = None,
    ) -> None:
        self.wasm = wasm
        self.id = context_id
        self.plugin = plugin
        self.host = host
        self.parent = parent
        self.created = False
        self.configuration_visible = False
        self._foreign: ForeignState | None = None
        self.log_prefix = ""
        if plugin:
            self.log_prefix = plugin.stream_log_prefix if parent else plugin.root_log_prefix

    @property
    def root(self) -> Context:
        """The root context of this context's plugin."""
        return self.parent or self

    @property
    def foreign(self) -> ForeignState:
        """What the context keeps for its foreign functions."""
        if self._foreign is None:
            self._foreign = ForeignState()
        return self._foreign

    # -- life ---

    def create(self) -> None:
        """Tell the module of this context, once."""
        if self.created:
            return
        if not self.wasm.fail_state:
            parent = self.parent
            self.configuration_visible = parent is None
            try:
                self._notify("proxy_on_context_create", self.id, parent.id if parent else 0)
            finally:
                self.configuration_visible = False
        self.created = True

    def start(self) -> bool:
        """Run ``proxy_on_context_create`` and ``proxy_on_vm_start`` of a root context; False refuses.

        Envoy runs the second even when the first has trapped.
        """
        self.create()
        return self._accepts("proxy_on_vm_start", len(self.wasm.vm_configuration), even_failed=True)

    def configure(self) -> bool:
        """Run ``proxy_on_configure`` of a root context; False (or a trap) refuses; a failed VM is not asked."""
        assert self.plugin
        if self.wasm.failed:
            return True
        self.configuration_visible = True
        try:
            return self._accepts("proxy_on_configure", len(self.plugin.configuration))
        finally:
            self.configuration_visible = False

    def tick(self) -> None:
        """Run ``proxy_on_tick``."""
        self._notify("proxy_on_tick", self.id)

    def http_call_response(self, token: int, headers: int, body_bytes: int, trailers: int) -> None:
        """Run ``proxy_on_http_call_response`` of a root context."""
        self._notify("proxy_on_http_call_response", self.id, token, headers, body_bytes, trailers)

    def grpc_initial_metadata(self, token: int, count: int) -> None:
        """Run ``proxy_on_grpc_receive_initial_metadata`` of a root context."""
        self._notify("proxy_on_grpc_receive_initial_metadata", self.id, token, count)

    def grpc_receive(self, token: int, size: int) -> None:
        """Run ``proxy_on_grpc_receive`` of a root context."""
        self._notify("proxy_on_grpc_receive", self.id, token, size)

    def grpc_trailing_metadata(self, token: int, count: int) -> None:
        """Run ``proxy_on_grpc_receive_trailing_metadata`` of a root context."""
        self._notify("proxy_on_grpc_receive_trailing_metadata", self.id, token, count)

    def grpc_close(self, token: int, status: int) -> None:
        """Run ``proxy_on_grpc_close`` of a root context."""
        self._notify("proxy_on_grpc_close", self.id, token, status)

    def queue_ready(self, token: int) -> None:
        """Run ``proxy_on_queue_ready`` of a root context."""
        self._notify("proxy_on_queue_ready", self.id, token)

    def dns_resolved(self, token: int, addresses: bytes) -> None:
        """Run ``envoy_on_resolve_dns`` of a root context, which may read the addresses meanwhile."""
        self.wasm.call_data = addresses
        try:
            self._notify("envoy_on_resolve_dns", self.id, token, len(addresses))
        finally:
            self.wasm.call_data = None

    def done(self) -> bool:
        """Run ``proxy_on_done``; False (on a root context) asks to wait for ``proxy_done``."""
        return self._ask("proxy_on_done")

    def log(self) -> None:
        """Run ``proxy_on_log``."""
        self._notify("proxy_on_log", self.id)

    def delete(self) -> None:
        """Run ``proxy_on_delete`` and forget the context."""
        if self.created:
            self._notify("proxy_on_delete", self.id)
        self.wasm.contexts.pop(self.id, None)

    # -- several callbacks, in one crossing where the VM can do that ---

    def open(self, count: int, end_of_stream: bool, show: Callable[[], None]) -> HeadersAction:
        """:meth:`create`, then ``show`` (the host opens what the module may touch), then the request's headers.

        Parameters
        ----------
        count : int
            Number of the request's headers.
        end_of_stream : bool
            Nothing follows them.
        show : callable
            What the host has to do between the two.
        """
        wasm, parent = self.wasm, self.parent
        if self.created or parent is None or not wasm.has_phases:
            self.create()
            show()
            return self.headers("proxy_on_request_headers", count, end_of_stream)

        def created() -> None:
            self.created = True
            show()

        ran = wasm.phase(self, OPEN, (self.id, parent.id, count, int(end_of_stream)), (created,))
        if ran.over == len(OPEN.callbacks):
            return self.headers_done(ran.result)
        if not ran.over:
            wasm.settle()
            created()
        elif not ran.trapped:
            wasm.settle()
        return self.headers("proxy_on_request_headers", count, end_of_stream)

    def close(self) -> None:
        """:meth:`done` and :meth:`delete` of a stream context."""
        wasm = self.wasm
        if not self.created or not wasm.has_phases:
            self.done()
            self.delete()
            return
        ran = wasm.phase(self, CLOSE, (self.id,))
        wasm.settle()
        if ran.over + ran.trapped < len(CLOSE.callbacks):
            self.delete()
        else:
            wasm.contexts.pop(self.id, None)

    def finish(self, logged: Callable[[], None]) -> None:
        """:meth:`log`, then ``logged`` (the host closes what a module may read while it logs), then :meth:`close`."""
        wasm = self.wasm
        if not self.created or not wasm.has_phases:
            self.log()
            logged()
            self.close()
            return
        ran = wasm.phase(self, FINISH, (self.id,), (logged,))
        wasm.settle()
        if ran.over + ran.trapped >= len(FINISH.callbacks):
            wasm.contexts.pop(self.id, None)
            return
        if not ran.over:
            logged()
        if ran.over + ran.trapped < 2:
            self.done()
        self.delete()

    # -- HTTP ---

    def headers(self, callback: str, count: int, end_of_stream: bool) -> HeadersAction:
        """Run ``proxy_on_request_headers`` or ``proxy_on_response_headers``."""
        wasm = self.wasm
        arguments = (self.id, count) if wasm.is_old else (self.id, count, int(end_of_stream))
        try:
            result = wasm.call(self, callback, arguments)
        except BaseException:
            wasm.settle()
            raise
        return self.headers_done(result)

    def headers_done(self, result: int | None) -> HeadersAction:
        """Behind a headers callback: what it wants of the stream, and what it has asked for."""
        assert self.plugin
        wasm = self.wasm
        try:
            if wasm.fail_state:
                return self._failed(HeadersAction.CONTINUE, HeadersAction.STOP_ALL_AND_WATERMARK)
            if result is None:
                return _CONTINUE
            return headers_action(result, stopped=wasm.stopped, allow_stop_iteration=self.plugin.allow_stop_iteration)
        finally:
            wasm.settle()

    def body(self, callback: str, size: int, end_of_stream: bool) -> DataAction:
        """Run ``proxy_on_request_body`` or ``proxy_on_response_body``."""
        wasm = self.wasm
        try:
            result = wasm.call(self, callback, (self.id, size, int(end_of_stream)))
        except BaseException:
            wasm.settle()
            raise
        return self.body_done(result)

    def body_done(self, result: int | None) -> DataAction:
        """Behind a body callback: what it wants of the stream, and what it has asked for."""
        wasm = self.wasm
        try:
            if wasm.fail_state:
                return self._failed(DataAction.CONTINUE, DataAction.STOP_NO_BUFFER)
            return DataAction.CONTINUE if result is None else data_action(result, stopped=wasm.stopped)
        finally:
            wasm.settle()

    def trailers(self, callback: str, count: int) -> TrailersAction:
        """Run ``proxy_on_request_trailers`` or ``proxy_on_response_trailers``."""
        wasm = self.wasm
        try:
            result = wasm.call(self, callback, (self.id, count))
        except BaseException:
            wasm.settle()
            raise
        return self.trailers_done(result)

    def trailers_done(self, result: int | None) -> TrailersAction:
        """Behind a trailers callback: what it wants of the stream, and what it has asked for."""
        wasm = self.wasm
        try:
            if wasm.fail_state:
                return self._failed(TrailersAction.CONTINUE, TrailersAction.STOP_ITERATION)
            return TrailersAction.CONTINUE if result is None else trailers_action(result, stopped=wasm.stopped)
        finally:
            wasm.settle()

    # -- connections ---

    def new_connection(self) -> bool:
        """Run ``proxy_on_new_connection``; False: nothing is read yet."""
        return self._lets_pass("proxy_on_new_connection", self.id)

    def data(self, callback: str, size: int, end_of_stream: bool) -> bool:
        """Run ``proxy_on_downstream_data`` or ``proxy_on_upstream_data``; False keeps the data back."""
        return self._lets_pass(callback, self.id, size, int(end_of_stream))

    def connection_closed(self, callback: str, by: CloseType) -> None:
        """Run ``proxy_on_downstream_connection_close`` or ``proxy_on_upstream_connection_close``."""
        self._notify(callback, self.id, by)

    def _lets_pass(self, callback: str, *arguments: int) -> bool:
        assert self.plugin
        wasm = self.wasm
        try:
            result = wasm.call(self, callback, arguments)
            if not wasm.fail_state:
                return not result
            if not self.plugin.fail_open:
                self.host.fail_stream()
            return self.plugin.fail_open
        finally:
            wasm.settle()

    # -- how ---

    def _notify(self, callback: str, *arguments: int) -> None:
        wasm = self.wasm
        try:
            wasm.call(self, callback, arguments)
        finally:
            wasm.settle()

    def _accepts(self, callback: str, size: int, *, even_failed: bool = False) -> bool:
        """Ask whether to go on; a trap is a no, a callback that is not exported agrees."""
        wasm = self.wasm
        try:
            result = wasm.call(self, callback, (self.id, size), even_failed=even_failed)
        finally:
            wasm.settle()
        return bool(result) or not wasm.exports(callback)

    def _ask(self, callback: str, *arguments: int) -> bool:
        """A callback that is not exported agrees."""
        wasm = self.wasm
        try:
            result = wasm.call(self, callback, (self.id, *arguments))
        finally:
            wasm.settle()
        return result is None or result != 0

    def _failed(self, open_action: Action, closed_action: Action) -> Action:
        assert self.plugin
        if self.plugin.fail_open:
            return open_action
        self.host.fail_stream()
        return closed_action

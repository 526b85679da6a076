"""One VM that runs a Proxy-Wasm module: linking, starting, calling, failing.

Theory of operation. Envoy keeps one *base* VM for each VM key and a clone of it on every thread; both are this
class, made from the same compiled code. A call into the module sets the current context, clears the effective one,
and puts both back afterwards: a host function acts for the effective context while that exists, else for the
current one. What a module asks of the filter chain during a call (continue, close, reply) is queued and runs when
the call has returned, in order, before the chain sees the callback's result act. A trap fails the VM for good:
from then on every callback is skipped.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from meshsim.abi.callouts import Callouts
from meshsim.abi.constants import AbiVersion, FailState, LogLevel
from meshsim.abi.context import Context, Plugin
from meshsim.abi.events import Crossing, Direction
from meshsim.abi.linking import link, type_words
from meshsim.abi.metrics import MetricTable
from meshsim.abi.ports import ContextHost, VmHost
from meshsim.abi.signatures import ALLOCATING, ALLOCATOR_TYPE, ALLOCATORS, STARTING, callbacks, func_type
from meshsim.abi.traps import failure_text
from meshsim.errors import GuestTrap, LinkError, ModuleError, NotModelled
from meshsim.wasm import Compiled, FuncType, Limits, Memory, ModuleFacts, Vm

_MARKER = "proxy_abi_version_"
_VOID = func_type(">")

#: Functions that a module's toolchain may want to run first, with type and arguments: a reactor's, or a command's.
_START_SEQUENCES: tuple[tuple[tuple[str, FuncType, tuple[int, ...]], ...], ...] = (
    (
        ("_initialize", _VOID, ()),
        ("main", func_type("ii>i"), (0, 0)),
        ("__main_void", func_type(">i"), ()),
    ),
    (("_start", _VOID, ()),),
)

#: No host function, while the engine instantiates a module.
_NOTHING: frozenset[str] = frozenset()

Guest = Callable[..., int | None]


@dataclass(frozen=True, slots=True)
class Code:
    """A compiled module whose ABI version is known."""

    compiled: Compiled
    version: AbiVersion
    exports: Mapping[str, FuncType]

    @classmethod
    def of(cls, compiled: Compiled) -> Code:
        """Take a module whose ABI version is known."""
        return cls(compiled, cls.check_version(compiled.facts), _function_exports(compiled))

    @staticmethod
    def check_version(facts: ModuleFacts) -> AbiVersion:
        """Read the ABI version from the first marker that is known; refuse a module without one."""
        for marker in facts.abi_markers:
            version = marker.removeprefix(_MARKER)
            if version in set(AbiVersion):
                return AbiVersion(version)
        raise ModuleError("Missing or unknown Proxy-Wasm ABI version")


def _function_exports(compiled: Compiled) -> dict[str, FuncType]:
    return {export.name: export.type for export in compiled.facts.exports if export.type is not None}


class ProxyWasm:
    """A VM with a module in it, for one thread.

    Parameters
    ----------
    code : Code
        What to run; compiled code is shared between VMs, everything else is this VM's own.
    host : VmHost
        Thread and process around the VM.
    vm_context_host : ContextHost
        What stands behind context 0 (it sees no stream).
    vm_configuration : bytes
        The VM's configuration.
    limits : Limits, optional
        Of memory and time.
    capabilities : set of str, optional
        Names of the callbacks and host functions that the module may have; all when it is left out.
    """

    def __init__(
        self,
        code: Code,
        host: VmHost,
        vm_context_host: ContextHost,
        vm_configuration: bytes = b"",
        limits: Limits | None = None,
        capabilities: frozenset[str] | None = None,
    ) -> None:
        self.code = code
        self.version = code.version
        self.host = host
        self.vm_configuration = vm_configuration
        self.metrics = MetricTable(host.metric_values)
        self.callouts = Callouts()
        self.fail_state = FailState.OK
        self.on_fail: list[Callable[[], None]] = []
        self.contexts: dict[int, Context] = {}
        self.roots: dict[str, Context] = {}
        self.pending_done: dict[str, Context] = {}
        self.stopped = False
        #: What a module may read in the callback that runs now, and nowhere else.
        self.call_data: bytes | None = None
        self._dns_token = 1
        self._next_id = 1
        self._after: deque[Callable[[], None]] = deque()
        self._callbacks: dict[str, Guest | None] = {}
        self._record = host.record
        self._meter = host.meter
        self._calls = 0
        self._burnt = 0
        self._limits = limits or Limits()
        self.capabilities = capabilities
        self._allocate: Guest | None = None
        self._allocator = ""
        self.allowed: frozenset[str] | None = None
        self.vm: Vm
        self.memory: Memory
        self.vm_context = Context(self, 0, None, vm_context_host)
        self.current = self.vm_context
        self.acting = self.vm_context

    # -- starting ---

    def initialize(self) -> bool:
        """Link the module, look up its exports, run its own start; False when the VM has failed.

        As in Envoy, an export of a wrong type fails the VM, but the look-ups go on and the start still runs.
        """
        try:
            self.allowed = _NOTHING
            try:
                self.vm = Vm(self.code.compiled, link(self), self._limits)
            finally:
                self.allowed = None
            self.memory = self.vm.memory
        except LinkError as refused:
            return self._refuse(FailState.UNABLE_TO_INITIALIZE_CODE, refused.what)
        except (GuestTrap, ModuleError):
            return self._refuse(FailState.UNABLE_TO_INITIALIZE_CODE, "Failed to create new Wasm instance")
        start_functions = self._find_start_functions()
        self._find_allocator()
        for callback in callbacks(self.version).values():
            function = self._export(callback.name, callback.type)
            self._callbacks[callback.name] = function if self.may(callback.name) else None
        for name, function, arguments in start_functions:
            if self.fail_state is not FailState.RUNTIME_ERROR:
                self.allowed = STARTING
                try:
                    self._enter(self.vm_context, name, function, arguments)
                finally:
                    self.allowed = None
        return not self.failed

    def _find_start_functions(self) -> list[tuple[str, Guest, tuple[int, ...]]]:
        """Find ``_initialize`` and then a main function, or else ``_start``."""
        for sequence in _START_SEQUENCES:
            found = [
                (name, function, arguments)
                for name, type_, arguments in sequence
                if (function := self._export(name, type_)) is not None
            ]
            if found and found[0][0] == sequence[0][0]:
                return found[:2]
        return []

    def _find_allocator(self) -> None:
        for name in ALLOCATORS:
            self._allocate = self._export(name, ALLOCATOR_TYPE)
            if self._allocate:
                self._allocator = name
                return
        self.fail(FailState.MISSING_FUNCTION, "Wasm module is missing malloc function.")

    def _export(self, name: str, type_: FuncType) -> Guest | None:
        """Find an export; one with another type fails the VM, as V8's look-up does."""
        offered = self.code.exports.get(name)
        if offered is not None and offered != type_:
            self._refuse(
                FailState.UNABLE_TO_INITIALIZE_CODE,
                f"Bad function signature for: {name}, want: {type_words(type_)}, "
                f"but the module exports: {type_words(offered)}",
            )
            return None
        return self.vm.function(name, type_)

    def _refuse(self, state: FailState, message: str) -> bool:
        self.host.report(LogLevel.ERROR, message)
        self._set_failed(state)
        return False

    # -- contexts ---

    def root_context(self, plugin: Plugin, host: ContextHost) -> Context:
        """Return a plugin's root context, made when it is first asked for."""
        root = self.roots.get(plugin.key)
        if root is None:
            root = self.roots[plugin.key] = self.add_context(plugin, host)
        return root

    def add_context(self, plugin: Plugin, host: ContextHost, parent: Context | None = None) -> Context:
        """Make a context under the next free number; the module is not told yet."""
        while self._next_id in self.contexts:
            self._next_id += 1
        context = Context(self, self._next_id, plugin, host, parent)
        self.contexts[context.id] = context
        self._next_id += 1
        return context

    def new_dns_token(self) -> int:
        """Give the next token of a name that is resolved; the first is 2, as in Envoy."""
        self._dns_token += 1
        return self._dns_token

    def shut_down_plugin(self, key: str) -> None:
        """End a plugin's root context: at once, or when the module says ``proxy_done``."""
        root = self.roots.pop(key, None)
        if root is None:
            return
        if root.done():
            root.delete()
        else:
            self.pending_done[key] = root

    def finish_plugin(self, context: Context) -> bool:
        """Answer ``proxy_done``: delete the pending root context after this call; False when none waits."""
        root = self.pending_done.pop(context.plugin.key, None) if context.plugin else None
        if root is None:
            return False
        self.after_call(root.delete)
        return True

    # -- calling ---

    def forbidden(self) -> Exception:
        """Make what ends a call to a host function that is not allowed now."""
        if self.allowed is _NOTHING:
            return NotModelled("a host call in a module's start section: it ends the real Envoy's process")
        return GuestTrap("restricted_callback", "restricted_callback")

    def may(self, capability: str) -> bool:
        """Whether the configuration lets the module have a callback or host function."""
        return self.capabilities is None or capability in self.capabilities

    def exports(self, callback: str) -> bool:
        """Whether the module has a callback."""
        return self._callbacks.get(callback) is not None

    def call(
        self, context: Context, callback: str, arguments: tuple[int, ...], even_failed: bool = False
    ) -> int | None:
        """Call a callback for a context; None when the module has none, the VM has failed, or it returns nothing."""
        function = self._callbacks.get(callback)
        if function is None or (self.fail_state and not even_failed):
            return None
        return self._enter(context, callback, function, arguments)

    def allocate(self, size: int) -> int:
        """Ask the module for memory; 0 when it has none to give."""
        if self._allocate is None:
            return 0
        saved, self.allowed = self.allowed, ALLOCATING
        try:
            return self._enter(self.vm_context, self._allocator, self._allocate, (size,)) or 0
        finally:
            self.allowed = saved

    def _enter(self, context: Context, name: str, function: Guest, arguments: tuple[int, ...]) -> int | None:
        current, acting = self.current, self.acting
        self.current = self.acting = context
        self._calls += 1
        record = self._record
        if record:
            record(Crossing(Direction.HOST_CALLS_VM, name, arguments))
        try:
            result = function(*arguments)
        except GuestTrap as trap:
            self._refuse(FailState.RUNTIME_ERROR, failure_text(name, trap, self.code.compiled.facts))
            return None
        except BaseException:
            self._after.clear()  # the run ends here: nothing that was asked for may hide why
            raise
        finally:
            self.current, self.acting = current, acting
            self._calls -= 1
            if not self._calls:
                self._charge()
        if record:
            record(Crossing(Direction.VM_RETURNS, name, () if result is None else (result,)))
        return result

    def _charge(self) -> None:
        """Let the time pass that the call has taken; calls within it are part of it."""
        if self._meter is not None:
            burnt, self._burnt = self._burnt, self.vm.fuel_used
            self._meter.callback(self._burnt - burnt)

    def settle(self) -> None:
        """After a callback: run what the module asked for meanwhile, and what that queues."""
        self.stopped = False
        while self._after:
            self._after.popleft()()

    def when_idle(self, action: Callable[[], None]) -> None:
        """Do something now, or after the current callback when the module runs."""
        if self._calls:
            self._after.append(action)
        else:
            action()

    def after_call(self, action: Callable[[], None]) -> None:
        """Queue something for the moment when the current callback has returned."""
        self._after.append(action)

    # -- failing ---

    @property
    def failed(self) -> bool:
        """Whether the VM can no longer be called."""
        return self.fail_state is not FailState.OK

    def fail(self, state: FailState, message: str) -> None:
        """Note a failure that is not the module's own trap."""
        self._refuse(state, f"Wasm VM failed {message}")

    def _set_failed(self, state: FailState) -> None:
        self.fail_state = state
        for callback in self.on_fail:
            callback()

    def close(self) -> None:
        """Free the VM; callouts that are under way are cancelled."""
        self.callouts.cancel_all()
        if hasattr(self, "vm"):
            self.vm.close()

"""One VM that runs a Proxy-Wasm module: linking, starting, calling, failing.

Theory of operation. Envoy keeps one *base* VM for each VM key and a clone of it on every thread; both are this
class, made from the same compiled code. A call into the module sets the current context, clears the effective one,
and puts both back afterwards: a host function acts for the effective context while that exists, else for the
current one. What a module asks of the filter chain during a call (continue, close, reply) is queued and runs when
the call has returned, in order, before the chain sees the callback's result act. A trap fails the VM for good:
from then on every callback is skipped.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Sequence

from meshsim.abi.allowance import EVENT_BYTES, Allowance
from meshsim.abi.callouts import Callouts
from meshsim.abi.code import Code
from meshsim.abi.constants import AbiVersion, FailState, LogLevel
from meshsim.abi.context import Context, Plugin
from meshsim.abi.events import Crossing, Direction
from meshsim.abi.exports import Start
from meshsim.abi.linking import link
from meshsim.abi.metrics import MetricTable
from meshsim.abi.ports import ContextHost
from meshsim.abi.shim.drivers import Driver, Ran
from meshsim.abi.shim.instance import Shim, suits
from meshsim.abi.shim.quick import Quick
from meshsim.abi.signatures import ALLOCATING, ALLOCATOR_TYPE, STARTING, callbacks
from meshsim.abi.traps import failure_text, within
from meshsim.abi.vm_host import VmHost
from meshsim.errors import GuestTrap, LinkError, MeshsimError, ModuleError, NotModelled
from meshsim.wasm import Limits, Memory, Vm

#: No host function, while the engine instantiates a module.
_NOTHING: frozenset[str] = frozenset()

Guest = Callable[..., int | None]


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
    shim : bool
        Whether Wasm may answer the hot host calls (:mod:`meshsim.abi.shim`).
    """

    def __init__(
        self,
        code: Code,
        host: VmHost,
        vm_context_host: ContextHost,
        vm_configuration: bytes = b"",
        limits: Limits | None = None,
        capabilities: frozenset[str] | None = None,
        shim: bool = True,
    ) -> None:
        self.code = code
        self.version = code.version
        self.host = host
        self.vm_configuration = vm_configuration
        self.metrics = MetricTable(host.metric_values)
        self.callouts = Callouts()
        self.fail_state = FailState.OK
        self.on_fail: list[Callable[[], None]] = []
        #: The trap that failed the VM, where it was one.
        self.trap: GuestTrap | None = None
        self.contexts: dict[int, Context] = {}
        self.roots: dict[str, Context] = {}
        self.pending_done: dict[str, Context] = {}
        self.stopped = False
        #: What a module may read in the callback that runs now, and nowhere else.
        self.call_data: bytes | None = None
        self._dns_token = 1
        self._next_id = 1
        self._after: deque[Callable[[], None]] = deque()
        self._called: set[str] = set()
        #: The callbacks that the module has, and what calls them, if that is known.
        self._callbacks: dict[str, Guest | None] = {}
        self._meter = host.meter
        #: Calls into the module that are under way, one inside the other.
        self.calls = 0
        #: Host calls whose contents are kept (:mod:`meshsim.abi.contents`), and those that came too late for that.
        self.shown_calls = 0
        self.burnt = 0
        self.limits = limits or Limits()
        self.allowance = Allowance(self.limits.kept_bytes_per_call, self.limits.kept_bytes)
        self.record = self.allowance.recorder(host.record) if host.record else None
        self.capabilities = capabilities
        self._allocate: Guest | None = None
        #: Name of the module's allocator; empty without one.
        self.allocator = ""
        #: Whether it has ever given memory.
        self.has_allocated = False
        #: The hot host functions in Wasm, from the first stream on, where they can do all that Python's would.
        self.shim: Shim | None = None
        self._quick: Quick | None = None
        self._shim_tried = not shim
        self.allowed: frozenset[str] | None = None
        self.vm: Vm
        self.memory: Memory
        self.vm_context = Context(self, 0, None, vm_context_host)
        self.current = self.vm_context
        self.acting = self.vm_context

    # -- starting ---

    def initialize(self) -> bool:
        """Link the module, look up its exports, run its own start; False when the VM has failed.

        As in Envoy, an export of a wrong type fails the VM, but its start still runs.
        """
        try:
            self.allowed = _NOTHING
            try:
                self.vm = Vm(self.code.compiled, link(self), self.limits)
            finally:
                self.allowed = None
            self.memory = self.vm.memory
        except LinkError as refused:
            return self._refuse(FailState.UNABLE_TO_INITIALIZE_CODE, refused.what)
        except (GuestTrap, ModuleError):
            return self._refuse(FailState.UNABLE_TO_INITIALIZE_CODE, "Failed to create new Wasm instance")
        found = self.code.found
        for state, said in found.complaints:
            self._refuse(state, said)
        self.allocator = found.allocator
        self._callbacks = dict.fromkeys(name for name in found.callbacks if self.may(name))
        for start in found.start:  # a main function runs even when `_initialize` has trapped
            self._run_first(start)
        return not self.failed

    def _run_first(self, start: Start) -> None:
        function = self.vm.function(start.name, start.type)
        assert function is not None
        self.allowed = STARTING
        try:
            self._enter(self.vm_context, start.name, function, start.arguments)
        finally:
            self.allowed = None

    def _look_up(self, callback: str) -> Guest:
        """Find what calls a callback that the module has.

        It is kept from the second time on: most of a process's VMs are started and configured, and nothing more.
        """
        if self.shim is not None:
            function: Guest | None = self.shim.entrance(callback)
        else:
            function = self.vm.function(callback, callbacks(self.version)[callback].type)
        assert function is not None
        if callback in self._called:
            self._callbacks[callback] = function
        else:
            self._called.add(callback)
        return function

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
        if parent is not None and not self._shim_tried and not self.calls:
            self._make_shim()
        return context

    def _make_shim(self) -> None:
        """Let Wasm answer the hot host calls; VMs that never see a stream do without."""
        self._shim_tried = True
        if suits(self):
            with contextlib.suppress(ModuleError):  # no room for it
                self.shim = Shim(self)
                self._callbacks = dict.fromkeys(self._callbacks)

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
        return callback in self._callbacks

    def call(
        self, context: Context, callback: str, arguments: tuple[int, ...], even_failed: bool = False
    ) -> int | None:
        """Call a callback for a context; None when the module has none, the VM has failed, or it returns nothing."""
        if callback not in self._callbacks or (self.fail_state and not even_failed):
            return None
        function = self._callbacks[callback] or self._look_up(callback)
        return self._enter(context, callback, function, arguments)

    def allocate(self, size: int) -> int:
        """Ask the module for memory; 0 when it has none to give."""
        if self._allocate is None:
            if not self.allocator:
                return 0
            self._allocate = self.vm.function(self.allocator, ALLOCATOR_TYPE)
            assert self._allocate is not None
        saved, self.allowed = self.allowed, ALLOCATING
        shim = self.shim
        said = shim.allocating(True) if shim else False
        try:
            address = self._enter(self.vm_context, self.allocator, self._allocate, (size,)) or 0
        finally:
            self.allowed = saved
            if shim:
                shim.allocating(said)
        if address and not self.has_allocated:
            self.has_allocated = True
            if shim:
                shim.trust()
        return address

    @property
    def has_phases(self) -> bool:
        """Whether several callbacks can be run in one crossing now."""
        return self.shim is not None and not self.calls and not self.fail_state

    def phase(
        self, context: Context, driver: Driver, arguments: tuple[int, ...], steps: Sequence[Callable[[], None]] = ()
    ) -> Ran:
        """Run several callbacks of a stream context in one crossing; the VM has a :attr:`shim`, and lives.

        Parameters
        ----------
        driver : Driver
            Which callbacks.
        arguments : tuple of int
            The driver's.
        steps : sequence of callable
            What is to be done on the host's side behind each of the callbacks; done before the module can notice.
        """
        shim = self.shim
        assert shim is not None
        shim.in_phase(driver, steps)
        try:
            return shim.ran(self._enter(context, driver, shim.driver(driver), arguments))
        finally:
            shim.out_of_phase()

    @property
    def quick(self) -> Quick:
        """The quick way into this VM, which has a shim."""
        if self._quick is None:
            self._quick = Quick(self)
        return self._quick

    def begin_bare(self, context: Context) -> None:
        """Before a call from outside that is made without :meth:`call`."""
        self.current = self.acting = context
        self.allowance.spent = 0
        self.calls = 1

    def end_bare(self) -> None:
        """After it."""
        self.current = self.acting = self.vm_context
        self.calls = 0

    def conclude(self, context: Context, driver: Driver, concluded: Callable[[], int]) -> Ran:
        """Go on behind such a call: ``concluded`` gives its result, or raises what it has raised."""
        assert self.shim is not None
        return self.shim.out_of_ride(self._enter(context, driver, concluded, ()))

    def readmit(self, context: Context) -> None:
        """Use a stream context again that was deleted, under the next free number."""
        context.id = self.take_ids(1)
        context.created = False
        self.contexts[context.id] = context

    def take_ids(self, count: int) -> int:
        """Take free numbers in a row, for contexts; the first of them."""
        while self._next_id in self.contexts:
            self._next_id += 1
        first = self._next_id
        self._next_id += count
        return first

    def give_back_ids(self, count: int) -> None:
        """The last numbers that were taken have not been used."""
        self._next_id -= count

    def _enter(self, context: Context, name: str | Driver, function: Guest, arguments: tuple[int, ...]) -> int | None:
        callback = name if isinstance(name, str) else name.name
        current, acting = self.current, self.acting
        self.current = self.acting = context
        shim, depth = self.shim, 0
        if context is self.vm_context:
            shim = None  # the allocator runs inside of something that goes on
        elif shim is not None:
            depth = shim.prepare(context)
        if not self.calls:
            self.allowance.spent = 0
        self.calls += 1
        record = self.record
        try:
            if record:
                plugin = context.plugin.name if context.plugin else ""
                record(Crossing(Direction.HOST_CALLS_VM, callback, arguments, plugin=plugin))
            result = function(*arguments)
        except GuestTrap as trap:
            if shim is not None:
                callback = shim.recover(depth, name)
                shim.take_note()  # what the guest did comes before what is said of its end
            within(trap, callback, context.plugin)
            self.trap = trap
            self._refuse(FailState.RUNTIME_ERROR, failure_text(callback, trap, self.code.compiled.facts))
            return None
        except BaseException as error:
            self._after.clear()  # the run ends here: nothing that was asked for may hide why
            if shim is not None:
                callback = shim.recover(depth, name)
            if isinstance(error, MeshsimError):
                within(error, callback, context.plugin)
            raise
        finally:
            if shim is not None:
                shim.take_note()
            self.current, self.acting = current, acting
            self.calls -= 1
            if self._meter is not None and not self.calls:
                self._charge(1 if shim is None else shim.unpaid)
        if record:
            record(Crossing(Direction.VM_RETURNS, callback, () if result is None else (result,)))
        return result

    def _charge(self, callbacks: int) -> None:
        """Let the time pass that callbacks have taken; calls within them are part of it."""
        if self._meter is not None and callbacks:
            before, self.burnt = self.burnt, self.vm.fuel_used
            self._meter.callback(self.burnt - before, callbacks)

    def lap(self, callbacks: int) -> None:
        """Between callbacks that run in one crossing: let the time pass that those before have taken."""
        if self.calls == 1:
            self._charge(callbacks)

    @property
    def is_asked(self) -> bool:
        """Whether something is to be done when the current callback is over, or it acts for another context."""
        return bool(self._after or self.stopped or self.fail_state) or self.acting is not self.current

    @property
    def is_old(self) -> bool:
        """Whether the module speaks ABI 0.1.0."""
        return self.version is AbiVersion.V0_1_0

    def charge_so_far(self) -> None:
        """Within a call: let the time pass that the guest has taken up to now."""
        if self._meter is not None and self.calls:
            before, self.burnt = self.burnt, self.vm.fuel_used
            self._meter.guest(self.burnt - before)

    def settle(self) -> None:
        """After a callback: run what the module asked for meanwhile, and what that queues."""
        self.stopped = False
        while self._after:
            self._after.popleft()()

    def when_idle(self, action: Callable[[], None]) -> None:
        """Do something now, or after the current callback when the module runs."""
        if self.calls:
            self._after.append(action)
        else:
            action()

    def after_call(self, action: Callable[[], None]) -> None:
        """Queue something for the moment when the current callback has returned."""
        self._after.append(action)

    def keep_log(self, size: int) -> None:
        """Count a log line of the module, where lines are kept."""
        if self.record:
            self.allowance.keep(size + EVENT_BYTES)

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
        if self.shim is not None:
            self.shim.close()
        if hasattr(self, "vm"):
            self.vm.close()
        self.shim = None  # its memory is gone
        self._callbacks = dict.fromkeys(self._callbacks)

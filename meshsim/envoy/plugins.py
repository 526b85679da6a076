"""Wasm plugins: base VMs, canaries, the clones on every thread, and what happens when one fails.

Theory of operation. The main thread loads a plugin: it finds or makes the *base VM* of the plugin's VM key (module
compiled, linked, its own start run, no plugin in it), and tries the plugin in a throw-away clone, the *canary*. Then
every thread, the main thread too, gets a clone of its own (one a VM key), in which the plugin has its root context.
With V distinct VM keys, P distinct plugins and N workers, Envoy 1.40 counts ``active = V*(N+2)`` and
``created = V*(N+2) + P``. What is logged, in which order and in which words, was read off its trace.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from meshsim.abi.code import Code
from meshsim.abi.constants import FailState, LogLevel
from meshsim.abi.proxy_wasm import ProxyWasm
from meshsim.abi.traps import by_plugin
from meshsim.envoy.plugin_spec import RUNTIMES, PluginSpec
from meshsim.envoy.thread_plugin import ThreadPlugin, Vm
from meshsim.errors import MeshsimError, ModuleError, NotModelled

if TYPE_CHECKING:
    from meshsim.envoy.process import Process
    from meshsim.envoy.thread_host import ThreadHost


class FilterRefused(Exception):
    """The main thread could not make a filter; Envoy refuses the configuration in these words."""


class PluginRefused(FilterRefused):
    """The main thread could not make a plugin."""

    def __init__(self, name: str) -> None:
        super().__init__(f"Unable to create Wasm plugin {name}")


@dataclass(eq=False, slots=True)
class Base:
    """The base VM of a VM key, with the outcome of each plugin's canary."""

    spec: PluginSpec
    code: Code
    vm: Vm
    canaries: dict[str, bool] = field(default_factory=dict)


class PluginTable:
    """All plugins of one process."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._bases: dict[str, Base] = {}
        self.loaded: list[PluginSpec] = []
        #: Keys of plugins that the workers do not have.
        self.main_only: set[str] = set()
        #: Keys of plugins that stay whatever becomes of them: their code comes too late to refuse them.
        self.staying: set[str] = set()
        #: Those of them that no thread has.
        self.missing: list[PluginSpec] = []

    # -- the main thread ---

    def load(self, spec: PluginSpec, main: ThreadHost, *, everywhere: bool = True) -> None:
        """Make a plugin on the main thread; raise :class:`PluginRefused` when Envoy would not take it.

        Without ``everywhere`` the workers do not get it, unless something else gives it to them.
        """
        base = self._bases.get(spec.vm_key) or self._make_base(spec, main)
        if base is None or not self._try_in_canary(base, spec, main):
            self._refuse(spec, main, had_vm=bool(spec.code), base=base)
        if all(other.plugin.key != spec.plugin.key for other in self.loaded):
            self.loaded.append(spec)
            if not everywhere:
                self.main_only.add(spec.plugin.key)
        if everywhere:
            self.main_only.discard(spec.plugin.key)
        main.plugin(spec)

    def go_without(self, spec: PluginSpec) -> None:
        """Let every thread have no instance of a plugin; the workers say so when they start."""
        self.missing.append(spec)

    def base(self, spec: PluginSpec) -> Base:
        """The base VM of a plugin that is loaded."""
        return self._bases[spec.vm_key]

    def _make_base(self, spec: PluginSpec, main: ThreadHost) -> Base | None:
        if not spec.code:
            return None
        if spec.runtime not in RUNTIMES:
            text = f"Failed to create Wasm VM using {spec.runtime} runtime. Envoy was compiled without support for it"
            main.report(LogLevel.WARN, text)
        self._process.vm_created(main, "Base", spec.runtime)
        code = self._load_code(spec, main)
        if code is not None:
            vm = Vm(main.new_wasm(code, spec), "base", main.thread.name, spec.vm_id, spec.vm_key)
            branches = code.compiled.facts.branches
            main.thread.spend(self._process.costs.base_vm_ns(len(spec.code), not self._bases, branches))
            if vm.wasm.initialize():
                base = self._bases[spec.vm_key] = Base(spec, code, vm)
                self._process.vms.append(vm)
                return base
            vm.wasm.fail(FailState.UNABLE_TO_INITIALIZE_CODE, "Failed to initialize Wasm code")
            vm.wasm.close()
        self._process.vm_gone(main, spec.runtime)
        self._process.vm_id_gone(spec.vm_id)
        return None

    def _load_code(self, spec: PluginSpec, main: ThreadHost) -> Code | None:
        """Find the module compiled, or compile it; None, and Envoy's words, when that cannot be."""
        if spec.runtime in RUNTIMES:
            try:
                return self._told(Code.of(self._process.compile(spec.code), self._process.dialect), main)
            except (ModuleError, NotModelled) as error:
                refused = error
        else:
            refused = ModuleError("")
        for text in filter(None, (self._reason(spec, refused), "Failed to load Wasm code")):
            main.report(LogLevel.ERROR, f"Wasm VM failed {text}")
        return None

    def _told(self, code: Code, main: ThreadHost) -> Code:
        """Name the imports of a module that this host has not."""
        if code.unimplemented:
            names = ", ".join(code.unimplemented)
            main.report(LogLevel.WARN, f"Host functions that Envoy has not, each answers 12 (unimplemented): {names}")
        return code

    def _reason(self, spec: PluginSpec, refused: MeshsimError) -> str:
        """Say as Envoy does why there is no code: it reads the module and its ABI version before it compiles."""
        if spec.runtime not in RUNTIMES:
            return ""
        try:
            Code.check_version(self._process.parse(spec.code), self._process.dialect)
        except ModuleError as error:
            return error.what if "ABI" in error.what else "Failed to parse corrupted Wasm module"
        if isinstance(refused, NotModelled):
            by_plugin(refused, spec.plugin)
            raise refused
        return "Failed to load Wasm bytecode"

    def _try_in_canary(self, base: Base, spec: PluginSpec, main: ThreadHost) -> bool:
        """Start and configure the plugin in a clone that is then thrown away; the outcome is kept."""
        known = base.canaries.get(spec.plugin.key)
        if known is not None:
            return known
        wasm = self._clone(base, spec, main)
        canary = ThreadPlugin(spec, Vm(wasm, "canary", main.thread.name, spec.vm_id, spec.vm_key), main)
        for step, what in ((canary.start, "start base Wasm"), (canary.configure, "configure base Wasm plugin")):
            if not step():
                wasm.fail(FailState.START_FAILED, f"Failed to {what}")
                break
        good = wasm.fail_state in (FailState.OK, FailState.RUNTIME_ERROR)
        main.forget_timers(wasm)
        wasm.close()
        self._process.vm_gone(main, spec.runtime)
        base.canaries[spec.plugin.key] = good
        return good

    def _refuse(self, spec: PluginSpec, main: ThreadHost, *, had_vm: bool, base: Base | None) -> None:
        name = spec.plugin.name
        if base is not None and not any(other.vm_key == spec.vm_key for other in self.loaded):
            self._drop_base(base, main)
        lines = [(LogLevel.TRACE, "Unable to create Wasm")] if had_vm else []
        lines.append((LogLevel.CRITICAL, f"Plugin {name} failed to load"))
        if not spec.config.fail_open:
            lines.append((LogLevel.CRITICAL, "Plugin configured to fail closed failed to load"))
        for level, text in lines:
            main.report(level, text)
        raise PluginRefused(name)

    def _drop_base(self, base: Base, main: ThreadHost) -> None:
        del self._bases[base.spec.vm_key]
        self._process.vms.remove(base.vm)
        base.vm.wasm.close()
        self._process.vm_gone(main, base.spec.runtime)
        self._process.vm_id_gone(base.spec.vm_id)

    def _clone(self, base: Base, spec: PluginSpec, host: ThreadHost) -> ProxyWasm:
        self._process.vm_created(host, "Thread-Local", spec.runtime)
        host.thread.spend(self._process.costs.clone_ns(len(spec.code)))
        wasm = host.new_wasm(base.code, spec)
        wasm.initialize()
        return wasm

    # -- every thread ---

    def new_local_vm(self, spec: PluginSpec, host: ThreadHost) -> Vm:
        """Clone a base VM for a thread."""
        vm = Vm(self._clone(self._bases[spec.vm_key], spec, host), "local", host.thread.name, spec.vm_id, spec.vm_key)
        self._process.vms.append(vm)
        return vm

    def forget(self, spec: PluginSpec) -> None:
        """Take note that a plugin is not wanted any more."""
        self.loaded = [other for other in self.loaded if other.plugin.key != spec.plugin.key]

    def local_vm_gone(self, spec: PluginSpec, host: ThreadHost) -> None:
        """Free a base VM that has no clone on any thread, and whose plugins are not wanted any more."""
        base = self._bases.get(spec.vm_key)
        if base is None or any(other.vm_key == spec.vm_key for other in self.loaded):
            return
        if not any(vm.key == spec.vm_key and vm.kind == "local" for vm in self._process.vms):
            self._drop_base(base, host)

    def drop_bases(self, main: ThreadHost) -> None:
        """Free the base VMs, when no thread has a clone any more."""
        for base in reversed(list(self._bases.values())):
            self._drop_base(base, main)

"""Modules become native code: compiled once, kept in the process and on disk, shared by all VMs that run them.

Two engines, not one with everything. Fuel is always counted: it is the clock of guest code. Interrupting a guest by
the wall clock needs a second check in every loop and function (a tight loop takes 1.2 ns a round instead of 0.9), for
a safety net that most runs do without; so a module is compiled again, for a second engine, when a VM asks for a
deadline. Fuel is the same on both.
"""

from __future__ import annotations

import collections
import functools
import resource
import threading
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import wasmtime

from meshsim.errors import ModuleError, NotModelled
from meshsim.wasm.cache import CodeCache
from meshsim.wasm.capi import ImportTypes, engine_pointer, image_bytes, module_pointer, set_stack
from meshsim.wasm.exchange import Board, slots_of
from meshsim.wasm.features import not_modelled
from meshsim.wasm.module import ModuleFacts, parse_module
from meshsim.wasm.selftest import wasmtime_version
from meshsim.wasm.types import FuncType
from meshsim.wasm.watchdog import Watchdog

RESERVATION_BYTES = 4 << 30
"""Address space for each linear memory: all that 32 bits can address, so that loads need no check of their bounds."""

STACK_BYTES = 5 << 20
"""Stack of a guest: V8 lets a small function call itself 120,000 deep, and so does this. It is the calling thread's
own stack, so a process with a smaller one gives its guests less."""

SMALL_RESERVATION_BYTES = 64 << 20
"""The same, where the address space of a process is limited (``ulimit -v``)."""

MAX_MEMORIES = 4
"""Memories of one module: toolchains make one. The limit of bytes is each memory's own, so there must be an end."""

RECENT = 16
"""Compiled modules that are kept although no VM uses them at the moment."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What the code depends on, besides the module and the processor.

    Everything that V8 has by default is on, and nothing that it refuses. Relaxed vector instructions give the same
    result on every machine.
    """

    interruptible: bool
    memory_reservation: int

    def engine(self) -> wasmtime.Engine:
        """A Wasmtime engine with these settings."""
        config = wasmtime.Config()
        config.consume_fuel = True
        config.epoch_interruption = self.interruptible
        config.memory_reservation = self.memory_reservation
        set_stack(config, _stack_bytes())
        config.memory_reservation_for_growth = self.memory_reservation  # when a memory has outgrown that and moves
        config.wasm_tail_call = True
        config.wasm_multi_memory = True
        config.wasm_memory64 = True
        config.wasm_threads = True
        config.wasm_relaxed_simd = True
        config.wasm_relaxed_simd_deterministic = True
        config.wasm_function_references = True
        config.wasm_gc = True
        config.wasm_exceptions = True
        config.wasm_wide_arithmetic = False
        return wasmtime.Engine(config)


class NativeEngine:
    """A Wasmtime engine with what goes with it: its settings, its watchdog, its name in the cache."""

    def __init__(self, settings: Settings) -> None:
        version = wasmtime_version()
        self.settings = settings
        self.engine = settings.engine()
        self.pointer = engine_pointer(self.engine)
        self.name = f"wasmtime {version} {settings}"
        self.watchdog = Watchdog(self.engine)

    def compile(self, facts: ModuleFacts, cache: CodeCache | None) -> wasmtime.Module:
        """Native code for a module, from the cache when it is there."""
        if cache is not None and (code := cache.load(facts.sha256, self.name)) is not None:
            try:
                return wasmtime.Module.deserialize(self.engine, code)
            except wasmtime.WasmtimeError:
                pass  # made by a build of the engine that says the same of itself and is not the same
        if any(memory.shared for memory in facts.memories):
            raise not_modelled("shared-memory")
        try:
            module = wasmtime.Module(self.engine, facts.data)
        except wasmtime.WasmtimeError as error:
            if "legacy-exceptions" in facts.features:
                raise not_modelled("legacy-exceptions") from None
            raise ModuleError(f"the engine refuses the module: {_sentence(str(error))}") from None
        if cache is not None:
            cache.store(bytes(module.serialize()), facts.sha256, self.name)
        return module


class Compiled:
    """A module, ready to run; made by :meth:`Engine.compile`.

    Attributes
    ----------
    facts : ModuleFacts
        What is in the module.
    """

    def __init__(self, engine: Engine, facts: ModuleFacts) -> None:
        self.facts = facts
        self._engine = engine
        self._modules: dict[bool, wasmtime.Module] = {}
        self._import_types: dict[bool, ImportTypes] = {}
        self._companions: dict[str, Compiled] = {}
        self._pointers: dict[bool, Any] = {}
        self._slots: tuple[Board, Mapping[int, FuncType]] | None = None

    @functools.cached_property
    def functions(self) -> Mapping[str, FuncType]:
        """Exported functions: name -> type."""
        return {export.name: export.type for export in self.facts.exports if export.type is not None}

    def pointer(self, interruptible: bool) -> Any:
        """The code as a C object."""
        pointer = self._pointers.get(interruptible)
        if pointer is None:
            pointer = self._pointers[interruptible] = module_pointer(self.native(interruptible)[1])
        return pointer

    def slots(self, board: Board) -> Mapping[int, FuncType]:
        """Slot -> type of the functions that the module imports, each once."""
        if self._slots is None or self._slots[0] is not board:
            self._slots = board, slots_of(self.facts.imports, board)
        return self._slots[1]

    def import_types(self, interruptible: bool) -> ImportTypes:
        """The types of the imports in the form of the C API; made once, for all VMs."""
        types = self._import_types.get(interruptible)
        if types is None:
            types = self._import_types[interruptible] = ImportTypes(self.native(interruptible)[1])
        return types

    def companion(self, name: str, text: Callable[[], str], interruptible: bool) -> Compiled:
        """Another module, made of its text, that goes into VMs of this one; made once for each ``name``."""
        companion = self._companions.get(name)
        if companion is None:
            module = bytes(wasmtime.wat2wasm(text()))
            companion = self._companions[name] = self._engine.compile(module, interruptible)
        return companion

    @property
    def native_bytes(self) -> int:
        """Size of the compiled code in memory."""
        return image_bytes(next(iter(self._modules.values())))

    def native(self, interruptible: bool = False) -> tuple[NativeEngine, wasmtime.Module]:
        """The code and its engine; compiled at the first request of each kind."""
        return self._engine.native(self, interruptible)


class Engine:
    """Compiles modules, each once.

    Compiled code holds no state of any guest, so it is all that two Envoys in one process share.

    Parameters
    ----------
    cache : CodeCache, optional
        Where compiled code is kept between processes; by default it is not.
    memory_reservation : int, optional
        Bytes of address space for each linear memory. By default 4 GiB, with room for some 20 000 VMs in a process;
        64 MiB when the address space is limited. With less than a guest's memory may become, every access is
        checked in software (10 to 25 % slower) and memories may move when they grow. Fuel does not depend on it.

    Examples
    --------
    >>> compiled = Engine().compile(bytes.fromhex("0061736d01000000"))
    >>> compiled.native_bytes > 0
    True
    """

    def __init__(self, cache: CodeCache | None = None, memory_reservation: int | None = None) -> None:
        self._cache = cache
        self._reservation = _default_reservation() if memory_reservation is None else memory_reservation
        self._natives: dict[bool, NativeEngine] = {}
        self._compiled: weakref.WeakValueDictionary[bytes, Compiled] = weakref.WeakValueDictionary()
        self._recent: collections.deque[Compiled] = collections.deque(maxlen=RECENT)
        self._lock = threading.RLock()

    def compile(
        self, data: bytes, interruptible: bool = False, accept: Callable[[ModuleFacts], object] | None = None
    ) -> Compiled:
        """Native code for a module.

        Parameters
        ----------
        data : bytes
            The module in the binary format.
        interruptible : bool
            Compile for VMs with a deadline at once, not at the first of them.
        accept : callable, optional
            Looks at a module that is not compiled yet, and raises for one that is not worth the time.

        Raises
        ------
        ModuleError
            The bytes are no module, or the module is not valid.
        NotModelled
            The module needs a feature that V8 has and Wasmtime has not, or more memories than :data:`MAX_MEMORIES`.
        """
        data = bytes(data)
        with self._lock:
            compiled = self._compiled.get(data)
            if compiled is None:
                facts = parse_module(data)
                if accept is not None:
                    accept(facts)
                if len(facts.memories) > MAX_MEMORIES:
                    raise NotModelled(f"a module with more than {MAX_MEMORIES} memories")
                compiled = Compiled(self, facts)
                self.native(compiled, interruptible)
                self._compiled[compiled.facts.data] = compiled
            if compiled not in self._recent:
                self._recent.append(compiled)
            return compiled

    def native(self, compiled: Compiled, interruptible: bool) -> tuple[NativeEngine, wasmtime.Module]:
        """See :meth:`Compiled.native`."""
        with self._lock:
            native = self._natives.get(interruptible)
            if native is None:
                native = self._natives[interruptible] = NativeEngine(Settings(interruptible, self._reservation))
            module = compiled._modules.get(interruptible)
            if module is None:
                module = compiled._modules[interruptible] = native.compile(compiled.facts, self._cache)
            return native, module


@functools.cache
def shared_engine() -> Engine:
    """The process's engine, with the user's cache: for everybody who has no reason to have an own one."""
    return Engine(CodeCache())


def validate(data: bytes) -> None:
    """Make sure that a module is valid, without compiling it.

    Raises
    ------
    ModuleError
        It is not; says what is wrong and where.

    Examples
    --------
    >>> validate(bytes(wasmtime.wat2wasm("(module (func (result i32)))")))
    Traceback (most recent call last):
    meshsim.errors.ModuleError: the module is invalid: type mismatch: expected i32 but nothing on stack (at offset 0x18)
    """
    try:
        wasmtime.Module.validate(_validator(), data)
    except wasmtime.WasmtimeError as error:
        raise ModuleError(f"the module is invalid: {_sentence(str(error))}") from None


@functools.cache
def _validator() -> wasmtime.Engine:
    return Settings(interruptible=False, memory_reservation=SMALL_RESERVATION_BYTES).engine()


def _stack_bytes() -> int:
    """What a thread's stack has room for, with a good part left to the host's own frames."""
    limit, _ = resource.getrlimit(resource.RLIMIT_STACK)
    # Where the stack has no limit, threads still get 2 MiB.
    return min(STACK_BYTES, (2 << 20 if limit == resource.RLIM_INFINITY else limit) * 5 // 8)


def _default_reservation() -> int:
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    return RESERVATION_BYTES if limit == resource.RLIM_INFINITY else SMALL_RESERVATION_BYTES


def _sentence(report: str) -> str:
    """The engine's report on one line, the cause last."""
    return ": ".join(line.strip() for line in report.splitlines() if line.strip() and line.strip() != "Caused by:")

"""Calls between Python and a guest without the engine's checks, some twenty times as fast as the public API.

Theory of operation
-------------------
A call passes one array of 16-byte slots: arguments on the way in, the result in slot 0 on the way out. The compiled
code reads all arguments when it starts and writes the result when it ends, so the array of a function is free in
between, and the same function may be called again from a host function (every string that a host returns makes it
call the guest's allocator). A host function gets the address of such an array on the native stack; views of these
addresses are kept, because a call comes through the same few of them again and again.

Nothing here is checked by the engine. What has to hold, with a test for each in ``tests/wasm/test_rawcall.py``:

* types: a function is called only with the type that it was looked up by (:mod:`meshsim.wasm.vm` compares them);
* an exception in a host function must not pass through native frames: it is kept, the guest is ended by a trap, and
  the same object is raised where the guest was called;
* a trap comes back in one place, an error in another; both are owned by the caller and freed here;
* the C functions made for host functions live as long as the store that may call them;
* guest and host may call each other, to a depth that neither Python's stack nor the native one notices.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from meshsim.errors import GuestTrap, MeshsimError, ModuleError
from meshsim.wasm.capi import EXTERN_KINDS, NULL_KINDS, ffi, lib
from meshsim.wasm.crossing import way_into
from meshsim.wasm.exchange import Exchange
from meshsim.wasm.marshal import CASTS, SLOT_BYTES, SlotViews, callback, with_arguments
from meshsim.wasm.traps import error_frames, error_text, from_trap
from meshsim.wasm.types import FuncType, HostImport

MAX_DEPTH = 64
"""How deep host and guest may call each other; Python's own limit, 1000 frames, is then far."""

MAX_TABLE_ELEMENTS = 10_000_000
"""V8's limit for one table; a store here has no room for more in all its tables."""

TABLE_ELEMENT_BYTES = 16
"""A table may not take more than half of what a memory may."""

MAX_TABLES = 16
"""Tables of one store: toolchains make one. The engine gives each its own room, so there must be an end."""

_CLOSED = 1 << 30  # a depth that no call reaches

NO_BYTES = ffi.buffer(ffi.new("char[1]"), 0)
"""The buffer of a memory that is not there."""


class Store:
    """One guest's world: its instance, its memory, the host functions that it can call.

    A store belongs to one thread at a time. It is freed by :meth:`close`, or with the last reference.

    Parameters
    ----------
    engine : C object
        The engine of the modules that will run here (:func:`meshsim.wasm.capi.engine_pointer`).
    memory_bytes : int
        No linear memory here grows beyond this.
    slots : int
        The longest list of arguments of any host function.

    Attributes
    ----------
    depth : int
        How many calls into the guest are under way, one inside the other.
    """

    __slots__ = (
        "__weakref__",
        "_callbacks",
        "_context",
        "_fuel",
        "_handle",
        "_name",
        "_pending",
        "_size",
        "_trap",
        "_views",
        "depth",
    )

    def __init__(self, engine: Any, memory_bytes: int, slots: int = 1) -> None:
        handle = lib.wasmtime_store_new(engine, ffi.NULL, ffi.NULL)
        self._handle: Any = ffi.gc(handle, lib.wasmtime_store_delete)
        elements = min(MAX_TABLE_ELEMENTS, memory_bytes // TABLE_ELEMENT_BYTES)
        lib.wasmtime_store_limiter(handle, memory_bytes, elements, -1, MAX_TABLES, -1)
        self._context: Any = lib.wasmtime_store_context(handle)
        self._trap: Any = ffi.new("uintptr_t *")
        self._pending: BaseException | None = None
        self.depth = 0
        self._fuel: Any = ffi.new("uint64_t *")
        self._name: Any = ffi.new("char **")
        self._size: Any = ffi.new("size_t *")
        self._callbacks: list[Any] = []
        self._views = SlotViews(max(slots, 1))

    def close(self) -> None:
        """Free the store; every further call into it raises."""
        if self.closed:
            return
        if self.depth:
            raise MeshsimError("a VM cannot be closed while its guest runs")
        self.depth = _CLOSED
        ffi.release(self._handle)
        self._callbacks.clear()

    @property
    def closed(self) -> bool:
        """The store has been freed."""
        return self.depth == _CLOSED

    @property
    def context(self) -> Any:
        """The C object that every function of the store wants; raises after :meth:`close`."""
        if self.closed:
            raise self._refusal()
        return self._context

    # --- fuel and time -----------------------------------------------------------------------------------------------

    def set_fuel(self, fuel: int) -> None:
        """Put ``fuel`` into the tank, whatever was in it."""
        self._check(lib.wasmtime_context_set_fuel(self.context, fuel))

    def fuel(self) -> int:
        """What is left in the tank."""
        error = lib.wasmtime_context_get_fuel(self.context, self._fuel)
        if error:
            self._check(error)
        return self._fuel[0]  # type: ignore[no-any-return]

    def set_epoch_deadline(self, ticks: int) -> None:
        """Interrupt the guest when the engine's epoch has gone ``ticks`` further (interruptible engines only)."""
        lib.wasmtime_context_set_epoch_deadline(self.context, ticks)

    # --- linking -----------------------------------------------------------------------------------------------------

    def host_function(self, extern_type: Any, host: HostImport) -> Any:
        """An extern that calls ``host``; ``extern_type`` is the C object of the same type, from the module."""
        return self._host_function(extern_type, callback(host, self._views))

    def exchange(self, extern_type: Any, exchange: Exchange) -> Any:
        """An extern that answers for every function of an :class:`Exchange`."""
        return self._host_function(extern_type, exchange.callback(self._views))

    def _host_function(self, extern_type: Any, answer: Callable[[int, int, int, int], int]) -> Any:
        c_function = ffi.callback("callback_t", answer, error=0, onerror=self._host_failed)
        self._callbacks.append(c_function)
        extern = ffi.new("wasmtime_extern_t *", {"kind": EXTERN_KINDS["func"]})
        function_type = lib.wasm_externtype_as_functype_const(extern_type)
        func = ffi.addressof(extern.of, "func")
        lib.wasmtime_func_new_unchecked(self.context, function_type, c_function, ffi.NULL, ffi.NULL, func)
        return extern

    def new_memory(self, extern_type: Any) -> Any:
        """An extern that is a fresh memory of the type that a module imports."""
        extern = ffi.new("wasmtime_extern_t *", {"kind": EXTERN_KINDS["memory"]})
        memory_type = lib.wasm_externtype_as_memorytype_const(extern_type)
        self._check(lib.wasmtime_memory_new(self.context, memory_type, ffi.addressof(extern.of, "memory")))
        return extern

    def new_table(self, extern_type: Any, element: str) -> Any:
        """An extern that is a fresh table, all null, of the type that a module imports; it holds ``element``."""
        extern = ffi.new("wasmtime_extern_t *", {"kind": EXTERN_KINDS["table"]})
        table_type = lib.wasm_externtype_as_tabletype_const(extern_type)
        null = ffi.new("wasmtime_val_t *", {"kind": NULL_KINDS[element]})
        self._check(lib.wasmtime_table_new(self.context, table_type, null, ffi.addressof(extern.of, "table")))
        return extern

    def instantiate(self, module: Any, imports: Sequence[Any]) -> Any:
        """Make an instance of a module, both C objects; its start function runs.

        Raises
        ------
        ModuleError
            The engine could not make it: its memory or tables are larger than the limits allow.
        GuestTrap
            From the start function, or a data segment out of bounds.
        """
        externs = ffi.new("wasmtime_extern_t[]", [extern[0] for extern in imports])
        instance = ffi.new("wasmtime_instance_t *")
        self.depth += 1
        try:
            error = lib.wasmtime_instance_new(self.context, module, externs, len(imports), instance, self._trap)
            trap, self._trap[0] = self._trap[0], 0
            pending, self._pending = self._pending, None
            if pending is None:
                self._check(error)
            if error or trap:
                raise self._failure(error, trap, pending)
            return instance
        finally:
            self.depth -= 1

    def export(self, instance: Any, name: str) -> Any:
        """An instance's export of that name as an extern, or None."""
        encoded = name.encode()
        extern = ffi.new("wasmtime_extern_t *")
        found = lib.wasmtime_instance_export_get(self.context, instance, encoded, len(encoded), extern)
        return extern if found else None

    def export_at(self, instance: Any, index: int) -> Any:
        """An instance's export by its place in the module, as an extern."""
        extern = ffi.new("wasmtime_extern_t *")
        lib.wasmtime_instance_export_nth(self.context, instance, index, self._name, self._size, extern)
        return extern

    def plug(self, table: Any, index: int, function: Any) -> None:
        """Put a function, an extern, into a table."""
        value = ffi.new("wasmtime_val_t *", {"kind": NULL_KINDS["r"]})
        value.of.funcref = function.of.func
        self._check(lib.wasmtime_table_set(self.context, ffi.addressof(table.of, "table"), index, value))

    def grow(self, extern: Any, pages: int) -> None:
        """Make a memory larger; raises ModuleError where the limits are in the way."""
        memory = ffi.addressof(extern.of, "memory")
        self._check(lib.wasmtime_memory_grow(self.context, memory, pages, self._fuel))

    # --- calls -------------------------------------------------------------------------------------------------------

    def function(self, extern: Any, type_: FuncType, *first: int) -> Callable[..., Any]:
        """A callable for an exported function of this very type; ``first`` may fix its first argument.

        The callable takes ints (floats for f32 and f64) and returns an unsigned int, a float or None. It raises what a
        host function raised, or :class:`~meshsim.errors.GuestTrap`, or :class:`~meshsim.errors.DeadlineExceeded`.
        """
        func = ffi.new("wasmtime_func_t *", extern.of.func)
        count = max(len(type_.params), len(type_.results), 1)
        slots = ffi.new("uint64_t[]", 2 * count)
        buffer = memoryview(ffi.buffer(slots))
        result: Any = buffer.cast(CASTS[type_.results]) if type_.results else (None,)
        call, trap = lib.wasmtime_func_call_unchecked, self._trap
        arguments = self.context, func, slots, count, trap

        def run() -> Any:
            if self.depth >= MAX_DEPTH:
                raise self._refusal()
            self.depth += 1
            try:
                error = call(*arguments)
                if error or trap[0]:
                    # No call before these: Ctrl-C is noticed at calls, and the next failure must not find this one's.
                    ended, trap[0] = trap[0], 0
                    pending, self._pending = self._pending, None
                    raise self._failure(error, ended, pending)
                return result[0]
            finally:
                self.depth -= 1

        if not first:
            return with_arguments(run, buffer, type_.params)
        words, fixed = buffer.cast("I"), first[0]

        def run_with_first() -> Any:
            words[0] = fixed  # the result of the last call was there
            return run()

        return with_arguments(run_with_first, buffer[SLOT_BYTES:], type_.params[1:])

    def bare(self, extern: Any, type_: FuncType, overhead: memoryview) -> BareCall:
        """An exported function of ints for who calls it a hundred thousand times; see :class:`BareCall`."""
        func = ffi.new("wasmtime_func_t *", extern.of.func)
        count = max(len(type_.params), len(type_.results), 1)
        slots = ffi.new("uint64_t[]", 2 * count)
        way = way_into(self.context, func, slots, count, self._trap, overhead)
        return BareCall(self, *way, memoryview(ffi.buffer(slots)).cast("I"), (func, slots, overhead))

    def ended_badly(self, error: int) -> BaseException | None:
        """Why a bare call ended, of which this is the error, 0 after a trap; None when it ended well."""
        ended, self._trap[0] = self._trap[0], 0
        pending, self._pending = self._pending, None
        return self._failure(error, ended, pending) if error or ended else None

    def window(self, extern: Any) -> tuple[Any, int]:
        """The bytes of a memory as a buffer, and their number; both hold until the guest grows the memory."""
        memory = ffi.addressof(extern.of, "memory")
        size = lib.wasmtime_memory_data_size(self.context, memory)
        return ffi.buffer(lib.wasmtime_memory_data(self.context, memory), size), size

    def _failure(self, error: int, trap: int, pending: BaseException | None) -> BaseException:
        """Why a call into the guest failed; frees ``error`` and ``trap``."""
        try:
            if pending is not None:
                if error and isinstance(pending, GuestTrap) and not pending.frames:
                    pending.frames = error_frames(error)  # a host function that traps: where the guest called it
                return pending
            if error:
                return GuestTrap("error", error_text(error), error_frames(error))
            return from_trap(trap, "uncaught_exception" if self._drop_exception() else "trap")
        finally:
            if trap:
                lib.wasm_trap_delete(trap)
            if error:
                lib.wasmtime_error_delete(error)

    def _host_failed(self, _type: object, exception: BaseException, _traceback: object) -> int:
        """Keep what a host function raised and return a trap, which ends the guest."""
        self._pending = exception
        return int(lib.wasmtime_trap_new(b"host function", 13))

    def _drop_exception(self) -> bool:
        """Let go of a Wasm exception that nobody caught, if that is how the call ended."""
        exception = ffi.new("wasmtime_exnref_t *")
        thrown = lib.wasmtime_context_take_exception(self.context, exception)
        if thrown:
            lib.wasmtime_exnref_unroot(exception)
        return bool(thrown)

    def _refusal(self) -> MeshsimError:
        if self.depth >= _CLOSED:
            return MeshsimError("this VM is closed")
        return GuestTrap("stack_overflow", f"host and guest call each other more than {MAX_DEPTH} deep")

    @staticmethod
    def _check(error: int) -> None:
        """Raise an error of a function that runs no guest; frees it."""
        if error:
            try:
                raise ModuleError(error_text(error))
            finally:
                lib.wasmtime_error_delete(error)


class BareCall:
    """A call laid open: who uses it does without every convenience, and with half of the time.

    Put the arguments into ``words`` (every fourth, from 0), :meth:`call`, and ask for the :meth:`result` when something
    is not as expected. Only for calls from outside of all others.
    """

    __slots__ = ("_cross", "_kept", "_store", "_way", "words")

    def __init__(self, store: Store, cross: Callable[[Any], int], way: Any, words: memoryview, kept: object) -> None:
        self._store = store
        self._cross, self._way = cross, way
        self.words = words
        self._kept = kept

    def call(self) -> int:
        """Call; give the fuel that is left to the guest, less than 0 when it ended badly. ``words[0]`` has the result.

        What stands in ``overhead`` then counts as left.
        """
        self._store.depth = 1
        try:
            return self._cross(self._way)
        finally:
            self._store.depth = 0

    def result(self) -> int:
        """What the last call has for a result; raises why it ended otherwise."""
        error, self._way.error = self._way.error, 0
        failure = self._store.ended_badly(error)
        if failure is not None:
            raise failure
        return self.words[0]

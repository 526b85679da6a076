"""Calls between Python and a guest without the engine's checks, 24 times as fast as the public API.

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

import contextlib
import functools
import struct
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import wasmtime

from meshsim.errors import GuestTrap, MeshsimError, ModuleError
from meshsim.wasm.capi import EXTERN_KINDS, NULL_KINDS, address, ffi, lib
from meshsim.wasm.traps import error_frames, error_text, from_trap
from meshsim.wasm.types import FuncType, HostImport

MAX_DEPTH = 64
"""How deep host and guest may call each other; Python's own limit, 1000 frames, is then far."""

MAX_TABLE_ELEMENTS = 10_000_000
"""V8's limit for one table; a store here has no room for more in all its tables."""

SLOT_BYTES = 16
_MASK32 = (1 << 32) - 1
_MASK64 = (1 << 64) - 1
_CLOSED = 1 << 30  # a depth that no call reaches

_FORMATS = {"i": "I12x", "I": "Q8x", "f": "f12x", "F": "d8x"}
_CASTS: dict[str, Any] = {"i": "I", "I": "Q", "f": "f", "F": "d"}
SCALARS = frozenset(_FORMATS)
"""Letters of the types that can pass between Python and a guest."""


NO_BYTES = ffi.buffer(ffi.new("char[1]"), 0)
"""The buffer of a memory that is not there."""


class SlotViews(dict[int, memoryview]):
    """Address of an array of slots on the native stack -> a view of it, as 32-bit words.

    A view is only used while the call that owns the address is running. A guest that calls the host from ever
    different depths of its stack cannot make this grow without end.
    """

    CAPACITY = 1024

    def __init__(self, slots: int) -> None:
        super().__init__()
        self._size = SLOT_BYTES * slots

    def __missing__(self, at: int) -> memoryview:
        if len(self) >= self.CAPACITY:
            self.clear()
        view = memoryview(ffi.buffer(ffi.cast("char *", at), self._size)).cast("I")
        self[at] = view
        return view


class Store:
    """One guest's world: its instance, its memory, the host functions that it can call.

    A store belongs to one thread at a time. It is freed by :meth:`close`, or with the last reference.

    Parameters
    ----------
    engine : wasmtime.Engine
        The engine of the modules that will run here.
    memory_bytes : int
        No linear memory here grows beyond this.
    slots : int
        The longest list of arguments of any host function.
    """

    __slots__ = (
        "__weakref__",
        "_callbacks",
        "_context",
        "_fuel",
        "_handle",
        "_instance",
        "_views",
        "depth",
        "pending",
        "trap",
    )

    def __init__(self, engine: wasmtime.Engine, memory_bytes: int, slots: int) -> None:
        handle = lib.wasmtime_store_new(ffi.cast("wasm_engine_t *", address(engine)), ffi.NULL, ffi.NULL)
        self._handle: Any = ffi.gc(handle, lib.wasmtime_store_delete)
        lib.wasmtime_store_limiter(handle, memory_bytes, MAX_TABLE_ELEMENTS, -1, -1, -1)
        self._context: Any = lib.wasmtime_store_context(handle)
        self.trap: Any = ffi.new("uintptr_t *")
        self.pending: BaseException | None = None
        self.depth = 0
        self._fuel: Any = ffi.new("uint64_t *")
        self._instance: Any = ffi.new("wasmtime_instance_t *")
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
        self._check(lib.wasmtime_context_get_fuel(self.context, self._fuel))
        return self._fuel[0]  # type: ignore[no-any-return]

    def set_epoch_deadline(self, ticks: int) -> None:
        """Interrupt the guest when the engine's epoch has gone ``ticks`` further (interruptible engines only)."""
        lib.wasmtime_context_set_epoch_deadline(self.context, ticks)

    # --- linking -----------------------------------------------------------------------------------------------------

    def host_function(self, extern_type: Any, host: HostImport) -> Any:
        """An extern that calls ``host``; ``extern_type`` is the C object of the same type, from the module."""
        callback = ffi.callback("callback_t", _callback(host, self._views), error=0, onerror=self._host_failed)
        self._callbacks.append(callback)
        extern = ffi.new("wasmtime_extern_t *", {"kind": EXTERN_KINDS["func"]})
        function_type = lib.wasm_externtype_as_functype_const(extern_type)
        func = ffi.addressof(extern.of, "func")
        lib.wasmtime_func_new_unchecked(self.context, function_type, callback, ffi.NULL, ffi.NULL, func)
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

    def instantiate(self, module: wasmtime.Module, imports: Sequence[Any]) -> None:
        """Make the one instance of this store; its start function runs.

        Raises
        ------
        ModuleError
            The engine could not make it: its memory or tables are larger than the limits allow.
        GuestTrap
            From the start function, or a data segment out of bounds.
        """
        externs = ffi.new("wasmtime_extern_t[]", [extern[0] for extern in imports])
        module_pointer = ffi.cast("wasmtime_module_t *", address(module))
        self.depth += 1
        try:
            error = lib.wasmtime_instance_new(
                self.context, module_pointer, externs, len(imports), self._instance, self.trap
            )
            if error and self.pending is None:
                self._check(error)
            if error or self.trap[0]:
                raise self.failure(error)
        finally:
            self.depth -= 1

    def export(self, name: str) -> Any:
        """The instance's export of that name as an extern, or None."""
        encoded = name.encode()
        extern = ffi.new("wasmtime_extern_t *")
        found = lib.wasmtime_instance_export_get(self.context, self._instance, encoded, len(encoded), extern)
        return extern if found else None

    # --- calls -------------------------------------------------------------------------------------------------------

    def function(self, extern: Any, type_: FuncType) -> Callable[..., Any]:
        """A callable for an exported function, which must have this very type.

        The callable takes ints (floats for f32 and f64) and returns an unsigned int, a float or None. It raises what a
        host function raised, or :class:`~meshsim.errors.GuestTrap`, or :class:`~meshsim.errors.DeadlineExceeded`.
        """
        func = ffi.new("wasmtime_func_t *", extern.of.func)
        count = max(len(type_.params), len(type_.results), 1)
        slots = ffi.new("uint64_t[]", 2 * count)
        buffer = memoryview(ffi.buffer(slots))
        result: Any = buffer.cast(_CASTS[type_.results]) if type_.results else (None,)
        call, context, trap = lib.wasmtime_func_call_unchecked, self.context, self.trap

        def run() -> Any:
            if self.depth >= MAX_DEPTH:
                raise self._refusal()
            self.depth += 1
            try:
                error = call(context, func, slots, count, trap)
                if error or trap[0]:
                    raise self.failure(error)
                return result[0]
            finally:
                self.depth -= 1

        return _with_arguments(run, buffer, type_.params)

    def failure(self, error: int) -> BaseException:
        """Why a call into the guest failed; takes and frees ``error`` and the trap."""
        trap, self.trap[0] = self.trap[0], 0
        pending, self.pending = self.pending, None
        try:
            if pending is not None:
                return pending
            if error:
                return GuestTrap("error", error_text(error), error_frames(error))
            return from_trap(trap, "uncaught_exception" if self._drop_exception() else "trap")
        finally:
            if trap:
                lib.wasm_trap_delete(trap)
            if error:
                lib.wasmtime_error_delete(error)

    def window(self, extern: Any) -> tuple[Any, int]:
        """The bytes of a memory as a buffer, and their number; both hold until the guest grows the memory."""
        memory = ffi.addressof(extern.of, "memory")
        size = lib.wasmtime_memory_data_size(self.context, memory)
        return ffi.buffer(lib.wasmtime_memory_data(self.context, memory), size), size

    def _host_failed(self, _type: object, exception: BaseException, _traceback: object) -> int:
        """Keep what a host function raised and return a trap, which ends the guest."""
        self.pending = exception
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


@contextlib.contextmanager
def import_types(module: wasmtime.Module) -> Iterator[list[Any]]:
    """The C objects of the types of a module's imports, in order; freed at the end of the ``with``."""
    vector = ffi.new("wasm_importtype_vec_t *")
    lib.wasmtime_module_imports(ffi.cast("wasmtime_module_t *", address(module)), vector)
    try:
        yield [lib.wasm_importtype_type(vector.data[i]) for i in range(vector.size)]
    finally:
        lib.wasm_importtype_vec_delete(vector)


def image_bytes(module: wasmtime.Module) -> int:
    """Size of a module's compiled code in memory."""
    start, end = ffi.new("uintptr_t *"), ffi.new("uintptr_t *")
    lib.wasmtime_module_image_range(ffi.cast("wasmtime_module_t *", address(module)), start, end)
    return int(end[0] - start[0])


# --- arguments and results -------------------------------------------------------------------------------------------


@functools.cache
def _slots_format(params: str) -> struct.Struct:
    return struct.Struct("<" + "".join(_FORMATS[letter] for letter in params))


def _with_arguments(run: Callable[[], Any], buffer: memoryview, params: str) -> Callable[..., Any]:
    """A callable that stores its arguments in ``buffer`` and runs; the common shapes are written out, for speed."""
    words = buffer.cast("I")

    def one(a: int) -> Any:
        words[0] = a & _MASK32
        return run()

    def two(a: int, b: int) -> Any:
        words[0] = a & _MASK32
        words[4] = b & _MASK32
        return run()

    def three(a: int, b: int, c: int) -> Any:
        words[0] = a & _MASK32
        words[4] = b & _MASK32
        words[8] = c & _MASK32
        return run()

    pack = _slots_format(params).pack_into
    masks = [{"i": _MASK32, "I": _MASK64}.get(letter) for letter in params]

    def many(*arguments: float) -> Any:
        try:
            pack(buffer, 0, *arguments)
        except struct.error:  # a negative int, or not as many as there should be
            pack(buffer, 0, *[a if m is None else int(a) & m for a, m in zip(arguments, masks, strict=True)])
        return run()

    shapes: dict[str, Callable[..., Any]] = {"": run, "i": one, "ii": two, "iii": three}
    return shapes.get(params, many)


def _callback(host: HostImport, views: SlotViews) -> Callable[[int, int, int, int], int]:
    """The Python side of a host function: arguments out of the slots, the result into slot 0.

    No ``try``: cffi calls ``onerror`` for whatever is raised here, also before the first line.
    """
    fn, results = host.fn, host.type.results
    unpack = _slots_format(host.type.params).unpack_from

    def without_result(_env: int, _caller: int, at: int, _count: int) -> int:
        fn(*unpack(views[at]))
        return 0

    def with_i32(_env: int, _caller: int, at: int, _count: int) -> int:
        view = views[at]
        view[0] = fn(*unpack(view)) & _MASK32  # type: ignore[operator]  # a HostImport with a result returns one
        return 0

    def with_i64(_env: int, _caller: int, at: int, _count: int) -> int:
        view = views[at]
        result = fn(*unpack(view)) & _MASK64  # type: ignore[operator]  # as above
        view[0] = result & _MASK32
        view[1] = result >> 32
        return 0

    pack = struct.Struct("<" + _CASTS.get(results, "")).pack_into

    def with_float(_env: int, _caller: int, at: int, _count: int) -> int:
        view = views[at]
        pack(view, 0, fn(*unpack(view)))
        return 0

    return {"": without_result, "i": with_i32, "I": with_i64}.get(results, with_float)

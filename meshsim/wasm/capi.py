"""Wasmtime's C API, as far as this layer uses it.

The declarations follow the public headers ``wasm.h`` and ``wasmtime.h``, whose data layout holds within one major
version; hence the pin. The shared library is the one inside the ``wasmtime`` wheel, and where it lies is the only
private name of that package in use. :func:`meshsim.wasm.selftest.self_test` runs every declaration once.

Why cffi and not ctypes. A Python callback can fail before its first statement: Ctrl-C is noticed when the interpreter
enters the function, outside of any ``try`` in it. ctypes then prints the exception and gives C an *uninitialised*
value, here a wild pointer that Wasmtime takes for a trap and frees. cffi calls ``onerror`` instead, whose value goes to
C (a test interrupts a guest to show it). It also makes the call itself a third faster.

Where speed counts a pointer is declared as ``uintptr_t``: a null is then the small int 0 and no object is made.
"""

from __future__ import annotations

import ctypes
from typing import Any

import cffi  # type: ignore[import-untyped, unused-ignore]  # typed where types-cffi is installed
import wasmtime
from wasmtime import _ffi as wasmtime_library

ffi: Any = cffi.FFI()

ffi.cdef("""
typedef struct { size_t size; char *data; } wasm_byte_vec_t;
void wasm_byte_vec_delete(wasm_byte_vec_t *);

typedef struct wasm_functype_t wasm_functype_t;
typedef struct wasm_memorytype_t wasm_memorytype_t;
typedef struct wasm_tabletype_t wasm_tabletype_t;
typedef struct wasm_externtype_t wasm_externtype_t;
typedef struct wasm_importtype_t wasm_importtype_t;
typedef struct { size_t size; wasm_importtype_t **data; } wasm_importtype_vec_t;
void wasm_importtype_vec_delete(wasm_importtype_vec_t *);
const wasm_externtype_t *wasm_importtype_type(const wasm_importtype_t *);
const wasm_functype_t *wasm_externtype_as_functype_const(const wasm_externtype_t *);
const wasm_memorytype_t *wasm_externtype_as_memorytype_const(const wasm_externtype_t *);
const wasm_tabletype_t *wasm_externtype_as_tabletype_const(const wasm_externtype_t *);

typedef struct wasm_frame_t wasm_frame_t;
typedef struct { size_t size; wasm_frame_t **data; } wasm_frame_vec_t;
void wasm_frame_vec_delete(wasm_frame_vec_t *);
uint32_t wasm_frame_func_index(const wasm_frame_t *);
size_t wasm_frame_module_offset(const wasm_frame_t *);
const wasm_byte_vec_t *wasmtime_frame_func_name(const wasm_frame_t *);
const wasm_byte_vec_t *wasmtime_frame_module_name(const wasm_frame_t *);

void wasm_trap_delete(uintptr_t trap);
void wasm_trap_message(uintptr_t trap, wasm_byte_vec_t *out);
void wasm_trap_trace(uintptr_t trap, wasm_frame_vec_t *out);
uintptr_t wasmtime_trap_new(const char *message, size_t size);
bool wasmtime_trap_code(uintptr_t trap, uint8_t *code);
void wasmtime_error_delete(uintptr_t error);
void wasmtime_error_message(uintptr_t error, wasm_byte_vec_t *out);
void wasmtime_error_wasm_trace(uintptr_t error, wasm_frame_vec_t *out);

typedef struct wasm_config_t wasm_config_t;
void wasmtime_config_async_stack_size_set(wasm_config_t *, uint64_t);

typedef struct wasm_engine_t wasm_engine_t;
void wasmtime_engine_increment_epoch(wasm_engine_t *);

typedef struct wasmtime_module_t wasmtime_module_t;
void wasmtime_module_imports(const wasmtime_module_t *, wasm_importtype_vec_t *out);
void wasmtime_module_image_range(const wasmtime_module_t *, uintptr_t *start, uintptr_t *end);

typedef struct wasmtime_store_t wasmtime_store_t;
typedef struct wasmtime_context_t wasmtime_context_t;
wasmtime_store_t *wasmtime_store_new(wasm_engine_t *, void *data, void *finalizer);
void wasmtime_store_delete(wasmtime_store_t *);
wasmtime_context_t *wasmtime_store_context(wasmtime_store_t *);
void wasmtime_store_limiter(wasmtime_store_t *, int64_t memory_bytes, int64_t table_elements, int64_t instances,
                            int64_t tables, int64_t memories);
uintptr_t wasmtime_context_set_fuel(wasmtime_context_t *, uint64_t);
uintptr_t wasmtime_context_get_fuel(const wasmtime_context_t *, uint64_t *);
void wasmtime_context_set_epoch_deadline(wasmtime_context_t *, uint64_t ticks_from_now);

typedef struct { uint64_t store; void *private_; } wasmtime_func_t;
typedef struct { uint64_t store; uint32_t private_1, private_2, private_3; } wasmtime_global_t;
typedef struct { struct { uint64_t store; uint32_t private_1; } part; uint32_t private_2; } wasmtime_table_t;
typedef struct { struct { uint64_t store; uint32_t private_1; } part; uint32_t private_2; } wasmtime_memory_t;
typedef union {
    wasmtime_func_t func; wasmtime_global_t global; wasmtime_table_t table; wasmtime_memory_t memory;
} wasmtime_extern_union_t;
typedef struct { uint8_t kind; wasmtime_extern_union_t of; } wasmtime_extern_t;

typedef union { int64_t i64; double f64; wasmtime_func_t funcref; uint8_t v128[16]; } wasmtime_valunion_t;
typedef struct { uint8_t kind; wasmtime_valunion_t of; } wasmtime_val_t;

typedef struct { uint64_t store; uint32_t private_1, private_2; void *private_3; } wasmtime_exnref_t;
bool wasmtime_context_take_exception(wasmtime_context_t *, wasmtime_exnref_t *);
void wasmtime_exnref_unroot(wasmtime_exnref_t *);

typedef struct { uint64_t store; size_t private_; } wasmtime_instance_t;
uintptr_t wasmtime_instance_new(wasmtime_context_t *, const wasmtime_module_t *, const wasmtime_extern_t *imports,
                                size_t count, wasmtime_instance_t *, uintptr_t *trap);
bool wasmtime_instance_export_get(wasmtime_context_t *, const wasmtime_instance_t *, const char *name, size_t size,
                                  wasmtime_extern_t *);
bool wasmtime_instance_export_nth(wasmtime_context_t *, const wasmtime_instance_t *, size_t index, char **name,
                                  size_t *size, wasmtime_extern_t *);

typedef uintptr_t (*callback_t)(uint8_t env, uint8_t caller, uintptr_t slots, uint8_t count);
void wasmtime_func_new_unchecked(wasmtime_context_t *, const wasm_functype_t *, callback_t, void *env,
                                 void *finalizer, wasmtime_func_t *);
uintptr_t wasmtime_func_call_unchecked(wasmtime_context_t *, const wasmtime_func_t *, void *slots, size_t count,
                                       uintptr_t *trap);

uintptr_t wasmtime_memory_new(wasmtime_context_t *, const wasm_memorytype_t *, wasmtime_memory_t *);
uintptr_t wasmtime_memory_grow(wasmtime_context_t *, const wasmtime_memory_t *, uint64_t pages, uint64_t *before);
char *wasmtime_memory_data(const wasmtime_context_t *, const wasmtime_memory_t *);
size_t wasmtime_memory_data_size(const wasmtime_context_t *, const wasmtime_memory_t *);
uintptr_t wasmtime_table_new(wasmtime_context_t *, const wasm_tabletype_t *, const wasmtime_val_t *initial,
                             wasmtime_table_t *);
uintptr_t wasmtime_table_set(wasmtime_context_t *, const wasmtime_table_t *, uint64_t index, const wasmtime_val_t *);
""")
# callback_t: of the environment (null), the caller and the count only the low byte is taken, since Python keeps small
# ints and makes the others; nobody reads them.

lib: Any = ffi.dlopen(str(wasmtime_library.filename))

EXTERN_KINDS = {"func": 0, "global": 1, "table": 2, "memory": 3}
"""Kind of an import or export -> ``wasmtime_extern_kind_t``."""

NULL_KINDS = {"r": 5, "x": 6}
"""Letter of a reference type -> ``wasmtime_valkind_t``; a zeroed value of these kinds is null."""


def set_stack(config: wasmtime.Config, size: int) -> None:
    """Let guests use ``size`` bytes of stack; Wasmtime wants its other kind of stack to be as large."""
    lib.wasmtime_config_async_stack_size_set(ffi.cast("wasm_config_t *", address(config)), 2 * size)
    config.max_wasm_stack = size


def engine_pointer(engine: wasmtime.Engine) -> Any:
    """The C object behind an engine, which must outlive its use."""
    return ffi.cast("wasm_engine_t *", address(engine))


def module_pointer(module: wasmtime.Module) -> Any:
    """The C object behind a module, which must outlive its use."""
    return ffi.cast("wasmtime_module_t *", address(module))


def address(owner: wasmtime.Config | wasmtime.Engine | wasmtime.Module) -> int:
    """The address of the C object behind one of the package's objects, which must outlive its use."""
    value = ctypes.cast(owner.ptr(), ctypes.c_void_p).value
    assert value is not None
    return value


class ImportTypes(list[Any]):
    """The C objects of the types of a module's imports, in order; they live as long as this list."""

    def __init__(self, module: wasmtime.Module) -> None:
        vector = ffi.new("wasm_importtype_vec_t *")
        lib.wasmtime_module_imports(module_pointer(module), vector)
        self._vector = ffi.gc(vector, lib.wasm_importtype_vec_delete)
        super().__init__(lib.wasm_importtype_type(vector.data[i]) for i in range(vector.size))


def image_bytes(module: wasmtime.Module) -> int:
    """Size of a module's compiled code in memory."""
    start, end = ffi.new("uintptr_t *"), ffi.new("uintptr_t *")
    lib.wasmtime_module_image_range(module_pointer(module), start, end)
    return int(end[0] - start[0])

"""The baseline of the figure ``filter-alone``: host functions written straight on wasmtime's public Python API.

Written as its documentation does: a host function finds the guest's memory through its ``Caller``. With
``through_caller=False`` the memory is looked up once when the guest is made, which is quicker and only works because
these functions serve one guest. Nothing is here that the guest does not need: one ABI version, one context at a time,
no restrictions, no records; exports are looked up once. All of that makes it faster.
"""

from __future__ import annotations

from collections.abc import Callable

from wasmtime import Caller, Engine, Func, FuncType, Instance, Linker, Memory, Module, Store, ValType

from tests.bench.world import Headers, World

OK, NOT_FOUND, BAD_ARGUMENT, INVALID_MEMORY_ACCESS = 0, 1, 2, 6
REQUEST_HEADERS, RESPONSE_HEADERS = 0, 2
PLUGIN_CONFIGURATION = 7
COUNTER = 0
ROOT_CONTEXT = 1

TYPES = {"i": ValType.i32(), "I": ValType.i64()}


class PublicApiFilter:
    """A guest with its root context made and configured; :meth:`request` runs a stream through it."""

    def __init__(self, wasm: bytes, world: World, *, through_caller: bool = True) -> None:
        self.world = world
        self.maps: dict[int, Headers] = {}
        self.metric_names: list[str] = []
        engine = Engine()
        linker = Linker(engine)
        for name, (params, function) in self._host_functions().items():
            type_ = FuncType([TYPES[letter] for letter in params], [ValType.i32()])
            if through_caller:
                linker.define_func("env", name, type_, self._with_callers_memory(function), access_caller=True)
            else:
                linker.define_func("env", name, type_, function)
        self.store = Store(engine)
        instance = linker.instantiate(self.store, Module(engine, wasm))
        memory = instance.exports(self.store)["memory"]
        assert isinstance(memory, Memory)
        self.memory = memory
        self.allocate = self._export(instance, "proxy_on_memory_allocate")
        self.on_context_create = self._export(instance, "proxy_on_context_create")
        self.on_request_headers = self._export(instance, "proxy_on_request_headers")
        self.on_response_headers = self._export(instance, "proxy_on_response_headers")
        self.on_log = self._export(instance, "proxy_on_log")
        self.on_done = self._export(instance, "proxy_on_done")
        self.on_delete = self._export(instance, "proxy_on_delete")
        self.next_context = ROOT_CONTEXT + 1
        self.on_context_create(self.store, ROOT_CONTEXT, 0)
        assert self._export(instance, "proxy_on_vm_start")(self.store, ROOT_CONTEXT, 0)
        assert self._export(instance, "proxy_on_configure")(self.store, ROOT_CONTEXT, len(world.configuration))

    def _with_callers_memory(self, function: Callable[..., int]) -> Callable[..., int]:
        def call(caller: Caller, *arguments: int) -> int:
            memory = caller["memory"]
            assert isinstance(memory, Memory)
            self.memory = memory
            return function(*arguments)

        return call

    def _export(self, instance: Instance, name: str) -> Func:
        function = instance.exports(self.store)[name]
        assert isinstance(function, Func)
        return function

    def counted(self) -> dict[str, int]:
        """What the guest has counted, by name."""
        return dict(self.world.metrics)

    def request(self, request: Headers, response: Headers) -> None:
        """Run one stream through the guest: six callbacks."""
        store, context = self.store, self.next_context
        self.next_context += 1
        self.maps[REQUEST_HEADERS] = request
        self.on_context_create(store, context, ROOT_CONTEXT)
        assert self.on_request_headers(store, context, len(request), 1) == 0
        self.maps[RESPONSE_HEADERS] = response
        assert self.on_response_headers(store, context, len(response), 1) == 0
        self.on_log(store, context)
        self.on_done(store, context)
        self.on_delete(store, context)
        self.maps.clear()

    # --- memory ------------------------------------------------------------------------------------------------------

    def _read(self, pointer: int, size: int) -> bytes | None:
        data = bytes(self.memory.read(self.store, pointer, pointer + size))
        return data if len(data) == size else None

    def _write(self, pointer: int, data: bytes) -> int:
        try:
            self.memory.write(self.store, bytearray(data), pointer)
        except IndexError:
            return INVALID_MEMORY_ACCESS
        return OK

    def _give(self, data: bytes, pointer_out: int, size_out: int) -> int:
        address = self.allocate(self.store, len(data))
        return (
            self._write(address, data)
            or self._write(pointer_out, address.to_bytes(4, "little"))
            or self._write(size_out, len(data).to_bytes(4, "little"))
        )

    # --- host functions ----------------------------------------------------------------------------------------------

    def _host_functions(self) -> dict[str, tuple[str, Callable[..., int]]]:
        return {
            "proxy_get_log_level": ("i", self._get_log_level),
            "proxy_get_property": ("iiii", self._get_property),
            "proxy_get_buffer_status": ("iii", self._get_buffer_status),
            "proxy_get_buffer_bytes": ("iiiii", self._get_buffer_bytes),
            "proxy_define_metric": ("iiii", self._define_metric),
            "proxy_get_current_time_nanoseconds": ("i", self._get_time),
            "proxy_log": ("iii", self._log),
            "proxy_get_header_map_value": ("iiiii", self._get_header),
            "proxy_add_header_map_value": ("iiiii", self._add_header),
            "proxy_replace_header_map_value": ("iiiii", self._replace_header),
            "proxy_remove_header_map_value": ("iii", self._remove_header),
            "proxy_increment_metric": ("iI", self._increment_metric),
        }

    def _get_log_level(self, level_out: int) -> int:
        return self._write(level_out, self.world.log_level.to_bytes(4, "little"))

    def _get_property(self, path: int, path_size: int, pointer_out: int, size_out: int) -> int:
        name = self._read(path, path_size)
        if name is None:
            return INVALID_MEMORY_ACCESS
        value = self.world.properties.get(name)
        return NOT_FOUND if value is None else self._give(value, pointer_out, size_out)

    def _get_buffer_status(self, kind: int, length_out: int, flags_out: int) -> int:
        if kind != PLUGIN_CONFIGURATION:
            return NOT_FOUND
        length = len(self.world.configuration).to_bytes(4, "little")
        return self._write(length_out, length) or self._write(flags_out, bytes(4))

    def _get_buffer_bytes(self, kind: int, start: int, length: int, pointer_out: int, size_out: int) -> int:
        if kind != PLUGIN_CONFIGURATION:
            return NOT_FOUND
        return self._give(self.world.configuration[start : start + length], pointer_out, size_out)

    def _define_metric(self, kind: int, name: int, name_size: int, id_out: int) -> int:
        text = self._read(name, name_size)
        if text is None:
            return INVALID_MEMORY_ACCESS
        if kind != COUNTER:
            return BAD_ARGUMENT
        self.metric_names.append(text.decode())
        return self._write(id_out, (len(self.metric_names) - 1).to_bytes(4, "little"))

    def _increment_metric(self, metric: int, delta: int) -> int:
        if not 0 <= metric < len(self.metric_names):
            return NOT_FOUND
        self.world.metrics[self.metric_names[metric]] += delta
        return OK

    def _get_time(self, time_out: int) -> int:
        return self._write(time_out, self.world.now_ns.to_bytes(8, "little"))

    def _log(self, level: int, message: int, size: int) -> int:
        text = self._read(message, size)
        if text is None:
            return INVALID_MEMORY_ACCESS
        self.world.log.append((level, text.decode()))
        return OK

    def _get_header(self, kind: int, key: int, key_size: int, pointer_out: int, size_out: int) -> int:
        name, headers = self._read(key, key_size), self.maps.get(kind)
        if name is None:
            return INVALID_MEMORY_ACCESS
        if headers is None:
            return BAD_ARGUMENT
        value = headers.get(name.lower())
        return NOT_FOUND if value is None else self._give(value, pointer_out, size_out)

    def _add_header(self, kind: int, key: int, key_size: int, value: int, value_size: int) -> int:
        name, text, headers = self._read(key, key_size), self._read(value, value_size), self.maps.get(kind)
        if name is None or text is None:
            return INVALID_MEMORY_ACCESS
        if headers is None:
            return BAD_ARGUMENT
        headers.add(name.lower(), text)
        return OK

    def _replace_header(self, kind: int, key: int, key_size: int, value: int, value_size: int) -> int:
        name, text, headers = self._read(key, key_size), self._read(value, value_size), self.maps.get(kind)
        if name is None or text is None:
            return INVALID_MEMORY_ACCESS
        if headers is None:
            return BAD_ARGUMENT
        headers.replace(name.lower(), text)
        return OK

    def _remove_header(self, kind: int, key: int, key_size: int) -> int:
        name, headers = self._read(key, key_size), self.maps.get(kind)
        if name is None:
            return INVALID_MEMORY_ACCESS
        if headers is None:
            return BAD_ARGUMENT
        headers.remove(name.lower())
        return OK

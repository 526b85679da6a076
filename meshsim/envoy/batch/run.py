"""Running a table through one VM: many rows in one crossing, and the odd ones by themselves.

Theory of operation. The rows lie in the shim's memory as an image that is made once for a table: the row table, then
all blocks. A crossing runs rows until one asks for something that only Python has (any host function that is not in
the shim), stops or answers, or the room for changed maps or log lines is used up. Who runs the batch is the shim's
*rider*: it dismounts, that is, the row that asked gets a context and a stream behind it, and is brought to its end
callback by callback.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, cast

from meshsim.abi.code import Code
from meshsim.abi.constants import HeaderMapType, HeadersAction
from meshsim.abi.context import Context, Plugin
from meshsim.abi.proxy_wasm import ProxyWasm
from meshsim.abi.shim.drivers import BATCH, Ran
from meshsim.abi.shim.layout import LAYOUT, NUMBERS
from meshsim.abi.vm_host import VmHost
from meshsim.envoy.batch.host import BatchRoot, BatchThread, RowStream
from meshsim.envoy.batch.outcome import BatchResult, Outcome, Stretch, lines_of
from meshsim.envoy.batch.table import Row, Table
from meshsim.envoy.headers import HeaderMap, Kind
from meshsim.errors import ModuleError
from meshsim.wasm import Engine, Limits, shared_engine
from meshsim.wasm.types import PAGE_BYTES

if TYPE_CHECKING:
    from meshsim.abi.shim.instance import Shim

#: Where a batch lies in the shim's memory: the table with its blocks, then the maps that were changed.
_TABLE = LAYOUT["END"]
_IMAGE_BYTES = 24 * PAGE_BYTES
_CHANGED = _TABLE + _IMAGE_BYTES
_CHANGED_BYTES = 24 * PAGE_BYTES
#: What one row may need of that; a longer map stays with Python.
_ROW_ROOM = 4 * PAGE_BYTES
_HEAD = struct.Struct("<8I")
_HEAD_BYTES, _ROW_BYTES = 32, LAYOUT["ROW_SIZE"]
_ROWS = _TABLE + _HEAD_BYTES
_MOST_ROWS = 1024
#: Rows in one crossing: what they leave behind should stay in the processor's cache until it is taken.
_ROWS_AT_ONCE = 64

_CHANGED_END = (_TABLE + 16) // 4
_LOG = LAYOUT["LOG"]
_PENDING, _CALLS, _CLOCKS, _LOG_END, _DEPTH = (
    LAYOUT[name] // 4 for name in ("PENDING", "CALLS", "CLOCKS", "LOG_END", "DEPTH")
)
#: What most rows leave behind, and is taken here.
_COMMON = NUMBERS["P_LOG"] | NUMBERS["P_COUNTS"]


class Image:
    """Some rows of a table as they lie in the shim's memory."""

    def __init__(self, first: int, rows: Sequence[Row]) -> None:
        self.first, self.count = first, len(rows)
        at = _TABLE + _HEAD_BYTES + _ROW_BYTES * len(rows)
        entries: list[bytes] = []
        blocks: list[bytes] = []
        for row in rows:
            places = []
            for block in (row.request, row.response):
                if block is None:
                    places += [0, 0]
                    continue
                padded = block + bytes(-len(block) % 8)
                places += [at, len(block)]
                blocks.append(padded)
                at += len(padded)
            entries.append(struct.pack("<4I32x", *places))
        self.content = b"".join(entries + blocks)

    @staticmethod
    def of(table: Table) -> Iterator[Image]:
        """Cut a table into images."""
        first, size = 0, _HEAD_BYTES
        for place, row in enumerate(table):
            more = _ROW_BYTES + len(row.request) + len(row.response or b"") + 16
            if place - first == _MOST_ROWS or size + more > _IMAGE_BYTES:
                yield Image(first, table[first:place])
                first, size = place, _HEAD_BYTES
            size += more
        if first < len(table):
            yield Image(first, table[first:])


class BatchFilter:
    """A filter in a VM of its own, for tables of requests.

    Parameters
    ----------
    module : bytes
        The module.
    configuration, vm_configuration : bytes
        The plugin's and the VM's.
    name, root_id, vm_id : str
        The plugin's names.
    logs : bool
        Whether log lines are kept.
    limits : Limits, optional
        Of memory and time of the module.
    engine : Engine, optional
        Compiles the module; by default the process's own.

    Raises
    ------
    ModuleError
        The module cannot be used, or refuses its configuration.
    """

    def __init__(
        self,
        module: bytes,
        *,
        configuration: bytes = b"",
        vm_configuration: bytes = b"",
        name: str = "",
        root_id: str = "",
        vm_id: str = "",
        logs: bool = True,
        limits: Limits | None = None,
        engine: Engine | None = None,
    ) -> None:
        self._around = BatchThread(logs)
        self._plugin = Plugin(name, root_id, vm_id, key="batch", configuration=configuration, allow_stop_iteration=True)
        root_host = self._root_host = BatchRoot(self._plugin, vm_configuration)
        code = Code.of((engine or shared_engine()).compile(module))
        wasm = self.wasm = ProxyWasm(code, cast(VmHost, self._around), root_host, vm_configuration, limits)
        if not wasm.initialize():
            raise self._refused("cannot be started")
        self._root = wasm.root_context(self._plugin, root_host)
        if not self._root.start() or not self._root.configure():
            raise self._refused("refuses its configuration")
        self._table: Table = Table(())
        self._images: list[Image] = []
        self._single: dict[int, Outcome] = {}
        self._memory: memoryview | None = None
        self._stream: RowStream | None = None
        self._records = b""
        # The context that rows have, one behind the other; making it also makes the shim.
        self._context: Context = wasm.add_context(self._plugin, root_host, self._root)
        del wasm.contexts[self._context.id]
        self._burnt = wasm.vm.fuel_used
        #: Whether something has run since that was no whole crossing.
        self._odd = False

    def _refused(self, what: str) -> ModuleError:
        return ModuleError(f"the module {what}{''.join(': ' + text for text in self._around.reports[-1:])}")

    def run(self, table: Any) -> BatchResult:
        """Run rows, one behind the other, at one moment of virtual time.

        Parameters
        ----------
        table : Table, list, pandas.DataFrame or pyarrow.Table
            A :class:`Table` is taken as it is; anything else becomes one.

        Raises
        ------
        GuestTrap
            The module trapped: there are no outcomes.
        """
        self._start_run(table if isinstance(table, Table) else Table(table))
        before = self._burnt
        stretches: list[Stretch] = []
        for image in self._images:
            if self._shim is None:
                for place in range(image.first, image.first + image.count):
                    self._single[place] = self._row_alone(place)
            else:
                self._run_image(image, self._shim, stretches)
        if self._odd:
            self._burnt, self._odd = self.wasm.vm.fuel_used, False
        values = self._around.metric_values
        values.settle()
        if self._shim is not None:
            self._shim.count()
        return BatchResult(self._table, stretches, self._single, dict(values.values), self._burnt - before)

    def _start_run(self, table: Table) -> None:
        if table is not self._table:
            self._table, self._images = table, list(Image.of(table))
        self._single = {}

    @property
    def _shim(self) -> Shim | None:
        return self.wasm.shim

    # -- many rows ---

    def _run_image(self, image: Image, shim: Shim, stretches: list[Stretch]) -> None:
        memory = self._memory
        if memory is None:
            memory = self._memory = self._prepare(shim)
        words = shim.words
        memory[_ROWS : _ROWS + len(image.content)] = image.content
        done = 0
        while done < image.count:
            memory[_TABLE:_ROWS] = self._head
            row_at, place = _ROWS + _ROW_BYTES * done, image.first + done
            left = min(image.count - done, _ROWS_AT_ONCE)
            ran = self._cross(place, row_at, left)
            gone = left if ran is None else ran.result or 0
            if gone:
                changed_end = words[_CHANGED_END]
                rows = memory[row_at : row_at + _ROW_BYTES * gone].tobytes()
                changed = memory[_CHANGED:changed_end].tobytes()
                logs_end = int.from_bytes(rows[-8:-4], "little") - _LOG
                stretches.append(Stretch(place, rows, changed, _CHANGED, self._records[:logs_end], _LOG))
                self._records = self._records[logs_end:]
            done += gone
            if ran is not None and (ran.over or ran.trapped or not gone):
                self._single[place + gone] = self._finish(place + gone, ran, memory, row_at + gone * _ROW_BYTES)
                done += 1

    def _prepare(self, shim: Shim) -> memoryview:
        """Make room for images in the shim's memory."""
        memory = shim.grow((_IMAGE_BYTES + _CHANGED_BYTES + _ROW_ROOM) // PAGE_BYTES)
        rules = shim.map_rules(Kind.REQUEST.rules) + shim.map_rules(Kind.RESPONSE.rules)
        self._head = _HEAD.pack(*rules, _CHANGED, _CHANGED + _CHANGED_BYTES, 0, 0)
        self._bare = shim.bare(BATCH.name)
        return memory

    def _cross(self, place: int, row_at: int, left: int) -> Ran | None:
        """Run rows until one cannot go on, or all have; then None. Their log records are in ``_records`` then."""
        shim, wasm = self.wasm.shim, self.wasm
        assert shim is not None
        self._stream, self._records, self._around.lines = None, b"", []
        self._base = place, row_at
        context = self._context
        first = self._first_id = context.id = wasm.take_ids(left)
        bare = self._bare
        slots = bare.words
        wasm.vm.prepare_bare()
        shim.prepare(context)
        shim.begin_batch(self, self._take_logs)
        slots[0], slots[4], slots[8], slots[12], slots[16] = _TABLE, row_at, left, first, self._root.id
        wasm.begin_bare(context)
        try:
            rest = bare.call()
        finally:
            wasm.end_bare()
        words = shim.words
        if rest >= 0 and not words[_PENDING] & ~_COMMON and slots[0] == left:
            words[_PENDING] = words[_CALLS] = words[_CLOCKS] = 0
            self._records += shim.memory[_LOG : words[_LOG_END]].tobytes()
            words[_LOG_END] = _LOG
            shim.end_batch()
            self._burnt = wasm.vm.bare_fuel(rest)
            return None
        self._odd = True
        words[_DEPTH] = 0
        ran = wasm.conclude(context, BATCH, bare.result)
        wasm.give_back_ids(left - (ran.result or 0) - (ran.over > 0 or ran.trapped))
        return ran

    def _take_logs(self, records: bytes) -> None:
        self._records += records

    def dismount(self, over: int) -> HeaderMap | None:
        """Put a context and a stream behind the row that runs; the map that it is shown."""
        assert self._shim is not None
        first, first_at = self._base
        ahead = (self._shim.row - first_at) // _ROW_BYTES
        context, place = self._context, first + ahead
        context.id = self._first_id + ahead
        context.created = over > 0
        stream = self._stream = context.host = self._stream_of(place)
        memory = self._memory
        assert memory is not None
        row = struct.unpack_from("<12I", memory, self._shim.row)
        for header_map, at, size in ((stream.request_headers, *row[6:8]), (stream.response_headers, *row[8:10])):
            if at and header_map is not None:
                header_map.adopt(memory[at : at + size].tobytes())
        self.wasm.contexts[context.id] = context
        return self._show(stream, over)

    def _stream_of(self, place: int) -> RowStream:
        return RowStream(self._table[place], self._root_host, self.wasm.after_call)

    @staticmethod
    def _show(stream: RowStream, over: int) -> HeaderMap | None:
        """Open what a callback may touch, by its place among a row's callbacks."""
        stream.shown = {1: HeaderMapType.REQUEST_HEADERS, 2: HeaderMapType.RESPONSE_HEADERS}.get(over)
        stream.in_access_log = over == 3
        return {1: stream.request_headers, 2: stream.response_headers}.get(over)

    # -- one row ---

    def _finish(self, place: int, ran: Ran, memory: memoryview, row_at: int) -> Outcome:
        """Bring a row to its end of which some callbacks are over."""
        if self.wasm.fail_state:
            raise self._failure(place)
        if self._stream is None:
            self.dismount(ran.over)
        stream = self._stream
        assert stream is not None
        results = struct.unpack_from("<2I", memory, row_at + 16)
        result = results[ran.over - 2] if ran.over in (2, 3) else 0
        stopped = self.wasm.stopped
        self.wasm.settle()
        if ran.over == 3 and stream.response_headers is None:
            result = 0
        went_on = result in (HeadersAction.CONTINUE, HeadersAction.CONTINUE_AND_END_STREAM, 0xFFFFFFFE) and not stopped
        lines = list(lines_of(self._records)) + self._around.lines
        self._around.lines = lines
        return self._play(place, stream, ran.over, went_on)

    def _row_alone(self, place: int) -> Outcome:
        """Run a row callback by callback."""
        self._odd = True
        self._around.lines = []
        stream = self._stream_of(place)
        self.wasm.readmit(self._context)
        self._context.host = stream
        return self._play(place, stream, 0, went_on=True)

    def _play(self, place: int, stream: RowStream, over: int, went_on: bool) -> Outcome:
        """Run the callbacks of a row behind the first ``over``; ``went_on`` says what the last of them answered."""
        context = self._context
        if over < 1:
            context.create()
        for turn, (name, header_map) in enumerate(
            (("request", stream.request_headers), ("response", stream.response_headers)), start=1
        ):
            if over <= turn and went_on and header_map is not None:
                self._show(stream, turn)
                action = context.headers(f"proxy_on_{name}_headers", len(header_map), True)
                went_on = action in (HeadersAction.CONTINUE, HeadersAction.CONTINUE_AND_END_STREAM)
            if turn == 1 and over <= 2 and not went_on:
                stream.response_headers = None
        if over < 4:
            self._show(stream, 3)
            context.log()
        self._show(stream, 4)
        if over < 5:
            context.done()
        if over < 6:
            context.delete()
        if self.wasm.fail_state:
            raise self._failure(place)
        response = stream.response_headers
        action_word = "reply" if stream.reply else "continue" if went_on else "stop"
        answered = None if response is None or stream.reply else tuple(response.pairs())
        return Outcome(
            action_word, tuple(stream.request_headers.pairs()), answered, tuple(self._around.lines), stream.reply
        )

    def _failure(self, place: int) -> Exception:
        trap = self.wasm.trap
        if trap is None:
            return ModuleError("the VM has failed", f"rows[{place}]")
        return trap

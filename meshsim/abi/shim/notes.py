"""From the shim's memory to the objects that it stands for: logs, maps, bodies, metrics, calls to charge."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshsim.abi.shim.layout import LAYOUT, NUMBERS
from meshsim.abi.shim.runs import Runs
from meshsim.abi.shim.words import (
    BUFFER,
    CALLS,
    CHANGED,
    CLOCKS,
    COUNTS,
    DEPTH,
    DIRTY,
    HEADER_MAPS,
    HEAP,
    HEAP_START,
    LEVELS,
    MAP_COUNT,
    MAP_SIZE,
    MAPS,
    OPERATION,
    P_BODIES,
    P_COUNTS,
    P_LOG,
    P_MAPS,
    P_OPS,
    PACKED,
    PENDING,
    RECORD,
    WALL,
    W,
)

if TYPE_CHECKING:
    from meshsim.abi.proxy_wasm import ProxyWasm


class Notes(Runs):
    """What the shim has done since Python looked last, and how it comes to the objects that it stands for."""

    def __init__(self, wasm: ProxyWasm) -> None:
        super().__init__(wasm)
        self._metric_values = wasm.host.metric_values
        self._metrics_seen = -1
        self._counting = self._closed = False
        self._pack = self._extension.function("pack")
        words = self._words
        words[W["LOG_END"]] = LAYOUT["LOG"]
        words[W["OPS_END"]] = LAYOUT["OPS"]
        words[W["LOGS"]] = wasm.host.keeps_logs
        words[W["LOG_LEVEL"]] = wasm.host.log_level
        self._see_metrics()

    def take_note(self) -> None:
        """Bring what the shim has done to the objects that it stands for."""
        words = self._words
        if words[CALLS] or words[CLOCKS]:
            self._charge()
        pending = words[PENDING]
        if pending:
            if self.rider is not None and pending & (P_MAPS | P_BODIES):
                self._dismount()
            words[PENDING] = 0
            if pending & P_LOG:
                self._take_logs()
            if pending & P_MAPS:
                self._take_maps()
            if pending & P_BODIES:
                self._take_bodies()
            if pending & P_OPS:
                self._take_operations()
            if pending & P_COUNTS and not self._counting:
                self._counting = True
                self._metric_values.pending.append(self.count)
        if self._maps or self._bodies:
            self._maps.clear()
            self._bodies.clear()
            words[MAP_COUNT] = 0
        if not words[DEPTH]:
            words[HEAP] = HEAP_START

    def _charge(self) -> None:
        words = self._words
        if self._meter is not None:
            self._meter.host_calls(words[CALLS], words[CLOCKS])
        words[CALLS] = words[CLOCKS] = 0

    def _take_logs(self) -> None:
        words, host = self._words, self._wasm.host
        at, end = LAYOUT["LOG"], words[W["LOG_END"]]
        words[W["LOG_END"]] = at
        if self._log_sink is not None:
            words[W["LOGGED"]] += end - at
            self._log_sink(self._bytes[at:end].tobytes())
            return
        prefix = f"wasm log{self._wasm.acting.log_prefix}: "
        lines = self._bytes[at:end].tobytes()
        at = 0
        while at < len(lines):
            level, size = RECORD.unpack_from(lines, at)
            at += 8 + size
            host.log(LEVELS[level], prefix + lines[at - size : at].decode("utf-8", "surrogateescape"))

    def _take_maps(self) -> None:
        words = self._words
        if not words[PACKED]:  # in the middle of a run, or a run that has trapped
            self._pack()
        words[PACKED] = 0
        at = MAPS // 4
        for header_map in self._maps:
            if words[at + 7] & DIRTY:
                start = words[at]
                header_map.adopt(self._bytes[start : start + words[at + 1]].tobytes())
            at += MAP_SIZE // 4
        changed, words[CHANGED] = words[CHANGED], 0
        host = self._wasm.acting.host
        while changed:
            kind = changed.bit_length() - 1
            changed ^= 1 << kind
            host.headers_changed(HEADER_MAPS[kind])

    def _take_bodies(self) -> None:
        for kind, body in tuple(self._bodies.items()):
            start, size, flags = BUFFER.unpack_from(self._bytes, LAYOUT["BUFFERS"] + LAYOUT["BUFFER_SIZE"] * kind)
            if flags & DIRTY:
                body.data[:] = self._bytes[start : start + size]
                if body.changed is not None:  # once a callback, not within it
                    body.changed()

    def _take_operations(self) -> None:
        words = self._words
        start, end = LAYOUT["OPS"], words[W["OPS_END"]]
        words[W["OPS_END"]] = start
        metrics = self._wasm.metrics
        for metric, adds, value in OPERATION.iter_unpack(self._bytes[start:end].tobytes()):
            (metrics.increment if adds else metrics.record)(metric, value)

    def close(self) -> None:
        """Before the VM is freed: leave nothing in it."""
        self.count()
        self._closed = True

    def count(self) -> None:
        """Bring what counters have to go up to where everybody sees it."""
        if self._closed:
            return
        longs, metrics = self._longs, self._wasm.metrics
        self._counting = False
        for metric in metrics.counters():
            place = COUNTS + (metric >> 2)
            if metric >> 2 < NUMBERS["COUNTERS"] and longs[place]:
                delta, longs[place] = longs[place], 0
                metrics.count(metric, delta)

    def _partial_note(self) -> None:
        words = self._words
        if words[CALLS] or words[CLOCKS]:
            self._charge()
        if words[PENDING] & P_LOG:
            words[PENDING] &= ~P_LOG
            self._take_logs()

    def _partial_go_on(self) -> None:
        if self._clock:
            self._longs[WALL] = self._meter.wall_ns  # type: ignore[union-attr]  # a clock has a meter

    def _see_metrics(self) -> None:
        metrics = self._wasm.metrics
        self._metrics_seen = metrics.defined
        for kind, following in enumerate(metrics.following()):
            self._words[W["NEXT_COUNTER"] + kind] = following

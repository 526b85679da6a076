"""Metrics."""

from __future__ import annotations

from meshsim.abi.constants import MetricType, Status
from meshsim.abi.hostcalls.base import OK, HostCallsBase, guest_text, signed64


class MetricCalls(HostCallsBase):
    """Host functions for metrics."""

    def proxy_define_metric(self, kind: int, name: int, name_size: int, id_out: int) -> int:
        """Define a metric."""
        text = guest_text(self._read(name, name_size))
        if kind > max(MetricType):
            return Status.BAD_ARGUMENT
        self._write_u32(id_out, self._wasm.metrics.define(MetricType(kind), text))
        return OK

    def proxy_increment_metric(self, metric: int, delta: int) -> int:
        """Add to a metric."""
        return self._wasm.metrics.increment(metric, signed64(delta))

    def proxy_record_metric(self, metric: int, value: int) -> int:
        """Set or record a metric."""
        return self._wasm.metrics.record(metric, value)

    def proxy_get_metric(self, metric: int, value_out: int) -> int:
        """Give a counter's or gauge's value."""
        value = self._wasm.metrics.get(metric)
        if isinstance(value, Status):
            return value
        self._write_u64(value_out, value)
        return OK

"""Views of what a filter keeps in the proxy: metrics and shared data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from meshsim.abi.metrics import MetricValues
from meshsim.abi.shared import SharedData as Store
from meshsim.envoy.outcome import as_bytes
from meshsim.testing.messages import MissingName

_CUSTOM = "wasmcustom."


class Metrics(Mapping[str, int]):
    """Counters and gauges by name, and the samples of histograms."""

    def __init__(self, values: MetricValues) -> None:
        self._values = {name.removeprefix(_CUSTOM): value for name, value in values.stats().items()}
        self._samples = values.samples

    def __getitem__(self, name: str) -> int:
        __tracebackhide__ = True
        if name not in self._values:
            raise MissingName(f"no metric {name!r} among: {', '.join(self._values) or 'none at all'}")
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def samples(self, name: str) -> list[int]:
        """Return what was recorded in a histogram."""
        return list(self._samples.get(name, ()))

    def __repr__(self) -> str:
        return f"Metrics({dict(self._values)!r})"


class SharedData:
    """Shared data as a test reads and writes it: keys are text, values are bytes."""

    def __init__(self, store: Store, vm_id: bytes) -> None:
        self._store = store
        self._vm_id = vm_id

    def get(self, key: str, default: bytes | None = None) -> bytes | None:
        """Return a value."""
        found = self._store.get(self._vm_id, as_bytes(key))
        return found[0] if found else default

    def __getitem__(self, key: str) -> bytes:
        __tracebackhide__ = True
        value = self.get(key)
        if value is None:
            raise MissingName(f"no shared data under {key!r}")
        return value

    def __setitem__(self, key: str, value: bytes) -> None:
        self._store.set(self._vm_id, as_bytes(key), value, 0)

    def __contains__(self, key: str) -> bool:
        return self.get(key) is not None

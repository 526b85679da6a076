"""The pytest plugin: the fixture ``wasm_filter``, and what a failed test tells about its filters.

Pytest loads this module in every run, so it loads nothing of the simulator itself.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from meshsim.envoy.answers import Script
    from meshsim.testing.bench import WasmFilter

_LOADED = pytest.StashKey[list["WasmFilter"]]()


class WasmFilterFactory:
    """What the fixture ``wasm_filter`` is: call it with a module to have a filter to test."""

    def __init__(self, folders: tuple[Path, ...], loaded: list[WasmFilter]) -> None:
        self._folders = folders
        self._loaded = loaded

    def __call__(
        self,
        module: str | Path | bytes,
        *,
        upstreams: Mapping[str, Script] | None = None,
        workers: int = 1,
        seed: int = 0,
        abi: str = "envoy",
        **setup: Any,
    ) -> WasmFilter:
        """Load a filter into a simulated Envoy, and start it.

        Parameters
        ----------
        module : str, Path or bytes
            The module, or its file: looked for beside the test, then in pytest's root folder, then where pytest runs.
        upstreams : mapping of str to script
            What upstreams answer, by cluster: ``upstream`` gets the requests, others are there for callouts.
        workers : int
            How many worker threads.
        seed : int
            Of every random number.
        abi : str
            ``higress`` also takes modules of Higress, which Envoy refuses.
        **setup
            ``configuration``, ``vm_configuration``, ``name``, ``root_id``, ``vm_id``, ``failure_policy``,
            ``clusters``, ``http2_clusters``, ``environment``, ``capabilities``, ``allow_on_headers_stop_iteration``,
            ``kind``: see :class:`meshsim.testing.bootstrap.Setup`.

        Raises
        ------
        FilterRefused
            Envoy would not start with the filter.
        """
        from meshsim.testing.bench import WasmFilter
        from meshsim.testing.bootstrap import Setup

        found = module if isinstance(module, bytes) else self.find(module)
        clusters = {*setup.pop("clusters", ()), *(upstreams or {})}
        made = Setup(found, clusters=sorted(clusters), **setup)
        return self._keep(WasmFilter.load(made, upstreams, concurrency=workers, seed=seed, abi=abi))

    def from_bootstrap(self, path: str | Path, *, workers: int = 1, **options: Any) -> WasmFilter:
        """Start a bootstrap of your own; see :meth:`meshsim.testing.bench.WasmFilter.from_bootstrap`."""
        from meshsim.testing.bench import WasmFilter

        return self._keep(WasmFilter.from_bootstrap(self.find(path), concurrency=workers, **options))

    def find(self, name: str | Path) -> Path:
        """Find a file that a test names."""
        for folder in self._folders:
            if (folder / name).is_file():
                return (folder / name).resolve()
        from meshsim.errors import ConfigError

        places = ", ".join(str(folder) for folder in dict.fromkeys(self._folders))
        raise ConfigError("no such file", str(name), f"it was looked for in {places}")

    def _keep(self, made: WasmFilter) -> WasmFilter:
        self._loaded.append(made)
        return made


@pytest.fixture
def wasm_filter(request: pytest.FixtureRequest) -> WasmFilterFactory:
    """Load Proxy-Wasm modules into a simulated Envoy: ``wasm_filter("filter.wasm", configuration="...")``."""
    loaded = request.node.stash.setdefault(_LOADED, [])
    return WasmFilterFactory((request.path.parent, request.config.rootpath, Path.cwd()), loaded)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show, beneath a failed test, what its filters did last."""
    report = yield
    if report.when == "call" and report.failed:
        loaded = item.stash.get(_LOADED, [])
        for number, made in enumerate(loaded, 1):
            from meshsim.testing.story import story

            title = "wasm filter" if len(loaded) == 1 else f"wasm filter {number} of {len(loaded)}"
            report.sections.append((f"{title}, last calls", story(made.last)))
    return report

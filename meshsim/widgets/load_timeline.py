"""How Envoy loads its Wasm plugins: threads as tracks, each step a bar, the VMs counted as they come."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

import traitlets

from meshsim.envoy.loader import load_bootstrap, parse_bootstrap
from meshsim.envoy.proxy import Envoy
from meshsim.errors import MeshsimError
from meshsim.widgets._base import Widget
from meshsim.widgets._loading_run import Loaded, load
from meshsim.widgets._loading_still import still_of
from meshsim.widgets._loading_view import view_of
from meshsim.widgets._setup import FAULTS, Setup
from meshsim.widgets._still import Still

#: What the sliders reach; more can be set from Python.
MOST_WORKERS, MOST_PLUGINS = 8, 6


class LoadTimeline(Widget, assets="load_timeline"):
    """The loading timeline of one Envoy; changing a trait starts another Envoy and shows that.

    Parameters
    ----------
    envoy : Envoy, str or Path, optional
        An Envoy, whose bootstrap is loaded anew; a path of a bootstrap or its YAML text; a bundled scenario when it is
        left out.
    workers : int, optional
        Number of worker threads: that of the Envoy, or 2.
    formulas : bool, optional
        Whether the formulas stand under the counted numbers; a lesson that asks for them leaves them out.

    Attributes
    ----------
    workers : int
        Worker threads.
    plugins : int
        Wasm filters in the first filter chain that has some; the last one is repeated when there are not so many.
    own_vms : bool
        Whether repeated filters have VMs of their own, instead of sharing one.
    fault : {"none", "import", "callback"}
        What is wrong with the module.
    selected : int
        The bar whose details are shown; an index of ``view["bars"]``.
    step : int
        How many bars have happened, for going through them one by one.
    formulas : bool
        Whether the formulas are shown.

    Raises
    ------
    MeshsimError
        The bootstrap cannot be used.

    Examples
    --------
    >>> timeline = LoadTimeline(workers=2)
    >>> timeline.active, timeline.created
    (4, 5)
    >>> timeline.workers = 4
    >>> timeline.active
    6
    """

    workers = traitlets.Int(2, min=1, max=128).tag(sync=True)
    plugins = traitlets.Int(1, min=0, max=64).tag(sync=True)
    own_vms = traitlets.Bool(False).tag(sync=True)
    fault = traitlets.Enum(tuple(FAULTS), "none").tag(sync=True)
    selected = traitlets.Int(0, min=0).tag(sync=True)
    step = traitlets.Int(0, min=0).tag(sync=True)
    formulas = traitlets.Bool(True).tag(sync=True)
    limits: Any = traitlets.Dict().tag(sync=True)

    def __init__(
        self, envoy: Envoy | str | Path | None = None, *, workers: int | None = None, formulas: bool = True
    ) -> None:
        self._setup = _setup_of(envoy, workers)
        self._loaded: Loaded = load(self._setup)
        super().__init__(
            workers=self._setup.workers,
            plugins=self._setup.plugins,
            formulas=formulas,
            limits={
                "workers": max(MOST_WORKERS, self._setup.workers),
                "plugins": max(MOST_PLUGINS, self._setup.plugins),
            },
        )
        self._show()
        self.observe(self._rerun, ["workers", "plugins", "own_vms", "fault"])

    @property
    def active(self) -> int:
        """VMs that are there when all is loaded: V * (N + 2)."""
        return self._counts[0]

    @property
    def created(self) -> int:
        """VMs that were made, canaries too: V * (N + 2) + P."""
        return self._counts[1]

    @property
    def root_contexts(self) -> int:
        """Root contexts that were made, in canaries too: P * (N + 2)."""
        return self._counts[2]

    @property
    def module(self) -> bytes:
        """The module in the first VM, with its fault; empty without a VM."""
        return self._loaded.vms[0].code if self._loaded.vms else b""

    @property
    def _counts(self) -> list[int]:
        bars = self.view["bars"]
        return list(bars[-1]["n"]) if bars else [0, 0, 0]

    def _rerun(self, change: Any) -> None:
        setup = self._setup.changed_to(
            workers=self.workers, plugins=self.plugins, own_vms=self.own_vms, fault=self.fault
        )
        if setup == self._loaded.setup:
            return
        try:
            self._loaded = load(setup)
        except MeshsimError as error:  # a browser would only see that nothing comes
            self.view = {**self.view, "refused": {"what": "this cannot be run", "why": str(error)}}
        else:
            self._show()

    def _show(self) -> None:
        """Show the run: all of it, and the details of what went wrong or of the look-up that most comes from."""
        view = view_of(self._loaded)
        bars = view["bars"]
        bad = next((i for i, bar in enumerate(bars) if bar["bad"]), None)
        first = next((i for i, bar in enumerate(bars) if bar["k"] == "abi"), 0)
        with self.hold_sync():
            self.view = view
            self.selected = first if bad is None else bad
            self.step = len(bars)

    def still(self) -> Still:
        """Return the picture and the table."""
        return still_of(self._loaded, self.view, formulas=self.formulas)


def _setup_of(envoy: Envoy | str | Path | None, workers: int | None) -> Setup:
    if isinstance(envoy, Envoy):
        return Setup.of(envoy.bootstrap, workers or len(envoy.workers), envoy.process.dialect)
    if isinstance(envoy, str) and "\n" in envoy:
        return Setup.of(parse_bootstrap(envoy), workers or 2)
    path = envoy or Path(str(files("meshsim") / "scenarios" / "first_filter" / "envoy.yaml"))
    return Setup.of(load_bootstrap(path), workers or 2)

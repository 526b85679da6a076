"""The widget LoadTimeline in the kernel: traits that rerun it, what it is made of, its still."""

from __future__ import annotations

from pathlib import Path

import pytest

import meshsim as ms
from meshsim.errors import ConfigError
from meshsim.widgets._base import asset

FOLDER = Path(ms.__file__).parent / "scenarios" / "first_filter"


@pytest.fixture
def timeline() -> ms.LoadTimeline:
    return ms.LoadTimeline(workers=2)


def test_a_trait_reruns_it(timeline: ms.LoadTimeline) -> None:
    assert (timeline.active, timeline.created, timeline.root_contexts) == (4, 5, 4)
    timeline.workers = 5
    assert (timeline.active, timeline.created, timeline.root_contexts) == (7, 8, 7)
    timeline.plugins = 2
    assert (timeline.active, timeline.created, timeline.root_contexts) == (7, 9, 14)
    timeline.own_vms = True
    assert (timeline.active, timeline.created, timeline.root_contexts) == (14, 16, 14)
    timeline.fault = "import"
    assert (timeline.active, timeline.created) == (0, 1)


def test_what_the_browser_sends_does_the_same(timeline: ms.LoadTimeline) -> None:
    timeline.set_state({"workers": 3})
    assert timeline.active == 5
    timeline.set_state({"selected": 2, "step": 3})
    assert timeline.active == 5


def test_a_rerun_shows_all_of_it_and_the_details_of_what_went_wrong(timeline: ms.LoadTimeline) -> None:
    timeline.step = 1
    timeline.fault = "callback"
    bars = timeline.view["bars"]
    assert timeline.step == len(bars)
    assert bars[timeline.selected]["bad"]


def test_an_envoy_is_loaded_anew_with_its_own_workers() -> None:
    envoy = ms.Envoy.from_yaml(FOLDER / "envoy.yaml", concurrency=3)
    assert ms.LoadTimeline(envoy).workers == 3
    assert ms.LoadTimeline(envoy).active == envoy.stats()["wasm.envoy.wasm.runtime.v8.active"]


def test_a_path_and_a_text_do_the_same() -> None:
    by_path = ms.LoadTimeline(FOLDER / "envoy.yaml")
    text = (FOLDER / "envoy.yaml").read_text().replace("hello.wasm", str(FOLDER / "hello.wasm"))
    assert ms.LoadTimeline(text).created == by_path.created == 5


def test_a_bootstrap_that_is_not_there_is_said() -> None:
    with pytest.raises(ConfigError, match="no such file"):
        ms.LoadTimeline("nowhere.yaml")


def test_its_bundle_has_the_live_widget_and_the_still(timeline: ms.LoadTimeline) -> None:
    data, _ = timeline._repr_mimebundle_()
    assert data.keys() >= {"application/vnd.jupyter.widget-view+json", "text/html", "text/plain"}
    assert "data:image/svg+xml;base64," in data["text/html"]
    assert "(N + 2) = 1 \N{MULTIPLICATION SIGN} (2 + 2) = 4" in data["text/plain"]


def test_the_still_says_what_the_widget_says(timeline: ms.LoadTimeline) -> None:
    still = timeline.still()
    rows = [row for row in still.rows if row[1].endswith("clone")]
    assert [row[0] for row in rows] == ["main", "worker_0", "worker_1"]
    assert [row[4] for row in still.rows][-1] == "4"
    assert "imports of test-vm: ✓ env.proxy_log, ✓ env.proxy_get_header_map_value" in still.text
    assert "callbacks of test-vm: ✓ proxy_on_vm_start" in still.text
    timeline.fault = "import"
    assert "✗ env.proxy_add_header_map_valus" in timeline.still().text
    assert "missing import: env.proxy_add_header_map_valus" in timeline.still().text


def test_its_script_fetches_and_imports_nothing(timeline: ms.LoadTimeline) -> None:
    script = timeline._esm
    assert script.rstrip().endswith("export default { render };")
    assert not [word for word in ("import ", "import(", "fetch(", "https://", "XMLHttpRequest") if word in script]
    assert "https://" not in timeline._css
    assert asset("shared.js") in script


def test_its_style_stays_inside(timeline: ms.LoadTimeline) -> None:
    own = asset("shared.css") + asset("load_timeline.css")
    selectors = [line.split("{")[0].strip() for line in own.splitlines() if "{" in line and not line.startswith("@")]
    assert [s for s in selectors if s and not s.startswith(".meshsim") and not s.startswith("@")] == []


def test_a_lesson_may_leave_the_formulas_out() -> None:
    timeline = ms.LoadTimeline(workers=2, formulas=False)
    assert "N + 2" not in timeline.still().text
    assert "VMs created: 5" in timeline.still().text
    timeline.formulas = True
    assert "(N + 2) + P" in timeline.still().text

"""What all widgets have in common: one self-contained module each, the view, the still beside the live widget."""

from __future__ import annotations

import pytest
import traitlets

from meshsim.figures.provenance import Origin
from meshsim.widgets._base import Widget, asset, module_text, number, origins, style_text
from meshsim.widgets._still import Still


class _Small(Widget, assets="load_timeline"):
    workers = traitlets.Int(1).tag(sync=True)

    def still(self) -> Still:
        return Still("small", "<svg></svg>", ("workers",), [(str(self.workers),)])


def test_a_widget_sends_its_view_and_its_traits_to_the_browser() -> None:
    small = _Small(workers=3)
    small.view = {"title": "x"}
    state = small.get_state()
    assert state["view"] == {"title": "x"}
    assert state["workers"] == 3
    assert state["_esm"] == module_text("load_timeline")
    assert state["_css"] == style_text("load_timeline")


def test_the_still_stands_beside_the_live_widget() -> None:
    data, metadata = _Small(workers=3)._repr_mimebundle_()
    assert data["application/vnd.jupyter.widget-view+json"]["model_id"]
    assert data["text/plain"] == "small\nworkers\n3"
    assert "<td>3</td>" in data["text/html"]
    assert metadata == {}


def test_a_widget_has_to_say_what_its_still_is() -> None:
    with pytest.raises(NotImplementedError):
        Widget().still()


def test_helpers_are_joined_before_the_widget_and_nothing_else_is_exported() -> None:
    text = module_text("load_timeline")
    assert text.index("const fresh") < text.index("function render")
    assert text.count("export ") == 1
    assert asset("shared.css") in style_text("load_timeline")


def test_marks_and_words_of_origins_are_those_of_figures() -> None:
    found = origins(*Origin, profile="default", version="1.40.0", date="2026-11-22T21:41Z")
    assert [each["mark"] for each in found] == [origin.mark for origin in Origin]
    assert [each["words"] for each in found if each["name"] == "profile"] == [
        "virtual time, or V8's memory, by the cost profile 'default', measured 2026-11-22"
    ]
    assert number("3 ms", Origin.PROFILE)["mark"] == Origin.PROFILE.mark

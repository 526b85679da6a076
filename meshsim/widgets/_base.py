"""The base of all widgets: the view model in a synced trait, the front end from the package, and a still."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any, ClassVar

import anywidget
import traitlets

from meshsim.figures.provenance import Origin
from meshsim.widgets._still import Still
from meshsim.widgets._theme import live_css

#: What a view model is: plain values only, so that it is JSON.
View = dict[str, Any]


class Widget(anywidget.AnyWidget):
    """A widget that draws ``view``.

    A subclass names its files in ``assets/`` and says what its still is; it sets ``view`` in its constructor and when
    a trait changes that the user may set::

        class Counter(Widget, assets="counter"):
            workers = traitlets.Int(2).tag(sync=True)

    Parameters
    ----------
    assets : str
        Of a subclass: ``assets/{assets}.js`` defines ``function render({ model, el })``, ``assets/{assets}.css`` its
        looks. The helpers of ``shared.js`` are in scope.
    """

    view: Any = traitlets.Dict().tag(sync=True)
    _assets: ClassVar[str] = ""

    def __init_subclass__(cls, *, assets: str = "", **options: Any) -> None:
        cls._assets = assets or cls._assets
        if assets:
            cls._esm, cls._css = module_text(assets), style_text(assets)
        super().__init_subclass__(**options)

    def still(self) -> Still:
        """Return what is shown where no JavaScript runs."""
        raise NotImplementedError

    def _repr_mimebundle_(self, **options: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """Add the still to what a front end may choose from."""
        data, metadata = super()._repr_mimebundle_(**options) or ({}, {})
        return {**data, **self.still().bundle}, dict(metadata or {})

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


@cache
def asset(name: str) -> str:
    """Return a file of ``assets/``."""
    return (files("meshsim.widgets") / "assets" / name).read_text(encoding="utf-8")


def module_text(name: str) -> str:
    """Return a widget's JavaScript module, helpers included: it imports nothing."""
    return f"{asset('shared.js')}\n{asset(f'{name}.js')}\nexport default {{ render }};\n"


def style_text(name: str) -> str:
    """Return a widget's style sheet, colours included."""
    return f"{live_css()}\n{asset('shared.css')}\n{asset(f'{name}.css')}"


def origins(*used: Origin, profile: str = "", version: str = "", date: str = "") -> list[dict[str, str]]:
    """Return the legend of the marks that stand at numbers, as a part of a view model.

    Parameters
    ----------
    profile, date : str
        Name of the cost profile, and when it was measured.
    version : str
        Of the real Envoy.

    Examples
    --------
    >>> origins(Origin.COUNTED)[0]["mark"]
    '○'
    """
    measured = f", measured {date[:10]}" if date else ""
    return [
        {
            "name": origin.value,
            "mark": origin.mark,
            "words": origin.words(profile, version) + measured * (origin is Origin.PROFILE),
        }
        for origin in used
    ]


def number(text: str, origin: Origin) -> dict[str, str]:
    """Return a number with where it comes from, as a part of a view model.

    Examples
    --------
    >>> number("3", Origin.COUNTED)
    {'text': '3', 'origin': 'counted', 'mark': '○'}
    """
    return {"text": text, "origin": origin.value, "mark": origin.mark}

"""A widget on a page of its own: no server and no kernel, its JavaScript with a stand-in for the model.

For looks, contrast and accessibility: in JupyterLab axe cannot judge contrast, and its own shell has faults.
"""

from __future__ import annotations

import json
from typing import Any

#: JupyterLab's word for a theme.
THEMES = {"light": "true", "dark": "false"}

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{name}</title>
<style>{css}</style>
<style>
  html {{ color-scheme: {theme}; }}
  body {{ margin: 0; padding: 16px; background: {ground}; font-family: "DejaVu Sans", sans-serif; }}
  #widget {{ width: {width}px; }}
</style></head>
<body data-jp-theme-light="{light}"><main id="widget"></main>
<script id="state" type="application/json">{state}</script>
<script type="module">
{esm}
const listeners = {{}};
const values = JSON.parse(document.getElementById("state").textContent);
window.saved = [];
window.model = {{
  get: (name) => values[name],
  set: (name, value) => {{ values[name] = value; (listeners[`change:${{name}}`] ?? []).forEach((f) => f()); }},
  save_changes: () => window.saved.push(structuredClone(values)),
  on: (event, f) => (listeners[event] ??= []).push(f),
  off: (event, f) => {{ listeners[event] = (listeners[event] ?? []).filter((g) => g !== f); }},
  send: () => {{}},
}};
const began = performance.now();
render({{ model: window.model, el: document.getElementById("widget") }});
requestAnimationFrame(() => requestAnimationFrame(() => {{ window.painted_ms = performance.now() - began; }}));
</script></body></html>
"""


def page_of(widget: Any, theme: str = "light", width: int = 1080) -> str:
    """The HTML of a page that shows ``widget``.

    ``window.model`` is the stand-in, ``window.saved`` what the widget told its kernel, ``window.painted_ms`` how long
    it took from the call of ``render`` to the second frame.
    """
    state = {name: value for name, value in widget.get_state().items() if not name.startswith("_")}
    state.pop("layout", None)
    state.pop("tabbable", None)
    state.pop("tooltip", None)
    text = json.dumps(state).replace("</", "<\\/")
    return _PAGE.format(
        name=type(widget).__name__,
        css=widget._css,
        esm=widget._esm,
        state=text,
        theme=theme,
        light=THEMES[theme],
        ground="#ffffff" if theme == "light" else "#111111",
        width=width,
    )

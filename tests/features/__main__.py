"""Write ``docs/wasm-features.md``: the table of features, with the guests of this folder.

``python -m tests.features``
"""

from __future__ import annotations

from pathlib import Path

from meshsim.wasm.features import FEATURES, not_modelled
from tests.features.guests import GUESTS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "wasm-features.md"

_HEAD = """# Wasm features

What a module may use beyond WebAssembly 1.0, and who runs it: Envoy 1.40 with its V8, and meshsim with its Wasmtime.
`meshsim inspect MODULE` says which of these a module uses.

Each row was seen in both: a small guest uses the feature to compute a number, and logs as many bytes. Where both run
it, the whole trace is the same. This page is written by `python -m tests.features`; a test holds it up to date.

| feature | what it is | Envoy | meshsim | the guest's use of it |
|---|---|---|---|---|
"""

_TAIL = """
## What Envoy runs and meshsim does not

Such a module is not replaced by something that behaves otherwise: the run ends with exit status 3 and says what to do.
"""


def page() -> str:
    """The text of the page."""
    rows = "".join(
        f"| {name} | {feature.meaning} | {_mark(feature.envoy)} | {_mark(feature.meshsim)} | `{GUESTS[name].use}` |\n"
        for name, feature in FEATURES.items()
    )
    errors = [not_modelled(name) for name, feature in FEATURES.items() if feature.envoy and not feature.meshsim]
    return _HEAD + rows + _TAIL + "".join(f"\n```\n{error}\n```\n" for error in errors)


def _mark(taken: bool) -> str:
    return "runs it" if taken else "refuses it"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")

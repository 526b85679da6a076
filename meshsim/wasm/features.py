"""Which parts of WebAssembly there are beyond 1.0, and who runs them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from meshsim.errors import NotModelled


@dataclass(frozen=True, slots=True)
class Feature:
    """A part of WebAssembly beyond 1.0.

    Attributes
    ----------
    meaning : str
        What it is, in a few words.
    envoy, meshsim : bool
        Whether Envoy 1.40 (V8) and meshsim (Wasmtime) run modules that use it; seen in runs of both.
    remedy : str
        How a module is built without it, where that is needed.
    """

    meaning: str
    envoy: bool = True
    meshsim: bool = True
    remedy: str = ""

    @property
    def takers(self) -> str:
        """Who takes it, in words."""
        return {
            (True, True): "Envoy and meshsim",
            (True, False): "Envoy; meshsim does not",
            (False, True): "meshsim; Envoy does not",
            (False, False): "neither Envoy nor meshsim",
        }[self.envoy, self.meshsim]


_EXNREF = (
    "rebuild it with the standard's exceptions (exnref): `-sWASM_LEGACY_EXCEPTIONS=0` for Emscripten, "
    "`-mllvm -wasm-use-legacy-eh=false` for clang, `-Cllvm-args=-wasm-use-legacy-eh=false` for rustc; "
    "or translate it with `wasm-opt --translate-to-exnref`; Envoy runs that too"
)

FEATURES: Mapping[str, Feature] = {
    "bulk-memory": Feature("memory.copy, memory.fill and their like"),
    "custom-page-sizes": Feature("memory counted in other pages than of 64 KiB", False, False),
    "exceptions": Feature("exception handling with exnref"),
    "extended-const": Feature("arithmetic in constant expressions"),
    "function-references": Feature("typed function references"),
    "gc": Feature("structs, arrays and i31"),
    "legacy-exceptions": Feature("exception handling as it was before the standard", True, False, _EXNREF),
    "memory64": Feature("addresses of 64 bits"),
    "multi-memory": Feature("more than one memory"),
    "multi-value": Feature("several results, or blocks with parameters"),
    "nontrapping-float-to-int": Feature("saturating conversions"),
    "reference-types": Feature("references in tables and locals"),
    "relaxed-simd": Feature("vector instructions whose result may depend on the machine"),
    "shared-memory": Feature(
        "memory that threads share",
        True,
        False,
        "build it for one thread, without `-pthread` and `--shared-memory`",
    ),
    "sign-extension": Feature("sign extension instructions"),
    "simd": Feature("vectors of 128 bits"),
    "stack-switching": Feature("continuations", False, False),
    "tail-call": Feature("calls that reuse the caller's frame"),
    "threads": Feature("atomic instructions"),
    "wide-arithmetic": Feature("128-bit sums and products", False, False),
}
"""Name -> what it is and who takes it. ``docs/wasm-features.md`` is this table, with a small module a row."""


def not_modelled(feature: str) -> NotModelled:
    """The error for a module that Envoy would run and meshsim cannot.

    Examples
    --------
    >>> print(not_modelled("shared-memory"))
    not modelled: the Wasm feature shared-memory: Envoy's V8 runs such a module, Wasmtime, which runs it here, does not
      -> build it for one thread, without `-pthread` and `--shared-memory`
    """
    why = "Envoy's V8 runs such a module, Wasmtime, which runs it here, does not"
    return NotModelled(f"the Wasm feature {feature}: {why}", remedy=FEATURES[feature].remedy)

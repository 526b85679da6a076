"""What is broken: the recorded cases, with their modules, and the modules that ship."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from random import Random

from meshsim.envoy.config.bootstrap import Bootstrap
from meshsim.envoy.loader import load_bootstrap
from meshsim.errors import MeshsimError
from meshsim.reference.truth import BOOTSTRAP, REQUESTS

ROOT = Path(__file__).resolve().parents[2]
CASES = ROOT / "tests" / "envoy" / "cases"
#: Larger modules take seconds to compile: they are read and never run.
LARGEST_BYTES = 64 << 10


@dataclass(frozen=True, slots=True)
class Good:
    """A recorded case: its texts, and its bootstrap with what that names; None where Envoy refuses it."""

    folder: Path
    text: str
    requests: str
    bootstrap: Bootstrap | None

    def modules(self) -> dict[str, bytes]:
        """The modules that the bootstrap names and that can be run in no time."""
        files = self.bootstrap.sources.files if self.bootstrap else {}
        return {name: data for name, data in files.items() if name.endswith(".wasm") and _handy(data)}


def _handy(data: bytes) -> bool:
    return data[:4] == b"\0asm" and 8 < len(data) <= LARGEST_BYTES


@functools.cache
def names() -> tuple[str, ...]:
    """Names of the cases."""
    return tuple(sorted(path.parent.name for path in CASES.glob(f"*/{BOOTSTRAP}")))


@functools.cache
def good(name: str) -> Good:
    """The case of a name."""
    folder = CASES / name
    requests = folder / REQUESTS
    try:
        bootstrap = load_bootstrap(folder / BOOTSTRAP, environment={})
    except MeshsimError:
        bootstrap = None
    text = (folder / BOOTSTRAP).read_text(encoding="utf-8")
    return Good(folder, text, requests.read_text(encoding="utf-8") if requests.exists() else "[{}]", bootstrap)


@functools.cache
def all_modules() -> tuple[bytes, ...]:
    """Every module of the repository that can be run in no time."""
    paths = sorted([*(ROOT / "modules").glob("*/*.wasm"), *(ROOT / "tests/envoy/modules").glob("*.wasm")])
    return tuple(data for path in paths if _handy(data := path.read_bytes()))


def any_case(random: Random) -> Good:
    """A case."""
    return good(random.choice(names()))


def any_case_with_module(random: Random) -> Good:
    """A case that has a module to break."""
    while True:
        case = any_case(random)
        if case.modules():
            return case

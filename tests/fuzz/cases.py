"""The files of a random case, laid out as those of the recorded cases are."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import wasmtime
import yaml

from meshsim.reference.truth import BOOTSTRAP, REQUESTS, Case
from tests.fuzz.bootstraps import random_bootstrap, random_requests
from tests.fuzz.guests import random_guest


def write_case(seed: int, folder: Path) -> Case:
    """Write the case of a seed into a folder: its guests as ``.wat`` and ``.wasm``, its bootstrap, its requests."""
    random = Random(seed)
    front = [f"f{i}" for i in range(random.choice([1, 1, 2, 2, 3]))]
    back = [f"b{i}" for i in range(random.choice([0, 0, 0, 1]))]
    folder.mkdir(parents=True, exist_ok=True)
    for name in (*front, *back):
        # Only the first of a chain calls: one before it could end the stream while the call is under way.
        text = random_guest(random, may_call=name == front[0])
        (folder / f"{name}.wat").write_text(text, encoding="utf-8")
        (folder / f"{name}.wasm").write_bytes(wasmtime.wat2wasm(text))
    bootstrap = yaml.safe_dump(random_bootstrap(random, front, back), sort_keys=False)
    (folder / BOOTSTRAP).write_text(bootstrap, encoding="utf-8")
    (folder / REQUESTS).write_text(json.dumps(random_requests(random), indent=1) + "\n", encoding="utf-8")
    return Case.load(folder)

"""A small scenario to sweep over: one queue, no proxies."""

from __future__ import annotations

from pathlib import Path

import pytest

QUEUE = """\
topology: {services: [{name: shop, isEntrypoint: true}]}
services: {shop: {service_time: exponential(5ms), concurrency: 1}}
proxies: none
load: {open: {rate: 100}}
duration: 2s
warmup: 200ms
seed: 7
"""


@pytest.fixture
def queue(tmp_path: Path) -> Path:
    path = tmp_path / "queue.yaml"
    path.write_text(QUEUE, encoding="utf-8")
    return path

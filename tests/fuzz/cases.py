"""The files of a batch of seeds, laid out as those of the recorded cases are."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import wasmtime
import yaml

from meshsim.reference.truth import BOOTSTRAP, REQUESTS, Case
from tests.fuzz.bootstraps import (
    FRAMER,
    GRPC,
    Json,
    bootstrap,
    http_chain,
    http_listener,
    tcp_listener,
    wasm_filter,
)
from tests.fuzz.guests import WHOLE, HttpGuest, dying_allocator
from tests.fuzz.helpers import framer, grpc_server
from tests.fuzz.plans import Plan
from tests.fuzz.programs import Programs
from tests.fuzz.special import SPECIAL_REQUESTS, SpecialGuest

#: After the connection of a TCP filter, in ms: its end must not meet the beginning of the next.
TCP_GAP_MS = 60


@dataclass(slots=True)
class Batch:
    """What the guests of some seeds are and do; ``guests`` are texts by name."""

    programs: Programs = field(default_factory=Programs)
    guests: dict[str, str] = field(default_factory=dict)
    listeners: list[Json] = field(default_factory=list)
    requests: list[Json] = field(default_factory=list)

    def add(self, seed: int) -> None:
        """Add the listener of a seed."""
        plan, random, name = Plan.of(seed), Random(seed), f"s{seed}"
        if plan.kind == "http":
            self._add_http(plan, random, name)
            return
        self.guests[name] = SpecialGuest(plan, random, self.programs).text()
        number = len(self.listeners)
        if plan.kind == "network":
            self.listeners.append(tcp_listener(number, name))
            for _ in range(SPECIAL_REQUESTS):
                self.requests.append({"listener": name, "at_ms": len(self.requests) * TCP_GAP_MS})
        else:
            chain = http_chain(random, [name], framed=False)
            self.listeners.append(http_listener(number, name, chain))
            self._send([{"listener": name, "path": "/direct"} for _ in range(SPECIAL_REQUESTS)])

    def _add_http(self, plan: Plan, random: Random, name: str) -> None:
        guest = HttpGuest(plan, random, self.programs)
        names = [name]
        self.guests[name] = guest.text()
        if plan.index % 5 == 0:
            names.insert(random.choice([0, 1]), f"{name}-free")
            self.guests[f"{name}-free"] = HttpGuest(plan, random, self.programs, free=True).text()
        chain = http_chain(random, names, framed=True)
        forbidden = plan.forbidden_in_allocator()
        if forbidden is not None:
            chain.insert(1, wasm_filter(f"{name}-dying", failure_policy="FAIL_OPEN"))
            self.guests[f"{name}-dying"] = dying_allocator(plan, forbidden, random, self.programs)
        trailers = random.random() < 0.5
        self.listeners.append(http_listener(len(self.listeners), name, chain, trailers=trailers))
        requests: list[Json] = [{"listener": name, **WHOLE}]
        for ending in guest.endings:
            shape = WHOLE if ending.phase else _request(random)
            requests.append({"listener": name, **shape, "headers": _headers(random)})
        self._send(requests)

    def _send(self, requests: list[Json]) -> None:
        """Send HTTP requests, the first of them when the connections before have ended."""
        if self.requests and "at_ms" in self.requests[-1]:
            requests[0]["at_ms"] = len(self.requests) * TCP_GAP_MS
        self.requests += requests


def _request(random: Random) -> Json:
    """A request of any form."""
    request: Json = {"path": random.choice(["/direct", "/back/x", "/back/x?q=1", "/back/e", "/none", "/p"])}
    kind = random.choices(["GET", "body", "chunks", "HEAD"], [3, 3, 2, 1])[0]
    if kind == "body":
        request |= {"method": "POST", "body": random.choice(["", "abc", "0123456789"])}
    elif kind == "chunks":
        request |= {"method": "POST", "chunks": random.choice([["ab", "cd"], ["abc"]])}
        if random.random() < 0.5:
            request["trailers"] = [["x-t", "1"], ["x-a", "2"]]
    elif kind == "HEAD":
        request["method"] = "HEAD"
    return request


def _headers(random: Random) -> list[list[str]]:
    names = random.choices(["x-a", "x-b", "X-C", "cookie", "user-agent"], k=random.choice([0, 1, 1, 2, 3]))
    return [[name, random.choice(["v", "w"])] for name in names]


def write_batch(seeds: Sequence[int], folder: Path) -> tuple[Case, Programs]:
    """Write the case of some seeds: its guests as ``.wat`` and ``.wasm``, its bootstrap, its requests."""
    batch = Batch(guests={FRAMER: framer(), GRPC: grpc_server()})
    for seed in sorted(seeds, key=lambda seed: (Plan.of(seed).kind != "network", seed)):
        batch.add(seed)
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in batch.guests.items():
        (folder / f"{name}.wat").write_text(text, encoding="utf-8")
        (folder / f"{name}.wasm").write_bytes(wasmtime.wat2wasm(text))
    tree = yaml.safe_dump(bootstrap(batch.listeners), sort_keys=False)
    (folder / BOOTSTRAP).write_text(tree, encoding="utf-8")
    (folder / REQUESTS).write_text(json.dumps(batch.requests, indent=1) + "\n", encoding="utf-8")
    return Case.load(folder), batch.programs

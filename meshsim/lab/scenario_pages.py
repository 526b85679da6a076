"""The page on scenarios, ``docs/scenarios.md``, out of their format and of the files themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from meshsim.mesh.places import fields_at
from meshsim.mesh.scenario_loader import bundled, load_scenario
from meshsim.mesh.scenario_model import json_schema

_HEAD = """# Scenarios

A scenario is a YAML file: who is in a mesh, what is in its proxies, what load comes, and what happens meanwhile.
`meshsim run FILE` runs it, `meshsim validate FILE` shows every mistake in it with its line, `meshsim sweep FILE` runs
it many times with something changed, and `meshsim notebook FILE -o X.ipynb` makes a report of it. The names below stand
for files, too: `meshsim run normal`.

Editors complete and check the format with [scenario.schema.json](scenario.schema.json); with the YAML language server,
by a first line:

```yaml
# yaml-language-server: $schema=scenario.schema.json
```

This page is made by `python -m meshsim.lab.scenario_pages`.
"""

_FORMAT = """## The format

Times have a unit (`40ms`, `1.5s`); where a distribution makes sense it may be `exponential(10ms)`,
`lognormal(2ms, 0.5)` (median, sigma), `uniform(1ms, 2ms)`, `erlang(4, 10ms)`, `hyperexponential(0.05, 80ms, 3ms)`
(share and mean of the slow, mean of the others) or `pareto(1ms, 2.5)`. `topology` is isotope's format. A path such as
`plugins[0].configuration` or `services.*.workers` names a place for `--set` and `--vary`.

| field | holds |
|---|---|"""


_RESULT = """## What a run leaves

`result = ms.load_scenario("normal").run()` has, in virtual time and the same in every process:

| | |
|---|---|
| `result.find("rt > 20 and service == 'cart'")` | rows: a call each, and one of the client for each request |
| `result.latency`, `result.service("cart")` | measures after the warm-up, with intervals |
| `result.stats["cart-0"]` | counters and gauges of that pod's proxy, by Envoy's names |
| `result.usage`, `result.memory`, `result.events` | who was busy, what VMs weigh, what happened to the mesh |
| `result.to_pandas()`, `to_csv`, `to_perfetto`, `to_otlp`, `to_prometheus` and others | the rows elsewhere |
| `ms.RequestPlayer(result)` | one request, hop by hop: the slowest, or `request=` a number or what `find` gave |

A row is a request as one pod was sent it: who called (`source`, and `parent`, the caller's `hop`), from when to when,
what of that was proxies' work, waiting, the application and the network, the status, response flags and tries. A
request that a filter sends itself is a row too: a *callout*, with the filter's name in `filter`, on behalf of the
request of its `parent`. `find("callout")` finds them; time that a filter holds its request for them is nobody's work.

`run(level=...)` says what is kept: `ms.Level.OFF` sums only, statistics and measures among them; `REQUESTS` also rows;
`ABI` also each call between proxies and modules, which the player shows. What is kept at two levels is the same.
"""


def page() -> str:
    """Return the page as Markdown."""
    return "\n".join([_HEAD, *_list(), _FORMAT, *_fields(json_schema()), "", _RESULT, *_looks()]) + "\n"


def _list() -> Iterator[str]:
    yield "| scenario | shows |\n|---|---|"
    for name in bundled():
        yield f"| [{name}](#{name}) | {load_scenario(name).title} |"
    yield ""


def _fields(schema: Mapping[str, Any]) -> Iterator[str]:
    for name, field in schema["properties"].items():
        inside = fields_at(schema, (name,)) or fields_at(schema, (name, 0)) or fields_at(schema, (name, "*"))
        words = field.get("description", "")
        listed = ", ".join(f"`{one}`" for one in dict.fromkeys(inside))
        yield f"| `{name}` | {words}{': ' if words and listed else ''}{listed or _plain(field)} |"


def _plain(field: Mapping[str, Any]) -> str:
    """What a field may be, where its description and parts do not say."""
    if "description" in field:
        return ""
    return ", ".join(f"`{value}`" for value in field.get("enum", ())) or str(field.get("type", ""))


def _looks() -> Iterator[str]:
    for name in bundled():
        scenario = load_scenario(name)
        yield f"## {name}\n\n**{scenario.title}.** {scenario.look_for.strip()}\n"


if __name__ == "__main__":
    print(page(), end="")

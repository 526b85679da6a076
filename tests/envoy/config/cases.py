"""The cases of refusals.yaml: changes to bootstrap.yaml, and what the real Envoy said to them.

Run as a program, with the path of an Envoy, this writes Envoy's answers into refusals.yaml anew.
"""

from __future__ import annotations

import copy
import json
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from meshsim.envoy.config.refusal import normal_refusal

HERE = Path(__file__).parent
BASE = yaml.safe_load((HERE / "bootstrap.yaml").read_text(encoding="utf-8"))
TABLE = HERE / "refusals.yaml"

_MANAGER = "static_resources.listeners[0].filter_chains[0].filters[0].typed_config"
SHORT = {
    "listener": "static_resources.listeners[0]",
    "chain": "static_resources.listeners[0].filter_chains[0]",
    "manager": _MANAGER,
    "config": f"{_MANAGER}.route_config",
    "host": f"{_MANAGER}.route_config.virtual_hosts[0]",
    "route": f"{_MANAGER}.route_config.virtual_hosts[0].routes[0]",
    "wasm": f"{_MANAGER}.http_filters[0]",
    "plugin": f"{_MANAGER}.http_filters[0].typed_config.config",
    "vm": f"{_MANAGER}.http_filters[0].typed_config.config.vm_config",
    "router": f"{_MANAGER}.http_filters[1]",
    "cluster": "static_resources.clusters[0]",
    "endpoint": "static_resources.clusters[0].load_assignment.endpoints[0].lb_endpoints[0]",
}
"""Short names that a path may begin with."""


@dataclass(frozen=True)
class Case:
    """One change.

    ``says`` is Envoy's refusal in its normal form, or None when it accepts; ``ran`` tells whether the plugin of the
    bootstrap was configured before the refusal.
    """

    change: dict[str, Any]
    says: str | None
    ran: bool = False

    def __str__(self) -> str:
        return re.sub(r"\s+", " ", json.dumps(self.change))[:90]

    @property
    def bootstrap(self) -> str:
        """The changed bootstrap; JSON, which is YAML."""
        tree = copy.deepcopy(BASE)
        for path, value in self.change.items():
            _set(tree, path, value)
        return json.dumps(tree)


def _set(tree: Any, path: str, value: Any) -> None:
    """Set what is at a path, or with None remove it; ``[+]`` appends, and the text "null" stands for a null."""
    *keys, last = _keys(path)
    tree = _get(tree, keys)
    if last == "+":
        tree.append(_resolve(value))
    elif value is None:
        del tree[last]
    else:
        tree[last] = None if value == "null" else _resolve(value)


def _resolve(value: Any) -> Any:
    """Return a value in which each ``{"=": PATH, ...}`` is a copy of what is at the path, with changes."""
    if isinstance(value, list):
        return [_resolve(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "=" not in value:
        return {key: _resolve(item) for key, item in value.items()}
    result = copy.deepcopy(_get(BASE, _keys(value["="])))
    for path, change in value.items():
        if path != "=":
            _set(result, path, change)
    return result


def _get(tree: Any, keys: list[Any]) -> Any:
    for key in keys:
        tree = tree[key]
    return tree


def _keys(path: str) -> list[Any]:
    first = re.match(r"\w+", path)
    if first and first[0] in SHORT:
        path = SHORT[first[0]] + path[first.end() :]
    steps = re.findall(r"([\w@:-]+)|\[(\d+)\]|\[(\+)\]", path)
    return [int(number) if number else name or "+" for name, number, _ in steps]


def cases() -> list[Case]:
    """Return all recorded cases."""
    rows = yaml.safe_load(TABLE.read_text(encoding="utf-8"))
    return [Case(row["change"], row.get("says"), row.get("ran", False)) for row in rows]


def ask(envoy: str, bootstrap: str) -> tuple[str | None, bool]:
    """Return what an Envoy says to a bootstrap, and whether the plugin ran."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "bootstrap.yaml")
        path.write_text(bootstrap, encoding="utf-8")
        command = [envoy, "--mode", "validate", "-c", str(path), "--use-dynamic-base-id", "--log-format", "@@%l|%n|%v"]
        run = subprocess.run(
            [*command, "-l", "error"], capture_output=True, cwd=folder, timeout=60, check=False, env={"HOME": "/root"}
        )
    output = run.stderr.decode("utf-8", "replace")
    entries = [entry.split("|", 2) for entry in output.split("@@")[1:]]
    ran = any(name == "wasm" and "hello" in text for _, name, text in entries)
    refusals = [text for level, name, text in entries if (level, name) == ("critical", "main")]
    return (normal_refusal(refusals[-1]) if run.returncode else None), ran


def record(envoy: str) -> None:
    """Write the table anew, with the answers of one Envoy."""
    lines = [line for line in TABLE.read_text(encoding="utf-8").splitlines() if line.startswith("#")]
    for case in cases():
        says, ran = ask(envoy, case.bootstrap)
        row: dict[str, Any] = (
            {"change": case.change} | ({"says": says} if says else {}) | ({"ran": True} if ran else {})
        )
        lines.append("- " + json.dumps(row))
    TABLE.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    record(sys.argv[1])

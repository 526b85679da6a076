"""What is to be said about each kind of step of loading, and about the VM that it belongs to: facts from the module."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from meshsim.figures.provenance import Origin
from meshsim.wasm.types import PAGE_BYTES
from meshsim.widgets._base import View, number
from meshsim.widgets._loading_bars import KINDS
from meshsim.widgets._loading_run import BaseVm, Loaded


def about(kind: str, vm: BaseVm, loaded: Loaded) -> View:
    """Return title, meaning, facts, rows (imports or callbacks) and a note of a kind of bar, as a part of a view."""
    title = _TITLES.get(kind, KINDS[kind].label.capitalize())
    facts = _FACTS[kind](vm, loaded) if kind in _FACTS else {}
    return {"title": title, "meaning": KINDS[kind].meaning, **facts}


_TITLES = {
    "isolate": "Create the isolate",
    "compile": "Parse and compile",
    "background": "V8's own threads",
    "abi": "Inject the ABI",
    "instance": "Instantiate",
    "callbacks": "Look up the callbacks",
    "init": "Initialize: the base VM",
    "clone": "Clone",
    "start": "Start and configure",
}


def _isolate(vm: BaseVm, loaded: Loaded) -> View:
    return {"facts": [["what V8 keeps for a VM", number(_bytes(loaded.costs.vm_bytes), Origin.PROFILE)]]}


def _compile(vm: BaseVm, loaded: Loaded) -> View:
    if vm.facts is None:
        return {"facts": [["module", number(_bytes(len(vm.code)), Origin.COUNTED)]], "note": "This is no Wasm module."}
    return {
        "facts": [
            ["module", number(_bytes(len(vm.code)), Origin.COUNTED)],
            ["its code section", number(_bytes(vm.facts.code_bytes), Origin.COUNTED)],
            ["functions", number(str(vm.facts.function_count), Origin.COUNTED)],
            ["compiled", number(_bytes(loaded.costs.module_bytes(len(vm.code))), Origin.PROFILE)],
        ],
    }


def _background(vm: BaseVm, loaded: Loaded) -> View:
    return {
        "note": "The profile was measured where cores are few, and charges all of it to the main thread."
        " Where cores are free it takes less."
    }


def _abi(vm: BaseVm, loaded: Loaded) -> View:
    missing = [link for link in vm.links if link.problem]
    version = vm.version.value.replace("_", ".") if vm.version else "unknown"
    return {
        "facts": [
            ["ABI version", number(version, Origin.COUNTED)],
            ["imports linked", number(f"{len(vm.links) - len(missing)} of {len(vm.links)}", Origin.COUNTED)],
        ],
        "rows": [
            {"ok": not link.problem, "name": link.name, "type": link.type, "words": link.problem or link.meaning}
            for link in vm.links
        ],
        "note": _TIMELESS_NOTE,
    }


def _instance(vm: BaseVm, loaded: Loaded) -> View:
    if vm.facts is None:
        return {}
    memory = vm.facts.memory
    return {
        "facts": [
            ["linear memory", number(_bytes(memory.minimum * PAGE_BYTES) if memory else "none", Origin.COUNTED)],
            ["data segments", number(_bytes(vm.facts.data_bytes), Origin.COUNTED)],
            ["start function", number("yes" if vm.facts.start_function is not None else "no", Origin.COUNTED)],
        ],
        "note": _TIMELESS_NOTE,
    }


def _callbacks(vm: BaseVm, loaded: Loaded) -> View:
    order = {"wrong": 0, "found": 1, "absent": 2}
    counts = {state: sum(1 for each in vm.look_ups if each.state == state) for state in order}
    return {
        "facts": [
            ["found", number(str(counts["found"]), Origin.COUNTED)],
            ["absent", number(str(counts["absent"]), Origin.COUNTED)],
            ["of a wrong type", number(str(counts["wrong"]), Origin.COUNTED)],
        ],
        "rows": [
            {
                "ok": {"found": True, "absent": None, "wrong": False}[each.state],
                "name": each.name,
                "type": each.type,
                "words": f"the module exports {each.exported}" if each.state == "wrong" else each.meaning,
            }
            for each in sorted(vm.look_ups, key=lambda each: order[each.state])
        ],
        "note": _TIMELESS_NOTE,
    }


def _shared_by(vm: BaseVm, loaded: Loaded) -> View:
    return {"facts": [["plugins in this VM", number(", ".join(vm.plugins), Origin.COUNTED)]]}


_TIMELESS_NOTE = "It has no time of its own here: the profile's time for the isolate holds it."
_FACTS: Mapping[str, Callable[[BaseVm, Loaded], View]] = {
    "isolate": _isolate,
    "compile": _compile,
    "background": _background,
    "abi": _abi,
    "instance": _instance,
    "callbacks": _callbacks,
    "clone": _shared_by,
}


def _bytes(count: int) -> str:
    if count >= 1 << 20:
        return f"{count / (1 << 20):.1f} MiB"
    return f"{count >> 10:,} KiB" if count >= 1 << 16 else f"{count:,} bytes"

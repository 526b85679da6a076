"""``meshsim inspect``: what is in a module, and what it asks of the host."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from meshsim.cli.console import amount, console, examples, printable, read_bytes, say, table, write_json
from meshsim.errors import ModuleError

if TYPE_CHECKING:
    from rich.table import Table

    from meshsim.abi.constants import AbiVersion
    from meshsim.abi.signatures import Callback, HostFunction
    from meshsim.wasm.module import ModuleFacts
    from meshsim.wasm.types import Export, FuncType, Import

EXAMPLES = examples(
    ("meshsim inspect filter.wasm", "what it imports, exports and needs"),
    ("meshsim inspect filter.wasm --json | jq .abi", "the same for a script"),
    ("meshsim inspect filter.wasm --wat", "the module as text"),
    ("meshsim inspect filter.wat", "a module that is written as text"),
)

#: The kinds of imports and exports in the order of the report, with its headings.
IMPORT_GROUPS = {
    "proxy": "asks of Envoy",
    "wasi": "asks of WASI",
    "unknown": "asks for what this ABI version does not offer: Envoy refuses the module",
}
EXPORT_GROUPS = {
    "callback": "is called by Envoy",
    "lifecycle": "start and memory",
    "marker": "says which ABI it speaks",
    "other": "exports besides",
}
#: Exports that are no callbacks of the ABI and that Envoy looks for all the same.
LIFE_CYCLE = {
    "_start": "run once when the VM is made (command)",
    "_initialize": "run once when the VM is made (reactor)",
    "main": "run after _start, where it is there",
    "malloc": "gives memory to the host",
    "proxy_on_memory_allocate": "gives memory to the host",
    "memory": "the linear memory",
}


def inspect(
    module: Annotated[Path, typer.Argument(help="A Wasm module, or one as text (.wat).", show_default=False)],
    wat: Annotated[bool, typer.Option("--wat", help="Print the module as text (needs the extra 'tools').")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show what is in a module, what it asks of the host, and which Wasm features it uses."""
    from meshsim.wasm.module import parse_module

    try:
        data = load(module)
        if wat:
            from meshsim.cli.wat import disassemble

            text = disassemble(data)
            if as_json:
                write_json({"wat": text})
            else:
                say(text.rstrip())
            return
        report = describe(parse_module(data))
    except ModuleError as error:
        raise ModuleError(error.what, error.where or str(module), error.remedy) from error
    if as_json:
        write_json(report)
    else:
        show(module, report)


def load(path: Path) -> bytes:
    """Return a module's bytes; one that is written as text is assembled.

    Raises
    ------
    MeshsimError
        The file cannot be read.
    ModuleError
        The text is no module.
    """
    from meshsim.cli.wat import assemble, is_text

    data = read_bytes(path)
    return assemble(data.decode("utf-8", errors="replace")) if is_text(path, data) else data


def describe(facts: ModuleFacts) -> dict[str, Any]:
    """Return the report as plain values, as ``--json`` prints it.

    ``abi`` is the version that Envoy picks, None where there is no marker that it takes: Envoy then refuses the
    module. Each import and export carries the group it is listed under, and its meaning in words. ``feature_support``
    says of each Wasm feature what it is and whether Envoy and meshsim run modules that use it.
    """
    from meshsim.wasm.features import FEATURES

    version = abi_version(facts)
    return {
        "sha256": facts.sha256,
        "size_bytes": facts.size_bytes,
        "code_bytes": facts.code_bytes,
        "data_bytes": facts.data_bytes,
        "functions": facts.function_count,
        "abi": version,
        "abi_markers": list(facts.abi_markers),
        "memory": facts.memory and {"minimum_pages": facts.memory.minimum, "maximum_pages": facts.memory.maximum},
        "start_function": facts.start_function,
        "features": sorted(facts.features),
        "feature_support": {
            name: {"meaning": FEATURES[name].meaning, "envoy": FEATURES[name].envoy, "meshsim": FEATURES[name].meshsim}
            for name in sorted(facts.features)
        },
        "custom_sections": [{"name": section.name, "size_bytes": section.size} for section in facts.custom_sections],
        "imports": [_import_row(one, version) for one in facts.imports],
        "exports": [_export_row(one, version) for one in facts.exports],
    }


def abi_version(facts: ModuleFacts) -> AbiVersion | None:
    """Return the version of the module's first marker that Envoy takes."""
    from meshsim.abi.constants import AbiVersion
    from meshsim.wasm.module import ABI_MARKER

    taken = {ABI_MARKER + version: version for version in AbiVersion}
    return next((taken[marker] for marker in facts.abi_markers if marker in taken), None)


def _import_row(one: Import, version: AbiVersion | None) -> dict[str, Any]:
    from meshsim.abi.signatures import HOST_FUNCTIONS, WASI_MODULES

    key = one.module, one.name
    known = next((f for f in HOST_FUNCTIONS if (f.module, f.name) == key and _in(version, f.versions)), None)
    group = "unknown" if known is None else "wasi" if one.module in WASI_MODULES else "proxy"
    row = {"group": group, "module": one.module, "name": one.name, "kind": one.kind}
    return row | _words(one.type, known)


def _export_row(one: Export, version: AbiVersion | None) -> dict[str, Any]:
    from meshsim.abi.signatures import CALLBACKS
    from meshsim.wasm.module import ABI_MARKER

    known = next((c for c in CALLBACKS if c.name == one.name and _in(version, c.versions)), None)
    if one.name.startswith(ABI_MARKER):
        group = "marker"
    elif one.name in LIFE_CYCLE:
        group = "lifecycle"
    else:
        group = "other" if known is None else "callback"
    row = {"group": group, "name": one.name, "kind": one.kind} | _words(one.type, known)
    return row | ({"meaning": LIFE_CYCLE[one.name]} if group == "lifecycle" else {})


def _in(version: AbiVersion | None, versions: frozenset[AbiVersion]) -> bool:
    """Whether a function belongs to the version; a module that names none is measured against all of them."""
    return version is None or version in versions


def _words(found: FuncType | None, known: HostFunction | Callback | None) -> dict[str, Any]:
    """Return type and meaning; with the type that Envoy wants, where that is another."""
    row = {"type": found and str(found), "meaning": known.meaning if known else ""}
    return row | ({"expected": str(known.type)} if known and known.type != found else {})


def show(path: Path, report: dict[str, Any]) -> None:
    """Print the report for people."""
    out = console()
    head = table("", "")
    head.show_header = False
    for name, value in _headline(path, report):
        head.add_row(name, printable(value))
    out.print(head)
    if report["features"]:
        out.print()
        out.print(_features(report["features"]))
    for groups, rows in ((IMPORT_GROUPS, report["imports"]), (EXPORT_GROUPS, report["exports"])):
        for group, heading in groups.items():
            members = [row for row in rows if row["group"] == group]
            if members:
                out.print()
                out.print(_listing(heading, members))


def _headline(path: Path, report: dict[str, Any]) -> Iterator[tuple[str, str]]:
    yield "module", str(path)
    sizes = f"{amount(report['code_bytes'])} code, {amount(report['data_bytes'])} data"
    yield "size", f"{amount(report['size_bytes'])}: {report['functions']} functions, {sizes}"
    yield "sha256", report["sha256"]
    yield "ABI", _abi_line(report)
    yield "memory", _memory_line(report["memory"])
    if report["start_function"] is not None:
        yield "start", f"function {report['start_function']} runs at instantiation"
    if not report["features"]:
        yield "features", "none beyond WebAssembly 1.0"
    sections = (f"{section['name']} ({amount(section['size_bytes'])})" for section in report["custom_sections"])
    yield "sections", ", ".join(sections) or "no custom ones"


def _abi_line(report: dict[str, Any]) -> str:
    if report["abi"]:
        return f"Proxy-Wasm {report['abi'].replace('_', '.')}"
    if report["abi_markers"]:
        return f"{', '.join(report['abi_markers'])}: a version that Envoy refuses"
    return "no Proxy-Wasm marker: Envoy refuses the module"


def _memory_line(memory: dict[str, int | None] | None) -> str:
    from meshsim.wasm.types import PAGE_BYTES

    if memory is None:
        return "none"
    least, most = memory["minimum_pages"] or 0, memory["maximum_pages"]
    upper = "no limit of its own" if most is None else f"at most {most} ({amount(most * PAGE_BYTES)})"
    pages = "1 page" if least == 1 else f"{least} pages"
    return f"{pages} of 64 KiB at the start ({amount(least * PAGE_BYTES)}), {upper}"


def _features(names: Iterable[str]) -> Table:
    from meshsim.wasm.features import FEATURES

    made = table("feature", "taken by", "", title="uses these parts of WebAssembly beyond 1.0")
    for name in names:
        feature = FEATURES[name]
        made.add_row(
            name, feature.takers, f"{feature.meaning}; {feature.remedy}" if feature.remedy else feature.meaning
        )
    return made


def _listing(heading: str, rows: Iterable[dict[str, Any]]) -> Table:
    made = table("name", "type", "", title=heading)
    for row in rows:
        name = f"{row['module']}.{row['name']}" if "module" in row else row["name"]
        note = f"Envoy wants {row['expected']}" if "expected" in row else row["meaning"]
        made.add_row(printable(name), row["type"] or row["kind"], note)
    return made

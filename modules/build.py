"""Rebuild the Wasm modules of this folder and compare them with the committed ones.

Each folder here is a filter, each file in it one language. The ``.wasm`` files are committed, so that nobody needs a
compiler to run them; this script shows that they are what their sources say, byte for byte. That only works when
nothing else gets into a build: each tool is wanted in one version (``toolchains.py``), and each build sees relative
paths and a small environment, wherever the repository lies.

Run ``python modules/build.py`` for all that can be built here, ``python modules/build.py wat zig`` for some languages,
and add ``--update`` to write the modules and ``SHA256SUMS``.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from toolchains import TOOLCHAINS, Command, Toolchain, run

MODULES = Path(__file__).resolve().parent
SUMS = MODULES / "SHA256SUMS"


@dataclass(frozen=True, slots=True)
class Module:
    """One filter in one language."""

    name: str
    language: str

    @property
    def committed(self) -> Path:
        """The prebuilt file."""
        return MODULES / self.name / f"{self.name}-{self.language}.wasm"


class Verdict(Enum):
    """What is to be said of one module; the value is what is printed."""

    SAME = "same bytes"
    UPDATED = "written"
    DIFFERENT = "DIFFERENT BYTES"
    FAILED = "BUILD FAILED"
    SKIPPED = "skipped, its tools are not here"
    MISSING = "TOOLS MISSING"


BAD = frozenset({Verdict.DIFFERENT, Verdict.FAILED, Verdict.MISSING})


@dataclass(frozen=True, slots=True)
class Outcome:
    """The verdict on one module, with the reason where there is one to give."""

    module: Module
    verdict: Verdict
    detail: str = ""

    def line(self) -> str:
        """Return the line that is printed."""
        name = self.module.committed.name
        return f"{name:28} {self.verdict.value}" + (f": {self.detail}" if self.detail else "")


class BuildError(Exception):
    """A compiler said no; the text is what it printed."""


def find_modules(languages: Sequence[str]) -> Iterator[Module]:
    """Yield what has a source in one of ``languages``, filter by filter."""
    for folder in sorted(path for path in MODULES.iterdir() if path.is_dir()):
        for language in languages:
            if (folder / TOOLCHAINS[language].source.format(name=folder.name)).exists():
                yield Module(folder.name, language)


def environment(toolchain: Toolchain) -> dict[str, str]:
    """Make the environment of a build: what programs need to start, and the toolchain's own settings.

    All else stays outside: CPATH or GOWASM, say, would change the bytes.
    """
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    return kept | dict(setting.split("=", 1) for setting in toolchain.environment)


def command_line(module: Module, compiler: Command, out: Path) -> Command:
    """Return the whole command that builds a module into ``out``."""
    arguments = TOOLCHAINS[module.language].arguments
    return (*compiler, *(argument.format(name=module.name, out=out) for argument in arguments))


def compile_module(module: Module, compiler: Command, scratch: Path) -> bytes:
    """Build a module in a copy of its sources, so that nothing is left in the repository.

    Raises
    ------
    BuildError
        When the compiler returned an error.
    """
    toolchain = TOOLCHAINS[module.language]
    sources = scratch / module.language / module.name
    shutil.copytree(MODULES / module.name, sources, ignore=shutil.ignore_patterns("*.wasm"))
    out = scratch / module.committed.name
    where = (sources / toolchain.source.format(name=module.name)).parent
    done = run(command_line(module, compiler, out), where, environment(toolchain))
    if done.returncode != 0:
        raise BuildError((done.stderr or done.stdout).strip())
    return out.read_bytes()


def judge(module: Module, *, update: bool, strict: bool, verbose: bool, scratch: Path) -> Outcome:
    """Build one module and compare it with the committed one; with ``update``, write it there."""
    toolchain = TOOLCHAINS[module.language]
    compiler = toolchain.compiler()
    if compiler is None:
        missing = Verdict.MISSING if strict and toolchain.everywhere else Verdict.SKIPPED
        return Outcome(module, missing, toolchain.remedy)
    if verbose:
        print("+", shlex.join(command_line(module, compiler, Path(module.committed.name))))
    try:
        built = compile_module(module, compiler, scratch)
    except BuildError as error:
        return Outcome(module, Verdict.FAILED, f"\n{error}")
    committed = module.committed.read_bytes() if module.committed.exists() else b""
    if built == committed:
        return Outcome(module, Verdict.SAME, f"{len(built):,} bytes")
    if update:
        module.committed.write_bytes(built)
        return Outcome(module, Verdict.UPDATED, f"{len(built):,} bytes")
    return Outcome(module, Verdict.DIFFERENT, f"{len(built):,} built, {len(committed):,} committed")


def checksums() -> str:
    """Return the text of ``SHA256SUMS``, in the format of ``sha256sum --check``."""
    prebuilt = sorted(path.relative_to(MODULES).as_posix() for path in MODULES.glob("*/*.wasm"))
    return "".join(f"{hashlib.sha256((MODULES / path).read_bytes()).hexdigest()}  {path}\n" for path in prebuilt)


def main(arguments: Sequence[str] | None = None) -> int:
    """Build and compare; return 0 when no module was found wanting, else 1."""
    parser = argparse.ArgumentParser(description="Rebuild the Wasm modules and compare them with the committed ones.")
    parser.add_argument("language", nargs="*", help=f"all of: {', '.join(TOOLCHAINS)}")
    parser.add_argument("--update", action="store_true", help="write the modules and SHA256SUMS")
    parser.add_argument(
        "--require", action="store_true", help="as with CI=true: tools that come with pip must be there"
    )
    parser.add_argument("--verbose", action="store_true", help="print the commands")
    options = parser.parse_args(arguments)
    if unknown := sorted(set(options.language) - set(TOOLCHAINS)):
        parser.error(f"no such language: {', '.join(unknown)} (choose from {', '.join(TOOLCHAINS)})")

    strict = options.require or os.environ.get("CI") == "true"
    outcomes = []
    with tempfile.TemporaryDirectory(prefix="meshsim-modules-") as scratch:
        for module in find_modules(options.language or tuple(TOOLCHAINS)):
            outcome = judge(
                module, update=options.update, strict=strict, verbose=options.verbose, scratch=Path(scratch)
            )
            outcomes.append(outcome)
            print(outcome.line(), flush=True)
    if options.update:
        SUMS.write_text(checksums(), "utf-8")
    return int(any(outcome.verdict in BAD for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())

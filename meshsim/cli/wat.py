"""Between the two forms of a module: its bytes, and the text format (WAT)."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from meshsim.errors import MeshsimError, ModuleError

#: Seconds; a module of 2 MB takes about one.
TIMEOUT_S = 60


def is_text(path: Path, data: bytes) -> bool:
    """Tell whether a file holds a module as text: by its name, or by how it begins."""
    return path.suffix in {".wat", ".wast"} or data.lstrip()[:7] == b"(module"


def assemble(text: str) -> bytes:
    r"""Return the bytes of a module that is given as text.

    Raises
    ------
    ModuleError
        The text is no module; the message has line and column.

    Examples
    --------
    >>> assemble("(module)")[:4]
    b'\x00asm'
    """
    import wasmtime

    try:
        return bytes(wasmtime.wat2wasm(text))
    except wasmtime.WasmtimeError as error:
        raise ModuleError(str(error).strip()) from None


def disassemble(module: bytes) -> str:
    """Return a module as text.

    Raises
    ------
    MeshsimError
        ``wasm-tools`` is missing, or does not end.
    ModuleError
        It cannot read the module.
    """
    tool = wasm_tools()
    if tool is None:
        raise MeshsimError("wasm-tools is needed to write a module as text", remedy="pip install 'meshsim[tools]'")
    try:
        done = subprocess.run([tool, "print", "-"], input=module, capture_output=True, timeout=TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise MeshsimError(f"wasm-tools has not written the module within {TIMEOUT_S} s") from error
    if done.returncode:
        raise ModuleError(done.stderr.decode(errors="replace").strip().removeprefix("error: "))
    return done.stdout.decode()


def wasm_tools() -> str | None:
    """Return the path of ``wasm-tools``: the one of this environment, or else of the search path."""
    beside = shutil.which("wasm-tools", path=str(Path(sys.executable).parent))
    return beside or shutil.which("wasm-tools")

"""The cell magic ``%%wat NAME``: the cell's text becomes a Wasm module, under that name.

The module is kept as a file, because a bootstrap names a file; the files of a session lie in one temporary folder,
which is removed when Python ends.
"""

from __future__ import annotations

import atexit
import tempfile
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from meshsim.errors import ModuleError
from meshsim.wasm import ModuleFacts, parse_module
from meshsim.wasm.engine import validate

#: What the validator says -> what it often means.
_REMEDIES = {
    "values remaining on stack": "a value is left over: is a drop missing, or is there an instruction too many?",
    "nothing on stack": "a value is missing on the stack: has each call all of its arguments?",
}


@dataclass(frozen=True, slots=True)
class WatModule:
    """A module that was written as text.

    It can stand wherever a path can, and in a text (``f"{module}"``) it is its path.

    Attributes
    ----------
    wasm : bytes
        The compiled module.
    path : Path
        A file that holds it; its name has the content's digest, so that a changed module is another file.
    """

    name: str
    wasm: bytes = field(repr=False)
    path: Path

    @property
    def facts(self) -> ModuleFacts:
        """What is in it."""
        return parse_module(self.wasm)

    def __fspath__(self) -> str:
        return str(self.path)

    def __str__(self) -> str:
        return str(self.path)

    def check(self) -> None:
        """Make sure that it is valid.

        Raises
        ------
        ModuleError
            It is not; says what is wrong, and what that often means.
        """
        try:
            validate(self.wasm)
        except ModuleError as error:
            remedy = next((words for part, words in _REMEDIES.items() if part in error.what), "")
            raise ModuleError(error.what, self.name, remedy) from None

    def summary(self) -> str:
        """What it is, in a line; in a second one what is wrong with it, if something is."""
        facts = self.facts
        marker = facts.abi_markers[0] if facts.abi_markers else "no ABI marker: Envoy would refuse it"
        imports = ", ".join(item.name for item in facts.imports) or "nothing"
        line = f"{self.name}: {facts.size_bytes:,} bytes, {marker}, asks the host for {imports}"
        try:
            self.check()
        except ModuleError as error:
            return f"{line}\n{error}"
        return line


def compile_wat(text: str, name: str = "module") -> WatModule:
    """Compile a module in Wasm's text format.

    Raises
    ------
    ModuleError
        The text is no module; the message has line and column.

    Examples
    --------
    >>> module = compile_wat('(module (func (export "proxy_abi_version_0_2_1")))', "tiny")
    >>> module.summary()
    'tiny: 53 bytes, proxy_abi_version_0_2_1, asks the host for nothing'
    >>> module.path.read_bytes() == module.wasm
    True
    """
    import wasmtime

    try:
        wasm = bytes(wasmtime.wat2wasm(text))
    except wasmtime.WasmtimeError as error:
        raise ModuleError(str(error).strip(), name, "the message says line and column of the cell's text") from None
    path = _folder() / f"{name}-{parse_module(wasm).sha256[:12]}.wasm"
    path.write_bytes(wasm)
    return WatModule(name, wasm, path)


@cache
def _folder() -> Path:
    folder = tempfile.TemporaryDirectory(prefix="meshsim-wat-")
    atexit.register(folder.cleanup)
    return Path(folder.name)


def register(shell: Any) -> None:
    """Make ``%%wat`` known to a shell of IPython."""
    from IPython.core.error import UsageError

    def wat(line: str, cell: str) -> None:
        r"""Compile the cell's text: ``%%wat NAME`` binds NAME to a module that ``path`` and ``wasm`` are fields of."""
        name = line.strip()
        if not name.isidentifier():
            raise UsageError(f"%%wat needs a name for the module, as in: %%wat my_filter (not {name!r})")
        try:
            module = compile_wat(cell, name)
        except ModuleError as error:
            raise UsageError(str(error)) from None
        shell.user_ns[name] = module
        print(module.summary())

    shell.register_magic_function(wat, magic_kind="cell", magic_name="wat")

"""What all commands print with: JSON, tables, and text that comes from a module or from the network.

Such text is never trusted: a log line of a guest must not move the cursor of the terminal that shows it.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from meshsim.errors import ConfigError, MeshsimError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

#: Columns of a table that is not shown on a terminal, so that a file or a pipe gets whole lines.
PIPE_WIDTH = 132

#: The name that stands for standard output where a file can be named.
STDOUT = Path("-")


def console() -> Console:
    """Return a console on standard output as it is now (tests and notebooks replace it)."""
    from rich.console import Console

    width = None if sys.stdout.isatty() or "COLUMNS" in os.environ else PIPE_WIDTH
    return Console(file=sys.stdout, width=width, highlight=False, markup=False, emoji=False)


def table(*columns: str, title: str | None = None, wrap: bool = True) -> Table:
    """Return an empty table in the one style of all commands: no box, left aligned."""
    from rich.table import Table

    made = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in columns:
        made.add_column(column, header_style="dim", overflow="fold" if wrap else "ellipsis", no_wrap=not wrap)
    return made


def printable(text: str) -> str:
    r"""Return ``text`` with everything that is not printable written as an escape.

    Examples
    --------
    >>> printable("caf\xe9 \x1b[2J\n")
    'café \\x1b[2J\\n'
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def amount(size: int) -> str:
    """Return a number of bytes for people.

    Examples
    --------
    >>> amount(543), amount(1 << 16), amount(1_887_816)
    ('543 B', '64.0 KiB', '1.8 MiB')
    """
    if size < 1024:
        return f"{size} B"
    power = min((size.bit_length() - 1) // 10, 3)
    return f"{size / (1 << 10 * power):.1f} {'KMG'[power - 1]}iB"


def say(text: str = "") -> None:
    """Print a line on standard output, as it is."""
    sys.stdout.write(f"{text}\n")


def to_json(value: Any) -> str:
    """Return the one JSON layout of all commands: indented, in the given order, ASCII (no locale spoils it)."""
    return json.dumps(value, indent=2)


def write_json(value: Any) -> None:
    """Print ``value`` as JSON."""
    say(to_json(value))


def write_text(text: str, target: Path) -> None:
    """Write ``text`` and a line end to a file, or to standard output for ``-``.

    Raises
    ------
    MeshsimError
        The file cannot be written.
    """
    if target == STDOUT:
        say(text)
        return
    try:
        target.write_text(f"{text}\n", encoding="utf-8")
    except OSError as error:
        raise MeshsimError(
            f"cannot write: {error.strerror}", str(target), "name a file in a folder that you may write"
        ) from error


def read_bytes(path: Path) -> bytes:
    """Return a file's bytes.

    Raises
    ------
    ConfigError
        There is no such file, or it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot read: {error.strerror}", str(path), "check the path") from error


def read_text(path: Path) -> str:
    """Return a file's text; a byte order mark is no part of it.

    Raises
    ------
    ConfigError
        The file cannot be read, or is not UTF-8.
    """
    try:
        return read_bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(f"not UTF-8 at byte {error.start}", str(path), "save it as UTF-8") from error


def examples(*pairs: tuple[str, str]) -> str:
    r"""Return the end of a help page: what to type, and what it is for.

    Examples
    --------
    >>> print(examples(("meshsim doctor", "what is missing here")).replace("\b", ""))
    <BLANKLINE>
    Examples:
      meshsim doctor
          what is missing here
    """
    lines = "\n".join(f"  {command}\n      {why}" for command, why in pairs)
    return f"\b\nExamples:\n{lines}"

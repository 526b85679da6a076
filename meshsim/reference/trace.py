r"""Envoy's log, read back into ABI trace, guest logs and the rest.

Envoy runs with ``--log-format '@@%t|%l|%n|%v' --log-format-escaped``: each line starts with thread id, level and
logger, and the message is escaped (a line end in it is the two characters ``\n``). So a guest that logs text
which looks like a trace line cannot forge one, and no message is torn. Blanks at the end of a message are not
escaped (seen in Envoy 1.40): lines of nothing but blanks belong to the message before. What else has no ``@@``
was written to stderr by Envoy or its libraries, such as the last words of a refused configuration.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from meshsim.envoy.outcome import Line, LogLine, as_text

#: Options that make Envoy write the log which this module reads.
LOG_OPTIONS = (
    "--log-format", "@@%t|%l|%n|%v",
    "--log-format-escaped",
    "--component-log-level", "wasm:trace,lua:trace",
    "-l", "warning",
)  # fmt: skip

_RECORD = re.compile(rb"@@(\d+)\|(\w+)\|([\w.]+)\|")
_ESCAPE = re.compile(rb"\\([0-7]{3}|.)", re.DOTALL)
_PLAIN = {b"n": b"\n", b"r": b"\r", b"t": b"\t"}
_ABI = ("[host->vm] ", "[vm->host] ", "[vm<-host] ", "[host<-vm] ")
#: How the lines begin that guests write, by the logger that they are written to.
_GUEST_LOGS = {"wasm": "wasm log", "lua": "script log"}
_BAD = frozenset({"error", "critical"})
#: Thread and level of what stands on stderr outside of the log.
STDERR = ("main", "critical")


@dataclass(frozen=True, slots=True)
class Record:
    """One message of the log. ``thread`` is the id that the kernel gave; None for plain stderr."""

    thread: int | None
    level: str
    logger: str
    text: str


@dataclass(frozen=True, slots=True)
class Trace:
    """The log of one run, sorted by what it says."""

    abi: tuple[Line, ...]
    logs: tuple[LogLine, ...]
    other: tuple[LogLine, ...]


def records(log: bytes) -> Iterator[Record]:
    r"""The messages of a log.

    >>> [r.text for r in records(b"@@7|info|wasm|wasm log: a\\n@@7|trace|wasm|[host->vm] x()\n")]
    ['wasm log: a\n@@7|trace|wasm|[host->vm] x()']
    """
    pending: Record | None = None
    for line in log.split(b"\n")[:-1] if log.endswith(b"\n") else log.split(b"\n"):
        if head := _RECORD.match(line):
            if pending:
                yield pending
            thread, level, logger = head.groups()
            text = as_text(_unescape(line[head.end() :]))
            pending = Record(int(thread), level.decode(), logger.decode(), text)
        elif pending and not line.strip():
            pending = Record(pending.thread, pending.level, pending.logger, f"{pending.text}\n{as_text(line)}")
        else:
            if pending:
                yield pending
            pending = Record(None, "", "", as_text(line)) if line.strip() else None
    if pending:
        yield pending


def parse(log: bytes, main_thread: int) -> Trace:
    """Sort the messages of a log.

    ``main_thread`` is the thread id of Envoy's main thread. The other threads are ``worker_K``, K from 0 in the
    order of their first line that is kept here.
    """
    abi: list[Line] = []
    logs: list[LogLine] = []
    other: list[LogLine] = []
    names = {main_thread: "main"}
    for record in _kept(records(log)):
        if record.thread is None:
            other.append((*STDERR, record.text))
            continue
        thread = names.setdefault(record.thread, f"worker_{len(names) - 1}")
        if _is_of_guest(record):
            logs.append((thread, record.level, record.text))
        elif record.logger == "wasm" and record.level == "trace" and record.text.startswith(_ABI):
            abi.append((thread, record.text))
        else:
            other.append((thread, record.level, record.text))
    return Trace(tuple(abi), tuple(logs), tuple(other))


def _kept(found: Iterable[Record]) -> Iterator[Record]:
    return (r for r in found if r.thread is None or r.logger == "wasm" or r.level in _BAD or _is_of_guest(r))


def _is_of_guest(record: Record) -> bool:
    """Whether a module or a script wrote a line; what Envoy says of a script that fails is written so too."""
    return record.logger in _GUEST_LOGS and record.text.startswith(_GUEST_LOGS[record.logger])


def _unescape(data: bytes) -> bytes:
    """Undo C escapes: backslash and a letter, a quote or three octal digits."""

    def plain(match: re.Match[bytes]) -> bytes:
        code = match.group(1)
        return bytes([int(code, 8) & 255]) if len(code) == 3 else _PLAIN.get(code, code)

    return _ESCAPE.sub(plain, data)

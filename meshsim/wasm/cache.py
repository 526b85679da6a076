"""Compiled code on disk, in the user's own cache folder.

Wasmtime trusts what it is given back: loading an entry means running it. So the folder is made for the user alone, an
entry that belongs to somebody else is not looked at, and one whose content does not match its checksum is as good as
none. Nothing here raises for the state of a disk: without a usable folder everything is compiled each time.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import platform
import tempfile
from collections.abc import Iterator
from pathlib import Path

MAGIC = b"meshsim code 1\n"
MAX_BYTES = 512 << 20
"""Above this the entries that were written first are dropped."""


def default_folder() -> Path:
    """``$MESHSIM_CACHE_DIR``, or ``meshsim`` in ``$XDG_CACHE_HOME`` or ``~/.cache``."""
    if own := os.environ.get("MESHSIM_CACHE_DIR"):
        return Path(own)
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if os.path.isabs(base) else Path.home() / ".cache") / "meshsim"


@functools.cache
def processor() -> str:
    """What compiled code depends on besides the engine: the architecture and the processor's features."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            flags = next((line for line in file if line.startswith(("flags", "Features"))), "")
    except OSError:
        flags = ""
    return f"{platform.system()} {platform.machine()} {flags.partition(':')[2].strip()}"


class CodeCache:
    """Compiled modules by what they were made from.

    Parameters
    ----------
    folder : Path, optional
        Where the entries lie; :func:`default_folder` by default. Made at the first entry.
    max_bytes : int
        How much the folder may hold.
    """

    def __init__(self, folder: Path | None = None, max_bytes: int = MAX_BYTES) -> None:
        self.folder = (default_folder() if folder is None else folder) / "code"
        self.max_bytes = max_bytes

    def path(self, *parts: str) -> Path:
        """The file of an entry; ``parts`` is all that its content depends on, besides the processor."""
        key = "\0".join((*parts, processor()))
        return self.folder / f"{hashlib.sha256(key.encode()).hexdigest()}.code"

    def load(self, *parts: str) -> bytes | None:
        """An entry's content, or None when there is none that can be trusted."""
        try:
            with open(self.path(*parts), "rb") as file:
                if os.fstat(file.fileno()).st_uid != os.getuid():
                    return None
                head = file.read(len(MAGIC) + 32)
                content = file.read()
        except OSError:
            return None
        return content if head == MAGIC + hashlib.sha256(content).digest() else None

    def store(self, content: bytes, *parts: str) -> bool:
        """Keep an entry; False when it could not be written. Readers see the old one or the new one, never a half."""
        temporary = None
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=self.folder, suffix=".new", delete=False) as file:
                temporary = file.name
                file.write(MAGIC + hashlib.sha256(content).digest())
                file.write(content)
            os.replace(temporary, self.path(*parts))
        except OSError:
            if temporary is not None:
                with contextlib.suppress(OSError):
                    os.unlink(temporary)
            return False
        self._prune()
        return True

    def _prune(self) -> None:
        """Drop the oldest entries until the rest fits."""
        entries = sorted(self._entries(), reverse=True)
        total = 0
        for _, size, path in entries:
            total += size
            if total > self.max_bytes:
                with contextlib.suppress(OSError):
                    os.unlink(path)

    def _entries(self) -> Iterator[tuple[int, int, str]]:
        """Time of writing, size and path of each entry."""
        with contextlib.suppress(OSError), os.scandir(self.folder) as files:
            for file in files:
                with contextlib.suppress(OSError):
                    status = file.stat()
                    yield status.st_mtime_ns, status.st_size, file.path

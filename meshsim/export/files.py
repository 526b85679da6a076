"""The one place of this layer that writes: a whole file, or none of it."""

from __future__ import annotations

import os
from pathlib import Path

from meshsim.errors import MeshsimError

#: What virtual time 0 is called in files that need a date: 2026-01-01T00:00:00Z, in ns since 1970.
EPOCH_NS = 1_767_225_600_000_000_000


def write_whole(path: str | Path, data: bytes | str) -> None:
    """Write a file in one step: whoever looks at its name finds all of it, the old one, or none.

    Raises
    ------
    MeshsimError
        The file cannot be written.
    """
    target = Path(path)
    raw = data.encode() if isinstance(data, str) else data
    beside = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        beside.write_bytes(raw)
        beside.replace(target)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise MeshsimError(
            f"cannot write: {error.strerror}", str(target), "name a file in a folder that you may write"
        ) from error

"""A folder that a command fills: it overwrites what it wrote itself, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from meshsim.errors import MeshsimError

#: Lists, in the folder, the files that meshsim wrote.
MANIFEST = ".meshsim-files.json"


class OutputFolder:
    """A folder and what this command writes into it.

    Parameters
    ----------
    path : Path
        Made when it is not there.

    Raises
    ------
    MeshsimError
        From any method: the folder or a file in it cannot be made, or belongs to somebody else.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.written: list[str] = []
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._cannot(error, path) from error
        self._own = self._read_manifest()

    def claim(self, names: Iterable[str]) -> None:
        """Say what is going to be written, before anything is."""
        names = list(names)
        foreign = [name for name in names if name not in self._own and (self.path / name).exists()]
        if foreign:
            raise MeshsimError(
                f"would overwrite {', '.join(foreign)}, which no run of this command wrote",
                str(self.path),
                "name another folder with --out",
            )
        self._own = sorted({*self._own, *names})
        self._put(MANIFEST, f"{json.dumps(self._own)}\n".encode())

    def write(self, name: str, data: bytes) -> None:
        """Write a file that was claimed."""
        assert name in self._own
        self._put(name, data)
        self.written.append(name)

    def _put(self, name: str, data: bytes) -> None:
        try:
            (self.path / name).write_bytes(data)
        except OSError as error:
            raise self._cannot(error, self.path / name) from error

    def _read_manifest(self) -> list[str]:
        try:
            names = json.loads((self.path / MANIFEST).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return []
        return [str(name) for name in names] if isinstance(names, list) else []

    def _cannot(self, error: OSError, path: Path) -> MeshsimError:
        return MeshsimError(f"cannot write: {error.strerror}", str(path), "name another folder with --out")

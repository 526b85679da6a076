"""The lessons' notebooks: where they come from, and a learner's own copy of them."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from meshsim.errors import MeshsimError

#: The notebook that the path begins with.
FIRST = "00_first_filter.ipynb"

_COURSE = ("*.ipynb", "*.md")


@dataclass(frozen=True, slots=True)
class Copied:
    """A folder with the lessons: files that were copied now, and files that were there and stay as they are."""

    folder: Path
    new: tuple[str, ...]
    kept: tuple[str, ...]


def source_folder() -> Path:
    """Return the folder that the notebooks lie in: of the installed package, or of the checkout that it runs from.

    Raises
    ------
    MeshsimError
        There is neither.

    Examples
    --------
    >>> (source_folder() / FIRST).is_file()
    True
    """
    package = Path(str(files("meshsim")))
    for folder in (package / "notebooks", package.parent / "notebooks"):
        if (folder / FIRST).is_file():
            return folder
    raise MeshsimError(
        "this installation has no lessons", str(package), "install meshsim again, or run it from a checkout"
    )


def copy_lessons(folder: Path) -> Copied:
    """Copy the lessons to a folder; what is there already is a learner's work, and stays.

    Raises
    ------
    MeshsimError
        The folder cannot be written to.
    """
    source = source_folder()
    names = sorted(path.name for pattern in _COURSE for path in source.glob(pattern))
    kept = tuple(name for name in names if (folder / name).exists())
    new = tuple(name for name in names if name not in kept)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in new:
            shutil.copyfile(source / name, folder / name)
    except OSError as error:
        raise MeshsimError(f"cannot write: {error.strerror}", str(folder), "name another folder") from error
    return Copied(folder, new, kept)

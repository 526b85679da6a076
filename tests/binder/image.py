"""What repo2docker makes of this repository, and the same steps without Docker.

An environment like repo2docker's own is made, and then its commands are run in it, in their order.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from repo2docker.app import Repo2Docker
from repo2docker.buildpacks import PythonBuildPack, conda

#: Variables by which a machine says how it reaches the package index; all others are left behind.
_INDEX_VARIABLES = re.compile(r"(PIP_|SSL_CERT|REQUESTS_CA|https?_proxy|no_proxy)", re.IGNORECASE)

#: What of a lock file's line is a Python package: its name and version, and a build that names Python.
_LOCKED = re.compile(r"/(?:noarch|linux-64)/([\w.-]+)-(\d[^-/]*)-[^-/]*py[^-/]*\.(?:conda|tar\.bz2)")

#: The front ends that repo2docker's environment is made for; the rest of its lock are their dependencies.
_BASE = ("jupyterlab", "notebook", "ipywidgets", "jupyter-resource-usage")


@dataclass(frozen=True, slots=True)
class Plan:
    """What repo2docker is going to do.

    Attributes
    ----------
    pack : str
        Name of the build pack that takes the repository.
    python : str
        Version of Python, ``3.11``.
    installs, finishes : tuple of str
        Shell commands with the repository as working folder: what is installed, and what is run at the end.
    dockerfile : str
        The whole of it.
    """

    pack: str
    python: str
    installs: tuple[str, ...]
    finishes: tuple[str, ...]
    dockerfile: str


def plan(repository: Path) -> Plan:
    """Ask repo2docker's own classes."""
    with contextlib.chdir(repository):  # build packs look at the working folder
        base = "docker.io/library/buildpack-deps:24.04"
        pack = next(found for kind in Repo2Docker().buildpacks if (found := kind(base)).detect())
        pack.platform = "linux/amd64"
        early = pack.get_preassemble_scripts() if isinstance(pack, PythonBuildPack) else []
        return Plan(
            type(pack).__name__,
            pack.python_version,
            tuple(command for _, command in [*early, *pack.get_assemble_scripts()]),
            tuple(pack.get_post_build_scripts()),
            pack.render(),
        )


class Image:
    """A folder that stands for the image: ``env`` for the environment, ``home``, where the repository lies too.

    Parameters
    ----------
    folder : Path
        Empty.
    """

    def __init__(self, folder: Path) -> None:
        self.env, self.home = folder / "env", folder / "home"
        self.home.mkdir()

    @property
    def variables(self) -> dict[str, str]:
        """The environment variables that commands see."""
        index = {name: value for name, value in os.environ.items() if _INDEX_VARIABLES.match(name)}
        path = f"{self.env / 'bin'}:/usr/bin:/bin"
        return {
            **index,
            "HOME": str(self.home),
            "PATH": path,
            "LANG": "en_US.UTF-8",
            "KERNEL_PYTHON_PREFIX": str(self.env),
        }

    def run(self, command: str) -> None:
        """Run a command as the Dockerfile does: by a shell, in the repository.

        Raises
        ------
        subprocess.CalledProcessError
            It failed; its output has been shown.
        """
        subprocess.run(["/bin/sh", "-c", command], cwd=self.home, env=self.variables, check=True)

    def make_base(self, python: str) -> None:
        """Make an environment with the packages and versions of repo2docker's own."""
        interpreter = shutil.which(f"python{python}")
        assert interpreter, f"python{python} is not on the path"
        subprocess.run([interpreter, "-m", "venv", self.env], check=True)
        lock = Path(conda.__file__).with_name(f"environment.py-{python}-linux-64.lock").read_text(encoding="utf-8")
        pins = self.home / "lock.txt"
        pins.write_text("".join(f"{name}=={version}\n" for name, version in _LOCKED.findall(lock)), encoding="utf-8")
        pip = [self.env / "bin" / "pip", "install", "--quiet", "--no-cache-dir", "--disable-pip-version-check"]
        subprocess.run([*pip, "--constraint", pins, *_BASE], env=self.variables, check=True)
        pins.unlink()

    def copy(self, repository: Path) -> None:
        """Copy what git has or would take."""
        listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        names = subprocess.run(listed, cwd=repository, capture_output=True, check=True).stdout.decode().split("\0")
        for name in filter(None, names):
            if (repository / name).is_file():  # a file that was removed and not yet committed is listed too
                (self.home / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(repository / name, self.home / name)

    def packages(self) -> dict[str, str]:
        """The installed packages and their versions."""
        listing = subprocess.run(
            [self.env / "bin" / "pip", "list", "--format=freeze", "--disable-pip-version-check"],
            env=self.variables, capture_output=True, text=True, check=True,
        )  # fmt: skip
        return dict(line.split("==") for line in listing.stdout.split())

    @property
    def size_bytes(self) -> int:
        """What the image takes on disk."""
        tops = (self.env, self.home)
        return sum(path.lstat().st_blocks * 512 for top in tops for path in top.rglob("*"))

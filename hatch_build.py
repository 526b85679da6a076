"""Compiles what every simulated request goes through into the wheel that is being built: by mypyc, and a step in C.

The same sources run interpreted and compiled, to the same results; compiled they take about a third of the time. A
wheel is compiled when HATCH_BUILD_HOOKS_ENABLE is set (`make compiled`), and needs a C compiler then; an editable
install never is, because its sources are what is being edited.
"""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CompiledModules(BuildHookInterface):  # type: ignore[type-arg]  # hatchling's, not ours
    """Adds an extension module beside each source that ``modules`` names in pyproject.toml."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and say that the wheel is for this platform only."""
        if version == "editable":
            return
        self._folder = TemporaryDirectory()
        built = Path(self._folder.name) / "lib"
        self._compile(built)
        for library in built.rglob("*.so"):
            build_data["force_include"][str(library)] = str(library.relative_to(built))
        build_data["pure_python"] = False
        build_data["infer_tag"] = True

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove what the compiler has left."""
        if version != "editable":
            self._folder.cleanup()

    def _compile(self, built: Path) -> None:
        from mypyc.build import mypycify
        from setuptools import Distribution

        temporary = built.parent / "temp"
        os.chdir(self.root)  # where mypy looks for its settings
        os.environ.setdefault("CFLAGS", "-ffp-contract=off")  # floats as everywhere, on every processor
        sources = [f"meshsim/{module}.py" for module in self.config["modules"]]
        extensions = mypycify(sources, target_dir=str(temporary), opt_level="3", debug_level="0")
        extensions.append(self._crossing(temporary))
        command = Distribution({"name": "meshsim", "ext_modules": extensions}).get_command_obj("build_ext")
        command.build_lib, command.build_temp = str(built), str(temporary)
        command.ensure_finalized()
        command.run()

    def _crossing(self, temporary: Path) -> Any:
        """The step into a guest in C."""
        from cffi import FFI

        folder = Path(self.root, "meshsim", "wasm")
        ffi = FFI()
        ffi.cdef((folder / "crossing.h").read_text())
        ffi.set_source("meshsim.wasm._crossing", (folder / "crossing.c").read_text(), include_dirs=[str(folder)])
        return ffi.distutils_extension(str(temporary))

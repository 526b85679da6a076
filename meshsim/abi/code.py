"""A compiled module, as one side of the ABI: its version, what it wants of a host, what it offers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from meshsim.abi.constants import AbiVersion
from meshsim.abi.dialect import VERSIONS, Dialect
from meshsim.abi.exports import Exports, look_up
from meshsim.abi.imports import refusal, unimplemented
from meshsim.errors import ModuleError, NotModelled
from meshsim.wasm import Compiled, FuncType, ModuleFacts

_MARKER = "proxy_abi_version_"
#: Letters of the value types that V8 shows to its host; not vectors, nor references beyond the first two.
_SHOWN = frozenset("iIfFrx")


@dataclass(frozen=True)
class Code:
    """A compiled module whose ABI version is known."""

    compiled: Compiled
    version: AbiVersion
    dialect: Dialect = Dialect.ENVOY

    @classmethod
    def of(cls, compiled: Compiled, dialect: Dialect = Dialect.ENVOY) -> Code:
        """Take a module whose ABI version is known.

        Raises
        ------
        NotModelled
            An exported function has a type that Envoy's V8 cannot show to its host.
        """
        version = cls.check_version(compiled.facts, dialect)
        for name, type_ in compiled.functions.items():
            if not _SHOWN.issuperset(type_.params + type_.results):
                raise NotModelled(f"an exported function of type {type_} ({name}): it ends the real Envoy's process")
        return cls(compiled, version, dialect)

    @property
    def exports(self) -> Mapping[str, FuncType]:
        """The functions that the module exports."""
        return self.compiled.functions

    @cached_property
    def refusal(self) -> str | None:
        """Why the host cannot link the module, in Envoy's words."""
        return refusal(self.compiled.facts.imports, self.version, self.dialect)

    @cached_property
    def unimplemented(self) -> tuple[str, ...]:
        """Imports that the host has not, and that are stood in for."""
        return unimplemented(self.compiled.facts.imports, self.version, self.dialect)

    @cached_property
    def found(self) -> Exports:
        """What the host takes of the module's exports."""
        return look_up(self.exports, self.version)

    @staticmethod
    def check_version(facts: ModuleFacts, dialect: Dialect = Dialect.ENVOY) -> AbiVersion:
        """Read the ABI version from the first marker that is known; refuse a module without one."""
        for marker in facts.abi_markers:
            version = VERSIONS[dialect].get(marker.removeprefix(_MARKER))
            if version is not None:
                return version
        raise ModuleError("Missing or unknown Proxy-Wasm ABI version")

"""Module facts, and one VM: compile, instantiate, call, memory, limits.

>>> from meshsim.wasm import parse_module
>>> parse_module(bytes.fromhex("0061736d01000000")).imports
()
"""

from __future__ import annotations

from meshsim.wasm.cache import CodeCache
from meshsim.wasm.engine import Compiled, Engine, shared_engine
from meshsim.wasm.exchange import DIRECT, Board
from meshsim.wasm.memory import Memory
from meshsim.wasm.module import ModuleFacts, parse_module
from meshsim.wasm.rawcall import BareCall
from meshsim.wasm.types import (
    CustomSection,
    Export,
    FuncType,
    HostImport,
    Import,
    Limits,
    MemoryLimits,
    UnresolvedImport,
)
from meshsim.wasm.vm import Extension, Relayed, Vm

__all__ = [
    "DIRECT",
    "BareCall",
    "Board",
    "CodeCache",
    "Compiled",
    "CustomSection",
    "Engine",
    "Export",
    "Extension",
    "FuncType",
    "HostImport",
    "Import",
    "Limits",
    "Memory",
    "MemoryLimits",
    "ModuleFacts",
    "Relayed",
    "UnresolvedImport",
    "Vm",
    "parse_module",
    "shared_engine",
]

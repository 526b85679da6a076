"""The layout once more, as Python reads it: numbers of words and longs, and the shapes of records."""

from __future__ import annotations

import struct

from meshsim.abi.constants import BufferType, HeaderMapType, LogLevel
from meshsim.abi.shim.layout import LAYOUT, NUMBERS

W = {name: offset // 4 for name, offset in LAYOUT.items()}
OWN, WALL = LAYOUT["OWN"] // 8, LAYOUT["WALL"] // 8
PENDING, CALLS, CLOCKS, DEPTH = W["PENDING"], W["CALLS"], W["CLOCKS"], W["DEPTH"]
ALLOCATING, BREAK, STEP, TRUSTED = W["ALLOCATING"], W["BREAK"], W["STEP"], W["TRUSTED"]
HEAP, MAP_COUNT, PACKED, CHANGED = W["HEAP"], W["MAP_COUNT"], W["PACKED"], W["CHANGED"]
HEAP_START = LAYOUT["HEAP_START"]
MAPS, MAP_SIZE, HEAP_END = LAYOUT["MAPS"], LAYOUT["MAP_SIZE"], NUMBERS["HEAP_END"]
READ, WRITE, BODIES, ROOT = W["READ"], W["WRITE"], W["BODIES"], W["ROOT"]
SECOND, MISSING = W["SECOND"], NUMBERS["MISSING"]
PRESET, PRESET_END = LAYOUT["PRESET"], LAYOUT["PRESET"] + LAYOUT["STATES_SIZE"]
STATES, STATES_END = LAYOUT["STATES"], LAYOUT["STATES"] + LAYOUT["STATES_SIZE"]
COUNTS = LAYOUT["COUNTS"] // 8
ABSENT, ABSENT_LOGGING, FOREIGN = NUMBERS["ABSENT"], NUMBERS["ABSENT_LOGGING"], NUMBERS["FOREIGN"]
DIRTY, CONSTANT = NUMBERS["DIRTY"], NUMBERS["CONSTANT"]
P_LOG, P_MAPS, P_BODIES = NUMBERS["P_LOG"], NUMBERS["P_MAPS"], NUMBERS["P_BODIES"]
P_OPS, P_COUNTS = NUMBERS["P_OPS"], NUMBERS["P_COUNTS"]

UNKNOWN_STATES = bytes(LAYOUT["STATES_SIZE"])
#: Before the module has been shown anything of a stream: no message, empty bodies; the rest is not known.
HIDDEN_STATES = struct.pack("<18I", *[ABSENT] * 4, *[0] * 4, *[ABSENT] * 4, *[0] * 4, *[ABSENT] * 2)

DESCRIPTOR = struct.Struct("<8I")
BLOCK_HEAD = BUFFER = struct.Struct("<3I")
PROPERTY = struct.Struct("<5I")
RECORD = struct.Struct("<2I")
OPERATION = struct.Struct("<2IQ")
BLOCK_MAX = NUMBERS["VALUE_MAX"]

HEADER_MAPS, BUFFERS, LEVELS = tuple(HeaderMapType), tuple(BufferType), tuple(LogLevel)

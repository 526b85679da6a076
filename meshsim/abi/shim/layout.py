"""Where everything lies in the shim's memory: one table, for the Wasm text and for Python.

All numbers are byte offsets; a word is 32 bits, a long 64. The text says ``@CALLS`` where it means the address of the
word of that name.
"""

from __future__ import annotations

from meshsim.wasm.types import PAGE_BYTES

# --- control words ---------------------------------------------------------------------------------------------------

#: Words, in order from 0. What each holds is said where :mod:`meshsim.abi.shim` explains itself.
_WORDS = (
    "OWN", "OWN_HIGH",  # a long: what the shim has burnt of the fuel
    "WALL", "WALL_HIGH",  # a long: the wall clock when CALLS and CLOCKS were 0, in ns; 0 without a clock
    "HOST_CALL_NS", "HOST_CALL_NS_HIGH",
    "CLOCK_NS", "CLOCK_NS_HIGH",
    "PENDING",  # what Python has to take note of: bits below
    "CALLS",  # host calls to charge
    "CLOCKS",  # readings of a clock to charge
    "LOG_END",  # where the next log record goes
    "LOGS",  # whether anybody wants them
    "LOG_LEVEL",
    "OLD",  # ABI 0.1.0
    "ROOT",  # id of the acting context's root
    "TRUSTED",  # whether the allocator may be called without a net
    "GUARD_PAGES",  # from this size of the guest's memory on it may not
    "ALLOCATING",  # the guest allocates for the host
    "DEPTH",  # runs under way, one inside the other
    "BREAK",  # a phase has to end after this callback
    "STEP",  # callbacks of the phase that are over
    "SECOND",  # what the last callback of a ride returned
    "LAPS",  # whether time is charged between the callbacks of a phase
    "HEAP", "PACKED",  # first free bytes
    "CHANGED",  # a bit for each kind of map that the guest has written
    "NEXT_COUNTER", "NEXT_GAUGE", "NEXT_HISTOGRAM",  # ids of metrics that are not defined yet
    "OPS_END",  # where the next record of a gauge or histogram goes
    "PROPERTIES",  # how many properties are known
    "MAP_COUNT",  # descriptors in use
    "ROW",  # the row of a batch that runs
    "LOGGED",  # bytes of log records that Python has taken in this batch
)  # fmt: skip

WORDS = {name: 4 * place for place, name in enumerate(_WORDS)}
_STATES = 0x100

LAYOUT = WORDS | {
    # What is known of the maps and bodies that the acting context sees: a word each, an address or a code below.
    "STATES": _STATES,
    "READ": _STATES,  # 8 words, by kind
    "WRITE": _STATES + 0x20,  # 8 words, by kind
    "BODIES": _STATES + 0x40,  # 2 words: request, response
    "STATES_SIZE": 0x48,
    "PRESET": _STATES + 0x80,  # the states with which the next run begins
    "MAPS": 0x200,  # 8 descriptors, see MAP_*
    "MAP_SIZE": 0x20,
    "BUFFERS": 0x300,  # 2 descriptors: address, size, flags
    "BUFFER_SIZE": 0x10,
    "COUNTS": 0x800,  # longs: what counters have to go up, by id / 4
    "KNOWN": 0x1000,  # properties: root, address and size of path, address and size of value; 32 bytes each
    "OPS": 0x2000,  # records of gauges and histograms: id, add (1) or set (0), long
    "SCRATCH": 0x3000,  # a name, lowered
    "CONSTANTS": 0x4800,
    "RULES": 0x5000,  # names of headers that exist once
    "STRINGS": 0x8000,  # of properties
    "LOG": 0x10000,
    "HEAP_START": 0x20000,
    "PACK_START": 0xA0000,
    "RIDES": 0x120000,  # what rides show and expect
    "RIDES_END": 0x140000,
    # A ride: number of steps, whether the context is created first; then the steps, each of ten words.
    "RIDE_STEPS": 16,
    "RIDE_STEP_SIZE": 40,
    "ROW_SIZE": 48,  # of a batch's table, which lies behind END
    "END": 0x140000,
}

#: What the text says but is no place: limits, codes, bits.
NUMBERS = {
    "PAGES": LAYOUT["END"] // PAGE_BYTES,
    "HEAP_END": LAYOUT["PACK_START"],
    "PACK_END": LAYOUT["RIDES"],
    "LOG_LIMIT": LAYOUT["HEAP_START"],
    "LOG_MAX": 0x4000,
    "OPS_LIMIT": LAYOUT["SCRATCH"],
    "NAME_MAX": 0x1000,
    "VALUE_MAX": 0x10000,
    "PATH_MAX": 0x400,
    "LARGE": 0x10000,
    "COUNTERS": 0x100,
    # states
    "UNKNOWN": 0,
    "ABSENT": 1,
    "ABSENT_LOGGING": 2,
    "FOREIGN": 3,
    "PLACE": 16,  # the least state that is an address
    # PENDING
    "P_LOG": 1,
    "P_MAPS": 2,
    "P_BODIES": 4,
    "P_OPS": 8,
    "P_COUNTS": 16,
    # flags of a map
    "DIRTY": 1,
    "HOST_IS_AUTHORITY": 2,
    # flags of a buffer
    "CONSTANT": 2,
    # results that are no status
    "SLOW": 0xFFFFFFFF,
    "MISSING": 0xFFFFFFFE,
    # what Python is asked
    "PY_LOAD": 0xFF0,
    "PY_LOAD_BODY": 0xFF1,
    "PY_ALLOCATE": 0xFF2,
    "PY_LAP": 0xFF3,
}

MAX_MAPS = 8
MAX_PROPERTIES = (LAYOUT["OPS"] - LAYOUT["KNOWN"]) // 32

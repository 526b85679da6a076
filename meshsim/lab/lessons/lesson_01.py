"""Lesson 01: what a Wasm module is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshsim.lab.anatomy import Section, sections
from meshsim.lab.lessons.answers import as_module
from meshsim.lab.lessons.plan import Exercise, Parameter, Plan, Wrong
from meshsim.lab.wat import WatModule, compile_wat
from meshsim.wasm import parse_module
from meshsim.wasm.stepper import Stepper

if TYPE_CHECKING:
    from meshsim.lab.lessons.lesson import Lesson

#: Bytes that the host asks room for: those of "open sesame!!".
ROOM_BYTES = 13
#: What a filter may want to do, by the letters in the notebook -> the host functions, any of which lets it do so.
ABILITIES = {
    "a": {"proxy_log"},
    "b": {"path_open"},
    "c": {"proxy_get_header_map_value", "proxy_get_header_map_pairs"},
    "d": {"proxy_get_current_time_nanoseconds", "clock_time_get"},
    "e": {"proxy_send_local_response"},
}
#: More than any sum here takes.
ENOUGH_STEPS = 5_000
_ALLOCATE = "proxy_on_memory_allocate"


def module_of(at: Lesson) -> bytes:
    """The filter in the language of the lesson."""
    return (at.folder / f"hello-{at.language}.wasm").read_bytes()


def load_module(address: int, data: str) -> WatModule:
    """The module that loads four bytes from an address."""
    escaped = "".join(f"\\{byte}" for byte in data.split())
    return compile_wat(
        f"""(module
  (memory (export "memory") 1)
  (data (i32.const {address}) "{escaped}")
  (func (export "answer") (result i32)
    i32.const {address}
    i32.load))""",
        "load",
    )


def _by_size(at: Lesson) -> list[Section]:
    return sorted(sections(module_of(at)), key=lambda section: -section.size)


def _spellings(at: Lesson) -> tuple[str, ...]:
    name = _by_size(at)[0].name
    return f"{name}s", f"{name} section", f"the {name} section", f"the {name}s"


def _able(at: Lesson) -> frozenset[str]:
    """What the filter can do: it has asked for a host function that does it."""
    asked = {item.name for item in parse_module(module_of(at)).imports}
    return frozenset(letter for letter, ways in ABILITIES.items() if asked & ways)


def _loaded(at: Lesson) -> int:
    [value] = Stepper(load_module(at.address, at.data), "answer").run()
    return int(value)


def _allocated(at: Lesson) -> int:
    [address] = Stepper(module_of(at), _ALLOCATE, ROOM_BYTES).run()
    return int(address)


def _computes(at: Lesson, module: WatModule) -> str | None:
    as_module(module)
    for n in (0, 1, 20, -3):
        [given] = Stepper(module, "f", n).run()
        wanted = (2 * n + 1) & 0xFFFFFFFF
        if given != wanted:
            return f"f({n}) should give {2 * n + 1}, and gives {given}."
    return None


def _sums(at: Lesson, module: WatModule) -> str | None:
    data = parse_module(as_module(module).wasm)
    for start, length in ((0, 0), (0, 1), (0, 5), (at.address % 4 + 1, 4)):
        machine = Stepper(data, "sum", start, length)
        wanted = sum(machine.memory[start : start + length])
        machine.go(ENOUGH_STEPS)
        if not machine.finished:
            return f"sum({start}, {length}) does not come to an end: does $length go down in the loop?"
        [given] = machine.run()
        if given != wanted:
            return f"sum({start}, {length}) should give {wanted}, and gives {given}."
    return None


PLAN = Plan(
    number="01",
    title="What a Wasm module is",
    minutes=15,
    parameters=(
        Parameter("language", "wat", ("wat", "c", "zig", "rust"), "the language that the filter was written in"),
        Parameter("address", 1024, range(0, 32768), "where in memory the example loads from"),
        Parameter("data", "2a 01 00 00", ("2a 01 00 00", "10 27 00 00", "07 00 01 00"), "the four bytes there, in hex"),
    ),
    variants=(
        {"language": "c", "address": 64, "data": "10 27 00 00"},
        {"language": "rust", "address": 2000, "data": "07 00 01 00"},
    ),
    exercises=(
        Exercise(
            "01.1",
            "Which section of the module is the largest?",
            truth=lambda at: _by_size(at)[0].name,
            also=_spellings,
            wrong=(
                Wrong(
                    lambda at: "code", "the instructions are a smaller part than one thinks. Look at the table: bytes."
                ),
                Wrong(lambda at: "data", "that is what the memory holds at the beginning: only a few short texts."),
                Wrong(lambda at: "import", "three functions are asked for. How many are offered?"),
                Wrong(lambda at: "export", "in this module the names are short beside something else."),
            ),
            hint="Run the next cell, and look for the largest number in the column `bytes`.",
            solution="Run lab.show_sections(module), and take the name with the largest number of bytes.",
        ),
        Exercise(
            "01.2",
            "Which of a to e can this filter do? Letters.",
            truth=_able,
            wrong=(
                Wrong(
                    lambda at: frozenset("abcde"),
                    "a program on your own machine could. A module can do what an import lets it do, and nothing else.",
                ),
                Wrong(
                    lambda at: frozenset("ac") | {"d"},
                    "even the time of day is something that only the host knows. Is there an import that tells it?",
                ),
                Wrong(
                    lambda at: frozenset("ac") | {"e"},
                    "to answer a request takes a host function, proxy_send_local_response. Is it asked for?",
                ),
                Wrong(lambda at: frozenset("a"), "nearly. Which import has to do with headers?"),
                Wrong(lambda at: frozenset("c"), "nearly. Which import has to do with the log?"),
            ),
            hint="For each letter, look for a line `asks for` that would let the filter do so.",
            solution="a (proxy_log) and c (proxy_get_header_map_value); for the others there is no import.",
        ),
        Exercise(
            "01.3",
            "Which number lies on the stack after i32.load?",
            truth=_loaded,
            wrong=(
                Wrong(
                    lambda at: int.from_bytes(bytes.fromhex(at.data), "big"),
                    "the bytes were read in the order of writing. In Wasm the byte at the lowest address counts least: "
                    "little endian.",
                ),
                Wrong(lambda at: bytes.fromhex(at.data)[0], "that is the first byte only. i32.load reads four."),
                Wrong(
                    lambda at: at.address,
                    "that is the address: i32.load takes it from the stack, and gives what is there.",
                ),
            ),
            hint="The bytes are b0 b1 b2 b3 = {data}. The number is b0 + 256 * b1 + 65536 * b2 + 16777216 * b3.",
            solution='int.from_bytes(bytes.fromhex("{data}"), "little")',
        ),
        Exercise(
            "01.4",
            "Let f give 2n + 1.",
            test=_computes,
            hint="Push 2 and multiply, then push 1 and add: four instructions.",
            solution="i32.const 2\ni32.mul\ni32.const 1\ni32.add",
        ),
        Exercise(
            "01.5",
            f"Which address does {_ALLOCATE}({ROOM_BYTES}) give?",
            truth=_allocated,
            wrong=(
                Wrong(lambda at: ROOM_BYTES, "that is how many bytes were asked for."),
                Wrong(
                    lambda at: _allocated(at) + ROOM_BYTES,
                    "that is the end of the block, where the next one may begin. The function gives where it begins.",
                ),
                Wrong(lambda at: 0, "0 would mean that there is no room."),
            ),
            hint="Press the button that goes to the end: what is left on the stack is the result.",
            solution="Go to the end (the End key). The value under `Results` is the address.",
        ),
        Exercise(
            "01.6",
            "Let sum add up the bytes from an address.",
            test=_sums,
            hint="In a loop: leave when $length is 0; add the byte at $address to $total (i32.load8_u); "
            "$address goes up by 1, $length down by 1.",
            solution="(block $done\n  (loop $again\n    (br_if $done (i32.eqz (local.get $length)))\n"
            "    (local.set $total (i32.add (local.get $total) (i32.load8_u (local.get $address))))\n"
            "    (local.set $address (i32.add (local.get $address) (i32.const 1)))\n"
            "    (local.set $length (i32.sub (local.get $length) (i32.const 1)))\n    (br $again)))",
        ),
    ),
)

"""The stepper beside Wasmtime, on random calls: ``python -m tests.wasm.stepping [--calls 10000] [--seed 0]``.

Each call is made in a fresh instance of both. They must agree on the results, to the bit; on the trap; and on what is
then in memory and globals. Wasmtime is asked for canonical NaNs, which the stepper gives. Afterwards the stepper goes
back to the beginning, and everything must be as it was.
"""

from __future__ import annotations

import argparse
import random
import struct
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import wasmtime

from meshsim.errors import GuestTrap
from meshsim.wasm import parse_module
from meshsim.wasm.module import ModuleFacts
from meshsim.wasm.numerics import to_bits
from meshsim.wasm.stepper import Stepper
from tests.wasm.programs import LETTERS, number, program

CALLS_A_MODULE = 20


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a call left: bits of the results or the kind of trap, memory, bits of the globals."""

    results: tuple[int, ...] | str
    memory: bytes
    globals: tuple[int, ...]


class Reference:
    """A module in Wasmtime."""

    def __init__(self, wasm: bytes) -> None:
        config = wasmtime.Config()
        config.cranelift_nan_canonicalization = True
        self._engine = wasmtime.Engine(config)
        self._module = wasmtime.Module(self._engine, wasm)

    def call(self, name: str, arguments: Sequence[int | float], letters: str) -> Outcome:
        store = wasmtime.Store(self._engine)
        exports = wasmtime.Instance(store, self._module, []).exports(store)
        results: tuple[int, ...] | str
        try:
            given: Any = exports[name](store, *arguments)
        except wasmtime.Trap as trap:
            results = trap.trap_code.name.lower() if trap.trap_code else str(trap)
        else:
            values = given if isinstance(given, list) else [] if given is None else [given]
            results = tuple(bits_of(value, letter) for value, letter in zip(values, letters, strict=True))
        memory = exports["memory"]
        data = bytes(memory.read(store, 0, memory.data_len(store)))
        kept = tuple(bits_of(exports[f"g{letter}"].value(store), letter) for letter in LETTERS)
        return Outcome(results, data, kept)


def stepped(machine: Stepper) -> Outcome:
    """Run a stepper to its end."""
    results: tuple[int, ...] | str
    try:
        machine.run()
        results = tuple(value.bits for value in machine.results)
    except GuestTrap as trap:
        results = trap.code
    return Outcome(results, bytes(machine.memory), tuple(value.bits for value in machine.globals))


def bits_of(value: int | float, letter: str) -> int:
    if letter in "iI":
        return int(value) & (0xFFFFFFFF if letter == "i" else 0xFFFFFFFFFFFFFFFF)
    if value != value:  # a float in Python may have lost the payload of a small NaN
        return to_bits(value, letter)
    return int.from_bytes(struct.pack("<f" if letter == "f" else "<d", value), "little")


@dataclass(frozen=True, slots=True)
class Call:
    seed: int
    facts: ModuleFacts
    reference: Reference
    function: str
    arguments: tuple[int | float, ...]
    results: str

    def __str__(self) -> str:
        return f"program {self.seed} {self.function}{self.arguments}"


def calls(count: int, seed: int) -> Iterator[Call]:
    """So many random calls."""
    draw = random.Random(f"calls {seed}")
    made = 0
    module = 0
    while made < count:
        drawn = program(seed * 1_000_000 + module)
        wasm = bytes(wasmtime.wat2wasm(drawn.text))
        facts, reference = parse_module(wasm), Reference(wasm)
        for _ in range(min(CALLS_A_MODULE, count - made)):
            name, params, results = draw.choice(drawn.functions)
            arguments = tuple(number(draw, letter) for letter in params)
            yield Call(module, facts, reference, name, arguments, results)
            made += 1
        module += 1


def difference(call: Call) -> tuple[str, Stepper]:
    """What the two engines differ in; empty when they agree."""
    machine = Stepper(call.facts, call.function, *call.arguments)
    began = (bytes(machine.memory), machine.globals, machine.frame)
    ours, theirs = stepped(machine), call.reference.call(call.function, call.arguments, call.results)
    count = machine.count
    told = ""
    if masked(ours, call) != masked(theirs, call):
        what = [name for name in ("results", "memory", "globals") if getattr(ours, name) != getattr(theirs, name)]
        told = (
            f"program {call.seed} {call.function}{call.arguments}: {what}: {ours.results} instead of {theirs.results}"
        )
    machine.go(0)
    if (bytes(machine.memory), machine.globals, machine.frame) != began:
        told = f"{call}: not as it was after {count} steps back"
    machine.go(count)
    if stepped(machine) != ours:
        told = f"{call}: another end after going back"
    return told, machine


def masked(outcome: Outcome, call: Call) -> Outcome:
    """NaNs of results and globals without their payload: Python's API gives them as floats."""

    def plain(bits: int, letter: str) -> int:
        if letter in "iI":
            return bits
        value = struct.unpack("<f" if letter == "f" else "<d", bits.to_bytes(4 if letter == "f" else 8, "little"))[0]
        return to_bits(value, letter) if value != value else bits

    results = outcome.results
    if not isinstance(results, str):
        results = tuple(map(plain, results, call.results))
    return Outcome(results, outcome.memory, tuple(map(plain, outcome.globals, LETTERS)))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.wasm.stepping", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--calls", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    bad = steps = trapped = 0
    used: set[str] = set()
    for call in calls(options.calls, options.seed):
        told, machine = difference(call)
        steps += machine.count
        trapped += machine.trap is not None
        used |= {instruction.name for instruction in machine.history}
        if told:
            bad += 1
            print(told)
    print(f"{options.calls} calls, {steps} steps, {trapped} traps, {len(used)} instructions used, {bad} differences")
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())

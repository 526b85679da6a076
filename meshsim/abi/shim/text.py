"""From the shim's text with folded expressions to one that counts its own fuel.

Theory of operation. Wasmtime takes fuel for every operator, the shim's too, out of the guest's tank. So each straight
piece of the shim first adds what the piece will burn to a long in the shim's memory, the adding included: the guest's
fuel is then the tank's loss without that number, exactly. A piece ends where control may go elsewhere; also behind a
call, because a guest that traps never returns to the rest of the piece. What operators cost is Wasmtime's rule (its
``fuel_before_op``): 1, but nothing for those in :data:`_FREE`; 1 for entering a function; and 1 a byte for copying and
filling memory.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

Node: TypeAlias = "str | list[Node]"

_TOKEN = re.compile(r""";;[^\n]*|\(;.*?;\)|("(?:[^"\\]|\\.)*"|[()]|[^\s()";]+)""", re.DOTALL)
_PLACEHOLDER = re.compile(r"@([A-Z0-9_]+)")

_FREE = frozenset({"block", "loop", "else", "end", "return", "nop", "drop", "unreachable"})
#: Behind these, control may have come from or go elsewhere.
_CUTS = frozenset({"loop", "if", "else", "end", "br_if", "br", "return", "return_call", "call", "call_indirect"})
#: These burn as much as the number on top of the stack says, beside their own 1.
_BY_LENGTH = frozenset({"memory.copy", "memory.fill"})
#: Heads of lists that belong to the operator before them.
_IMMEDIATES = frozenset({"param", "result", "type", "memory"})
#: What belongs to a function and is no code.
_HEAD = frozenset({"export", "param", "result", "local", "type"})

#: Instructions behind which the function does not go on, and those behind which it may not.
_LEAVES = frozenset({"return", "return_call"})
_CALLS = frozenset({"call", "call_indirect"})

#: Locals that are added: the number on top of the stack, and fuel that is not counted in memory yet.
_LENGTH, _KEPT = "$own_length", "$own_kept"


def parse(text: str, constants: Mapping[str, int]) -> list[Node]:
    """Read expressions, with numbers for ``@NAME``; the outermost list holds the top-level ones."""
    stack: list[list[Node]] = [[]]
    for match in _TOKEN.finditer(text):
        token = match[1]
        if token is None:
            continue
        if token == "(":
            inner: list[Node] = []
            stack[-1].append(inner)
            stack.append(inner)
        elif token == ")":
            stack.pop()
        else:
            stack[-1].append(_PLACEHOLDER.sub(lambda found: str(constants[found[1]]), token))
    return stack[0]


def inlined(node: Node, functions: Mapping[str, tuple[Sequence[str], Node]]) -> Node:
    """An expression in which calls of small functions are replaced by what these do.

    ``functions`` has parameters and body by name. Each is one expression in which a parameter stands once, so that
    arguments can be put in its place; Wasmtime would make a call of each.
    """
    if isinstance(node, str):
        return node
    parts = [inlined(part, functions) for part in node]
    if parts[0] != "call" or not isinstance(parts[1], str) or parts[1] not in functions:
        return parts
    params, body = functions[parts[1]]
    return _with_arguments(body, dict(zip(params, parts[2:], strict=True)))


def _with_arguments(node: Node, arguments: Mapping[str, Node]) -> Node:
    if isinstance(node, str):
        return node
    if node[0] == "local.get":
        return arguments[written(node[1])]
    return [_with_arguments(part, arguments) for part in node]


def _small_functions(fields: Sequence[Node], names: frozenset[str]) -> dict[str, tuple[Sequence[str], Node]]:
    found: dict[str, tuple[Sequence[str], Node]] = {}
    for node in fields:
        if isinstance(node, list) and node[0] == "func" and written(node[1]) in names:
            params = [written(part[1]) for part in node if isinstance(part, list) and part[0] == "param"]
            found[written(node[1])] = params, node[-1]
    return found


def flat(nodes: Sequence[Node]) -> Iterator[list[str]]:
    """The instructions of folded expressions, in order; the first word of each is the operator."""
    for node in nodes:
        assert isinstance(node, list)
        operator = node[0]
        assert isinstance(operator, str)
        rest = node[1:]
        words = [operator]
        while rest and (isinstance(rest[0], str) or rest[0][0] in _IMMEDIATES):
            words.append(written(rest.pop(0)))
        if operator in ("block", "loop"):
            yield words
            yield from flat(rest)
            yield ["end"]
        elif operator == "if":
            yield from _flat_if(words, rest)
        else:
            yield from flat(rest)
            yield words


def _flat_if(words: list[str], rest: list[Node]) -> Iterator[list[str]]:
    branches = [node for node in rest if node[0] in ("then", "else")]
    yield from flat([node for node in rest if node[0] not in ("then", "else")])
    yield words
    yield from flat(branches[0][1:])
    if len(branches) > 1:
        yield ["else"]
        yield from flat(branches[1][1:])
    yield ["end"]


def written(node: Node) -> str:
    """An expression as text."""
    return node if isinstance(node, str) else f"({' '.join(map(written, node))})"


class Counter:
    """Puts counting into functions.

    Each addition to the number in memory waits for the one before; so a function with loops counts in a local, and
    adds that to the number where it calls and where it ends.

    Parameters
    ----------
    memory : str
        Name of the memory.
    address : int
        Where in it the number is.
    """

    def __init__(self, memory: str, address: int) -> None:
        load = [f"i32.const {address}", f"i32.const {address}", f"i64.load {memory}"]
        add, store = "i64.add", f"i64.store {memory}"
        self._add = [*load, "i64.const {}", add, store]
        self._add_length = [*load, f"local.get {_LENGTH}", "i64.extend_i32_u", add, store]
        self._keep = [f"local.get {_KEPT}", "i64.const {}", add, f"local.set {_KEPT}"]
        self._add_kept = [*load, f"local.get {_KEPT}", add, "i64.const {}", add, store]
        self._add_kept_and_begin = [*self._add_kept, "i64.const 0", f"local.set {_KEPT}"]

    def function(self, node: list[Node], extra: int = 0) -> str:
        """A function with counting; ``extra`` is counted too when it is entered."""
        head = [part for part in node[1:] if isinstance(part, str) or part[0] in _HEAD]
        pieces = list(_pieces(flat(node[1 + len(head) :])))
        keeps = any(words[0] == "loop" for piece in pieces for words in piece)
        code: list[str] = []
        cost = 1 + extra
        for place, piece in enumerate(pieces, start=1):
            code += self._counted(piece, cost, keeps, is_last=place == len(pieces))
            cost = 0
        for name, type_ in ((_LENGTH, "i32"), (_KEPT, "i64")):
            if any(name in line for line in code):
                head.append(["local", name, type_])
        return "\n".join((f"(func {' '.join(map(written, head))}", *code, ")"))

    def _counted(self, piece: list[list[str]], cost: int, keeps: bool, is_last: bool) -> list[str]:
        """A piece with counting in front; ``cost`` is burnt before its first instruction."""
        lines: list[str] = []
        for words in piece:
            if words[0] in _BY_LENGTH:
                more = [f"local.set {_LENGTH}", *self._add_length, f"local.get {_LENGTH}", " ".join(words)]
                lines += more
                cost += len(more)
            else:
                lines.append(" ".join(words))
                cost += words[0] not in _FREE
        ends = is_last or piece[-1][0] in _LEAVES
        calls = bool(piece) and piece[-1][0] in _CALLS
        count = self._add
        if keeps:
            count = self._add_kept if ends else self._add_kept_and_begin if calls else self._keep
        if not cost and not (keeps and (ends or calls)):
            return lines
        return [line.format(cost + len(count)) for line in count] + lines


def _pieces(instructions: Iterator[list[str]]) -> Iterator[list[list[str]]]:
    """Straight pieces, the last of which may be empty."""
    piece: list[list[str]] = []
    for words in instructions:
        piece.append(words)
        if words[0] in _CUTS:
            yield piece
            piece = []
    yield piece


def instrumented(
    text: str, constants: Mapping[str, int], counter: Counter, extra: Mapping[str, int], small: frozenset[str]
) -> str:
    """A module's text with counting in every function.

    ``extra`` fuel is counted in functions by name, and those of ``small`` are put in where they are called.
    """
    (module,) = parse(text, constants)
    assert isinstance(module, list)
    functions = _small_functions(module, small)
    fields = []
    for field in module[1:]:
        node = inlined(field, functions)
        if isinstance(node, list) and node[0] == "func":
            if written(node[1]) not in functions:
                fields.append(counter.function(node, extra.get(written(node[1]), 0)))
        else:
            fields.append(written(node))
    return "\n".join(("(module", *fields, ")"))

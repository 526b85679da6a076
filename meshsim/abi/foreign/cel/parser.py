"""From the text of an expression to its tree: a recursive descent over the grammar of the language's specification.

Two depths are limited, as in Envoy: how often the grammar's ``expr`` may stand in itself (while parsing), and how deep
the tree may be (afterwards). What is no expression at all raises :class:`NoExpression`; the words that Envoy has for
it are made elsewhere (:mod:`meshsim.abi.foreign.cel.library`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

from meshsim.abi.codec import Uint
from meshsim.abi.foreign.cel.macros import BadMacro, expand
from meshsim.abi.foreign.cel.tokens import BadLiteral, Token, Unreadable, bytes_of, integer_of, string_of, tokens
from meshsim.abi.foreign.cel.tree import (
    Call,
    Chain,
    Condition,
    Ident,
    Literal,
    MakeList,
    MakeMap,
    MakeStruct,
    Node,
    Select,
    children,
    rebuilt,
)
from meshsim.abi.foreign.cel.values import Value

Item = TypeVar("Item")

MAX_DEPTH = 32
MAX_CODEPOINTS = 100_000
_TOO_DEEP = f"ERROR: <input>:4294967295:0: Exceeded max recursion depth of {MAX_DEPTH} when parsing."

_RELATIONS = {"<": "_<_", "<=": "_<=_", ">": "_>_", ">=": "_>=_", "==": "_==_", "!=": "_!=_", "in": "@in"}
_SUMS = {"+": "_+_", "-": "_-_"}
_PRODUCTS = {"*": "_*_", "/": "_/_", "%": "_%_"}
_CONSTANTS: dict[str, bool | None] = {"true": True, "false": False, "null": None}
_KEYWORDS = frozenset(_CONSTANTS) | {"in"}
_RESERVED = frozenset(
    {
        *("as", "break", "const", "continue", "else", "for", "function", "if", "import", "let", "loop", "package"),
        *("namespace", "return", "var", "void", "while"),
    }
)
_WIDE_DOT, _WIDE_CARET = "\N{FULLWIDTH FULL STOP}", "\N{FULLWIDTH CIRCUMFLEX ACCENT}"


class NoExpression(ValueError):
    """The text does not follow the grammar."""


class Refused(ValueError):
    """The text follows the grammar and is refused; ``str()`` is the whole text of Envoy's error."""


def parse(source: str) -> Node:
    """Parse an expression.

    Raises
    ------
    NoExpression, Refused
        When it is none.

    Examples
    --------
    >>> parse("a.b")
    Select(at=1, operand=Ident(at=0, name='a'), field='b', test=False)
    """
    if len(source) > MAX_CODEPOINTS:
        raise Refused(f"expression size exceeds codepoint limit. input size: {len(source)}, limit: {MAX_CODEPOINTS}")
    parser = _Parser(source)
    tree = parser.whole()
    too_deep = _too_deep(tree, 1)
    if too_deep:
        raise Refused("\n".join([_TOO_DEEP] * too_deep))
    tree = _expanded(tree, parser.errors)
    if parser.errors:
        raise Refused("\n".join(located(source, at, text) for at, text in sorted(parser.errors)))
    return tree


def _too_deep(node: Node, depth: int) -> int:
    """Count the nodes that are the first below the depth allowed: each is an error of its own."""
    if depth > MAX_DEPTH:
        return 1
    return sum(_too_deep(child, depth + 1) for child in children(node))


def _expanded(node: Node, errors: list[tuple[int, str]]) -> Node:
    """Expand macros, innermost first."""
    node = rebuilt(node, lambda child: _expanded(child, errors))
    if not isinstance(node, Call):
        return node
    try:
        return expand(node) or node
    except BadMacro as bad:
        errors.append((bad.at, str(bad)))
        return Literal(node.at, None)


def located(source: str, at: int, text: str) -> str:
    """Make Envoy's text of an error at a place, with the line and a caret under it.

    Wide characters get wide dots and carets.

    Examples
    --------
    >>> print(located("1 +", 2, "why"))
    ERROR: <input>:1:3: why
     | 1 +
     | ..^
    """
    before = source[:at]
    start = before.rfind("\n") + 1
    line = source[start:].split("\n", 1)[0]
    column = at - start
    head = f"ERROR: <input>:{before.count(chr(10)) + 1}:{column + 1}: {text}"
    if not line:
        return head
    under = "".join(_WIDE_DOT if ord(character) > 0x7F else "." for character in line[:column])
    caret = _WIDE_CARET if column < len(line) and ord(line[column]) > 0x7F else "^"
    shown = line.replace("\t", " ")
    return f"{head}\n | {shown}\n | {under}{caret}"


class _Parser:
    def __init__(self, source: str) -> None:
        self.errors: list[tuple[int, str]] = []
        self._depth = 0
        self._at = 0
        try:
            self._tokens = tokens(source)
        except Unreadable as unreadable:
            raise NoExpression(str(unreadable)) from None

    # -- tokens ---

    @property
    def _next(self) -> Token:
        return self._tokens[self._at]

    def _is(self, *texts: str) -> bool:
        return self._next.kind in ("op", "word") and self._next.text in texts

    def _take(self) -> Token:
        token = self._next
        self._at += 1
        return token

    def _accept(self, text: str) -> Token | None:
        return self._take() if self._is(text) else None

    def _expect(self, text: str) -> Token:
        if not self._is(text):
            raise NoExpression(f"{text} expected at {self._next.at}")
        return self._take()

    def _name(self) -> str:
        token = self._take()
        if token.kind != "word" or token.text in _KEYWORDS:
            raise NoExpression(f"a name expected at {token.at}")
        return token.text

    def _field(self) -> str:
        """A field's name, which may stand in backquotes."""
        return self._take().text[1:-1] if self._next.kind == "escaped" else self._name()

    # -- the grammar, from loose to tight ---

    def whole(self) -> Node:
        tree = self._expression()
        if self._next.kind != "end":
            raise NoExpression(f"an end expected at {self._next.at}")
        return tree

    def _expression(self) -> Node:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise Refused(f"Expression recursion limit exceeded. limit: {MAX_DEPTH}")
        tree = self._or()
        question = self._accept("?")
        if question:
            then = self._or()
            self._expect(":")
            tree = Condition(question.at, tree, then, self._expression())
        self._depth -= 1
        return tree

    def _or(self) -> Node:
        first = self._and()
        return self._chain("||", "_||_", first, self._and)

    def _and(self) -> Node:
        first = self._relation()
        return self._chain("&&", "_&&_", first, self._relation)

    def _chain(self, text: str, name: str, first: Node, operand: Callable[[], Node]) -> Node:
        at, operands = self._next.at, [first]
        while self._accept(text):
            operands.append(operand())
        return Chain(at, name, tuple(operands)) if len(operands) > 1 else first

    def _relation(self) -> Node:
        return self._binary(_RELATIONS, lambda: self._binary(_SUMS, lambda: self._binary(_PRODUCTS, self._unary)))

    def _binary(self, operators: dict[str, str], operand: Callable[[], Node]) -> Node:
        left = operand()
        while self._is(*operators):
            token = self._take()
            left = Call(token.at, operators[token.text], None, (left, operand()))
        return left

    def _unary(self) -> Node:
        """A row of one sign counts once, or not at all; a single minus before a number belongs to the number."""
        first = self._next
        for sign, name in (("!", "!_"), ("-", "-_")):
            count = 0
            while self._is(sign) and not (sign == "-" and not count and self._signed_number()):
                self._take()
                count += 1
            if count:
                operand = self._member()
                return Call(first.at, name, None, (operand,)) if count % 2 else operand
        return self._member()

    def _signed_number(self) -> bool:
        return self._tokens[self._at + 1].kind in ("int", "float")

    def _member(self) -> Node:
        start = self._next.at
        tree = self._primary()
        while True:
            token = self._next
            if self._accept("."):
                tree = self._selection(tree, token, start)
            elif self._accept("["):
                self._no_optional(start, ".?")
                index = self._expression()
                self._expect("]")
                tree = Call(token.at, "_[_]", None, (tree, index))
            else:
                return tree

    def _selection(self, operand: Node, dot: Token, start: int) -> Node:
        if self._no_optional(start, ".?"):
            return Select(dot.at, operand, self._field())
        if self._next.kind == "escaped":
            return Select(dot.at, operand, self._field())
        name = self._name()
        opening = self._accept("(")
        return self._call(opening, name, operand) if opening else Select(dot.at, operand, name)

    def _no_optional(self, at: int, what: str) -> bool:
        """Optional fields and elements are parsed, and refused."""
        found = self._accept("?") is not None
        if found:
            self.errors.append((at, f"unsupported syntax '{what}'"))
        return found

    def _call(self, opening: Token, name: str, target: Node | None) -> Node:
        arguments: list[Node] = []
        if not self._is(")"):
            arguments.append(self._expression())
            while self._accept(","):
                arguments.append(self._expression())
        self._expect(")")
        return Call(opening.at, name, target, tuple(arguments))

    # -- primaries ---

    def _primary(self) -> Node:
        token = self._next
        if self._accept("("):
            tree = self._expression()
            self._expect(")")
            return tree
        if self._accept("["):
            return MakeList(token.at, tuple(self._items("]", self._element)))
        if self._accept("{"):
            return MakeMap(token.at, tuple(self._items("}", self._entry)))
        if token.kind == "word" and token.text in _CONSTANTS:
            return Literal(self._take().at, _CONSTANTS[token.text])
        if token.kind == "word" or self._is("."):
            return self._identifier()
        return self._literal()

    def _items(self, closing: str, item: Callable[[], Item]) -> Iterator[Item]:
        """Items with commas between, and one more comma allowed; also a comma alone."""
        if not self._is(closing, ","):
            yield item()
            while self._accept(","):
                if self._is(closing):
                    break
                yield item()
        else:
            self._accept(",")
        self._expect(closing)

    def _element(self) -> Node:
        self._no_optional(self._next.at, "?")
        return self._expression()

    def _entry(self) -> tuple[Node, Node]:
        self._no_optional(self._next.at, "?")
        key = self._expression()
        self._expect(":")
        return key, self._expression()

    def _struct_field(self) -> tuple[str, Node]:
        self._no_optional(self._next.at, "?")
        name = self._field()
        self._expect(":")
        return name, self._expression()

    def _identifier(self) -> Node:
        start, token = self._at, self._next
        self._accept(".")
        name = self._name()
        if self._qualified_then_brace():
            return self._struct(start)
        if name in _RESERVED:
            self.errors.append((token.at, f"reserved identifier: {name}"))
        opening = self._accept("(")
        return self._call(opening, name, None) if opening else Ident(token.at, name)

    def _qualified_then_brace(self) -> bool:
        """Whether more names and a brace follow: a message's type."""
        at = self._at
        while self._tokens[at].text == "." and self._tokens[at + 1].kind == "word":
            at += 2
        return self._tokens[at].text == "{" and self._tokens[at].kind == "op"

    def _struct(self, start: int) -> Node:
        while not self._is("{"):
            self._take()
        names = [token.text for token in self._tokens[start : self._at]]
        brace = self._take()
        return MakeStruct(brace.at, "".join(names).lstrip("."), tuple(self._items("}", self._struct_field)))

    def _literal(self) -> Node:
        start = self._next.at
        sign = self._accept("-")
        try:
            return Literal(start, _literal(self._take(), negative=sign is not None))
        except BadLiteral as bad:
            self.errors.append((start, str(bad)))
            return Literal(start, None)


def _literal(token: Token, *, negative: bool) -> Value:
    match "signed " * negative + token.kind:
        case "int" | "signed int":
            return integer_of(token.text, negative=negative)
        case "float" | "signed float":
            return -float(token.text) if negative else float(token.text)
        case "uint":
            return Uint(integer_of(token.text))
        case "string":
            return string_of(token.text)
        case "bytes":
            return bytes_of(token.text)
    raise NoExpression(f"an operand expected at {token.at}")

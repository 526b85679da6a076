"""Syntax errors, in Envoy's words, by the package ``common-expression-language`` (the extra ``cel``).

Its parser is made from the grammar that Envoy's is made from, so it says what Envoy says; only how it looks for what
may follow is another, and it has errors of its own where it builds a tree from what is left.
"""

from __future__ import annotations

import re

from meshsim.abi.foreign.cel.parser import located
from meshsim.abi.foreign.extras import package
from meshsim.errors import NotModelled

#: The package's parser takes the process with it when it runs out of stack, and its errors repeat the whole text.
MAX_CHARACTERS = 2000
_ERROR = re.compile(r"ERROR: <input>:(\d+):(\d+): (.*?)(?=\n\| |\nERROR: <input>:|\Z)", re.DOTALL)
_EXPECTED = re.compile(r"expecting \{(.*)\}$")
#: Tokens that go on with an operand; Envoy's parser does not list them where something else must follow.
_CONTINUING = frozenset(
    f"'{token}'" for token in ("==", "!=", "in", "<", "<=", ">=", ">", "&&", "||", "[", ".", "-", "?", *"+*/%")
)
#: Said by the package's tree builder, not by its grammar; cel-cpp has one line for all of these.
_HALF_BUILT = ("Incomplete `", "No `")
#: Said by the package alone.
_FOREIGN = "unsupported syntax: '`'"
_ESCAPES = str.maketrans({"\n": "\\n", "\r": "\\r", "\t": "\\t"})
_NIL = "ERROR: <input>:4294967295:0: <<nil>> parsetree"


def syntax_error(source: str) -> str:
    """Return Envoy's text about a text that is no expression."""
    if len(source) > MAX_CHARACTERS:
        raise NotModelled(f"the words for a syntax error in an expression of more than {MAX_CHARACTERS} characters")
    cel = package("cel", "an expression with a syntax error")
    try:
        cel.compile(source)
    except ValueError as error:
        said = str(error).removeprefix(f"Failed to parse expression '{source}': ")
        found = [error for error in _ERROR.findall(said) if error[2] != _FOREIGN]
        lines = [
            located(
                source, _offset(source, int(line), int(column)), _EXPECTED.sub(_expecting, text.translate(_ESCAPES))
            )
            for line, column, text in found
            if not text.startswith(_HALF_BUILT)
        ]
        return "\n".join(lines + [_NIL] * (len(lines) < len(found)))
    except UnicodeEncodeError:
        pass
    raise NotModelled("an expression of which the parsers disagree", where="foreign function expr_create")


def _expecting(match: re.Match[str]) -> str:
    wanted = match[1].split(", ")
    if "'=='" in wanted:
        wanted = [token for token in wanted if token not in _CONTINUING]
    wanted = [token.replace("?", r"\u003F") for token in wanted]
    return f"expecting {wanted[0]}" if len(wanted) == 1 else f"expecting {{{', '.join(wanted)}}}"


def _offset(source: str, line: int, column: int) -> int:
    return sum(len(text) + 1 for text in source.split("\n")[: line - 1]) + column - 1

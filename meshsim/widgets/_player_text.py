"""What stood behind a host call's addresses, in words: texts, header maps, numbers, property paths."""

from __future__ import annotations

from collections.abc import Sequence

from meshsim.abi import describe
from meshsim.abi.codec import decode_pairs
from meshsim.abi.events import Content, Crossing

#: Arguments that are header maps, each a list of pairs.
_PAIRS = frozenset({"pairs", "headers", "metadata", "trailers"})
#: Arguments and results that are one number.
_NUMBERS = frozenset({"cell"})
_HEX_BYTES = 24
#: Numbers among the attributes of a request have 64 bits.
_WORD_BYTES = 8

Fields = list[list[str]]


def arguments(call: Crossing) -> Fields:
    """Return a call's arguments as names and words; what lies behind an address stands for the address.

    Examples
    --------
    >>> from meshsim.abi.events import Direction
    >>> key = Content("key", b"authorization", 13)
    >>> arguments(Crossing(Direction.VM_CALLS_HOST, "env.proxy_remove_header_map_value", (0, 8224, 13), (key,)))
    [['map', 'REQUEST_HEADERS'], ['key', '"authorization"']]
    """
    known = {content.name: content for content in call.contents}
    return [
        [name, content_words(known[name]) if name in known else text]
        for name, text in describe.arguments(call.function, call.values, brief=True)
    ]


def results(function: str, contents: Sequence[Content]) -> Fields:
    """Return what a host call has given the module, as names and words."""
    kinds = {parameter.name: parameter.kind for parameter in describe.parameters(function) or ()}
    return [
        [each.name, str(int.from_bytes(each.data, "little")) if kinds[each.name] in _NUMBERS else content_words(each)]
        for each in contents
    ]


def content_words(content: Content) -> str:
    r"""Return bytes as a person reads them.

    Examples
    --------
    >>> content_words(Content("path", b"request\0path", 12)), content_words(Content("value", b"\xff\x01", 2))
    ('"request.path"', '2 B: ff 01')
    >>> content_words(Content("headers", bytes.fromhex("01000000 01000000 02000000 6b00 766100"), 17))
    'k: va'
    """
    name, data, size = content
    if not size:
        return "nothing"
    if name in _PAIRS and (pairs := _pairs(content)):
        return ", ".join(f"{key}: {value}" for key, value in pairs)
    if name == "path":
        data = data.rstrip(b"\0").replace(b"\0", b".")
    more = "\N{HORIZONTAL ELLIPSIS}" if size > len(content.data) else ""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = ""
    if text and (text.isprintable() or not text.strip().translate(_LAYOUT)):
        return f'"{text}{more}"'
    if text and all(letter.isprintable() or letter in "\n\r\t" for letter in text):
        return f'"{text.encode("unicode_escape").decode()}{more}"'
    if size == _WORD_BYTES == len(data):
        return f"{int.from_bytes(data, 'little')} (8 B)"
    shown = data[:_HEX_BYTES].hex(" ")
    return f"{size} B: {shown}{'' if len(data) <= _HEX_BYTES else chr(0x2026)}"


_LAYOUT = str.maketrans("", "", "\n\r\t")


def _pairs(content: Content) -> Fields:
    """Read a header map; nothing where only its beginning was kept, or it is none."""
    if content.size > len(content.data):
        return []
    pairs = decode_pairs(content.data) or []
    return [[text_of(key), text_of(value)] for key, value in pairs]


def text_of(data: bytes) -> str:
    """Return bytes of a header as text."""
    return data.decode("utf-8", "replace")


#: What happens in a call, in a sentence, for who sees it for the first time.
MEANING = {
    "proxy_on_context_create": "The host tells the module of a new context: here, of this request's stream.",
    "proxy_on_request_headers": "The request's headers are here. The module may read and change them, and says whether "
    "it goes on.",
    "proxy_on_request_body": "A piece of the request's body is here.",
    "proxy_on_request_trailers": "The request's trailers are here.",
    "proxy_on_response_headers": "The response's headers are on their way back through the filters, in reverse order.",
    "proxy_on_response_body": "A piece of the response's body is here.",
    "proxy_on_response_trailers": "The response's trailers are here.",
    "proxy_on_http_call_response": "The answer to a callout is here. It comes to the root context: the module has "
    "to say for which stream it acts.",
    "proxy_on_log": "The stream is complete: the moment to write an access log.",
    "proxy_on_done": "The host asks whether the context may end.",
    "proxy_on_delete": "The context ends: what the module keeps for it can go.",
    "proxy_on_tick": "A timer of the root context has gone off.",
    "proxy_on_queue_ready": "A message is in a shared queue.",
    "proxy_get_header_map_value": "The module asks for a header. The host copies the value into the module's memory.",
    "proxy_add_header_map_value": "The module adds a header.",
    "proxy_replace_header_map_value": "The module sets a header, in place of what was there.",
    "proxy_remove_header_map_value": "The module takes a header away.",
    "proxy_get_header_map_pairs": "The module asks for all headers at once.",
    "proxy_set_header_map_pairs": "The module sets all headers at once.",
    "proxy_get_buffer_bytes": "The module asks for bytes of a buffer: a body, or its configuration.",
    "proxy_set_buffer_bytes": "The module changes bytes of a body.",
    "proxy_get_property": "The module asks for an attribute of the request, the connection or the proxy.",
    "proxy_set_property": "The module leaves a value on the stream, for other filters.",
    "proxy_log": "The module writes a line into Envoy's log.",
    "proxy_http_call": "A callout: the module asks another service, and does not wait. The answer comes by a callback "
    "of its own.",
    "proxy_grpc_call": "A gRPC callout: the answer comes by a callback of its own.",
    "proxy_continue_stream": "The module lets a paused stream go on, when this callback is over.",
    "proxy_continue_request": "The module lets a paused request go on, when this callback is over.",
    "proxy_close_stream": "The module cuts the stream.",
    "proxy_send_local_response": "The module answers the client itself: the request never reaches the upstream.",
    "proxy_set_effective_context": "The module says for which context it acts from here on.",
    "proxy_define_metric": "The module defines a counter, gauge or histogram.",
    "proxy_increment_metric": "The module counts.",
    "proxy_record_metric": "The module records a value.",
    "proxy_get_shared_data": "The module reads data that all VMs of its VM id share.",
    "proxy_set_shared_data": "The module writes data that all VMs of its VM id share.",
    "proxy_get_current_time_nanoseconds": "The module reads the clock.",
    "proxy_set_tick_period_milliseconds": "The module asks for a timer.",
}


def meaning(function: str) -> str:
    """Return what happens in a call, in a sentence; empty where the name says it."""
    return MEANING.get(function.rpartition(".")[2], "")

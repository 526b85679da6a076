"""The shim's module: one text for every guest, completed with what follows from the tables of the ABI."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from meshsim.abi.shim.layout import LAYOUT, NUMBERS
from meshsim.abi.shim.text import Counter, instrumented
from meshsim.abi.signatures import BOARD, CALLBACKS, ENV, GUEST_SLOTS, HOST_FUNCTIONS, SLOTS
from meshsim.wasm import DIRECT, FuncType
from meshsim.wasm.exchange import MAX_PARAMS, relay_fuel
from meshsim.wasm.types import VALUE_NAMES

#: Host functions that the shim has, by name; True for those that charge for themselves instead of for a host call.
HOT = {
    "proxy_log": False,
    "proxy_get_log_level": False,
    "proxy_get_current_time_nanoseconds": True,
    "proxy_get_property": False,
    "proxy_get_header_map_pairs": False,
    "proxy_set_header_map_pairs": False,
    "proxy_get_header_map_value": False,
    "proxy_add_header_map_value": False,
    "proxy_replace_header_map_value": False,
    "proxy_remove_header_map_value": False,
    "proxy_get_header_map_size": False,
    "proxy_get_buffer_status": False,
    "proxy_get_buffer_bytes": False,
    "proxy_set_buffer_bytes": False,
    "proxy_increment_metric": False,
    "proxy_record_metric": False,
}

#: The files of the text, from the head of the module on; callers of callbacks and what lies in the table come behind.
_PARTS = ("shim.wat", "maps.wat", "headers.wat", "bodies.wat", "services.wat", "drivers.wat", "rides.wat", "batch.wat")

#: Functions that are put in where they are called.
_SMALL = frozenset({"$outside", "$pend", "$is_pseudo"})

_SLOTS_BY_ROLE = {
    "TABLE": BOARD.size,
    "ALLOCATOR": GUEST_SLOTS[""],
    "ON_CREATE": GUEST_SLOTS["proxy_on_context_create"],
    "ON_REQUEST_HEADERS": GUEST_SLOTS["proxy_on_request_headers"],
    "ON_RESPONSE_HEADERS": GUEST_SLOTS["proxy_on_response_headers"],
    "ON_LOG": GUEST_SLOTS["proxy_on_log"],
    "ON_DONE": GUEST_SLOTS["proxy_on_done"],
    "ON_DELETE": GUEST_SLOTS["proxy_on_delete"],
}


def caller(type_: FuncType) -> str:
    """Name of the driver for one callback of a type.

    Examples
    --------
    >>> caller(FuncType("iii", "i"))
    'call_iii_i'
    """
    return f"call_{type_.params}_{type_.results}"


@cache
def shim_text() -> str:
    """The shim's text, with its fuel counted."""
    main = "\n".join(map(_part, _PARTS))
    types = {callback.type for callback in CALLBACKS}
    callers = [_caller_text(type_) for type_ in sorted(types, key=caller)]
    functions = {name: HOST_FUNCTIONS[SLOTS[ENV, name]].type for name in HOT}
    hot = [_hot_text(name, type_) for name, type_ in functions.items()]
    relays = {f"$hot_{name}": relay_fuel(type_) for name, type_ in functions.items()}
    counter = Counter("$m", LAYOUT["OWN"])
    whole = "\n".join((main, *callers, *hot, ")"))
    return instrumented(whole, LAYOUT | NUMBERS | _SLOTS_BY_ROLE, counter, relays, _SMALL)


def _part(name: str) -> str:
    return (files("meshsim.abi.shim") / name).read_text(encoding="utf-8").rstrip()


def _words(letters: str) -> str:
    return " ".join(VALUE_NAMES[letter] for letter in letters)


def _gets(type_: FuncType) -> str:
    return " ".join(f"(local.get {i})" for i in range(len(type_.params)))


def _caller_text(type_: FuncType) -> str:
    """A driver: its first argument is the slot of the callback, the others are the callback's."""
    params, results = _words(type_.params), _words(type_.results)
    arguments = " ".join(f"(local.get {i + 1})" for i in range(len(type_.params)))
    call = f"(call_indirect $table (param {params}) (result {results}) {arguments} (local.get 0))"
    if not type_.results:
        return f"""(func (export "{caller(type_)}") (param i32 {params})
          (call $begin) (call $show) {call} (call $end))"""
    return f"""(func (export "{caller(type_)}") (param i32 {params}) (result {results}) (local $result {results})
      (call $begin) (call $show) (local.set $result {call}) (call $end) (local.get $result))"""


def _hot_text(name: str, type_: FuncType) -> str:
    """What lies in the table: it counts the call, and hands over to Python what the function does not do."""
    slot = SLOTS[ENV, name]
    wide = " ".join(
        f"(i64.extend_i32_u (local.get {i}))" if letter == "i" else f"(local.get {i})"
        for i, letter in enumerate(type_.params)
    )
    rest = " ".join(["(i64.const 0)"] * (MAX_PARAMS - len(type_.params)))
    slow = f"(return_call $python (i32.const {slot + DIRECT}) {wide} {rest})"
    calls = "(i32.const @CALLS)"
    count = "" if HOT[name] else f"(i32.store $m {calls} (i32.add (i32.load $m {calls}) (i32.const 1)))"
    uncount = "" if HOT[name] else f"(i32.store $m {calls} (i32.sub (i32.load $m {calls}) (i32.const 1)))"
    return f"""
    (elem (table $table) (i32.const {slot}) func $hot_{name})
    (func $hot_{name} (param {_words(type_.params)}) (result i32) (local $status i32)
      (if (i32.load $m (i32.const @ALLOCATING)) (then {slow}))
      {count}
      (local.set $status (call ${name} {_gets(type_)}))
      (if (i32.eq (local.get $status) (i32.const @SLOW)) (then {uncount} {slow}))
      (local.get $status))"""

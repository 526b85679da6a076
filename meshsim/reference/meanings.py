"""What each coefficient of a cost profile is: its unit, and how it was measured."""

from __future__ import annotations

from collections.abc import Mapping

from meshsim.reference.fit import KINDS, LUA_ADD, LUA_SCRIPTS, PAGES, TOGETHER, USUAL
from meshsim.reference.probes import CALLS, CONNECTIONS, FEW, HEADERS, LENGTH, LUA_STEPS, LUA_TIMES, MANY
from meshsim.reference.rounds import SMALL
from meshsim.reference.scripts import LUA_CALLS
from meshsim.reference.specimens import CALLBACKS, COPIED_BYTES, HOST_CALLS
from meshsim.reference.tasks import ENGINES, TASKS
from meshsim.reference.tiers import FUNCTIONS, MARKS
from meshsim.reference.wakes import RATE

Meaning = tuple[str, str]


def meanings() -> Mapping[str, Meaning]:
    """Unit and origin of each coefficient, by name.

    Examples
    --------
    >>> meanings()["clone_ns"][0], meanings()["fuel_ns.call_10"][0]
    ('ns', 'ns/fuel')
    """
    return {**_LOADING, **_CALLS, **_REQUESTS, **_CONNECTIONS, **_KINDS, **_TASKS, **_MEMORY}


_LOADING: Mapping[str, Meaning] = {
    "v8_start_ns": ("ns", "Log time stamps: the first base VM of a process over the later ones, all of a tiny module."),
    "isolate_ns": (
        "ns",
        "Log time stamps: 'Base Wasm created' to the canary's 'Thread-Local Wasm created' for a tiny module, less the "
        "canary's own isolate as seen on a worker. With parsing, linking, instantiation.",
    ),
    "compile_ns_per_byte": (
        "ns/byte",
        "Log time stamps: the same span by the module's size; functions of some 200 to 1,200 bytes that mix operators, "
        "branches, memory and calls. On one core: V8 compiles on threads of its own too, so it takes less where "
        "cores are free. What compilers make takes two or three times as much, because it has more branches.",
    ),
    "compile_ns_per_byte.arithmetic": ("ns/byte", "The same for straight arithmetic: the least that code takes."),
    "compile_ns_per_branch": (
        "ns",
        "The same span over what arithmetic of that size takes, by the number of branches (block, loop, if, br, br_if, "
        "br_table).",
    ),
    **{
        f"compile_ns_per_byte.{size}": (
            "ns/byte",
            f"The same span over a tiny module's, by byte, of modules with some {size:,} bytes of ordinary code: the "
            "compiler is cold when it begins.",
        )
        for size in SMALL
    },
    "clone_ns": (
        "ns",
        "Log time stamps on a worker that makes clones one after the other: the end of a plugin's start to the next "
        "one's first callback (isolate and linking) for a tiny module.",
    ),
    "clone_ns_per_byte": ("ns/byte", "The same span by the module's size."),
    "first_call_ns": (
        "ns",
        "Log time stamps on a worker: the first call of a callback of its type in a VM, which is empty: V8 makes the "
        "way in.",
    ),
    "written_ns_per_byte": (
        "ns/byte",
        "Log time stamps on a worker: the same of a callback that fills new pages of linear memory, by byte; most of "
        "it is the kernel's.",
    ),
}
_CALLS: Mapping[str, Meaning] = {
    f"fuel_ns.call_{call}": (
        "ns/fuel",
        f"Envoy's clock, read by a guest when it is configured: a hash in call {before + 1:,} to {call:,} of a function"
        + (f", of {FUNCTIONS} functions each." if call <= MARKS[1] else "."),
    )
    for before, call in zip((0, *MARKS), MARKS, strict=False)
}
_REQUESTS: Mapping[str, Meaning] = {
    "request_ns": (
        "ns",
        f"CPU time per request of a direct response without filters, {FEW} keep-alive connections; request_ns.C has "
        "it for C of them: it depends on how many requests Envoy finds at once.",
    ),
    "awake_request_ns": (
        "ns",
        f"CPU time per request of the same at {MANY} connections, whose client looks for answers all the time: the "
        "worker hardly ever sleeps.",
    ),
    "wake_ns": (
        "ns",
        "CPU time per request over how often its worker begins to run for it: in a closed loop (hardly ever), and when "
        f"{RATE:,} requests a second come. The client never sleeps; where it does, waking it is Envoy's work too.",
    ),
    "upstream_ns": (
        "ns",
        "CPU time per request that goes on to a host, which answers at once, over a direct response, in a closed loop.",
    ),
    "loopback_ns": (
        "ns",
        "The median latency of such a rare request less its CPU time, by way between client, Envoy and host: what "
        "those need to answer is in it.",
    ),
    "reentry_ns": (
        "ns",
        "CPU time that a Wasm filter adds to a request that goes on to a host, in a closed loop, over what filter_ns, "
        "callback_ns and host_call_ns say of it: request and response come apart, with other work between. Of a "
        f"filter with empty callbacks, and of one with a host call each of {', '.join(USUAL)}.",
    ),
    "cold_entry_ns": (
        "ns",
        f"What it adds when {RATE:,} requests a second come, over a closed loop, by how often the worker has to be "
        "woken; without what that costs anyhow.",
    ),
    "filter_ns": (
        "ns",
        f"CPU time per request of a Wasm filter with one empty callback over none, less the callback: alone, and as "
        f"one of {LENGTH} in a chain, each with a VM of its own. At {MANY} connections, like all that follow.",
    ),
    "filter_ns.first": ("ns", "The same of a filter alone: the first Wasm filter of a request."),
    "filter_ns.further": ("ns", f"The same of each further one, in a chain of {LENGTH}."),
    "callback_ns": (
        "ns",
        f"CPU time per request of filters with {len(CALLBACKS)} empty callbacks over such with one, by callback: "
        f"alone, and {LENGTH} filters in a chain, each with a VM of its own.",
    ),
    "host_call_ns": (
        "ns",
        f"CPU time per request of {CALLS['add']} host calls over none, by call; the mean of {', '.join(USUAL)} "
        "(get: a header that is not there; found: one that is, with the guest's allocator; log: below the level).",
    ),
    "host_call_ns.first": (
        "ns",
        f"What the first host call of a request takes besides: of proxy_add_header_map_value, once and {CALLS['add']} "
        "times. Not charged in virtual time; host_call_ns has a tenth of it in it.",
    ),
    "clock_read_ns": (
        "ns",
        f"CPU time per request of {CALLS['clock']} proxy_get_current_time_nanoseconds over none, by call.",
    ),
    "copy_ns_per_byte": (
        "ns/byte",
        f"CPU time per request of getting and setting shared data of {COPIED_BYTES:,} bytes over 4 bytes, by byte.",
    ),
    "fuel_ns": (
        "ns/fuel",
        "CPU time per request over Wasmtime's fuel of loops: a dependent chain, loads and stores, calls and branches.",
    ),
    "native_filter_ns": ("ns", "CPU time per request of a header_mutation filter that adds one header, over none."),
    "native_change_ns": ("ns", f"CPU time per request of {HEADERS} headers over one in header_mutation, by header."),
    "lua_filter_ns": ("ns", "CPU time per request of a Lua filter with an empty envoy_on_request, over none."),
    "lua_response_ns": ("ns", "CPU time per request of an empty envoy_on_response besides."),
    "lua_call_ns": (
        "ns",
        f"CPU time per request of {LUA_TIMES} calls of Envoy's API in a Lua script over none, by call; the mean of "
        f"{', '.join(LUA_CALLS)}.",
    ),
    "lua_headers_ns": (
        "ns",
        f"What a request's first call of its headers takes besides: of {LUA_CALLS[LUA_ADD]}, once and {LUA_TIMES} "
        "times. Not charged in virtual time; lua_call_ns has a tenth of it in it.",
    ),
    "lua_step_ns": ("ns", f"CPU time per request of a loop of {LUA_STEPS:,} hash steps in Lua over none, by step."),
}
_CONNECTIONS: Mapping[str, Meaning] = {
    f"{name}.{count}": (unit, how.format(count))
    for name, unit, how in (
        ("request_ns", "ns", "CPU time per request of a direct response without filters at {} connections."),
        (
            "filter_scale",
            "ratio",
            f"What a Wasm filter with {len(CALLBACKS)} callbacks adds at {{}} connections, over {MANY}: alone, and in "
            f"a chain of {LENGTH}.",
        ),
    )
    for count in CONNECTIONS
}
_KINDS: Mapping[str, Meaning] = {
    f"host_call_ns.{kind}": (
        "ns",
        f"CPU time per request of {CALLS['add']} proxy_{kind} over none, by call; without what a request's "
        "first call takes besides.",
    )
    for kind in dict.fromkeys(HOST_CALLS[name].kind for name in KINDS)
} | {
    f"lua_call_ns.{name}": ("ns", f"The same of {call} alone; of headers without what a request's first takes besides.")
    for name, call in LUA_CALLS.items()
}
_TASKS: Mapping[str, Meaning] = {
    f"task_ns.{task}.{engine}": (
        "ns",
        f"CPU time per request of the task {task} as a {engine} filter, over the same request without"
        + (" (but in a filter that waits for the body)." if TASKS[task].without else "."),
    )
    for task in TASKS
    for engine in ENGINES
}
_MEMORY: Mapping[str, Meaning] = {
    "envoy_bytes": ("bytes", "Resident memory of Envoy at rest without filters, at no workers (extrapolated)."),
    "worker_bytes": ("bytes", "The same by number of workers."),
    "v8_bytes": ("bytes", "Resident memory with tiny modules over without, at no VMs (extrapolated): V8 itself."),
    "vm_bytes": (
        "bytes",
        f"The same by VM (two and one a worker, of one module and of {TOGETHER}), with the one or two pages of linear "
        "memory that such a guest touches.",
    ),
    "module_bytes_per_code_byte": (
        "bytes/byte",
        f"Resident memory of {TOGETHER} modules of one size over one, with one worker, by byte: what V8 keeps of each, "
        "once a process.",
    ),
    "compile_bytes_per_code_byte": (
        "bytes/byte",
        "Resident memory with one worker by the module's size, less what V8 keeps: compiling needs it, and the heap "
        "has it free for the next module.",
    ),
    "touched_bytes_per_byte": (
        "bytes/byte",
        f"Resident memory by what guests write of a linear memory of {PAGES} pages, on the main thread and workers.",
    ),
    "lua_vm_bytes": ("bytes", f"Resident memory of {LUA_SCRIPTS} Lua filters over none, by filter and thread."),
}

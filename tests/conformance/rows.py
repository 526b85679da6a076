"""What a host of Proxy-Wasm modules is checked for, row by row, and which rows are not tested here.

A row is tested by the functions that carry its name: ``test_a01_...`` shows row A1.
"""

from __future__ import annotations

from collections.abc import Mapping

_A = """bytes that are no module
a function asked for by another type
a function that is not there
a trace of crossings, in order
a guest that never returns
memory up to 1 GiB
memory up to a limit of one's own
a trap, its function and its backtrace
calls back into the host
a section of precompiled code
reading custom sections
stripping sections of precompiled code
the marker of an ABI version
environment variables
both clocks
random numbers, and how many
both outputs of WASI
bad pointers and lengths
writing into the middle of a buffer
numbers in little-endian order
clones with memories of their own"""

_B = """an allocator without host calls
an allocator that logs
an allocator that makes another host call"""

_C = """one VM a thread
a clone that fails, and its base
another plugin of the VM that failed
canaries: one for each new combination
base VMs: one for each id, configuration and code
a plugin that refuses its configuration
what keys are made of
keys of dropped plugins in a thread's cache
base VMs, how long they live
shared data of a VM id that nobody uses
root ids of two filters in one module
a root id that the module does not know
a callback that is not allowed
host functions that are not allowed
one more host function that is allowed
one more callback that is allowed
restrictions of clones"""

_D = """the life of a plugin, its logs and its timer
crashes in callbacks of the root
counters
gauges
histograms, unknown kinds and ids
compression there and back
an unknown foreign function
a foreign function that the host calls
failing closed
reloading after a back-off
reloading for other reasons than a crash
failing open
a crash in each callback of a stream
a crash during the response
names that are resolved"""

_E = """a request of headers only
headers added and replaced
maps that are not there yet
a whole exchange, in order
a stream that no filter saw
StopIteration from headers
StopIteration from headers, where it is allowed
other actions of headers
continuing from a timer
kinds of streams that there are not
closing a stream
trailers made in a body callback
two local replies
local replies to gRPC"""

_F = """reading a body
prepending and appending
replacing
replacing a part
removing, and removing a part
buffering
a response after a buffered request
editing what is buffered
streaming after buffering
writing into the middle"""

_G = """the log comes before the end
no response to log
a context for the log alone
a log before the end of the request
a stream that ends twice"""

_H = """a callout and its answer
callouts that are refused
an answer during the callback that asked
a stream that waits for a callout
a client that refuses
an answer at once
an answer that fails
callouts of a VM that ends
a unary gRPC call
gRPC services that there are not
a gRPC call that fails
a gRPC call that is given up
gRPC functions with the token of an HTTP call
unknown tokens of gRPC calls
unknown tokens of gRPC streams
a gRPC stream, message by message
half-closed gRPC streams
gRPC streams of a VM that ends"""

_I = """node metadata, and properties that filters set
a duration
CEL expressions
attributes of a stream
metadata of clusters and hosts
an empty path
setting a property in a root context"""

_J = """listing the keys of a VM id
a key that is not there
two writes
a write with another CAS
a write with the right CAS
removing keys
writers that retry
a module that meets another CAS
names and tokens of queues
unknown queues
empty queues, and none
the consumer is told
many messages, two consumers
deleting the queues of a VM id
a stream that fills its root's queue
encoding and decoding pairs"""

_K = """remote code
remote code after retries
refusing what is not in the cache
refusing while it is fetched
the negative cache
evicting from the cache
remote code that never comes"""

_L = """connections of a filter that cannot run
data both ways, and the end
data before the connection
failing open"""

_M = """a module that is fetched
a module that is in the cache
another URL with the same checksum
an unknown scheme
a server that always fails
a wrong checksum
a file that is no module
expired entries
an OCI tag
pull policies
the tag latest
OCI failures
configurations that make no sense
a remote module becomes a local file
failing open without a module
failing closed without a module
a list of filters
OCI layers
an archive without a module
addresses that must not be asked"""


def _numbered() -> Mapping[str, str]:
    titles = [
        (letter, title)
        for letter, block in zip("ABCDEFGHIJKLM", (_A, _B, _C, _D, _E, _F, _G, _H, _I, _J, _K, _L, _M), strict=True)
        for title in block.splitlines()
    ]
    return {f"{letter}{number}": title for number, (letter, title) in enumerate(titles, 1)}


#: Title by row; numbers run through all letters.
ROWS = _numbered()

_ISTIO = "of Istio's agent, not of Envoy: a package of its own"

#: Why a row has no test.
NOT_TESTED: Mapping[str, str] = {
    "A12": "a detail of how V8 is handed its cache; no such code is kept here",
    "C32": "bookkeeping of the C++ host's own maps: nothing that a module, a client or a counter shows",
    "C36": "what a C++ SDK does inside the module; the host calls every callback all the same",
    "D49": "nothing in Envoy 1.40 calls proxy_on_foreign_function of a plugin",
    "G84": "Envoy calls access loggers early only where access_log_options ask for it, which are not modelled",
    "I108": "Envoy 1.40 has no such fall-back: metadata of a host and of its cluster are attributes of their own",
    "J111": "the ABI has no host function that lists keys",
    "J116": "the ABI has no host function that removes a key",
    **{f"M{number}": _ISTIO for number in range(138, 158)},
}

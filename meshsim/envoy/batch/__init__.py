"""A filter over a recorded table of requests, for questions of the kind: what would it have done with them.

For questions that one request answers by itself: all rows have the same virtual time, there are no bodies, no callouts
and no timers, and nothing else runs in the VM. For anything more there is :class:`meshsim.Envoy`.

>>> import wasmtime
>>> text = '''(module (memory (export "memory") 1) (func (export "proxy_abi_version_0_2_1"))
...   (func (export "malloc") (param i32) (result i32) (i32.const 1024))
...   (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) (i32.const 0)))'''
>>> batch(bytes(wasmtime.wat2wasm(text)), ["/", "/shop"])[1].request[-1]
(b':path', b'/shop')
"""

from __future__ import annotations

from typing import Any

from meshsim.envoy.batch.outcome import BatchResult, Outcome
from meshsim.envoy.batch.run import BatchFilter
from meshsim.envoy.batch.table import Table

__all__ = ["BatchFilter", "BatchResult", "Outcome", "Table", "batch"]


def batch(module: bytes, table: Any, **options: Any) -> BatchResult:
    """Run a filter over a table of requests.

    Parameters
    ----------
    module : bytes
        The module.
    table : list, pandas.DataFrame, pyarrow.Table or Table
        See :class:`Table`.
    **options
        Those of :class:`BatchFilter`.

    Raises
    ------
    ModuleError
        The module cannot be used, or refuses its configuration.
    ConfigError
        The table cannot be read.
    GuestTrap
        The module trapped.
    """
    return BatchFilter(module, **options).run(table)

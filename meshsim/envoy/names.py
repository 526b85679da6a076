"""Names of hosts, as ``envoy_resolve_dns`` finds them: nothing outside the process is asked.

Seen in Envoy 1.40: an address is its own answer, a name that cannot be one fails, both at once; an empty name is
answered later, with no address. What other names mean depends on the machine and its name servers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import ip_address

from meshsim.errors import NotModelled

_NAME = re.compile(r"[A-Za-z0-9_.*/-]*")
_MAX_NAME, _MAX_LABEL = 255, 63

#: What a machine's own file of hosts says.
HOSTS: Mapping[str, tuple[str, ...]] = {"localhost": ("::1",)}


def resolve(name: str) -> tuple[str, ...] | None:
    """Return the addresses of a name; None when the look-up fails.

    Raises
    ------
    NotModelled
        The answer would come from a name server.

    Examples
    --------
    >>> resolve("10.0.0.1"), resolve("not a name"), resolve("localhost")
    (('10.0.0.1',), None, ('::1',))
    """
    try:
        return (ip_address(name).compressed,)
    except ValueError:
        pass
    if name in HOSTS or not name:
        return HOSTS.get(name, ())
    if not _NAME.fullmatch(name) or len(name) > _MAX_NAME or max(map(len, name.split("."))) > _MAX_LABEL:
        return None
    raise NotModelled(f"envoy_resolve_dns of {name!r}: no name server is asked")

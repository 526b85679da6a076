"""Addresses: as Envoy writes them, and one name for each place."""

from __future__ import annotations

import ipaddress

#: A host, by name or in digits, and a port.
Address = tuple[str, int]


def address_text(host: str, port: int) -> str:
    """Give ``host:port``, with brackets around an IPv6 address.

    Examples
    --------
    >>> address_text("127.0.0.1", 80), address_text("::1", 80)
    ('127.0.0.1:80', '[::1]:80')
    """
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


_SAME = {"0.0.0.0": "127.0.0.1", "localhost": "127.0.0.1", "::": "::1"}


def local_address(address: Address) -> Address:
    """Give one name to every way to name this machine, in one version of the protocol."""
    return _SAME.get(address[0], address[0]), address[1]


def is_ip(host: str) -> bool:
    """Whether a host is given in digits.

    Examples
    --------
    >>> is_ip("::1"), is_ip("localhost")
    (True, False)
    """
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True

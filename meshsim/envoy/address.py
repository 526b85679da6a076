"""Addresses as Envoy writes them."""

from __future__ import annotations


def address_text(host: str, port: int) -> str:
    """Give ``host:port``, with brackets around an IPv6 address.

    Examples
    --------
    >>> address_text("127.0.0.1", 80), address_text("::1", 80)
    ('127.0.0.1:80', '[::1]:80')
    """
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

"""The form of an ``x-request-id``: a UUID of version 4, as Envoy's default extension makes it."""

from __future__ import annotations


def request_id(bits: int) -> bytes:
    """Write 128 random bits as a UUID; the digits of version, variant and trace reason are not random.

    Examples
    --------
    >>> request_id(0xFEDCBA98_7654_3210_FEDC_BA9876543210)
    b'fedcba98-7654-4210-9edc-ba9876543210'
    """
    digits = f"{bits:032x}"
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-9{digits[17:20]}-{digits[20:]}".encode()

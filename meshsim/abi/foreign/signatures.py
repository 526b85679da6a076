"""``verify_signature`` and ``sign``: RSA (PKCS #1 v1.5) and ECDSA signatures, by the package ``cryptography``.

Which keys are read, and what is said of those that are not, was seen in Envoy 1.40 (BoringSSL underneath). ECDSA
signatures are random there; here they are RFC 6979's, so that a run can be repeated.
"""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING, Any

from meshsim.abi.constants import Status
from meshsim.abi.foreign.extras import package
from meshsim.abi.protobuf import Message, write
from meshsim.errors import NotModelled

if TYPE_CHECKING:
    from meshsim.abi.context import Context

_HASHES = frozenset({"sha1", "sha224", "sha256", "sha384", "sha512"})
_NO_PUBLIC_KEY = "Failed to initialize digest verify."
_NO_PRIVATE_KEY = "Invalid key type: private key required for signing operation."
_BAD_SIGNATURE = "Failed to verify digest. Error code: 0"
_SEQUENCE = 0x30


class _Refused(Exception):
    """The operation cannot be done; ``str()`` is what the module is told."""


def verify_signature(context: Context, argument: bytes) -> bytes | Status:
    """Verify a signature; the answer says whether it is good, or why that cannot be said."""
    asked = _asked(argument, pem_field=5)
    if asked is None:
        return Status.BAD_ARGUMENT
    message, name, der, pem = asked
    try:
        digest = _hash(name, "verify_signature")
        _verify(_public_key(der, pem), message.data(3), message.data(4), digest)
    except _Refused as refused:
        return write([(2, str(refused))])
    return write([(1, True)])


def sign(context: Context, argument: bytes) -> bytes | Status:
    """Sign a text; the answer has the signature, or why there is none."""
    asked = _asked(argument, pem_field=4)
    if asked is None:
        return Status.BAD_ARGUMENT
    message, name, der, pem = asked
    try:
        digest = _hash(name, "sign")
        signature = _sign(_private_key(der, pem), message.data(3), digest)
    except _Refused as refused:
        return write([(3, str(refused))])
    return write([(1, True), (2, signature)])


def _asked(argument: bytes, *, pem_field: int) -> tuple[Message, str, bytes, bytes] | None:
    """Read a question: with it the hash's name, and the key as DER or as PEM, of which exactly one has to be there."""
    try:
        message = Message(argument)
        name = message.text(1)
    except ValueError:
        return None
    der, pem = message.data(2), message.data(pem_field)
    return (message, name, der, pem) if bool(der) != bool(pem) else None


def _primitives(name: str, function: str = "sign") -> ModuleType:
    return package(f"cryptography.hazmat.primitives.{name}", f"foreign function {function}")


def _hash(name: str, function: str) -> Any:
    hashes = _primitives("hashes", function)
    if name.lower() not in _HASHES:
        raise _Refused(f"{name} is not supported.")
    return getattr(hashes, name.upper())()


# -- keys ---


def _public_key(der: bytes, pem: bytes) -> Any:
    """Read a public key as X.509 writes it (what may follow it is ignored)."""
    serialization = _primitives("serialization")
    try:
        if der:
            return serialization.load_der_public_key(_first_element(der))
        if b"-----BEGIN PUBLIC KEY-----" in pem:
            return serialization.load_pem_public_key(pem)
    except (ValueError, _unsupported()):
        pass
    raise _Refused(_NO_PUBLIC_KEY)


def _private_key(der: bytes, pem: bytes) -> Any:
    """Read a private key: as DER only in PKCS #8, as PEM also in the forms before it."""
    serialization = _primitives("serialization")
    try:
        if pem:
            return serialization.load_pem_private_key(pem, None)
        if _is_pkcs8(der):
            return serialization.load_der_private_key(_first_element(der), None)
    except (ValueError, TypeError, _unsupported()):
        pass
    raise _Refused(_NO_PRIVATE_KEY)


def _unsupported() -> type[Exception]:
    unsupported: type[Exception] = package("cryptography.exceptions", "foreign function sign").UnsupportedAlgorithm
    return unsupported


def _length(der: bytes, at: int) -> tuple[int, int]:
    """Read the length of a DER element whose tag stands at ``at``; give it, and where the content starts."""
    first = der[at + 1] if at + 1 < len(der) else 0
    if first < 0x80:
        return first, at + 2
    end = at + 2 + (first & 0x7F)
    return int.from_bytes(der[at + 2 : end], "big"), end


def _first_element(der: bytes) -> bytes:
    size, start = _length(der, 0)
    return der[: start + size]


def _is_pkcs8(der: bytes) -> bool:
    """Whether the version is followed by a sequence, that of the algorithm; in older forms the numbers follow."""
    _, start = _length(der, 0)
    size, version = _length(der, start)
    return der[version + size : version + size + 1] == bytes([_SEQUENCE])


# -- signatures ---


def _verify(key: Any, signature: bytes, text: bytes, digest: Any) -> None:
    asymmetric = "asymmetric."
    rsa, ec = _primitives(f"{asymmetric}rsa"), _primitives(f"{asymmetric}ec")
    invalid: type[Exception] = package("cryptography.exceptions", "foreign function verify_signature").InvalidSignature
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, text, _primitives(f"{asymmetric}padding").PKCS1v15(), digest)
        elif isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, text, ec.ECDSA(digest))
        else:
            raise NotModelled("verify_signature with a key that is neither RSA nor elliptic-curve")
    except invalid:
        raise _Refused(_BAD_SIGNATURE) from None


def _sign(key: Any, text: bytes, digest: Any) -> bytes:
    asymmetric = "asymmetric."
    rsa, ec = _primitives(f"{asymmetric}rsa"), _primitives(f"{asymmetric}ec")
    if isinstance(key, rsa.RSAPrivateKey):
        signature = key.sign(text, _primitives(f"{asymmetric}padding").PKCS1v15(), digest)
    elif isinstance(key, ec.EllipticCurvePrivateKey):
        signature = key.sign(text, ec.ECDSA(digest, deterministic_signing=True))
    else:
        raise NotModelled("sign with a key that is neither RSA nor elliptic-curve")
    return bytes(signature)

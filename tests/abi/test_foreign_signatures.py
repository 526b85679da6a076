from __future__ import annotations

import sys

import pytest

from meshsim.abi import foreign
from meshsim.abi.constants import Status
from meshsim.abi.context import Context
from meshsim.abi.protobuf import Message, write
from meshsim.errors import MeshsimError
from tests.abi.conftest import PLUGIN, FakeStream

pytestmark = pytest.mark.interpreted  # a context of nothing

serialization = pytest.importorskip("cryptography.hazmat.primitives.serialization")
ec = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.ec")
rsa = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.rsa")

_DER, _PEM = serialization.Encoding.DER, serialization.Encoding.PEM
_PKCS8, _OLD = serialization.PrivateFormat.PKCS8, serialization.PrivateFormat.TraditionalOpenSSL
_PLAIN = serialization.NoEncryption()
_PUBLIC = serialization.PublicFormat.SubjectPublicKeyInfo

Key = "rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey"


@pytest.fixture
def context() -> Context:
    return Context(None, 2, PLUGIN, FakeStream())  # type: ignore[arg-type]


@pytest.fixture(scope="module", params=["rsa", "ec"])
def key(request: pytest.FixtureRequest) -> Key:
    return rsa.generate_private_key(65537, 2048) if request.param == "rsa" else ec.generate_private_key(ec.SECP256R1())


@pytest.fixture(scope="module")
def rsa_key() -> Key:
    return rsa.generate_private_key(65537, 2048)


def _call(context: Context, function: str, *fields: tuple[int, bytes | str]) -> Message:
    result = foreign.call(function, context, write(fields))
    assert isinstance(result, bytes)
    return Message(result)


def _public(key: Key, encoding: object = _DER) -> bytes:
    return key.public_key().public_bytes(encoding, _PUBLIC)


@pytest.mark.parametrize("name", ["sha1", "sha224", "sha256", "sha384", "SHA512"])
def test_what_is_signed_can_be_verified(context: Context, key: Key, name: str) -> None:
    private = key.private_bytes(_DER, _PKCS8, _PLAIN)
    signed = _call(context, "sign", (1, name), (2, private), (3, "text"))
    assert signed.integer(1) == 1
    for form in ((2, _public(key)), (2, _public(key) + b"junk"), (5, _public(key, _PEM))):
        good = foreign.call("verify_signature", context, write([(1, name), form, (3, signed.data(2)), (4, "text")]))
        assert good == b"\x08\x01"
    bad = _call(context, "verify_signature", (1, name), (2, _public(key)), (3, signed.data(2)), (4, "other"))
    assert (bad.integer(1), bad.text(2)) == (0, "Failed to verify digest. Error code: 0")


def test_a_signature_is_the_same_every_time(context: Context, key: Key) -> None:
    fields: list[tuple[int, bytes | str]] = [(1, "sha256"), (4, key.private_bytes(_PEM, _OLD, _PLAIN)), (3, "text")]
    assert _call(context, "sign", *fields).data(2) == _call(context, "sign", *fields).data(2) != b""


@pytest.mark.parametrize("form", ["junk", "public", "traditional"])
def test_a_key_that_cannot_sign(context: Context, key: Key, form: str) -> None:
    der = {"junk": b"junk", "public": _public(key), "traditional": key.private_bytes(_DER, _OLD, _PLAIN)}[form]
    answer = _call(context, "sign", (1, "sha256"), (2, der), (3, "text"))
    assert answer.text(3) == "Invalid key type: private key required for signing operation."


@pytest.mark.parametrize("form", [2, 5])
def test_a_key_that_cannot_verify(context: Context, rsa_key: Key, form: int) -> None:
    private = rsa_key.private_bytes(_DER if form == 2 else _PEM, _PKCS8, _PLAIN)
    for data in (b"junk", private):
        answer = _call(context, "verify_signature", (1, "sha256"), (form, data), (3, "s"), (4, "text"))
        assert answer.text(2) == "Failed to initialize digest verify."


@pytest.mark.parametrize("name", ["md5", "MD5", "", "rsa-sha256"])
def test_the_hash_is_looked_at_before_the_key(context: Context, name: str) -> None:
    assert _call(context, "verify_signature", (1, name), (2, b"junk")).text(2) == f"{name} is not supported."
    assert _call(context, "sign", (1, name), (2, b"junk")).text(3) == f"{name} is not supported."


@pytest.mark.parametrize(
    ("function", "fields"),
    [
        ("sign", [(1, b"sha256"), (3, b"text")]),
        ("sign", [(1, b"sha256"), (2, b"k"), (4, b"k")]),
        ("sign", [(1, b"\xff"), (2, b"k")]),
        ("verify_signature", []),
        ("verify_signature", [(1, b"sha256"), (2, b"k"), (5, b"k")]),
    ],
)
def test_there_must_be_one_key(context: Context, function: str, fields: list[tuple[int, bytes]]) -> None:
    assert foreign.call(function, context, write(fields)) is Status.BAD_ARGUMENT
    assert foreign.call(function, context, b"\xff") is Status.BAD_ARGUMENT


def test_without_its_package_the_remedy_is_named(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.hashes", None)
    with pytest.raises(MeshsimError, match="cryptography is not installed") as error:
        foreign.call("sign", context, write([(1, "sha256"), (2, "k")]))
    assert error.value.remedy == "pip install 'meshsim[crypto]'"

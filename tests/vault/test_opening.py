"""Opening: damaged, foreign and random bytes are refused, each for its reason."""

from __future__ import annotations

import collections
import collections.abc as cabc
import sys
import traceback
import types
import typing as t

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given
from hypothesis import strategies as st

from flask_byok.errors import CallError
from flask_byok.errors import StoredKeyUnreadable
from flask_byok.secret import Secret
from flask_byok.vault.keyring import Keyring
from tests.support import opener
from tests.support import vectors
from tests.support.vectors import reason_of
from tests.support.vectors import Vector

RING = vectors.keyring()
BLOB = vectors.V1.blob
HERE = vectors.V1.context
MASTERS = {f"k00{number}": bytes(range(number, number + 32)) for number in range(1, 6)}


def derivations(ring: Keyring, blob: bytes, *, key_id: str) -> int:
    """Count how often the library's key derivation runs while a blob is opened."""
    seen = collections.Counter[str]()
    # Older versions of the library have it in Python.
    in_python = getattr(HKDF.derive, "__code__", None)

    def record(frame: types.FrameType, event: str, called: t.Any) -> None:
        if event == "c_call":
            seen[called.__qualname__] += 1
        elif event == "call" and frame.f_code is in_python:
            seen["HKDF.derive"] += 1

    sys.setprofile(record)

    try:
        ring.open(blob, HERE, key_id=key_id)
    except StoredKeyUnreadable:
        pass
    finally:
        sys.setprofile(None)

    return seen["HKDF.derive"]


def forged(plaintext: bytes) -> bytes:
    """Seal bytes the keyring would not seal, under the right key and context."""
    bound = [
        part.encode()
        for part in (
            HERE.purpose,
            "default",
            HERE.company,
            HERE.provider,
            HERE.record,
        )
    ]
    header, salt, nonce = b"\x01\x01k001", bytes(32), bytes(12)
    info = opener.encode(b"flask-byok/v1/derive", header, *bound)
    okm = opener.hkdf(vectors.K001, salt, info, 64)
    tagged = opener.encode(b"flask-byok/v1/aad", header, salt, okm[32:], *bound)
    ciphertext = AESGCM(okm[:32]).encrypt(nonce, plaintext, tagged)
    return header + salt + okm[32:] + nonce + ciphertext


# --- damaged bytes -----------------------------------------------------------------


@pytest.mark.case("A4")
@pytest.mark.parametrize("vector", vectors.VECTORS)
def test_every_turned_bit_is_refused_for_its_reason(vector: Vector) -> None:
    """Of 1032 single bits none opens, and each kind is counted as published."""
    ring = vectors.keyring(namespace=vector.namespace)
    reasons = collections.Counter(
        reason_of(ring, blob, vector.context, key_id=vector.key_id)
        for blob in vectors.flips(vector.blob)
    )

    assert reasons == {
        "unsupported_format": 16,
        "header_mismatch": 32,
        "wrong_key_or_context": 512,
        "tampered": 472,
    }


@pytest.mark.case("A5")
def test_every_cut_is_refused() -> None:
    """Below 98 bytes it is no sealed key, above it the tag is missing."""
    reasons = [reason_of(RING, BLOB[:length], HERE) for length in range(len(BLOB))]

    assert reasons == ["malformed"] * 98 + ["tampered"] * 31


@pytest.mark.case("A5")
def test_appended_bytes_are_refused() -> None:
    """One byte or sixty-four: the tag covers the end."""
    for count in range(1, 65):
        assert reason_of(RING, BLOB + b"\0" * count, HERE) == "tampered"


@pytest.mark.case("A5", "A7")
@pytest.mark.parametrize(
    "blob",
    [
        None,
        b"",
        "",
        BLOB.decode("latin-1"),
        bytearray(BLOB),
        memoryview(BLOB),
        42,
        [],
        b"\x01\x01k001".ljust(4097, b"\0"),
        b"\x01\x01k001".ljust(5000, b"\0"),
        b"not-a-real-key-lying-in-the-column",
    ],
)
def test_what_is_not_a_sealed_key_is_malformed(blob: t.Any) -> None:
    """Other types and sizes are refused before anything is read."""
    assert reason_of(RING, blob, HERE) == "malformed"


def test_the_longest_blob_is_looked_at() -> None:
    """4096 bytes are within the size; what is in them is another matter."""
    longest = BLOB.ljust(4096, b"\0")

    assert reason_of(RING, longest, HERE) == "tampered"


@pytest.mark.case("A7")
@pytest.mark.parametrize(
    "plaintext",
    [b"", b"x" * 7, b"x" * 2049, b"x" * 3998, b"a b c d e", b"key\n" * 4, b"\xff" * 20],
)
def test_a_well_sealed_text_that_is_no_key_is_malformed(plaintext: bytes) -> None:
    """Even from the right master key, only what may be sealed comes out."""
    assert reason_of(RING, forged(plaintext), HERE) == "malformed"


@pytest.mark.parametrize("plaintext", [b"x" * 8, b"~" * 2048])
def test_the_forging_helper_makes_good_blobs(plaintext: bytes) -> None:
    """The case above fails for its plaintext and for nothing else."""
    opened = RING.open(forged(plaintext), HERE, key_id="k001")

    assert opened.reveal().encode() == plaintext


# --- formats -----------------------------------------------------------------------


@pytest.mark.case("A6", "A8")
@pytest.mark.parametrize("start", [b"\x00\x01", b"\x02\x01", b"\x01\x00", b"\x01\x03"])
def test_an_unknown_format_is_named_by_its_number(start: bytes) -> None:
    """Version and suite are all the text tells."""
    with pytest.raises(StoredKeyUnreadable) as caught:
        RING.open(start + BLOB[2:], HERE, key_id="k001")

    assert caught.value.reason == "unsupported_format"
    assert caught.value.stored_format == (start[0], start[1])
    assert f"version {start[0]}, suite {start[1]}." in str(caught.value)
    assert caught.value.key_id is None


# --- which master key --------------------------------------------------------------


@pytest.mark.case("A6")
@pytest.mark.parametrize("key_id", ["k002", "K001", "", "k001 ", "k00", "ключ", None])
def test_column_and_header_must_agree(key_id: t.Any) -> None:
    """The id inside the blob is the authority, the column beside it a hint."""
    assert reason_of(RING, BLOB, HERE, key_id=key_id) == "header_mismatch"


@pytest.mark.case("A6")
def test_a_damaged_id_is_a_mismatch_and_is_not_repeated() -> None:
    """Bytes that are no id do not stand in the error."""
    blob = BLOB[:2] + b"\xffK\n\0" + BLOB[6:]

    with pytest.raises(StoredKeyUnreadable) as caught:
        RING.open(blob, HERE, key_id="k001")

    assert caught.value.reason == "header_mismatch"
    assert caught.value.key_id is None


@pytest.mark.case("A6", "B16")
def test_a_missing_master_key_is_named() -> None:
    """The error tells which id to load, and which record waits for it."""
    ring = vectors.keyring({"k002": vectors.K002}, primary="k002")

    with pytest.raises(
        StoredKeyUnreadable, match="is not in BYOK_MASTER_KEYS"
    ) as caught:
        ring.open(BLOB, HERE, key_id="k001")

    assert caught.value.reason == "unknown_key_id"
    assert (caught.value.key_id, caught.value.record_id) == ("k001", HERE.record)


@pytest.mark.case("A14")
def test_other_bytes_under_the_right_id_do_not_open() -> None:
    """The commitment notices the other master key before the cipher runs."""
    ring = vectors.keyring({"k001": vectors.K002})

    assert reason_of(ring, BLOB, HERE) == "wrong_key_or_context"


@pytest.mark.case("A14", "A15")
def test_no_other_key_of_the_ring_is_tried() -> None:
    """The right bytes under another id are of no use."""
    unnamed = vectors.keyring({"k009": vectors.K001}, primary="k009")
    renamed = vectors.keyring({"k001": vectors.K002, "k009": vectors.K001})

    assert reason_of(unnamed, BLOB, HERE) == "unknown_key_id"
    assert reason_of(renamed, BLOB, HERE) == "wrong_key_or_context"


@pytest.mark.case("A15")
@pytest.mark.parametrize("key_id", MASTERS)
def test_a_ring_of_five_derives_once(key_id: str) -> None:
    """Whether it opens or not, one blob costs one derivation, and a bad id none."""
    ring = vectors.keyring(MASTERS, primary=key_id)
    blob = ring.seal(Secret("not-a-real-key-0005"), HERE)
    broken = blob[:40] + bytes([blob[40] ^ 1]) + blob[41:]
    unknown = blob[:2] + b"k009" + blob[6:]

    assert derivations(ring, blob, key_id=key_id) == 1
    assert derivations(ring, broken, key_id=key_id) == 1
    assert derivations(ring, unknown, key_id="k009") == 0
    assert derivations(ring, unknown, key_id=key_id) == 0


# --- nothing else escapes ----------------------------------------------------------


@pytest.mark.case("A20")
@given(blob=st.binary(max_size=5000), key_id=st.text(max_size=6))
def test_random_bytes_raise_our_error_alone(blob: bytes, key_id: str) -> None:
    """No index, struct or library error comes out, whatever goes in."""
    reason_of(RING, blob, HERE, key_id=key_id)


@pytest.mark.case("A20")
@given(
    body=st.binary(max_size=300),
    start=st.sampled_from([BLOB[:2], BLOB[:6], BLOB[:38], BLOB[:70], BLOB[:82]]),
)
def test_random_ends_raise_our_error_alone(start: bytes, body: bytes) -> None:
    """Right beginnings do not help random bytes."""
    reason_of(RING, start + body, HERE)


@pytest.mark.case("A17", "A20")
@given(
    purpose=st.text(),
    company=st.text(),
    provider=st.text(),
    record=st.text(max_size=40),
)
def test_random_contexts_raise_our_error_alone(
    purpose: str, company: str, provider: str, record: str
) -> None:
    """A row edited by hand, lone surrogates included, does not open."""
    where = vectors.context(
        purpose=purpose, company=company, provider=provider, record=record
    )

    assert reason_of(RING, BLOB, where) == "wrong_key_or_context"


def failures() -> cabc.Iterator[tuple[Keyring, t.Any, str]]:
    """One failure of each reason that can happen here."""
    other = vectors.keyring({"k001": vectors.K002})
    yield RING, None, "k001"
    yield RING, forged(b"not a real key, but sealed"), "k001"
    yield RING, b"\x01\x02" + BLOB[2:], "k001"
    yield RING, BLOB, "k002"
    yield vectors.keyring({"k009": vectors.K001}, primary="k009"), BLOB, "k001"
    yield other, BLOB, "k001"
    yield RING, BLOB + b"\0", "k001"


@pytest.mark.case("C4")
@pytest.mark.parametrize(("ring", "blob", "key_id"), list(failures()))
def test_an_error_with_its_locals_shows_nothing(
    ring: Keyring, blob: t.Any, key_id: str
) -> None:
    """A crash report with every local holds no master key, derived key or plaintext."""
    with pytest.raises(StoredKeyUnreadable) as caught:
        ring.open(blob, HERE, key_id=key_id)

    report = "".join(
        traceback.TracebackException.from_exception(
            caught.value, capture_locals=True
        ).format()
    )
    info = vectors.V1.info or b""
    secrets = [
        vectors.K001,
        vectors.K002,
        opener.hkdf(vectors.K001, vectors.V1.salt, info, 64)[:32],
        vectors.V1.plaintext.encode(),
        b"not a real key, but sealed",
    ]

    assert isinstance(caught.value, CallError)
    assert "blob = " in report

    for secret in secrets:
        assert repr(secret)[2:-1] not in report
        assert secret.hex() not in report

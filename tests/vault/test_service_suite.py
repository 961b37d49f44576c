"""Suite 2: data keys wrapped by a key service. Its format, answers, refusals."""

from __future__ import annotations

import collections
import collections.abc as cabc
import dataclasses
import inspect
import logging
import traceback
import typing as t
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_byok.errors import KeyServiceUnavailable
from flask_byok.errors import StoredKeyUnreadable
from flask_byok.secret import Secret
from flask_byok.testing import FakeKeyService
from flask_byok.vault.check_values import judge
from flask_byok.vault.keyprovider import KeyContext
from flask_byok.vault.keyprovider import KeyProvider
from flask_byok.vault.keyring import Keyring
from flask_byok.vault.keyring import length_prefixed
from flask_byok.vault.keyring import SealContext
from flask_byok.vault.keyservice import KeyService
from flask_byok.vault.localkey import LocalKey
from tests.support import opener
from tests.support import service_vectors
from tests.support import vectors
from tests.support.service_vectors import S1
from tests.support.vectors import reason_of
from tests.support.vectors import Vector

API_KEY = Secret("not-a-real-openai-key-0009-Zz99")
HERE = S1.context
FIXED = service_vectors.ring_of(S1)
api_keys = st.text(
    st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=8, max_size=2048
)


def ring_with(service: t.Any, *, namespace: str = "default") -> Keyring:
    """Give a ring whose primary is a key service, beside a master key."""
    master = Secret(vectors.text_of(vectors.K001))
    return Keyring({"k001": master, "kms1": service}, "kms1", namespace)


# --- the published bytes -----------------------------------------------------------


@pytest.mark.case("A21")
@pytest.mark.parametrize("vector", service_vectors.VECTORS)
def test_a_published_blob_is_sealed_again_byte_for_byte(vector: Vector) -> None:
    """Same data key, wrap, nonce, key and context: the same bytes as published."""
    ring = service_vectors.ring_of(vector)

    assert vectors.seal_again(ring, vector) == vector.blob
    assert vector.commitment in vector.blob


@pytest.mark.case("A21")
@pytest.mark.parametrize("vector", service_vectors.VECTORS)
def test_a_published_blob_opens_in_both_programs(vector: Vector) -> None:
    """Given the data key, the program of the documentation reads the same."""
    ring = service_vectors.ring_of(vector)
    opened = ring.open(vector.blob, vector.context, key_id=vector.key_id)
    parts = vector.context._asdict()
    data_key = service_vectors.DATA_KEYS[vector.key_id]
    second = opener.open_blob(
        vector.blob, data_key, namespace=vector.namespace, **parts
    )

    assert opened.reveal() == second == vector.plaintext


def test_info_and_associated_data_are_encoded_as_published() -> None:
    """INFO has the header of suite 2; AAD has the wrap where the salt stood."""
    header = S1.blob[:6]
    bound = [
        text.encode()
        for text in (
            HERE.purpose,
            S1.namespace,
            HERE.company,
            HERE.provider,
            HERE.record,
        )
    ]

    assert length_prefixed(b"flask-byok/v1/derive", header, *bound) == S1.info
    assert (
        length_prefixed(b"flask-byok/v1/aad", header, S1.salt, S1.commitment, *bound)
        == S1.associated_data
    )


@given(api_key=api_keys)
def test_what_is_sealed_opens_in_both_programs(api_key: str) -> None:
    """Every key the vault takes comes back; the wrap is all that grows."""
    service = service_vectors.Unwrapped(bytes(range(7, 39)), b"w" * 200)
    ring = ring_with(service)
    blob = ring.seal(Secret(api_key), HERE)
    parts = HERE._asdict()

    assert ring.open(blob, HERE, key_id="kms1").reveal() == api_key
    assert (
        opener.open_blob(blob, service.data_key, namespace="default", **parts)
        == api_key
    )
    assert len(blob) == len(api_key) + 68 + 200


# --- damaged bytes -----------------------------------------------------------------


@pytest.mark.case("A4", "A5", "B20")
def test_every_turned_bit_is_refused_for_its_reason() -> None:
    """Of 1176 single bits none opens, and each kind is counted as published."""
    reasons = collections.Counter(
        reason_of(FIXED, blob, HERE, key_id="kms1") for blob in vectors.flips(S1.blob)
    )

    assert reasons == {
        "unsupported_format": 16,
        "header_mismatch": 32,
        "malformed": 10,
        "wrong_key_or_context": 646,
        "tampered": 472,
    }


@pytest.mark.case("A4", "B20")
def test_every_turned_bit_is_refused_by_a_service_that_wraps() -> None:
    """A service knows its own wraps and refuses a damaged one."""
    ring = ring_with(FakeKeyService())
    blob = ring.seal(API_KEY, HERE)
    reasons = collections.Counter(
        reason_of(ring, each, HERE, key_id="kms1") for each in vectors.flips(blob)
    )

    assert set(reasons) == {
        "unsupported_format",
        "header_mismatch",
        "malformed",
        "wrong_key_or_context",
        "tampered",
    }
    assert sum(reasons.values()) == len(blob) * 8


@pytest.mark.case("A5", "B20")
def test_every_cut_and_appended_byte_is_refused() -> None:
    """Without room for the wrap it is no sealed key, with it the tag is missing."""
    cuts = [
        reason_of(FIXED, S1.blob[:length], HERE, key_id="kms1")
        for length in range(len(S1.blob))
    ]
    longer = {
        reason_of(FIXED, S1.blob + b"\0" * count, HERE, key_id="kms1")
        for count in range(1, 65)
    }

    assert cuts == ["malformed"] * 116 + ["tampered"] * 31
    assert longer == {"tampered"}


@pytest.mark.case("A5", "A20")
@pytest.mark.parametrize(
    "blob",
    [
        b"\x01\x02kms1" + b"\0\0" + bytes(140),
        b"\x01\x02kms1" + b"\x10\x01" + bytes(4097 + 60),
        b"\x01\x02kms1" + b"\xff\xff" + bytes(500),
        b"\x01\x02kms1" + b"\0\x01" + bytes(60),
        b"\x01\x02kms1".ljust(68, b"\0"),
        S1.blob.ljust(8193, b"\0"),
    ],
)
def test_what_has_no_room_for_its_wrap_is_malformed(blob: bytes) -> None:
    """An empty wrap, one over 4096 bytes, one longer than the rest: nobody is asked."""
    service = service_vectors.Unwrapped(bytes(range(32)))

    assert reason_of(ring_with(service), blob, HERE, key_id="kms1") == "malformed"
    assert service.asked == 0


def test_the_longest_blob_is_looked_at() -> None:
    """8192 bytes are within the size; what is in them is another matter."""
    longest = S1.blob.ljust(8192, b"\0")

    assert reason_of(FIXED, longest, HERE, key_id="kms1") == "tampered"


@pytest.mark.case("A20")
@given(body=st.binary(max_size=9000), start=st.sampled_from([2, 6, 8, 40, 56, 88]))
def test_random_ends_raise_our_error_alone(body: bytes, start: int) -> None:
    """Right beginnings do not help random bytes."""
    reason_of(FIXED, S1.blob[:start] + body, HERE, key_id="kms1")


# --- which key, which record -------------------------------------------------------


@pytest.mark.case("A1", "A2", "A3", "B20")
@pytest.mark.parametrize(
    "changes",
    [
        {"purpose": "api-key-draft"},
        {"company": "i:42"},
        {"provider": "OPENAI"},
        {"record": str(uuid.uuid4())},
    ],
)
@pytest.mark.parametrize("service", [None, FakeKeyService()])
def test_a_moved_row_does_not_open(
    changes: dict[str, str], service: KeyService | None
) -> None:
    """Whether or not the service binds the record itself, the derivation does."""
    there = HERE._replace(**changes)
    ring = FIXED if service is None else ring_with(service)
    blob = S1.blob if service is None else ring.seal(API_KEY, HERE)

    assert reason_of(ring, blob, there, key_id="kms1") == "wrong_key_or_context"


@pytest.mark.case("A3")
def test_another_namespace_does_not_open() -> None:
    """A staging row in production, on the same service key."""
    service = FakeKeyService()
    blob = ring_with(service, namespace="staging").seal(API_KEY, HERE)

    assert reason_of(ring_with(service), blob, HERE, key_id="kms1") == (
        "wrong_key_or_context"
    )


@pytest.mark.case("A6", "B16")
def test_column_header_and_ring_must_agree() -> None:
    """Another id in the column, an id that is not loaded, a master key under the id."""
    service = service_vectors.Unwrapped(service_vectors.DATA_KEYS["kms1"])
    unnamed = Keyring({"kms2": service}, "kms2", "default")
    master = vectors.keyring({"kms1": vectors.K001}, primary="kms1")
    swapped = Keyring({"k001": service}, "k001", "default")

    assert reason_of(FIXED, S1.blob, HERE, key_id="kms2") == "header_mismatch"
    assert reason_of(unnamed, S1.blob, HERE, key_id="kms1") == "unknown_key_id"
    assert reason_of(master, S1.blob, HERE, key_id="kms1") == "wrong_key_or_context"
    assert reason_of(swapped, vectors.V1.blob, HERE) == "wrong_key_or_context"
    assert service.asked == 0


@pytest.mark.case("A13", "A14")
def test_another_service_under_the_id_does_not_open() -> None:
    """It refuses the wrap, or unwraps to a data key that the commitment refuses."""
    service = FakeKeyService()
    blob = ring_with(service).seal(API_KEY, HERE)
    other = ring_with(FakeKeyService())
    service.fail("other")

    assert reason_of(other, blob, HERE, key_id="kms1") == "wrong_key_or_context"
    assert reason_of(ring_with(service), blob, HERE, key_id="kms1") == (
        "wrong_key_or_context"
    )


# --- a service in trouble ----------------------------------------------------------


@pytest.mark.case("B20")
@pytest.mark.parametrize("fault", ["down", "slow", "oversized", "short"])
def test_a_service_in_trouble_neither_seals_nor_opens(fault: t.Any) -> None:
    """It is told as what it is: to be tried again, with ids, and never as tampering."""
    service = FakeKeyService(timeout=0.05)
    ring = ring_with(service)
    blob = ring.seal(API_KEY, HERE)
    service.fail(fault)

    assert reason_of(ring, blob, HERE, key_id="kms1") == "key_service_unavailable"

    with pytest.raises(KeyServiceUnavailable, match="try again") as caught:
        ring.seal(API_KEY, HERE)

    assert (caught.value.key_id, caught.value.record_id) == ("kms1", HERE.record)
    assert caught.value.__context__ is None
    service.recover()
    assert ring.open(blob, HERE, key_id="kms1") == API_KEY


@pytest.mark.case("B20")
@pytest.mark.parametrize("fault", ["oversized", "short"])
def test_a_service_judges_its_own_answers(fault: t.Any) -> None:
    """Also where a host uses it without a ring: a wrap of 5 kB, half a data key."""
    service = FakeKeyService()
    context = KeyContext(HERE, "default", b"encoded")
    service.fail(fault)

    with pytest.raises(KeyServiceUnavailable):
        service.new(b"\x01\x02kms1", context)


@pytest.mark.case("B20")
def test_the_caller_bounds_what_the_service_may_take() -> None:
    """The shorter of both limits holds, and without any time nobody is asked."""
    service = FakeKeyService(timeout=3.0)
    ring = ring_with(service)
    blob = ring.seal(API_KEY, HERE, timeout=1.0)
    ring.open(blob, HERE, key_id="kms1", timeout=60.0)
    ring.open(blob, HERE, key_id="kms1")

    assert [request.timeout for request in service.requests] == [1.0, 3.0, 3.0]

    with pytest.raises(KeyServiceUnavailable):
        ring.open(blob, HERE, key_id="kms1", timeout=0.0)

    assert len(service.requests) == 3


def test_no_data_key_is_kept() -> None:
    """Each opening asks the service: one that is taken away is missed at once."""
    service = FakeKeyService()
    ring = ring_with(service)
    blob = ring.seal(API_KEY, HERE)

    for _ in range(3):
        ring.open(blob, HERE, key_id="kms1")

    assert [request.verb for request in service.requests] == ["make", *["unwrap"] * 3]


def test_the_service_sees_ids_and_nothing_else() -> None:
    """Purpose, namespace, company, provider, record; no digit of the key."""
    service = FakeKeyService()
    ring_with(service).seal(API_KEY, HERE)

    assert service.requests[0].ids == {
        "purpose": "api-key",
        "namespace": "default",
        "company": "s:zürich-ag",
        "provider": "CLAUDE",
        "record": HERE.record,
    }


@pytest.mark.case("B20", "C6")
def test_whatever_a_provider_raises_is_one_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A host's own provider may raise anything: its text goes nowhere."""

    class Careless:
        def new(self, header: bytes, context: KeyContext) -> tuple[bytes, bytes]:
            raise LookupError("not-a-real-secret")

        def open(self, header: bytes, wrap: bytes, context: KeyContext) -> bytes:
            raise LookupError("not-a-real-secret")

        def check_value(self, key_id: str) -> str:
            return "0" * 32

    ring = ring_with(Careless())

    assert isinstance(Careless(), KeyProvider)
    assert reason_of(ring, S1.blob, HERE, key_id="kms1") == "key_service_unavailable"

    with pytest.raises(KeyServiceUnavailable) as caught:
        ring.seal(API_KEY, HERE)

    told = caplog.text + repr(caught.value)
    assert "LookupError" in told
    assert "not-a-real-secret" not in told


@pytest.mark.parametrize("made", [None, b"", (b"x" * 64,), (b"w", b"x" * 63), ("w", 1)])
def test_a_provider_that_answers_wrongly_is_unavailable(made: t.Any) -> None:
    """Other shapes and lengths are no keys; nothing is sealed with them."""

    class Wrong(service_vectors.Unwrapped):
        def new(self, header: bytes, context: KeyContext) -> tuple[bytes, bytes]:
            return t.cast("tuple[bytes, bytes]", made)

        def open(self, header: bytes, wrap: bytes, context: KeyContext) -> bytes:
            return t.cast("bytes", made)

    ring = ring_with(Wrong(bytes(32)))

    with pytest.raises(KeyServiceUnavailable):
        ring.seal(API_KEY, HERE)

    assert reason_of(ring, S1.blob, HERE, key_id="kms1") == "key_service_unavailable"


SHORT = ring_with(service_vectors.Unwrapped(service_vectors.DATA_KEYS["kms1"][:31]))
MOVED = HERE._replace(company="i:42")


def report_of(fail: cabc.Callable[[], object]) -> str:
    """Give what a crash reporter would send of a failure, every local included."""
    with pytest.raises(StoredKeyUnreadable) as caught:
        fail()

    report = traceback.TracebackException.from_exception(
        caught.value, capture_locals=True
    )
    return "".join(report.format())


@pytest.mark.case("C4")
@pytest.mark.parametrize(
    "fail",
    [
        lambda: FIXED.open(S1.blob, MOVED, key_id="kms1"),
        lambda: FIXED.open(S1.blob + b"\0", HERE, key_id="kms1"),
        lambda: SHORT.open(S1.blob, HERE, key_id="kms1"),
        lambda: SHORT.seal(API_KEY, HERE),
    ],
)
def test_an_error_with_its_locals_shows_no_data_key(
    fail: cabc.Callable[[], object], caplog: pytest.LogCaptureFixture
) -> None:
    """A crash report of each failure holds no data key and no derived key."""
    caplog.set_level(logging.DEBUG)
    shown = report_of(fail) + caplog.text
    data_key = service_vectors.DATA_KEYS["kms1"]
    okm = opener.hkdf(data_key, S1.salt, S1.info or b"", 64)

    assert "HERE" in shown or "context = " in shown

    for secret in (data_key[:31], okm[:32]):
        assert repr(secret)[2:-1] not in shown
        assert secret.hex() not in shown


# --- rings -------------------------------------------------------------------------


@pytest.mark.case("B9")
def test_a_key_moves_from_ring_to_service_and_back() -> None:
    """Opened under the one and sealed under the other, by the same two methods."""
    master, service = Secret(vectors.text_of(vectors.K001)), FakeKeyService()
    to_service = Keyring({"k001": master, "kms1": service}, "kms1", "default")
    to_ring = Keyring({"k001": master, "kms1": service}, "k001", "default")
    first = to_ring.seal(API_KEY, HERE)
    second = to_service.seal(to_service.open(first, HERE, key_id="k001"), HERE)
    third = to_ring.seal(to_ring.open(second, HERE, key_id="kms1"), HERE)
    alone = Keyring({"kms1": service}, "kms1", "default")

    assert [blob[:6] for blob in (first, second, third)] == [
        b"\x01\x01k001",
        b"\x01\x02kms1",
        b"\x01\x01k001",
    ]
    assert alone.open(second, HERE, key_id="kms1") == API_KEY
    assert vectors.keyring().open(third, HERE, key_id="k001") == API_KEY


@pytest.mark.case("B7")
def test_the_check_value_names_the_service_key() -> None:
    """By id and name, the same in every process; the service is not asked."""
    service = FakeKeyService("one")
    ring = ring_with(service)
    value = ring.check_value("kms1")
    row = dataclasses.make_dataclass(
        "Row", ["key_id", "kcv", "namespace", "retired_at"]
    )
    good, bad = row("kms1", value, "default", None), row("kms1", "0" * 32, "default", 0)

    assert value == opener.service_check_value("fake:one", "kms1")
    assert value != ring_with(FakeKeyService("two")).check_value("kms1")
    assert judge([good], ring) == []
    assert [problem.kind for problem in judge([bad], ring)] == ["other_bytes"]
    assert service.requests == []


def test_a_system_key_is_marked_alike_in_every_worker() -> None:
    """By a master key of the ring, whichever order it has; else by the app's secret."""
    masters = {
        key_id: Secret(vectors.text_of(each))
        for key_id, each in (("k001", vectors.K001), ("k002", vectors.K002))
    }
    service = FakeKeyService()
    app_secret = Secret("not-a-real-secret")
    mixed = Keyring({"kms1": service, **masters}, "kms1", "default")
    turned = Keyring(
        {"k002": masters["k002"], "k001": masters["k001"], "kms1": service},
        "kms1",
        "default",
        app_secret=app_secret,
    )
    alone = [
        Keyring({"kms1": FakeKeyService()}, "kms1", "default", app_secret=app_secret)
        for _ in range(2)
    ]
    marks = [ring.fingerprint(API_KEY) for ring in (mixed, turned, *alone)]
    bare = Keyring({"kms1": service}, "kms1", "default")

    assert marks[0] == marks[1] == vectors.keyring().fingerprint(API_KEY)
    assert marks[2] == marks[3] != marks[0]
    assert alone[0].fingerprint(Secret("not-a-real-other-key")) != marks[2]
    assert bare.fingerprint(API_KEY) == "unmarked"
    assert service.requests == []


def test_the_interface_is_what_the_ring_itself_implements() -> None:
    """A master key is a provider like any other, and so is every service."""
    local = LocalKey("k001", Secret(vectors.text_of(vectors.K001)))

    assert isinstance(local, KeyProvider)
    assert isinstance(FakeKeyService(), KeyProvider)
    assert list(inspect.signature(KeyProvider.new).parameters) == [
        "self",
        "header",
        "context",
    ]


def test_a_local_key_makes_what_it_opens() -> None:
    """Its wrap is a fresh salt of 32 bytes."""
    local = LocalKey("k001", Secret(vectors.text_of(vectors.K001)))
    context = KeyContext(HERE, "default", b"encoded")
    made = [local.new(b"\x01\x01k001", context) for _ in range(2)]

    assert [len(wrap) for wrap, _ in made] == [32, 32]
    assert made[0] != made[1]
    assert all(local.open(b"\x01\x01k001", wrap, context) == okm for wrap, okm in made)


@pytest.mark.parametrize("seconds", [0, -1, 3601])
def test_a_service_has_a_limit(seconds: float) -> None:
    """No service may take for ever."""
    with pytest.raises(ValueError, match="seconds"):
        FakeKeyService(timeout=seconds)


def test_a_probe_wraps_and_unwraps() -> None:
    """It proves that a service does both; a service that does not is told."""
    service = FakeKeyService()
    ring = ring_with(service)

    assert ring.service_ids == ("kms1",)
    assert ring.probe("kms1") is None
    service.fail("down")
    assert ring.probe("kms1") == "key_service_unavailable"
    service.fail("other")
    assert ring.probe("kms1") == "wrong_key_or_context"
    assert {request.ids["purpose"] for request in service.requests} == {"probe"}


def test_a_context_no_row_can_have_is_not_sealed() -> None:
    """As with the local ring; the service is not asked."""
    service = FakeKeyService()

    with pytest.raises(ValueError):
        ring_with(service).seal(
            API_KEY,
            SealContext(purpose="", company="i:1", provider="OPENAI", record="x"),
        )

    assert service.requests == []

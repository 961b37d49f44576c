"""Sealing: the published bytes, round trips, and what the context binds."""

from __future__ import annotations

import ast
import copy
import hashlib
import hmac
import inspect
import json
import pathlib
import pickle
import pprint
import re
import typing as t
import unicodedata
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_byok.errors import ApiKeyFormatError
from flask_byok.secret import Secret
from flask_byok.vault import keyring as module
from flask_byok.vault.company import company_text
from flask_byok.vault.entry import Entry
from flask_byok.vault.keyring import Keyring
from flask_byok.vault.keyring import length_prefixed
from flask_byok.vault.keyring import SealContext
from flask_byok.vault.localkey import LocalKey
from tests.support import opener
from tests.support import vectors
from tests.support.vectors import Vector

API_KEY = Secret("not-a-real-openai-key-0009-Zz99")

api_keys = st.text(
    st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=8, max_size=2048
)
company_ids = st.one_of(
    st.integers(-(2**63), 2**63 - 1),
    st.uuids(),
    st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=60)
    .map(str.strip)
    .filter(bool),
)
contexts = st.builds(
    SealContext,
    purpose=st.sampled_from(["api-key", "api-key-draft"]),
    company=company_ids.map(company_text),
    provider=st.from_regex(r"[A-Z0-9_]{1,32}", fullmatch=True),
    record=st.uuids(version=4).map(str),
)


def parts_of(vector: Vector) -> list[bytes]:
    """Encode the five context parts of a vector in their order."""
    where = vector.context
    texts = (
        where.purpose,
        vector.namespace,
        where.company,
        where.provider,
        where.record,
    )
    return [text.encode() for text in texts]


def ring_of(vector: Vector) -> Keyring:
    """Give the keyring that made a vector."""
    return vectors.keyring(primary=vector.key_id, namespace=vector.namespace)


# --- the published bytes -----------------------------------------------------------


@pytest.mark.case("A21")
@pytest.mark.parametrize("vector", vectors.VECTORS)
def test_a_published_blob_is_sealed_again_byte_for_byte(vector: Vector) -> None:
    """Same salt, nonce, key and context: the same bytes as published."""
    blob = vectors.seal_again(ring_of(vector), vector)

    assert blob == vector.blob
    assert blob[38:70] == vector.commitment


@pytest.mark.case("A21")
@pytest.mark.parametrize("vector", vectors.VECTORS)
def test_a_published_blob_opens(vector: Vector) -> None:
    """The published plaintext comes back, as a Secret."""
    opened = ring_of(vector).open(vector.blob, vector.context, key_id=vector.key_id)

    assert isinstance(opened, Secret)
    assert opened.reveal() == vector.plaintext


@pytest.mark.case("A11", "A21")
@pytest.mark.parametrize("vector", [vectors.V1, vectors.V2])
def test_info_and_associated_data_are_encoded_as_published(vector: Vector) -> None:
    """Both encodings are length prefixes over the listed parts, in that order."""
    header, bound = vector.blob[:6], parts_of(vector)
    tagged = (header, vector.salt, vector.commitment, *bound)

    assert length_prefixed(b"flask-byok/v1/derive", header, *bound) == vector.info
    assert length_prefixed(b"flask-byok/v1/aad", *tagged) == vector.associated_data


@pytest.mark.case("A21")
@pytest.mark.parametrize("key_id", ["k001", "k002"])
def test_check_values_are_as_published(key_id: str) -> None:
    """A check value depends on the master key and its id alone."""
    for namespace in ("default", "shop.prod"):
        ring = vectors.keyring(namespace=namespace)

        assert ring.check_value(key_id) == vectors.CHECK_VALUES[key_id]


def test_a_check_value_needs_its_master_key() -> None:
    """An id that is not in the ring has no check value."""
    with pytest.raises(KeyError):
        vectors.keyring().check_value("k009")


@pytest.mark.case("C23")
def test_a_fingerprint_belongs_to_one_key_ring_and_app() -> None:
    """The same key gives the same mark; another key, primary or app another one."""
    rings = [
        vectors.keyring(),
        vectors.keyring(primary="k002"),
        vectors.keyring(namespace="shop.prod"),
    ]
    api_keys = [API_KEY, Secret(API_KEY.reveal() + "x")]
    marks = [ring.fingerprint(each) for ring in rings for each in api_keys]

    assert len(set(marks)) == 6
    assert marks[0] == vectors.keyring().fingerprint(API_KEY)


@pytest.mark.case("C23")
def test_a_fingerprint_is_no_plain_hash() -> None:
    """Without the master key nobody can try keys against it: no common hash fits."""
    mark = vectors.keyring().fingerprint(API_KEY)
    plain = API_KEY.reveal().encode()

    assert re.fullmatch("[0-9a-f]{32}", mark)

    for name in ("md5", "sha1", "sha256", "sha512"):
        assert mark not in hashlib.new(name, plain).hexdigest()
        assert mark not in hmac.new(vectors.K001, plain, name).hexdigest()


# --- the second opener -------------------------------------------------------------


@pytest.mark.case("A21")
@given(api_key=api_keys, context=contexts, master=st.binary(min_size=32, max_size=32))
def test_a_second_program_opens_what_is_sealed(
    api_key: str, context: SealContext, master: bytes
) -> None:
    """Written by hand from the description, it reads the same key and check value."""
    ring = vectors.keyring({"a0z9": master}, primary="a0z9", namespace="shop.prod")
    blob = ring.seal(Secret(api_key), context)
    parts = context._asdict()

    assert opener.open_blob(blob, master, namespace="shop.prod", **parts) == api_key
    assert opener.check_value(master, "a0z9") == ring.check_value("a0z9")
    assert len(blob) == len(api_key) + 98


# --- length prefixes ---------------------------------------------------------------


@pytest.mark.case("A11", "A21")
def test_length_prefixes_are_as_published() -> None:
    """The two printed examples."""
    assert length_prefixed(b"a", b"bc").hex() == "00020000000161000000026263"
    assert length_prefixed(b"", b"").hex() == "00020000000000000000"


@pytest.mark.case("A11")
@given(first=st.lists(st.binary()), second=st.lists(st.binary()))
def test_different_parts_never_encode_alike(
    first: list[bytes], second: list[bytes]
) -> None:
    """Equal bytes come from equal parts alone."""
    assert (length_prefixed(*first) == length_prefixed(*second)) == (first == second)


@pytest.mark.case("A11")
@given(whole=st.binary(min_size=1), first=st.integers(), second=st.integers())
def test_a_moved_border_changes_the_bytes(
    whole: bytes, first: int, second: int
) -> None:
    """The same bytes cut at two places are two encodings."""
    cuts = [place % (len(whole) + 1) for place in (first, second)]
    one, two = (length_prefixed(whole[:cut], whole[cut:]) for cut in cuts)

    assert (one == two) == (cuts[0] == cuts[1])


# --- sealing -----------------------------------------------------------------------


@given(api_key=api_keys, context=contexts)
def test_what_is_sealed_opens(api_key: str, context: SealContext) -> None:
    """Every key the vault takes comes back as it was, under its own context."""
    ring = vectors.keyring(primary="k002")
    blob = ring.seal(Secret(api_key), context)

    assert ring.open(blob, context, key_id="k002").reveal() == api_key


@pytest.mark.case("A9")
def test_nothing_repeats_over_many_seals() -> None:
    """One key sealed 20,000 times: every salt, nonce, ciphertext and blob is new."""
    ring = vectors.keyring()
    blobs = [ring.seal(API_KEY, vectors.V1.context) for _ in range(20_000)]

    for start, end in ((6, 38), (38, 70), (70, 82), (82, None), (0, None)):
        assert len({blob[start:end] for blob in blobs}) == len(blobs)


@pytest.mark.case("A10")
def test_nobody_can_hand_in_a_salt_or_a_nonce() -> None:
    """The public methods take a key, a context, a blob, a key id and seconds."""
    parameters = {
        name: list(inspect.signature(getattr(Keyring, name)).parameters)[1:]
        for name in vars(Keyring)
        if not name.startswith("_") and callable(getattr(Keyring, name))
    }

    assert parameters == {
        "seal": ["api_key", "context", "timeout"],
        "open": ["blob", "context", "key_id", "timeout"],
        "check_value": ["key_id"],
        "probe": ["key_id"],
        "fingerprint": ["api_key"],
    }


def test_the_primary_seals_and_the_others_open() -> None:
    """After a change of primary, old blobs open and new ones carry the new id."""
    old = vectors.keyring(primary="k001").seal(API_KEY, vectors.V1.context)
    ring = vectors.keyring(primary="k002")
    new = ring.seal(API_KEY, vectors.V1.context)

    assert (old[2:6], new[2:6]) == (b"k001", b"k002")
    assert ring.open(old, vectors.V1.context, key_id="k001") == API_KEY
    assert ring.open(new, vectors.V1.context, key_id="k002") == API_KEY
    assert (ring.primary, ring.key_ids) == ("k002", ("k001", "k002"))


@pytest.mark.parametrize(
    ("api_key", "code"),
    [
        ("", "short"),
        ("x" * 7, "short"),
        ("x" * 2049, "long"),
        ("not a real key", "character"),
        ("not-a-real-key\n", "character"),
        ("not-a-real-kéy", "character"),
        ("not-a-real-\x7fkey", "character"),
        ("not-a-real-\ud800key", "character"),
    ],
)
def test_a_key_that_could_not_be_opened_is_not_sealed(api_key: str, code: str) -> None:
    """Only 8 to 2048 visible ASCII characters are sealed; the error repeats none."""
    with pytest.raises(ApiKeyFormatError) as caught:
        vectors.keyring().seal(Secret(api_key), vectors.V1.context)

    assert caught.value.code == code
    assert caught.value.__context__ is None
    assert not api_key or api_key not in str(caught.value)


@pytest.mark.parametrize("length", [8, 2048])
def test_the_shortest_and_the_longest_key_open(length: int) -> None:
    """Both ends of the range are inside it."""
    ring, api_key = vectors.keyring(), Secret("x" * length)
    blob = ring.seal(api_key, vectors.V1.context)

    assert ring.open(blob, vectors.V1.context, key_id="k001") == api_key


@pytest.mark.case("A12")
@pytest.mark.parametrize(
    "changes",
    [
        {"purpose": ""},
        {"purpose": "API key"},
        {"company": "42"},
        {"company": "i:042"},
        {"company": "s:"},
        {"provider": "openai"},
        {"provider": ""},
        {"provider": "OPENAI\n"},
        {"record": "7B0F6A52-3C1E-4D8A-9F27-1E5C40AA9D13"},
        {"record": "7b0f6a52-3c1e-1d8a-9f27-1e5c40aa9d13"},
        {"record": ""},
    ],
)
def test_a_context_no_row_can_have_is_not_sealed(changes: dict[str, str]) -> None:
    """A part in the wrong form stops the seal, so that it cannot be lost later."""
    with pytest.raises(ValueError):
        vectors.keyring().seal(API_KEY, vectors.context(**changes))


# --- what the context binds --------------------------------------------------------


@pytest.mark.case("A1", "A2", "A3", "A12")
@pytest.mark.parametrize(
    "changes",
    [
        {"purpose": "api-key-draft"},
        {"company": "s:zürich-a"},
        {"company": "s:ZÜRICH-AG"},
        {"company": "s:" + unicodedata.normalize("NFD", "zürich-ag")},
        {"company": "i:42"},
        {"company": ""},
        {"company": "s:\ud800"},
        {"provider": "OPENAI"},
        {"provider": "claude"},
        {"record": str(uuid.uuid4())},
        {"record": vectors.V1.context.record.upper()},
        {"company": "CLAUDE", "provider": "s:zürich-ag"},
        {"purpose": "api-keys", "company": ":zürich-ag"},
        {"purpose": "default", "company": "api-key"},
    ],
)
def test_a_moved_blob_does_not_open(changes: dict[str, str]) -> None:
    """Another purpose, company, provider or record: no part may differ by a byte."""
    where = vectors.context(**changes)

    assert where != vectors.V1.context
    assert (
        vectors.reason_of(vectors.keyring(), vectors.V1.blob, where)
        == "wrong_key_or_context"
    )


@pytest.mark.case("A12")
def test_an_int_and_its_digits_are_two_companies() -> None:
    """A blob of company 42 does not open for company "42"."""
    where = vectors.V2.context._replace(company="s:42")
    reason = vectors.reason_of(
        ring_of(vectors.V2), vectors.V2.blob, where, key_id="k002"
    )

    assert reason == "wrong_key_or_context"


@pytest.mark.case("A3")
@pytest.mark.parametrize("namespace", ["shop.prod", "defaul", "default-2", ""])
def test_a_blob_of_another_app_does_not_open(namespace: str) -> None:
    """Two apps on one ring stay apart by their namespace."""
    ring = vectors.keyring(namespace=namespace)

    assert (
        vectors.reason_of(ring, vectors.V1.blob, vectors.V1.context)
        == "wrong_key_or_context"
    )


@pytest.mark.case("A1", "A2", "A3", "A12")
@given(one=contexts, two=contexts)
def test_two_contexts_never_open_each_other(one: SealContext, two: SealContext) -> None:
    """A blob opens under the context it was sealed with and no other."""
    ring = vectors.keyring()
    blob = ring.seal(API_KEY, one)

    if one == two:
        assert ring.open(blob, two, key_id="k001") == API_KEY
    else:
        assert vectors.reason_of(ring, blob, two) == "wrong_key_or_context"


@pytest.mark.case("A16")
def test_an_older_blob_of_the_same_record_opens() -> None:
    """A known limit: who writes the database can put an older state back."""
    ring = vectors.keyring()
    older = ring.seal(Secret("not-a-real-key-older"), vectors.V1.context)
    ring.seal(Secret("not-a-real-key-newer"), vectors.V1.context)

    opened = ring.open(older, vectors.V1.context, key_id="k001")

    assert opened.reveal() == "not-a-real-key-older"


# --- the keyring itself ------------------------------------------------------------


@pytest.mark.parametrize(
    ("master_keys", "primary"),
    [
        ({}, "k001"),
        ({"k001": Secret(vectors.text_of(vectors.K001))}, "k002"),
        ({"K001": Secret(vectors.text_of(vectors.K001))}, "K001"),
        ({"k0011": Secret(vectors.text_of(vectors.K001))}, "k0011"),
        ({"k001": Secret(vectors.text_of(bytes(31)))}, "k001"),
        ({"k001": Secret("not base64")}, "k001"),
    ],
)
def test_a_keyring_of_the_wrong_shape_is_refused(
    master_keys: dict[str, Secret], primary: str
) -> None:
    """Ids are four characters, keys 32 bytes, and the primary is among them."""
    with pytest.raises(ValueError):
        Keyring(master_keys, primary, "default")


@pytest.mark.case("C3")
@pytest.mark.parametrize(
    "use",
    [pickle.dumps, copy.copy, copy.deepcopy, json.dumps, vars],
)
def test_a_keyring_is_not_copied_anywhere(use: t.Callable[[Keyring], object]) -> None:
    """What would write its master keys somewhere is refused."""
    with pytest.raises(TypeError):
        use(vectors.keyring())


@pytest.mark.case("C3")
@pytest.mark.parametrize("part", [LocalKey, Entry])
@pytest.mark.parametrize(
    "use",
    [
        pickle.dumps,
        copy.deepcopy,
        json.dumps,
        vars,
        lambda part: copy.deepcopy(part.__getstate__()),
    ],
)
def test_no_part_of_a_keyring_is_copied(
    part: t.Callable[[str, Secret], object], use: t.Callable[[object], object]
) -> None:
    """Nor what stands inside, which holds a master key as bytes."""
    held = part("k001", Secret(vectors.text_of(vectors.K001)))

    with pytest.raises((TypeError, AttributeError)):
        use(held)


@pytest.mark.case("C1")
def test_a_keyring_prints_its_ids_alone() -> None:
    """Printing shows which keys there are, and none of them."""
    ring = vectors.keyring()

    for shown in (repr(ring), str(ring), f"{ring}", pprint.pformat([ring])):
        assert "k001, k002; primary k001" in shown
        assert vectors.text_of(vectors.K001)[:6] not in shown


def test_the_commitment_is_compared_in_constant_time() -> None:
    """No ``==`` compares it: the one call of ``compare_digest`` does."""
    tree = ast.parse(pathlib.Path(inspect.getfile(module)).read_text("utf-8"))
    compared = [
        ast.unparse(node)
        for node in ast.walk(tree)
        if isinstance(node, ast.Compare) and "commitment" in ast.unparse(node)
    ]
    digests = [
        ast.unparse(node)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and "compare_digest" in ast.unparse(node.func)
    ]

    assert compared == []
    assert digests == ["hmac.compare_digest(commitment, stored)"]

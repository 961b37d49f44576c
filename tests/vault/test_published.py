"""What ``docs/security.md`` publishes is what the package does."""

from __future__ import annotations

import json
import pathlib
import re
import shutil
import subprocess

import pytest

from flask_byok.errors import StoredKeyUnreadable
from flask_byok.secret import Secret
from tests.support import opener
from tests.support import service_vectors
from tests.support import vectors
from tests.support.vectors import Vector

ALL = (*vectors.VECTORS, *service_vectors.VECTORS)
SECRETS = {
    "k001": vectors.K001,
    "k002": vectors.K002,
    **service_vectors.DATA_KEYS,
}
OPENER = pathlib.Path(opener.__file__).with_suffix(".mjs")
PAGE = pathlib.Path(__file__).parents[2] / "docs" / "security.md"
REASONS = [
    "malformed",
    "unsupported_format",
    "header_mismatch",
    "unknown_key_id",
    "key_service_unavailable",
    "wrong_key_or_context",
    "tampered",
]


@pytest.fixture(scope="module")
def text() -> str:
    """Read the page."""
    return PAGE.read_text("utf-8")


@pytest.mark.case("A21")
@pytest.mark.parametrize("vector", ALL)
def test_the_page_prints_the_answers_that_are_tested(text: str, vector: Vector) -> None:
    """Every byte string and every part of the context stands on the page."""
    printed = re.sub(r"\n\s+", "", text)
    encoded = [vector.blob, vector.info, vector.associated_data]
    parts = [vector.plaintext, *vector.context._asdict().values()]

    assert all(each.hex() in printed for each in encoded if each is not None)
    assert all(part in text for part in parts)


@pytest.mark.case("A21")
def test_the_page_prints_the_check_values(text: str) -> None:
    """Both of them, with the id they belong to."""
    for key_id, check_value in vectors.CHECK_VALUES.items():
        assert re.search(rf"`{key_id}` has\s+`{check_value}`", text)


@pytest.mark.case("A21")
@pytest.mark.parametrize("vector", ALL)
def test_the_printed_program_opens_the_printed_answers(vector: Vector) -> None:
    """The second opener, which the page includes, reads what the page publishes."""
    parts = vector.context._asdict()
    opened = opener.open_blob(
        vector.blob, SECRETS[vector.key_id], namespace=vector.namespace, **parts
    )

    assert opened == vector.plaintext


def run_node(vector: Vector, blob: bytes) -> subprocess.CompletedProcess[str]:
    """Let the printed JavaScript open sealed bytes in a vector's context."""
    context = vector.context
    question = {
        "blob": blob.hex(),
        "secret": SECRETS[vector.key_id].hex(),
        "context": [
            context.purpose,
            vector.namespace,
            context.company,
            context.provider,
            context.record,
        ],
    }
    return subprocess.run(
        ["node", str(OPENER)],
        input=json.dumps(question),
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.case("A21")
@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node.js")
@pytest.mark.parametrize("vector", ALL)
def test_the_printed_javascript_opens_them_too(vector: Vector) -> None:
    """Another language's own HKDF and AES-GCM read them, and refuse a turned bit."""
    opened = run_node(vector, vector.blob)
    assert (opened.returncode, opened.stdout.strip()) == (0, vector.plaintext)

    damaged = vector.blob[:-1] + bytes([vector.blob[-1] ^ 1])
    assert run_node(vector, damaged).returncode != 0


@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node.js")
def test_the_printed_javascript_opens_what_is_sealed_now() -> None:
    """Not the published bytes alone: a key that this package seals in this moment."""
    vector = vectors.VECTORS[0]
    masters = {vector.key_id: SECRETS[vector.key_id]}
    ring = vectors.keyring(masters, primary=vector.key_id, namespace=vector.namespace)
    sealed = ring.seal(Secret(vector.plaintext), vector.context)

    assert run_node(vector, sealed).stdout.strip() == vector.plaintext


def test_the_table_of_reasons_is_in_order(text: str) -> None:
    """The steps on the page give every reason, in the order of the checks."""
    section = text[text.index("### Opening") : text.index("### Check values")]
    told = re.findall(r"^\| .* \| `(\w+)` \|$", section, re.MULTILINE)

    assert told == [*REASONS, "malformed"]


@pytest.mark.parametrize("reason", REASONS)
def test_each_reason_has_a_sentence_of_its_own(text: str, reason: str) -> None:
    """And stands on the page."""
    others = {str(StoredKeyUnreadable(other)) for other in {*REASONS, "x"} - {reason}}

    assert f"`{reason}`" in text
    assert str(StoredKeyUnreadable(reason)) not in others

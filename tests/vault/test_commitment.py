"""Why a commitment is stored: a GCM tag alone can be made to fit two keys."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.ciphers import algorithms
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers import modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tests.support import opener
from tests.support import vectors

NONCE = bytes(12)
SALT = bytes(range(32))
REDUCTION = 0xE1 << 120
ONE = 1 << 127


def multiply(one: int, two: int) -> int:
    """Multiply in the field of GHASH (SP 800-38D, section 6.3)."""
    product = 0

    for bit in range(127, -1, -1):
        if one >> bit & 1:
            product ^= two

        two = two >> 1 ^ (REDUCTION if two & 1 else 0)

    return product


def power(base: int, exponent: int) -> int:
    """Raise to a power in that field; the exponent 2**128 - 2 inverts."""
    result = ONE

    while exponent:
        if exponent & 1:
            result = multiply(result, base)

        base = multiply(base, base)
        exponent >>= 1

    return result


def block(key: bytes, data: bytes) -> int:
    """Encrypt one block with AES."""
    encryptor = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
    return int.from_bytes(encryptor.update(data) + encryptor.finalize(), "big")


def blocks(data: bytes) -> list[int]:
    """Cut into blocks of 16 bytes, the last one filled with zeros."""
    return [
        int.from_bytes(data[start : start + 16].ljust(16, b"\0"), "big")
        for start in range(0, len(data), 16)
    ]


def ghash(key: bytes, words: list[int]) -> int:
    """Hash blocks under the hash key that belongs to an AES key."""
    hash_key, value = block(key, bytes(16)), 0

    for word in words:
        value = multiply(value ^ word, hash_key)

    return value


def two_key_ciphertext(keys: tuple[bytes, bytes], tagged: bytes) -> bytes:
    """Make a ciphertext of three blocks whose tag fits both keys.

    The tag is a sum that is linear in every block, so the middle block can be chosen
    to make the two tags equal.
    """
    first, last = bytes(range(16)), bytes(range(16, 32))
    lengths = (len(tagged) * 8).to_bytes(8, "big") + (48 * 8).to_bytes(8, "big")
    words = [*blocks(tagged), *blocks(first), 0, *blocks(last), *blocks(lengths)]
    masks = [block(key, NONCE + b"\0\0\0\1") for key in keys]
    tags = [ghash(key, words) ^ mask for key, mask in zip(keys, masks, strict=True)]

    # The middle block is multiplied by the hash key three times: itself, last, lengths.
    cubes = [power(block(key, bytes(16)), 3) for key in keys]
    middle = multiply(tags[0] ^ tags[1], power(cubes[0] ^ cubes[1], 2**128 - 2))
    tag = tags[0] ^ multiply(middle, cubes[0])
    return first + middle.to_bytes(16, "big") + last + tag.to_bytes(16, "big")


@pytest.mark.case("A13")
def test_a_tag_that_fits_two_master_keys_opens_under_none_but_the_committed() -> None:
    """GCM takes the ciphertext under both keys; the keyring refuses the other one."""
    where = vectors.V1.context
    bound = [where.purpose, "default", where.company, where.provider, where.record]
    parts = [part.encode() for part in bound]
    header = b"\x01\x01k001"
    info = opener.encode(b"flask-byok/v1/derive", header, *parts)
    mine, other = (
        opener.hkdf(master, SALT, info, 64) for master in (vectors.K001, vectors.K002)
    )
    tagged = opener.encode(b"flask-byok/v1/aad", header, SALT, mine[32:], *parts)
    ciphertext = two_key_ciphertext((mine[:32], other[:32]), tagged)
    blob = header + SALT + mine[32:] + NONCE + ciphertext

    assert AESGCM(mine[:32]).decrypt(NONCE, ciphertext, tagged)
    assert AESGCM(other[:32]).decrypt(NONCE, ciphertext, tagged)
    assert (
        vectors.reason_of(vectors.keyring({"k001": vectors.K002}), blob, where)
        == "wrong_key_or_context"
    )
    assert vectors.reason_of(vectors.keyring(), blob, where) == "malformed"

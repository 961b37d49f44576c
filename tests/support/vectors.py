"""Known answers of byte format v1, as published in ``docs/security.md``."""

from __future__ import annotations

import base64
import collections.abc as cabc
import dataclasses
import typing as t

import pytest

from flask_byok.errors import StoredKeyUnreadable
from flask_byok.secret import Secret
from flask_byok.vault.format import encode_context
from flask_byok.vault.keyprovider import KeyContext
from flask_byok.vault.keyring import _encrypt as encrypt
from flask_byok.vault.keyring import Keyring
from flask_byok.vault.keyring import SealContext


@dataclasses.dataclass(frozen=True, kw_only=True)
class Vector:
    """One published sealed key with everything that went into it."""

    key_id: str
    namespace: str
    salt: bytes
    nonce: bytes
    plaintext: str
    context: SealContext
    commitment: bytes
    blob: bytes
    info: bytes | None = None
    associated_data: bytes | None = None


#: The published master keys: 0 to 31 ascending, 255 to 224 descending.
K001: t.Final = bytes(range(32))
K002: t.Final = bytes(range(255, 223, -1))

#: Their published check values.
CHECK_VALUES: t.Final = {
    "k001": "46a6018a8a256fbb9b7f48dbce44d04c",
    "k002": "869e7aff8d98c3a3078add6103937746",
}


def text_of(master_bytes: bytes) -> str:
    """Write a master key as the settings take it."""
    return base64.urlsafe_b64encode(master_bytes).rstrip(b"=").decode("ascii")


def keyring(
    masters: cabc.Mapping[str, bytes] | None = None,
    *,
    primary: str = "k001",
    namespace: str = "default",
) -> Keyring:
    """Build a keyring of ``masters``, or of the two published ones."""
    given = {"k001": K001, "k002": K002} if masters is None else masters
    secrets = {key_id: Secret(text_of(each)) for key_id, each in given.items()}
    return Keyring(secrets, primary, namespace)


def seal_again(ring: Keyring, vector: Vector) -> bytes:
    """Seal what a vector holds, with its salt (or wrap) and nonce."""
    entry = ring._entries[vector.key_id]
    encoded = encode_context(ring._namespace_part, vector.context)
    assert encoded is not None
    keys = KeyContext(vector.context, ring.namespace, encoded)
    okm = entry.derive(vector.salt, keys)
    assert isinstance(okm, bytes)
    api_key = Secret(vector.plaintext)
    return encrypt(entry, api_key, encoded, vector.salt, okm, vector.nonce)


def context(**changes: str) -> SealContext:
    """Give the context of the first vector, with some parts changed."""
    return V1.context._replace(**changes)


def reason_of(
    ring: Keyring, blob: t.Any, where: SealContext, *, key_id: str = "k001"
) -> str:
    """Give the reason why a blob does not open; fail when it does open."""
    with pytest.raises(StoredKeyUnreadable) as caught:
        ring.open(blob, where, key_id=key_id)

    assert caught.value.__context__ is None
    assert caught.value.__cause__ is None
    return caught.value.reason


def flips(blob: bytes) -> cabc.Iterator[bytes]:
    """Give the blob with each of its bits turned, one at a time."""
    for position in range(len(blob) * 8):
        changed = bytearray(blob)
        changed[position // 8] ^= 1 << position % 8
        yield bytes(changed)


V1: t.Final = Vector(
    key_id="k001",
    namespace="default",
    salt=bytes(range(100, 132)),
    nonce=bytes(range(200, 212)),
    plaintext="not-a-real-claude-key-0001-wXyZ",
    context=SealContext(
        purpose="api-key",
        company="s:zürich-ag",
        provider="CLAUDE",
        record="7b0f6a52-3c1e-4d8a-9f27-1e5c40aa9d13",
    ),
    info=bytes.fromhex(
        "000700000014666c61736b2d62796f6b2f76312f6465726976650000000601016b"
        "303031000000076170692d6b65790000000764656661756c740000000c733a7ac3"
        "bc726963682d616700000006434c415544450000002437623066366135322d3363"
        "31652d346438612d396632372d316535633430616139643133"
    ),
    commitment=bytes.fromhex(
        "480c983bbe3a92365b9d9c94dcca0ae018d4cb19d2fa7ceb935dc3a7ac873aa9"
    ),
    associated_data=bytes.fromhex(
        "000900000011666c61736b2d62796f6b2f76312f6161640000000601016b303031"
        "000000206465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f80"
        "81828300000020480c983bbe3a92365b9d9c94dcca0ae018d4cb19d2fa7ceb935d"
        "c3a7ac873aa9000000076170692d6b65790000000764656661756c740000000c73"
        "3a7ac3bc726963682d616700000006434c41554445000000243762306636613532"
        "2d336331652d346438612d396632372d316535633430616139643133"
    ),
    blob=bytes.fromhex(
        "01016b3030316465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e"
        "7f80818283480c983bbe3a92365b9d9c94dcca0ae018d4cb19d2fa7ceb935dc3a7"
        "ac873aa9c8c9cacbcccdcecfd0d1d2d3a6f0f8585d8fdefe0e5dc322c0a6d8fb44"
        "82e79832b58d0cfce6bf3ba63ad4581e1d340416710c0404c8b434a1bae2"
    ),
)

V2: t.Final = Vector(
    key_id="k002",
    namespace="shop.prod",
    salt=bytes(range(32, 64)),
    nonce=bytes(range(12)),
    plaintext="not-a-real-openai-key-0002-AbCd",
    context=SealContext(
        purpose="api-key",
        company="i:42",
        provider="OPENAI",
        record="c2d41f08-96b7-4e35-8a60-f3917be20c44",
    ),
    info=bytes.fromhex(
        "000700000014666c61736b2d62796f6b2f76312f6465726976650000000601016b"
        "303032000000076170692d6b65790000000973686f702e70726f6400000004693a"
        "3432000000064f50454e41490000002463326434316630382d393662372d346533"
        "352d386136302d663339313762653230633434"
    ),
    commitment=bytes.fromhex(
        "10296e6257d45c15442415a2714232ebead992c5f8f5b342ca78839a97960ede"
    ),
    associated_data=bytes.fromhex(
        "000900000011666c61736b2d62796f6b2f76312f6161640000000601016b303032"
        "00000020202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c"
        "3d3e3f0000002010296e6257d45c15442415a2714232ebead992c5f8f5b342ca78"
        "839a97960ede000000076170692d6b65790000000973686f702e70726f64000000"
        "04693a3432000000064f50454e41490000002463326434316630382d393662372d"
        "346533352d386136302d663339313762653230633434"
    ),
    blob=bytes.fromhex(
        "01016b303032202122232425262728292a2b2c2d2e2f303132333435363738393a"
        "3b3c3d3e3f10296e6257d45c15442415a2714232ebead992c5f8f5b342ca78839a"
        "97960ede000102030405060708090a0b9c10247afd89adeb52bb14bd95430762e6"
        "814dd2a89318963392ab13dbd7ba6053ee9fed000467d3d9db25d1a63c78"
    ),
)

V3: t.Final = Vector(
    key_id="k001",
    namespace="default",
    salt=bytes(range(1, 33)),
    nonce=bytes(range(20, 32)),
    plaintext="not-a-real-gemini-key-0003-0aZ_",
    context=SealContext(
        purpose="api-key",
        company="u:0d9e5a31-77c4-4f0b-b1e2-5a6c8d3f2e10",
        provider="GEMINI",
        record="e81a2c77-0b4d-4c59-a3f6-92d05b7e1c3a",
    ),
    commitment=bytes.fromhex(
        "4bd43986d541a2612152b4d4ccf6529363c15e7cef1dd35cb1e545b31ccbdf62"
    ),
    blob=bytes.fromhex(
        "01016b3030310102030405060708090a0b0c0d0e0f101112131415161718191a1b"
        "1c1d1e1f204bd43986d541a2612152b4d4ccf6529363c15e7cef1dd35cb1e545b3"
        "1ccbdf621415161718191a1b1c1d1e1f1f983d599c11c86108797fe9414f8ab9bf"
        "15444d722d2b04ffa8b19094c62529e0ba1beadd023807883db43f02f9c3"
    ),
)

#: All of them.
VECTORS: t.Final = (V1, V2, V3)

"""Known answers of suite 2, as published in ``docs/security.md``."""

from __future__ import annotations

import collections.abc as cabc
import typing as t

from flask_byok.vault.keyring import Keyring
from flask_byok.vault.keyservice import KeyService
from tests.support.vectors import V1
from tests.support.vectors import V2
from tests.support.vectors import Vector

#: The data keys, ascending from 64 and descending from 159.
DATA_KEYS: t.Final = {
    "kms1": bytes(range(64, 96)),
    "vt01": bytes(range(159, 127, -1)),
}


class Unwrapped(KeyService):
    """A service that unwraps whatever it is given to one data key, asking nobody."""

    name = "vector"

    def __init__(self, data_key: bytes, wrap: bytes = b"wrap") -> None:
        super().__init__()
        self.data_key = data_key
        self.wrap = wrap
        self.asked = 0

    def make_data_key(
        self, ids: cabc.Mapping[str, str], timeout: float
    ) -> tuple[bytes, bytes]:
        return self.data_key, self.wrap

    def unwrap(
        self, wrap: bytes, ids: cabc.Mapping[str, str], timeout: float
    ) -> bytes | None:
        self.asked += 1
        return self.data_key


def ring_of(vector: Vector) -> Keyring:
    """Give a ring whose service knows the data key of a vector."""
    service = Unwrapped(DATA_KEYS[vector.key_id], vector.salt)
    return Keyring({vector.key_id: service}, vector.key_id, vector.namespace)


S1: t.Final = Vector(
    key_id="kms1",
    namespace="default",
    salt=bytes(range(100, 148)),
    nonce=bytes(range(200, 212)),
    plaintext="not-a-real-claude-key-0004-sVc1",
    context=V1.context,
    info=bytes.fromhex(
        "000700000014666c61736b2d62796f6b2f76312f646572697665000000060102"
        "6b6d7331000000076170692d6b65790000000764656661756c740000000c733a"
        "7ac3bc726963682d616700000006434c41554445000000243762306636613532"
        "2d336331652d346438612d396632372d316535633430616139643133"
    ),
    commitment=bytes.fromhex(
        "111e30e63af82f60162f6838702c718e53fdc79bdcf5cf30a6d341cdbb1a0065"
    ),
    associated_data=bytes.fromhex(
        "000900000011666c61736b2d62796f6b2f76312f6161640000000601026b6d73"
        "31000000306465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e"
        "7f808182838485868788898a8b8c8d8e8f9091929300000020111e30e63af82f"
        "60162f6838702c718e53fdc79bdcf5cf30a6d341cdbb1a006500000007617069"
        "2d6b65790000000764656661756c740000000c733a7ac3bc726963682d616700"
        "000006434c415544450000002437623066366135322d336331652d346438612d"
        "396632372d316535633430616139643133"
    ),
    blob=bytes.fromhex(
        "01026b6d733100306465666768696a6b6c6d6e6f707172737475767778797a7b"
        "7c7d7e7f808182838485868788898a8b8c8d8e8f90919293111e30e63af82f60"
        "162f6838702c718e53fdc79bdcf5cf30a6d341cdbb1a0065c8c9cacbcccdcecf"
        "d0d1d2d36a9554e4bafbab522bc02c356be9bc3efbd7a1ef8177a401a485c5b0"
        "53d59eff7efdbf2c6b8400e9a779302ee4ad15"
    ),
)

S2: t.Final = Vector(
    key_id="vt01",
    namespace="shop.prod",
    salt=b"vault:v1:" + b"bm90LWEtcmVhbC13cmFw" * 3,
    nonce=bytes(range(12)),
    plaintext="not-a-real-openai-key-0005-sVc2",
    context=V2.context,
    commitment=bytes.fromhex(
        "f757c305d4ffa7c38ccaa2c414f37b63bdf63f713baa82cc9e8d4180cff6e155"
    ),
    blob=bytes.fromhex(
        "01027674303100457661756c743a76313a626d39304c574574636d5668624331"
        "33636d4677626d39304c574574636d566862433133636d4677626d39304c5745"
        "74636d566862433133636d4677f757c305d4ffa7c38ccaa2c414f37b63bdf63f"
        "713baa82cc9e8d4180cff6e155000102030405060708090a0bc8673292b1024c"
        "cb10d64b84c02aa6030325040366a74a4239bf64aff2a5741475f2aae4123822"
        "fc639f90d84975e7"
    ),
)

#: Both of them.
VECTORS: t.Final = (S1, S2)

"""What a key provider hands over to be stored has a length the format can hold."""

from __future__ import annotations

import typing as t

import pytest

from flask_byok.errors import KeyServiceUnavailable
from flask_byok.secret import Secret
from flask_byok.vault.keyprovider import KeyContext
from tests.support import service_vectors
from tests.support import vectors
from tests.vault.test_service_suite import ring_with

API_KEY = Secret("not-a-real-openai-key-0009-Zz99")


@pytest.mark.case("B20")
@pytest.mark.parametrize(
    ("wrap", "is_good"),
    [(b"x", True), (b"x" * 4096, True), (b"", False), (b"x" * 4097, False)]
    + [("x" * 40, False), (None, False), (bytearray(40), False)],
)
def test_a_wrap_has_1_to_4096_bytes(wrap: t.Any, is_good: bool) -> None:
    """Good derived keys beside it do not help: nothing is sealed with another one."""

    class Odd(service_vectors.Unwrapped):
        def new(self, header: bytes, context: KeyContext) -> tuple[bytes, bytes]:
            return t.cast("tuple[bytes, bytes]", (wrap, b"x" * 64))

    ring = ring_with(Odd(bytes(32)))

    if is_good:
        assert wrap in ring.seal(API_KEY, vectors.V1.context)
        return

    with pytest.raises(KeyServiceUnavailable):
        ring.seal(API_KEY, vectors.V1.context)

"""Parts that would look alike if they were only joined."""

from __future__ import annotations

import itertools

import pytest

from flask_byok.vault.keyring import length_prefixed

#: Each list holds the same text, cut and separated in other ways.
ALIKE = [
    [(b"a|b", b"c"), (b"a", b"b|c"), (b"a|b|c",), (b"a", b"b", b"c")],
    [(b"", b"ab"), (b"a", b"b"), (b"ab", b""), (b"ab",), (b"", b"ab", b"")],
    [(b"a\0b", b"c"), (b"a", b"b\0c"), (b"a", b"b", b"c"), (b"a\0b\0c",)],
    [(), (b"",), (b"", b""), (b"", b"", b"")],
    [(b"\0\0\0\1a",), (b"a",), (b"", b"\1a"), (b"\0\1\0\0\0\1a",)],
    [(b"i:1", b"OPENAI"), (b"i:1O", b"PENAI"), (b"i:1|OPENAI", b"")],
]


@pytest.mark.case("A11")
@pytest.mark.parametrize("lists", ALIKE)
def test_lists_that_join_alike_encode_apart(lists: list[tuple[bytes, ...]]) -> None:
    """Separators, empty parts, NUL and lengths inside a part move no border."""
    for one, two in itertools.combinations(lists, 2):
        assert length_prefixed(*one) != length_prefixed(*two)

from __future__ import annotations

import http.client
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_byok.providers.chunked import ChunkedReader
from flask_byok.providers.chunked import LINE_LIMIT

from .replay import build_chunks


class Arriving:
    """Bytes that arrive in these pieces."""

    def __init__(self, *pieces: bytes) -> None:
        self._pieces = [piece for piece in pieces if piece]

    def read1(self, size: int) -> bytes:
        return self._pieces.pop(0) if self._pieces else b""


def read(*pieces: bytes) -> bytes:
    reader = ChunkedReader(Arriving(*pieces))
    data = b""

    while piece := reader.read():
        data += piece

    assert reader.ended
    return data


@given(
    body=st.lists(st.binary(max_size=20), max_size=6),
    cuts=st.lists(st.integers(0, 120), max_size=6),
)
def test_any_cut_gives_the_body(body: list[bytes], cuts: list[int]) -> None:
    """However the coded bytes arrive, the body is the same."""
    coded = b"".join(build_chunks(body))
    places = [0, *sorted(min(cut, len(coded)) for cut in cuts), len(coded)]
    pieces = [coded[a:b] for a, b in zip(places, places[1:], strict=False)]

    assert read(*pieces) == b"".join(body)


@pytest.mark.parametrize(
    ("coded", "body"),
    [
        (b"3;name=value\r\nabc\r\n0\r\n\r\n", b"abc"),
        (b"3 \r\nabc\r\n0\r\nX: 1\r\nY: 2\r\n\r\n", b"abc"),
        (b"3\nabc\n0\n\n", b"abc"),
        (b"0003\r\nabc\r\n000\r\n\r\n", b"abc"),
        (b"A\r\n0123456789\r\n0\r\n\r\n", b"0123456789"),
    ],
)
def test_what_the_coding_allows(coded: bytes, body: bytes) -> None:
    """Extensions, trailers, leading zeros and bare line feeds are taken."""
    assert read(coded) == body
    assert read(*(bytes([byte]) for byte in coded)) == body


@pytest.mark.parametrize(
    "coded",
    [
        b"-3\r\nabc\r\n0\r\n\r\n",
        b"1_0\r\nabc",
        b"0x3\r\nabc",
        b"\r\n",
        b"3\r\nabcdef\r\n0\r\n\r\n",
        b"g\r\n",
        b"1" * 16 + b"\r\n",
        b"1" * (LINE_LIMIT + 1),
    ],
)
def test_what_it_does_not(coded: bytes) -> None:
    """Sizes that are none, data of another length and endless lines are refused."""
    with pytest.raises(http.client.HTTPException):
        read(coded)


def test_no_early_end_is_a_clean_one() -> None:
    """Cut at each position, the coding says that something is missing."""
    coded = b"".join(build_chunks([b"abc", b"defg"]))

    for place in range(len(coded)):
        with pytest.raises(http.client.IncompleteRead):
            read(coded[:place])


def test_bytes_behind_the_end_are_noticed() -> None:
    """A connection that says more than asked is not for the next request."""
    reader = ChunkedReader(io.BufferedReader(io.BytesIO(b"1\r\na\r\n0\r\n\r\nHTTP")))

    assert reader.read() == b"a"
    assert reader.read() == b""
    assert reader.has_more

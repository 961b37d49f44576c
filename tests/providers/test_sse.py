from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_byok.providers.sse import EVENT_CAP
from flask_byok.providers.sse import EventParser
from flask_byok.providers.sse import EventTooLarge
from flask_byok.providers.sse import RAW_CAP

from .replay import load


def parse(*chunks: bytes) -> list[str]:
    parser = EventParser()
    return [data for chunk in chunks for data in parser.feed(chunk)]


def parse_by_the_book(stream: bytes) -> list[str]:
    """Follow the HTML Standard's own steps, one line at a time, on the whole text."""
    text = stream.decode("utf-8", "replace").removeprefix("\ufeff")
    events = []
    data = ""

    for line in re.split("\r\n|\n|\r", text)[:-1]:
        field, colon, value = line.partition(":")
        value = value.removeprefix(" ")

        if not line:
            if data:
                events.append(data[:-1])

            data = ""
        elif field == "data":
            data += value + "\n"

    return events


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        (b"data: a\n\n", ["a"]),
        (b"data:a\r\n\r\n", ["a"]),
        (b"data: a\r\rdata: b\r\r", ["a", "b"]),
        (b"\xef\xbb\xbfdata: a\n\n", ["a"]),
        (b"event: x\ndata: a\ndata:  b\n\n", ["a\n b"]),
        (b"event: x\n\ndata: a\n\n", ["a"]),
        (b": comment\n\ndata: a\n\n", ["a"]),
        (b"data\n\n", [""]),
        (b"data\ndata\n\n", ["\n"]),
        (b"id: 1\nretry: 9\ndata: a\n\n", ["a"]),
        (b"data: a\n", []),
        (b"\n\n\n", []),
        ("data: ä\u2028\x85b\n\n".encode(), ["ä\u2028\x85b"]),
        (b"data: \xff\n\n", ["\ufffd"]),
    ],
)
def test_streams_are_read_as_the_standard_says(
    stream: bytes, expected: list[str]
) -> None:
    """Line ends, byte order marks, comments and fields are WHATWG's, names aside."""
    assert parse(stream) == expected
    assert parse(*(bytes([byte]) for byte in stream)) == expected


LINES = st.sampled_from(
    ["data: a", "data:", "data", "event: x", "event", ": c", "id: 1", "", "", "da", "ä"]
)
ENDS = st.sampled_from(["\n", "\r\n", "\r"])


@given(
    lines=st.lists(st.tuples(LINES, ENDS), max_size=12),
    bom=st.booleans(),
    cuts=st.lists(st.integers(0, 80), max_size=6),
)
def test_any_cut_gives_what_the_book_gives(
    lines: list[tuple[str, str]], bom: bool, cuts: list[int]
) -> None:
    """However a stream is cut, the events are those of the standard's own steps."""
    text = "".join(line + end for line, end in lines)
    stream = ("\ufeff" * bom + text).encode()
    places = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    chunks = [stream[a:b] for a, b in zip(places, places[1:], strict=False)]

    # A lone CR at a chunk's end may be half a CRLF: the book sees the whole text.
    assert parse(*chunks) == parse_by_the_book(stream)


@pytest.mark.parametrize(
    "name",
    [
        "anthropic/messages_stream_text",
        "gemini/stream_text_crlf",
        "openai/chat_stream_include_usage",
    ],
)
def test_recordings_give_the_same_events_at_every_cut(name: str) -> None:
    """Cut in two at each position, a recorded stream gives the same events."""
    body = load(name).body
    expected = parse_by_the_book(body)

    assert expected

    for position in range(len(body)):
        assert parse(body[:position], body[position:]) == expected


def test_text_that_is_no_field_is_handed_over() -> None:
    """GEMINI's plain JSON error inside a stream stays readable."""
    parser = EventParser()
    parser.feed(b'data: a\r\n\r\n{\r\n  "error": {\r\n "code": 503\r\n  }\r\n')
    parser.feed(b"}")
    parser.end()

    assert parser.has_raw
    assert parser.raw.split() == ["{", '"error":', "{", '"code":', "503", "}", "}"]


@pytest.mark.case("D10")
def test_an_event_without_an_end_is_not_collected_for_ever() -> None:
    """One line, many lines and lines that are no field all have a cap."""
    for piece in (b"x" * 65536, b"data: 1\n" * 8192):
        parser = EventParser()

        with pytest.raises(EventTooLarge):
            for _ in range(EVENT_CAP // 65536 + 1):
                parser.feed(piece)

    with pytest.raises(EventTooLarge):
        EventParser().feed(b"raw\n" * RAW_CAP)


def test_many_events_in_a_row_have_no_cap() -> None:
    """The cap is one event's, not the stream's."""
    parser = EventParser()
    piece = b"data: " + b"x" * 65536 + b"\n\n"

    for _ in range(EVENT_CAP // 65536 + 1):
        assert len(parser.feed(piece)) == 1

"""Event streams: bytes in, cut anywhere; events out.

The rules are WHATWG's (HTML Standard, "Server-sent events", section 9.2.6), with one
addition: text that is no field at all is not thrown away but handed over, since GEMINI
puts plain JSON into a stream when it fails.
"""

from __future__ import annotations

import typing as t

#: Bytes of one event. OPENAI's last event repeats the whole answer and the request's
#: tools, which passes 1 MiB with the longest answers.
EVENT_CAP = 8 * 1024 * 1024
#: Bytes of raw text kept.
RAW_CAP = 64 * 1024


class EventTooLarge(Exception):
    """An event, or the raw text of a stream, passed its cap."""


class Event(t.NamedTuple):
    """One dispatched event.

    :param name: ``message`` when the stream named none.
    :param data: the data lines, joined by newlines.
    """

    name: str
    data: str


class EventParser:
    """Turn the bytes of one stream into events."""

    def __init__(self) -> None:
        self._line: list[bytes] = []
        self._data: list[bytes] = []
        self._raw: list[bytes] = []
        self._name = b""
        self._raw_size = 0
        self._size = 0
        self._skips_lf = False
        self._is_first = True
        #: Lines that carry no data but show that the other side lives.
        self.comments: int = 0
        #: At least one event was dispatched.
        self.has_events: bool = False

    @property
    def has_raw(self) -> bool:
        """Whether there is text that was no field of an event stream."""
        return bool(self._raw)

    @property
    def is_between(self) -> bool:
        """Whether the last byte taken was the end of an event, or of a comment."""
        return not (self._line or self._data or self._name or self._raw)

    @property
    def raw(self) -> str:
        """The text so far that was no field of an event stream."""
        return b"\n".join(self._raw).decode("utf-8", "replace").strip()

    def feed(self, chunk: bytes) -> list[Event]:
        """Take the next bytes and give the events they completed.

        :raise EventTooLarge: when an event passes :data:`EVENT_CAP`.
        """
        if self._skips_lf and chunk:
            self._skips_lf = False

            if chunk[0] == 10:
                chunk = chunk[1:]

        if b"\r" in chunk:
            self._skips_lf = chunk.endswith(b"\r")
            chunk = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

        lines = chunk.split(b"\n")
        self._size += len(chunk)

        if self._size > EVENT_CAP:
            raise EventTooLarge

        rest = lines.pop()
        events: list[Event] = []

        if lines:
            if self._line:
                lines[0] = b"".join([*self._line, lines[0]])
                self._line.clear()

            self._take(lines, events)

            if events:
                self._size = len(rest)

        if rest:
            self._line.append(rest)

        return events

    def end(self) -> None:
        """Take the connection's end: an event not dispatched by now never happened.

        A last line that is no field counts as raw text all the same.
        """
        if self._line:
            self._take([b"".join(self._line)], [])
            self._line.clear()

    def _take(self, lines: list[bytes], events: list[Event]) -> None:
        if self._is_first:
            self._is_first = False
            lines[0] = lines[0].removeprefix(b"\xef\xbb\xbf")

        for line in lines:
            if line[:5] == b"data:":
                self._data.append(line[6:] if line[5:6] == b" " else line[5:])
            elif not line:
                self._dispatch(events)
            elif line[:6] == b"event:":
                self._name = line[7:] if line[6:7] == b" " else line[6:]
            else:
                self._take_other(line)

    def _take_other(self, line: bytes) -> None:
        field = line.partition(b":")[0]

        if not field:
            self.comments += 1
        elif field == b"data":
            self._data.append(b"")
        elif field == b"event":
            self._name = b""
        elif field not in (b"id", b"retry"):
            self._raw.append(line)
            self._raw_size += len(line)

            if self._raw_size > RAW_CAP:
                raise EventTooLarge

    def _dispatch(self, events: list[Event]) -> None:
        if self._data:
            self.has_events = True
            name = self._name.decode("utf-8", "replace") if self._name else "message"
            data = b"\n".join(self._data).decode("utf-8", "replace")
            events.append(Event(name, data))
            self._data.clear()

        self._name = b""

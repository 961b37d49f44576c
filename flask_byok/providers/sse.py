"""Event streams: bytes in, cut anywhere; events out.

The rules are WHATWG's (HTML Standard, "Server-sent events", section 9.2.6), with one
addition: text that is no field at all is not thrown away but handed over, since GEMINI
puts plain JSON into a stream when it fails. The name of an event is passed over: every
wire repeats it in the data.
"""

from __future__ import annotations

#: Bytes of one event. OPENAI's last event repeats the whole answer and the request's
#: tools, which passes 1 MiB with the longest answers.
EVENT_CAP = 8 * 1024 * 1024
#: Bytes of raw text kept.
RAW_CAP = 64 * 1024


class EventTooLarge(Exception):
    """An event, or the raw text of a stream, passed its cap."""


class EventParser:
    """Turn the bytes of one stream into events.

    :param cap: bytes of one event.
    """

    def __init__(self, cap: int = EVENT_CAP) -> None:
        self._cap = cap
        self._line: list[bytes] = []
        self._data: list[bytes] = []
        self._raw: list[bytes] = []
        self._raw_size = 0
        self._size = 0
        self._skips_lf = False
        self._is_first = True
        self._is_named = False
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
        return not (self._line or self._data or self._is_named or self._raw)

    @property
    def raw(self) -> str:
        """The text so far that was no field of an event stream."""
        return b"\n".join(self._raw).decode("utf-8", "replace").strip()

    def feed(self, chunk: bytes) -> list[str]:
        """Take the next bytes and give the data of the events they completed.

        :return: of each event its data lines, joined by newlines.
        :raises EventTooLarge: when an event passes its cap.
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

        if self._size > self._cap:
            raise EventTooLarge

        rest = lines.pop()
        events: list[str] = []

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

    def _take(self, lines: list[bytes], events: list[str]) -> None:
        if self._is_first:
            self._is_first = False
            lines[0] = lines[0].removeprefix(b"\xef\xbb\xbf")

        data = self._data

        for line in lines:
            if line.startswith(b"data:"):
                data.append(line[6:] if line[5:6] == b" " else line[5:])
            elif not line:
                self._is_named = False

                if data:
                    whole = data[0] if len(data) == 1 else b"\n".join(data)
                    events.append(whole.decode("utf-8", "replace"))
                    data.clear()
            elif line.startswith(b"event:"):
                self._is_named = True
            else:
                self._take_other(line)

        if events:
            self.has_events = True

    def _take_other(self, line: bytes) -> None:
        field = line.partition(b":")[0]

        if field == b"event":
            self._is_named = True
        elif not field:
            self.comments += 1
        elif field == b"data":
            self._data.append(b"")
        elif field not in (b"id", b"retry"):
            self._raw.append(line)
            self._raw_size += len(line)

            if self._raw_size > RAW_CAP:
                raise EventTooLarge

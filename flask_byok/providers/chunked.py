"""The chunked transfer coding, read in bulk.

``http.client`` reads it with three calls per chunk, and providers send a chunk per
token. Here all that has arrived is taken apart at once.

Rules: RFC 9112, section 7.1.
"""

from __future__ import annotations

import http.client
import re
import typing as t

_BLOCK = 64 * 1024
#: Bytes of a size line, or of all trailers and extensions together.
LINE_LIMIT = 64 * 1024
_PLAIN_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})\r\n")
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\n]*)?\r?")


class ChunkedReader:
    """Take the coding off the bytes of one answer.

    :param file: gives what is there, or waits for more; as a ``BufferedReader`` does.
    """

    def __init__(self, file: t.Any) -> None:
        self._file = file
        self._bytes = b""
        self._left = 0
        self._is_behind = False
        self._in_trailers = False
        self._idle = 0
        #: The coding's end was read.
        self.ended: bool = False

    @property
    def has_more(self) -> bool:
        """Whether bytes came behind the end, where none should be."""
        return bool(self._bytes)

    def read(self) -> bytes:
        """Give what has arrived, at least one byte; nothing at the end.

        :raises http.client.HTTPException: when the coding is broken or breaks off.
        """
        pieces: list[bytes] = []

        while not pieces and not self.ended:
            more: bytes = self._file.read1(_BLOCK)

            if not more:
                raise http.client.IncompleteRead(b"")

            self._bytes += more
            self._take(pieces)

        return b"".join(pieces)

    def _take(self, pieces: list[bytes]) -> None:
        data = self._bytes
        place = 0

        while not self.ended:
            if self._left:
                piece = data[place : place + self._left]

                if not piece:
                    break

                pieces.append(piece)
                place += len(piece)
                self._left -= len(piece)

                # Here already in nearly every case; else it comes as the next line.
                if not self._left and data.startswith(b"\r\n", place):
                    self._is_behind = False
                    place += 2

                continue

            if not (self._is_behind or self._in_trailers):
                place = _take_whole(data, place, pieces)

            end = data.find(b"\n", place)

            if end < 0:
                if len(data) - place > LINE_LIMIT:
                    raise http.client.LineTooLong("chunk")

                break

            self._take_line(data[place:end])
            place = end + 1

        self._bytes = data[place:]

    def _take_line(self, line: bytes) -> None:
        if self._in_trailers:
            self.ended = line in (b"", b"\r")
            self._count_idle(len(line) + 1)
            return

        if self._is_behind:
            # The line end that closes a chunk's data.
            self._is_behind = False

            if line not in (b"", b"\r"):
                raise http.client.HTTPException("chunk")

            return

        match = _SIZE.fullmatch(line)

        if match is None:
            raise http.client.HTTPException("chunk")

        if len(line) > len(match[1]) + 1:
            self._count_idle(len(line) - len(match[1]) - 1)

        self._left = int(match[1], 16)
        self._is_behind = self._left > 0
        self._in_trailers = self._left == 0

    def _count_idle(self, size: int) -> None:
        """Count bytes that carry no data: nobody sends many, but for the harm of it."""
        self._idle += max(0, size)

        if self._idle > LINE_LIMIT:
            raise http.client.LineTooLong("chunk")


def _take_whole(data: bytes, place: int, pieces: list[bytes]) -> int:
    """Take the chunks that are here to their end, which nearly all are.

    :return: the place behind them.
    """
    while size := _PLAIN_SIZE.match(data, place):
        start = size.end()
        end = start + int(size[1], 16)

        if end == start or data[end : end + 2] != b"\r\n":
            break

        pieces.append(data[start:end])
        place = end + 2

    return place

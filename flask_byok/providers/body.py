"""The body of an answer: read within caps and limits, and never further."""

from __future__ import annotations

import collections.abc as cabc
import typing as t
import zlib

from urllib3.exceptions import HTTPError

from .chunked import ChunkedReader
from .connections import Watch
from .troubles import judge
from .types import AttemptFailed
from .types import Failure

#: Decoded bytes of an error answer: its telling part is a few hundred bytes.
ERROR_CAP = 64 * 1024
#: Decoded bytes of a list of models: about 500 bytes for each of 2,000 models.
LIST_CAP = 1024 * 1024
#: Decoded bytes of an answer: 128,000 tokens, escaped, with reasoning, fit many times.
ANSWER_CAP = 32 * 1024 * 1024
#: Decoded bytes of vectors: 2,048 texts of 1,536 numbers of 20 characters.
VECTORS_CAP = 64 * 1024 * 1024

#: Seconds of silence allowed between two events of a stream.
GAP_LIMIT = 30.0
#: Seconds of waiting allowed in all after the first content of a stream.
STREAM_LIMIT = 15 * 60.0

_BLOCK = 64 * 1024
# Seconds to wait for the end of a transfer whose content is complete, and how often a
# piece of it is taken: what comes fast takes no waiting, however long it goes on.
_LAST_BYTES = 0.02
_LAST_PIECES = 4


class HttpStream:
    """An answer whose body is still on its way.

    :param raw: urllib3's response.
    """

    def __init__(self, raw: t.Any, watch: Watch) -> None:
        self._raw = raw
        self._watch = watch
        self._inflate = _build_inflate(raw.headers.get("content-encoding"))
        self._chunked = _build_chunked(watch)
        self._received = 0
        self.status: int = raw.status
        #: Names in lower case; of repeated headers the last.
        self.headers: cabc.Mapping[str, str] = {
            name.lower(): value for name, value in raw.headers.items()
        }
        self.reused_connection: bool = watch.reused

    def read(self, cap: int) -> bytes:
        """Read the rest. Of an error answer at most :data:`ERROR_CAP` is read.

        :raises AttemptFailed: when the body breaks off, is too large or too slow.
        """
        is_error = self.status >= 400
        pieces = []

        try:
            for piece in self.read_chunks(ERROR_CAP if is_error else cap):
                pieces.append(piece)
        except AttemptFailed as error:
            failure = error.failure

            # The status of an error answer says more than its missing end.
            if not is_error or failure.kind not in ("too_large", "unreadable_answer"):
                self.close()
                pieces.clear()
                raise

        return b"".join(pieces)

    def read_chunks(self, cap: int = ANSWER_CAP) -> cabc.Iterator[bytes]:
        """Give the body in decoded pieces, as they come.

        :param cap: decoded bytes allowed, and about as many coded ones, which may
            unpack to nothing; what lies within it is given first.
        :raises AttemptFailed: when the body breaks off, is too large or too slow.
        """
        size = 0
        most = self._received + cap + _BLOCK

        while True:
            piece, error = self._read_piece(cap - size + 1)

            if error is not None:
                self.close()
                raise error

            if piece is None:
                return

            size += len(piece)

            if size > cap:
                self.close()
                yield piece[: cap - size]
                raise AttemptFailed(Failure(kind="too_large", status=self.status))

            if self._received > most:
                self.close()
                raise AttemptFailed(Failure(kind="too_large", status=self.status))

            if piece:
                yield piece

    def limit_gaps(self, seconds: float) -> None:
        """Allow so many seconds of waiting between two events."""
        self._watch.limit_gaps(seconds)

    def note_event(self) -> None:
        """Start the next gap: an event is complete."""
        self._watch.note_event()

    def limit_total(self, seconds: float) -> None:
        """Replace the deadline by so many seconds of waiting in all."""
        self._watch.limit_total(seconds)

    def finish(self) -> None:
        """Let go of a stream whose end mark was read.

        The last bytes of the transfer coding mostly are here already: with them the
        connection can be kept. Nobody waits for them.
        """
        self.limit_total(_LAST_BYTES)

        for _ in range(_LAST_PIECES):
            piece, error = self._read_piece(_BLOCK)

            if error is not None or piece is None:
                break

        self.close()

    def close(self) -> None:
        """Give the connection back when the body was read to its end, else cut it."""
        try:
            self._raw.close()
            self._raw.release_conn()
        except (HTTPError, OSError):  # pragma: no cover - nothing is left to do
            pass

    def _read_piece(self, limit: int) -> tuple[bytes | None, BaseException | None]:
        """Read what is there: a piece (perhaps empty), or ``None`` at the end.

        :return: the piece, and what to raise instead.
        """
        try:
            if self._chunked is not None:
                piece = self._read_chunked(self._chunked)
            else:
                piece = self._raw.read1(_BLOCK, decode_content=False)

            self._received += len(piece)

            if self._inflate is not None:
                return self._decode(piece, limit), None

            return piece or None, None
        except BaseException as error:
            caught = error

        return None, judge(caught, self._watch, status=self.status)

    def _read_chunked(self, chunked: ChunkedReader) -> bytes:
        piece = chunked.read()

        if not piece and self._watch.answer is not None:
            # Read to its end behind urllib3's back, which is told so here.
            if not chunked.has_more:
                self._watch.answer.close()
                self._raw.release_conn()

            self._raw.close()

        return piece

    def _decode(self, piece: bytes, limit: int) -> bytes | None:
        plain: bytes = self._inflate.decompress(piece, limit)

        # Bytes behind the end are nobody's, and the decoder would keep them all.
        if self._inflate.unused_data or not (piece or self._inflate.eof):
            raise zlib.error("end")

        return plain if piece else None


def _build_chunked(watch: Watch) -> ChunkedReader | None:
    answer = watch.answer

    # Without a connection of ours (a stand-in of a test, say) urllib3 reads it all.
    if answer is None or not answer.chunked or answer.isclosed():
        return None

    return ChunkedReader(answer.fp)


def _build_inflate(encoding: str | None) -> t.Any:
    """Make a decoder for the encodings a server may send although not asked to."""
    if encoding is None or encoding.strip().lower() in ("", "identity"):
        return None

    # 47: gzip or zlib, told apart by their first bytes; any other fails to decode.
    return zlib.decompressobj(47)

"""The bytes of one streamed answer, given on and settled."""

from __future__ import annotations

import sys

from ..errors import BYOKError
from ..failover.streams import OpenStream
from .replies import build_break


class Passage:
    """Gives on a stream's bytes, and tells how it ended.

    :param opened: the stream behind its first content.
    """

    def __init__(self, opened: OpenStream[bytes], dialect: str) -> None:
        self._opened = opened
        self._dialect = dialect
        #: Why the stream broke; ``None`` while it has not.
        self.failure: BYOKError | None = None

    def next(self) -> bytes | None:
        """Give the next bytes; ``None`` at the end, or once :attr:`failure` was told.

        A break is told in an event of the provider's own shape, with our words.
        """
        if self.failure is not None:
            return None

        try:
            piece = self._opened.next()
        except StopIteration:
            return None
        except BYOKError as error:
            self.failure = error.with_traceback(None)
        else:
            self._settle()
            return piece

        return build_break(self.failure, self._dialect)

    def _settle(self) -> None:
        """Come to the end at once: an SDK stops reading at the last event."""
        if self._opened.is_read:
            try:
                self._opened.next()
            except StopIteration:
                pass

    def close(self) -> None:
        """Leave the stream; what was used until now is counted."""
        self._opened.close()

    def __del__(self) -> None:
        # A caller that dropped the SDK's stream without a word.
        if not sys.is_finalizing():
            self.close()

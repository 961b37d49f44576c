"""A streamed answer, as the caller iterates it."""

from __future__ import annotations

import collections.abc as cabc
import sys
import types
import typing as t

from . import asking
from .failover.streams import OpenStream
from .formats.answer import AnswerFormat
from .providers.types import ChatChunk
from .providers.types import ChatResponse
from .providers.types import Source


class ChatStream:
    """A streamed answer: iterate the pieces, then read the whole ``response``.

    A context manager; leaving early closes the connection, and what was used until
    then is counted.
    """

    def __init__(
        self,
        opened: OpenStream[ChatChunk],
        answer_format: AnswerFormat | None = None,
    ) -> None:
        self._opened = opened
        self._format = answer_format

    def __enter__(self) -> ChatStream:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: types.TracebackType | None,
    ) -> None:
        self.close()

    def __iter__(self) -> cabc.Iterator[ChatChunk]:
        return self

    def __next__(self) -> ChatChunk:
        return self._opened.next()

    @property
    def provider(self) -> str:
        """The provider that answers."""
        return self._opened.route.provider.id

    @property
    def source(self) -> Source:
        """Whose key pays: ``"company"`` or ``"system"``."""
        return self._opened.route.source

    @property
    def response(self) -> ChatResponse:
        """The whole answer, once the stream has ended.

        :raises RuntimeError: before the end.
        :raises InvalidAnswer: when it is not in the ``response_format`` of the call.
        """
        answer = self._opened.answer

        if answer is None:
            raise RuntimeError("The stream has not ended; iterate it to its end first.")

        response = asking.build_response(
            answer, self._opened.route, self._opened.latency_ms, self._opened.attempts
        )
        return response if self._format is None else self._format.parse(response)

    def close(self) -> None:
        """Close the connection; safe to call twice."""
        self._opened.close()

    def __reduce_ex__(self, protocol: t.SupportsIndex) -> t.NoReturn:
        raise TypeError("A stream holds a connection: it is not pickled or copied.")

    def __del__(self) -> None:
        # A view whose client has left drops the stream without a word.
        if not sys.is_finalizing():
            self.close()

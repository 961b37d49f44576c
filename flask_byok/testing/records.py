"""The record of requests: who asked for what, and with whose key."""

from __future__ import annotations

import collections
import collections.abc as cabc
import contextlib
import dataclasses
import threading
import typing as t

#: Older requests are forgotten beyond this number.
LIMIT = 10_000


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class RecordedRequest:
    """One request a simulated provider received.

    :param path: as sent, with the query, the provider's prefix included.
    :param headers: names in lower case.
    :param api_key: the credential that counted; empty when there was none.
    :param model: the model asked for; empty when none was named.
    :param body: the decoded JSON object; ``None`` when there was none.
    :param status: the status answered; ``None`` when nothing was to be answered.
    :param fault: the name of the fault that struck, or ``None``.
    """

    provider: str
    method: str
    path: str
    headers: cabc.Mapping[str, str] = dataclasses.field(repr=False)
    api_key: str = dataclasses.field(repr=False)
    model: str
    body: dict[str, t.Any] | None = dataclasses.field(repr=False)
    status: int | None
    fault: str | None


class RequestLog:
    """Keeps the requests of one simulator; may be used from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: collections.deque[RecordedRequest] = collections.deque(
            maxlen=LIMIT
        )
        self._watchers: list[cabc.Callable[[RecordedRequest], None]] = []

    def add(self, request: RecordedRequest) -> None:
        """Append a request."""
        with self._lock:
            self._requests.append(request)
            watchers = list(self._watchers)

        for watch in watchers:
            watch(request)

    @contextlib.contextmanager
    def watching(
        self, watch: cabc.Callable[[RecordedRequest], None]
    ) -> cabc.Iterator[None]:
        """Show each request as it comes, in the thread that serves it."""
        with self._lock:
            self._watchers.append(watch)

        try:
            yield
        finally:
            with self._lock:
                self._watchers.remove(watch)

    def all(self) -> list[RecordedRequest]:
        """Copy the requests, oldest first."""
        with self._lock:
            return list(self._requests)

    def forget(self, keys: str) -> None:
        """Forget the requests whose key contains this text."""
        with self._lock:
            kept = [one for one in self._requests if keys not in one.api_key]
            self._requests.clear()
            self._requests.extend(kept)

    def clear(self) -> None:
        """Forget all requests."""
        with self._lock:
            self._requests.clear()

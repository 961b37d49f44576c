"""What one call may still do: how many requests, on which routes, for how long."""

from __future__ import annotations

import collections.abc as cabc
import typing as t
from urllib.parse import urlsplit

from ..config import Policy
from ..providers.http import Deadline
from ..providers.types import Failure
from .notes import Notes
from .policy import inline_delay
from .policy import may_use_system_key
from .reasons import Letter
from .routes import Route
from .verdict import Verdict

#: HTTP requests of one call, retries included.
MOST_REQUESTS: t.Final = 3

#: Of them, requests on company keys while a system key may still answer.
MOST_COMPANY_REQUESTS: t.Final = 2

#: The part of the time left that an attempt gets when another route stands behind it.
SHARE: t.Final = 0.75

#: A new route starts only with so many seconds left, or this part of the timeout.
LEAST_SECONDS: t.Final = 5.0
LEAST_PART: t.Final = 0.2


class Limits:
    """The limits of one call, judged by what its notes say has happened.

    :param timeout: seconds for the whole call; the clock starts now.
    """

    def __init__(
        self,
        routes: cabc.Sequence[Route],
        policy: Policy,
        timeout: float,
        notes: Notes,
    ) -> None:
        self._routes = routes
        self._policy: Policy = policy
        self._timeout = timeout
        self._notes = notes
        self.deadline: Deadline = Deadline(timeout)

    def share(self, has_next: bool) -> Deadline:
        """Give the deadline of one attempt; a route behind it keeps its time."""
        return self.deadline.share(SHARE) if has_next else self.deadline

    def may_start(self, route: Route) -> bool:
        """Tell whether a route may be tried at all."""
        if self._notes.sent >= self._most_requests(route, self._notes.letters):
            return False

        if self._notes.unreached and host_of(route) in self._notes.unreached:
            return False

        if self._notes.sent and self.deadline.left() < self._least_seconds():
            return False

        return route.source == "company" or self.may_use_system_key()

    def may_use_system_key(self) -> bool:
        """Tell whether the policy lets a system key answer what has happened."""
        return may_use_system_key(self._notes.letters, self._policy)

    def has_next(self, position: int) -> bool:
        """Tell whether a route behind this one might still be taken."""
        if self._notes.sent + 1 >= MOST_REQUESTS:
            return False

        behind = self._routes[position + 1 :]

        if self._routes[position].source == "system":
            return bool(behind)

        return any(r.source == "company" or self._policy != "never" for r in behind)

    def retry_delay(
        self, route: Route, failure: Failure, verdict: Verdict
    ) -> float | None:
        """Tell after how many seconds the same route is asked once more, if at all."""
        letters: list[Letter] = [*self._notes.letters, verdict.letter]

        if self._notes.sent >= self._most_requests(route, letters):
            return None

        if failure.kind == "reset_reused":
            return 0.0

        delay = inline_delay(verdict)
        return delay if delay is not None and delay < self.deadline.left() else None

    def _most_requests(self, route: Route, letters: list[Letter]) -> int:
        """Keep the third request for a system key, where one may answer."""
        if route.source == "system" or not letters:
            return MOST_REQUESTS

        kept = self._has_system_route() and may_use_system_key(letters, self._policy)
        return MOST_COMPANY_REQUESTS if kept else MOST_REQUESTS

    def _has_system_route(self) -> bool:
        return any(route.source == "system" for route in self._routes)

    def _least_seconds(self) -> float:
        return min(LEAST_SECONDS, self._timeout * LEAST_PART)


def host_of(route: Route) -> str:
    """Name the host a route's requests go to."""
    return urlsplit(route.provider.base_url).netloc

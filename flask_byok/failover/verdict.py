"""What a failed attempt says of a key."""

from __future__ import annotations

import datetime as dt
import typing as t

from .reasons import CLASSES
from .reasons import FailureClass
from .reasons import Letter
from .reasons import Reason


class Verdict(t.NamedTuple):
    """The judgement of one failed attempt. Holds no words of a provider's own.

    :param code: from our own vocabulary; ``None`` for every other code.
    :param status: the HTTP status; ``None`` without an answer.
    :param request_id: for the provider's support; ``None`` when none of a usual shape.
        The adapters see to it that it holds no piece of the key.
    :param model_scoped: remember it for (key, model), not for the key.
    :param ambiguous: an M that may as well be a mistyped name.
    :param delay: seconds the provider asks us to wait, at most a day.
    :param until: when the provider says it ends, UTC; may be weeks ahead.
    :param may_retry: ``False`` when the provider forbids a retry.
    :param sent: whether the request reached the wire.
    :param param: the request field the provider objects to, if it is one we know.
    :param missing: names of the scopes the key lacks, joined with ``", "``.
    """

    letter: Letter
    reason: Reason
    code: str | None = None
    status: int | None = None
    request_id: str | None = None
    model_scoped: bool = False
    ambiguous: bool = False
    delay: float | None = None
    until: dt.datetime | None = None
    may_retry: bool = True
    sent: bool = True
    param: str | None = None
    missing: str | None = None

    @property
    def failure_class(self) -> FailureClass:
        """What this class means and does."""
        return CLASSES[self.letter]

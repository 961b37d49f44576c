"""The classes of failure and what each of them means, as data.

The engine acts on this table and the documentation is made from it: change it here and
nowhere else. Which answer of which provider is which class stands in ``rules_*.py``.
"""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import types
import typing as t

from .. import errors
from ..config import Policy

#: One class of failure.
Letter = t.Literal["A", "B", "C", "D", "E", "F", "G", "H", "I", "J", "K", "L", "M"]

#: The word people, logs and rows read instead of the letter.
Reason = t.Literal[
    "auth",
    "expired",
    "permission",
    "model",
    "quota",
    "rate_limit",
    "outage",
    "timeout",
    "request",
    "unreadable",
    "state",
    "cancelled",
    "interrupted",
    "our_side",
]

#: What a failure is remembered for: the whole key, or one model of it.
Scope = t.Literal["key", "model"]

#: How the attempt ends in the ledger.
EndState = t.Literal["failed", "unknown", "cancelled"]

_MINUTE: t.Final = 60.0
_HOUR: t.Final = 60 * _MINUTE
_DAY: t.Final = 24 * _HOUR


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class CoolDown:
    """How long a key or model rests, in seconds.

    :param base: the first time.
    :param factor: how much longer each time in a row.
    :param cap: never longer, unless the provider stated a date.
    :param dated_cap: never longer when it did; ``None`` where dates do not count.
    """

    base: float
    factor: float
    cap: float
    dated_cap: float | None = None


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class FailureClass:
    """What one class means and does.

    :param reasons: its words; the first is the usual one.
    :param meaning: one sentence for people who run an app.
    :param error: raised when no route answers; ``None`` when nobody is left to read it.
    :param policies: under which policies the system key answers instead.
    :param scope: what is remembered; ``None`` for nothing at all.
    :param threshold: how many within ``window`` seconds open the circuit.
    :param cool_down: ``None`` where nothing is remembered.
    :param retries: whether the same route may be asked once more after a short delay.
    :param last_resort: whether a key that is out for this alone is tried when there is
        nothing else.
    :param end_state: of the attempt in the ledger; ``None`` when nothing was attempted.
    """

    letter: Letter
    reasons: tuple[Reason, ...]
    meaning: str
    error: type[errors.BYOKError] | None
    policies: frozenset[Policy] = frozenset()
    scope: Scope | None = None
    threshold: int = 1
    window: float | None = None
    cool_down: CoolDown | None = None
    retries: bool = False
    last_resort: bool = False
    end_state: EndState | None = "failed"

    @property
    def reason(self) -> Reason:
        """The usual word of this class."""
        return self.reasons[0]


_AUTO: t.Final = frozenset[Policy]({"auto"})
_OUTAGE: t.Final = frozenset[Policy]({"auto", "outage_only"})
_REJECTED: t.Final = CoolDown(base=15 * _MINUTE, factor=4, cap=_DAY)
_QUOTA: t.Final = CoolDown(base=15 * _MINUTE, factor=2, cap=6 * _HOUR, dated_cap=_DAY)
_BUSY: t.Final = CoolDown(base=20.0, factor=2, cap=10 * _MINUTE)
_TROUBLE: t.Final = CoolDown(base=30.0, factor=2, cap=5 * _MINUTE)
_MODEL: t.Final = CoolDown(base=_HOUR, factor=2, cap=_DAY)

_TABLE: t.Final = (
    FailureClass(
        letter="A",
        reasons=("auth", "expired"),
        meaning="The key is wrong, revoked, expired or its account is dead.",
        error=errors.KeyRejected,
        policies=_AUTO,
        scope="key",
        cool_down=_REJECTED,
    ),
    FailureClass(
        letter="B",
        reasons=("permission",),
        meaning="The key is real but may not do this: scope, address, region, API off.",
        error=errors.KeyForbidden,
        policies=_AUTO,
        scope="key",
        cool_down=_REJECTED,
    ),
    FailureClass(
        letter="M",
        reasons=("model",),
        meaning="This key does not have the model.",
        error=errors.ModelNotFound,
        policies=_AUTO,
        scope="model",
        cool_down=_MODEL,
    ),
    FailureClass(
        letter="C",
        reasons=("quota",),
        meaning="The account has no credit left, or reached a cap or a daily quota.",
        error=errors.QuotaExceeded,
        policies=_AUTO,
        scope="key",
        cool_down=_QUOTA,
    ),
    FailureClass(
        letter="D",
        reasons=("rate_limit",),
        meaning="The provider limits the key for a moment.",
        error=errors.RateLimited,
        policies=_OUTAGE,
        scope="model",
        cool_down=_BUSY,
        retries=True,
    ),
    FailureClass(
        letter="E",
        reasons=("outage",),
        meaning="The provider answered with trouble, or could not be reached.",
        error=errors.ProviderOutage,
        policies=_OUTAGE,
        scope="key",
        threshold=2,
        window=_MINUTE,
        cool_down=_TROUBLE,
        last_resort=True,
    ),
    FailureClass(
        letter="F",
        reasons=("timeout",),
        meaning="The request was sent and no answer came; it may have been billed.",
        error=errors.ProviderTimeout,
        policies=_OUTAGE,
        scope="key",
        threshold=2,
        window=_MINUTE,
        cool_down=_TROUBLE,
        last_resort=True,
        end_state="unknown",
    ),
    FailureClass(
        letter="G",
        reasons=("request",),
        meaning="The request itself was refused; another key would not help.",
        error=errors.RequestRefused,
    ),
    FailureClass(
        letter="H",
        reasons=("unreadable",),
        meaning="The stored key does not open with this process's master keys.",
        error=errors.StoredKeyUnreadable,
        policies=_AUTO,
        end_state=None,
    ),
    FailureClass(
        letter="I",
        reasons=("state",),
        meaning="Our own rows cannot be read, so the company's policy is unknown.",
        error=errors.StateUnavailable,
        end_state=None,
    ),
    FailureClass(
        letter="J",
        reasons=("cancelled",),
        meaning="The caller went away before the answer was complete.",
        error=None,
        end_state="cancelled",
    ),
    FailureClass(
        letter="K",
        reasons=("interrupted",),
        meaning="The stream broke after its first content.",
        error=errors.StreamInterrupted,
        scope="key",
        threshold=2,
        window=_MINUTE,
        cool_down=_TROUBLE,
        last_resort=True,
        end_state="unknown",
    ),
    FailureClass(
        letter="L",
        reasons=("our_side",),
        meaning="A firewall, proxy, certificate, redirect or region closes the way "
        "from this server; no key is the cause.",
        error=errors.OurSideError,
    ),
)

#: Every class by its letter.
CLASSES: t.Final[cabc.Mapping[Letter, FailureClass]] = types.MappingProxyType(
    {entry.letter: entry for entry in _TABLE}
)

_BY_REASON: t.Final[cabc.Mapping[str, FailureClass]] = types.MappingProxyType(
    {reason: entry for entry in _TABLE for reason in entry.reasons}
)


def class_of(reason: str) -> FailureClass:
    """Find the class a stored reason word belongs to.

    :raises KeyError: the word is none of ours.
    """
    return _BY_REASON[reason]

"""How a rule about a provider's error looks, and how one is found.

Rules are data: ordered rows, the first that fits decides. A text is only ever looked
for as a short substring, bound to the statuses where it was seen.
"""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import typing as t

from ..providers.types import Failure
from .reasons import Letter
from .reasons import Reason

#: When a money failure ends by the provider's calendar.
Until = t.Literal["month", "pacific_midnight"]

#: Ways to say that a key is past its date. Each holds a space, so that a key echoed
#: in the message cannot contain it.
EXPIRED_TEXTS: t.Final = ("key expired", "key has expired", "key is expired")


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """One row: fits when every condition it states fits.

    :param statuses: HTTP statuses; ``None`` for any.
    :param words: any of these machine words; a trailing ``*`` stands for any ending.
    :param texts: any of these lower-cased substrings of the message.
    :param has_envelope: only for bodies in the provider's own error shape.
    :param reason: instead of the usual word of the class.
    :param code: our own word for what a text said; else the first word of the
        vocabulary found in the body.
    :param model_scoped: concerns one model of the key, not the key.
    """

    letter: Letter
    statuses: frozenset[int] | None = None
    words: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    has_envelope: bool = False
    reason: Reason | None = None
    code: str | None = None
    model_scoped: bool = False
    ambiguous: bool = False
    until: Until | None = None


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Dialect:
    """The error table of one wire.

    :param codes: the closed vocabulary: only these words may leave the classifier.
    :param word_statuses: the status a word usually comes with; judges errors that
        arrive inside a 200.
    :param read_marks: words of ours for what structured details say.
    """

    rules: tuple[Rule, ...]
    codes: frozenset[str]
    word_statuses: cabc.Mapping[str, int]
    read_marks: cabc.Callable[[Failure], tuple[str, ...]]


class Facts(t.NamedTuple):
    """A failure as the rules look at it.

    :param status: as received; of an error inside a 2xx the one its word stands for,
        if the word is known.
    :param words: marks, then machine words in order of weight, then the type.
    """

    status: int | None
    words: tuple[str, ...]
    text: str
    has_envelope: bool


def read_facts(failure: Failure, dialect: Dialect) -> Facts:
    """Gather what the rules of ``dialect`` look at."""
    said = (*failure.reasons, *([failure.type] if failure.type else ()))
    status = failure.status

    if status is None or 200 <= status < 300:
        status = _status_of(said, dialect) or status

    return Facts(
        status=status,
        words=(*dialect.read_marks(failure), *said),
        text=failure.text,
        has_envelope=failure.has_envelope,
    )


def find_rule(rules: cabc.Iterable[Rule], facts: Facts) -> Rule | None:
    """Pick the first rule that fits."""
    return next((rule for rule in rules if _fits(rule, facts)), None)


def known_code(facts: Facts, dialect: Dialect) -> str | None:
    """Pick the first word of the body that is in our vocabulary."""
    return next((word for word in facts.words if word in dialect.codes), None)


def no_marks(failure: Failure) -> tuple[str, ...]:
    """For dialects whose details say nothing beyond their words."""
    return ()


def _status_of(words: cabc.Iterable[str], dialect: Dialect) -> int | None:
    for word in words:
        if word in dialect.word_statuses:
            return dialect.word_statuses[word]

        # Compatible vendors put the status itself where the code belongs.
        if len(word) == 3 and word.isascii() and word.isdigit() and word[0] in "45":
            return int(word)

    return None


def _fits(rule: Rule, facts: Facts) -> bool:
    if rule.statuses is not None and facts.status not in rule.statuses:
        return False

    if rule.has_envelope and not facts.has_envelope:
        return False

    if rule.words and not any(_names(rule.words, word) for word in facts.words):
        return False

    return not rule.texts or any(text in facts.text for text in rule.texts)


def _names(patterns: cabc.Iterable[str], word: str) -> bool:
    return any(
        word.startswith(pattern[:-1]) if pattern.endswith("*") else word == pattern
        for pattern in patterns
    )

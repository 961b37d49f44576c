"""What the requests of a check say together: one verdict, and a grade for each part.

Pure: nothing is asked here.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ..failover.verdict import Verdict as FailureVerdict
from ..providers.types import ChatAnswer
from ..providers.types import FailureKind
from ..providers.types import ModelInfo
from .types import Grade
from .types import Verdict

T = t.TypeVar("T")

#: Failures after which nothing further can be asked.
_NO_WAY: t.Final = ("unreached", "tls", "redirect", "not_sendable")


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Step(t.Generic[T]):
    """What one request of a check brought: a value, or why there is none.

    :param is_vague: the provider is busy, and does not say for whom.
    :param is_skipped: it was not made, since its answer would prove nothing.
    """

    value: T | None = None
    failure: FailureVerdict | None = None
    kind: FailureKind | None = None
    latency_ms: int | None = None
    is_vague: bool = False
    is_skipped: bool = False

    @property
    def has_proved(self) -> bool:
        """Whether the provider was asked, and gave what it was asked for."""
        return self.failure is None and not self.is_skipped

    @property
    def letter(self) -> str | None:
        """The class of its failure; ``None`` when it has not failed."""
        return None if self.failure is None else self.failure.letter

    @property
    def ends_the_check(self) -> bool:
        """Whether a rejected key, or no way to the provider, makes more needless."""
        return self.letter == "A" or self.kind in _NO_WAY


class Steps(t.NamedTuple):
    """The requests of one check.

    :param listed: the list of models.
    :param generated: a generation with the model; ``None`` after a list that ended the
        check.
    :param other: one with another model, where the first blamed the model.
    """

    listed: Step[tuple[ModelInfo, ...]]
    generated: Step[ChatAnswer] | None = None
    other: Step[ChatAnswer] | None = None

    @property
    def answered(self) -> Step[ChatAnswer] | None:
        """The generation that brought an answer; ``None`` when none did."""
        for step in (self.generated, self.other):
            if step is not None and step.failure is None:
                return step

        return None

    @property
    def failure(self) -> FailureVerdict | None:
        """The failure a person should read about."""
        told = self.listed if self.generated is None else self.generated
        return told.failure

    @property
    def verdict(self) -> Verdict:
        """The whole in a word. Only the provider's clear no is ``rejected``."""
        if self.generated is None:
            return "rejected" if self.listed.letter == "A" else "could_not_ask"

        if self.answered is not None:
            return "working" if self.answered is self.generated else "other_model"

        letter = self.generated.letter

        if letter == "A":
            return "rejected"

        if letter in ("B", "C", "M"):
            return "not_usable"

        is_known = self._is_key_known and not self.generated.is_vague
        return "not_usable" if letter == "D" and is_known else "could_not_ask"

    @property
    def key_grade(self) -> Grade:
        """Whether the provider accepts the key."""
        if self.generated is None:
            return "fail" if self.listed.letter == "A" else "unknown"

        letter = self.generated.letter

        if letter == "A":
            return "fail"

        if self.listed.has_proved or self.answered is not None or letter in ("B", "C"):
            return "pass"

        return "pass" if letter == "D" and self._is_key_known else "unknown"

    @property
    def list_grade(self) -> Grade:
        """Whether the key may list models."""
        if self.listed.is_skipped:
            return "unknown"

        if self.listed.failure is None:
            return "pass"

        return "remark" if self.listed.letter == "B" else "unknown"

    @property
    def generate_grade(self) -> Grade:
        """Whether the key may generate with the model."""
        if self.generated is None:
            return "unknown"

        if self.generated.failure is None:
            return "pass"

        if self.generated.letter in ("C", "D"):
            return "remark"

        return "fail" if self.generated.letter in ("A", "B", "M") else "unknown"

    @property
    def _is_key_known(self) -> bool:
        """Whether the provider showed that it accepts the key, busy or not."""
        if self.listed.has_proved:
            return True

        failure = None if self.generated is None else self.generated.failure
        return failure is not None and failure.letter == "D" and bool(failure.code)

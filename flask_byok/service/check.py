"""Asks a provider whether a key works: list, then a tiny generation, then judge.

At most three requests under one deadline, never a retry, and nothing of the company is
sent: a fixed prompt and a cap of 16 tokens. A list that everybody may read is not asked
for.
"""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import datetime as dt
import time
import typing as t

from ..failover.classify import classify
from ..failover.classify import Verdict as FailureVerdict
from ..providers.base import Provider
from ..providers.base import undated
from ..providers.http import Deadline
from ..providers.http import Sender
from ..providers.types import AttemptFailed
from ..providers.types import ChatAnswer
from ..providers.types import FailureKind
from ..providers.types import ModelInfo
from ..secret import Secret
from .endings import find_end
from .endings import read_facts
from .endings import warn_of_end
from .types import ConnectionReport
from .types import Grade
from .types import Verdict

#: Seconds a whole check may take, whatever ``BYOK_TIMEOUT`` allows.
LONGEST_CHECK: t.Final = 10.0

#: How much of the time the list may use, so that the generation is still tried.
LIST_SHARE: t.Final = 0.5

#: Model ids kept of a list.
MOST_MODELS: t.Final = 500

#: Failures after which nothing further can be asked.
_NO_WAY: t.Final = ("unreached", "tls", "redirect", "not_sendable")

_T = t.TypeVar("_T")


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class _Step(t.Generic[_T]):
    """What one request of a check brought: a value, or why there is none."""

    value: _T | None = None
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
        return None if self.failure is None else self.failure.letter


class Checker:
    """Checks keys for one app."""

    def __init__(self, sender: Sender, *, timeout: float, latency_limit: float) -> None:
        self._sender = sender
        self._seconds = min(timeout, LONGEST_CHECK)
        self._limit_ms = round(latency_limit * 1000)

    def check(
        self, provider: Provider, api_key: Secret, *, model: str
    ) -> ConnectionReport:
        """Ask ``provider`` about ``api_key``; nothing is stored.

        :param model: the model the app would use with this key.
        """
        deadline = Deadline(self._seconds)
        listed: _Step[tuple[ModelInfo, ...]] = _Step(is_skipped=True)

        if provider.list_proves:
            listed = self._list(provider, api_key, deadline)

        if _ends_the_check(listed):
            return self._report(provider, model, listed, None, None)

        generated = self._generate(provider, api_key, model, deadline)
        other = None

        if _blames_the_model(generated, provider):
            other_model = _another_model(provider, model, listed.value)

            if other_model is not None:
                other = self._generate(provider, api_key, other_model, deadline)

        return self._report(provider, model, listed, generated, other)

    def _list(
        self, provider: Provider, api_key: Secret, deadline: Deadline
    ) -> _Step[tuple[ModelInfo, ...]]:
        share = deadline.share(LIST_SHARE)
        return _step(
            provider,
            lambda: provider.models(
                self._sender, api_key=api_key, deadline=share, pages=1
            ),
        )

    def _generate(
        self, provider: Provider, api_key: Secret, model: str, deadline: Deadline
    ) -> _Step[ChatAnswer]:
        return _step(
            provider,
            lambda: provider.probe(
                self._sender, model=model, api_key=api_key, deadline=deadline
            ),
        )

    def _report(
        self,
        provider: Provider,
        model: str,
        listed: _Step[tuple[ModelInfo, ...]],
        generated: _Step[ChatAnswer] | None,
        other: _Step[ChatAnswer] | None,
    ) -> ConnectionReport:
        answered = _answered(generated, other)
        failure = _telling_failure(listed, generated, other)
        answer = None if answered is None else answered.value
        models = _in_order(listed.value)
        ends_on = find_end(provider, model, models)
        warn_of_end(provider, model, ends_on)
        return ConnectionReport(
            provider=provider.id,
            verdict=judge(listed, generated, other),
            key=_grade_key(listed, generated, other),
            latency=self._grade_latency(answered),
            list=_grade_list(listed),
            generate=_grade_generate(generated),
            limit_ms=self._limit_ms,
            model=model,
            tested_at=dt.datetime.now(dt.timezone.utc),
            latency_ms=None if answered is None else answered.latency_ms,
            answered_model=_answered_model(answer, model, other),
            models=tuple(info.id[:200] for info in models),
            model_facts=read_facts(provider, models),
            model_shuts_down_on=ends_on,
            list_asked=not listed.is_skipped,
            missing=None if failure is None else failure.missing,
            reason=None if failure is None else failure.reason,
            code=None if failure is None else failure.code,
            status=None if failure is None else failure.status,
            until=None if failure is None else failure.until,
            request_id=_request_id(answer, failure),
            tokens=_tokens(answer),
        )

    def _grade_latency(self, answered: _Step[ChatAnswer] | None) -> Grade:
        if answered is None or answered.latency_ms is None:
            return "unknown"

        return "pass" if answered.latency_ms <= self._limit_ms else "remark"


def _step(provider: Provider, ask: cabc.Callable[[], _T]) -> _Step[_T]:
    begun = time.perf_counter()

    try:
        value = ask()
    except AttemptFailed as error:
        failure = error.failure
    else:
        latency_ms = round((time.perf_counter() - begun) * 1000)
        return _Step(value=value, latency_ms=latency_ms)

    now = dt.datetime.now(dt.timezone.utc)
    verdict = classify(failure, dialect=provider.error_table, now=now)
    # Without details it may be the capacity all customers share.
    is_vague = provider.dialect == "GEMINI" and verdict.letter == "D"
    return _Step(
        failure=verdict, kind=failure.kind, is_vague=is_vague and verdict.code is None
    )


def judge(
    listed: _Step[tuple[ModelInfo, ...]],
    generated: _Step[ChatAnswer] | None,
    other: _Step[ChatAnswer] | None,
) -> Verdict:
    """Turn the steps into one verdict. Only the provider's clear no is ``rejected``."""
    if generated is None:
        return "rejected" if listed.letter == "A" else "could_not_ask"

    if generated.failure is None:
        return "working"

    if other is not None and other.failure is None:
        return "other_model"

    letter = generated.letter

    if letter == "A":
        return "rejected"

    if letter in ("B", "C", "M"):
        return "not_usable"

    if letter == "D" and not generated.is_vague and _knows_the_key(listed, generated):
        return "not_usable"

    return "could_not_ask"


def _ends_the_check(listed: _Step[t.Any]) -> bool:
    """Only a rejected key, or no way to the provider, makes the generation needless."""
    return listed.letter == "A" or listed.kind in _NO_WAY


def _blames_the_model(generated: _Step[ChatAnswer], provider: Provider) -> bool:
    failure = generated.failure

    if failure is None:
        return False

    # GEMINI's bare 403 often concerns one model alone.
    bare = failure.letter == "B" and failure.model_scoped
    return failure.letter == "M" or (bare and provider.dialect == "GEMINI")


def _another_model(
    provider: Provider, model: str, listed: tuple[ModelInfo, ...] | None
) -> str | None:
    known = None if listed is None else {info.id for info in listed}
    fast = provider.default_models.get("fast")
    fits = known is None or fast in known

    if fast is not None and fast != model and fits:
        return fast

    for info in listed or ():
        if "chat" in info.kinds and info.id != model:
            return info.id

    return None


def _answered(
    generated: _Step[ChatAnswer] | None, other: _Step[ChatAnswer] | None
) -> _Step[ChatAnswer] | None:
    for step in (generated, other):
        if step is not None and step.failure is None:
            return step

    return None


def _answered_model(
    answer: ChatAnswer | None, model: str, other: _Step[ChatAnswer] | None
) -> str | None:
    if answer is None or answer.model == model:
        return None

    # A name may stand for the newest of its dated models; that is the same model.
    is_same = undated(answer.model) == undated(model)
    return None if other is None and is_same else answer.model


def _telling_failure(
    listed: _Step[t.Any], generated: _Step[t.Any] | None, other: _Step[t.Any] | None
) -> FailureVerdict | None:
    """Pick the failure a person should read about."""
    if generated is None:
        return listed.failure

    if generated.failure is not None:
        return generated.failure

    return None


def _knows_the_key(listed: _Step[t.Any], generated: _Step[t.Any] | None) -> bool:
    """Tell whether the provider showed that it accepts the key, busy or not."""
    if listed.has_proved:
        return True

    failure = None if generated is None else generated.failure
    return failure is not None and failure.letter == "D" and failure.code is not None


def _grade_key(
    listed: _Step[t.Any], generated: _Step[t.Any] | None, other: _Step[t.Any] | None
) -> Grade:
    steps = [step for step in (listed, generated, other) if step is not None]

    if generated is None or generated.letter == "A":
        return "fail" if "A" in [step.letter for step in steps] else "unknown"

    if any(step.has_proved for step in steps):
        return "pass"

    if generated.letter in ("B", "C"):
        return "pass"

    if generated.letter == "D" and _knows_the_key(listed, generated):
        return "pass"

    return "unknown"


def _grade_list(listed: _Step[t.Any]) -> Grade:
    if listed.is_skipped:
        return "unknown"

    if listed.failure is None:
        return "pass"

    return "remark" if listed.letter == "B" else "unknown"


def _grade_generate(generated: _Step[t.Any] | None) -> Grade:
    if generated is None:
        return "unknown"

    if generated.failure is None:
        return "pass"

    if generated.letter in ("C", "D"):
        return "remark"

    return "fail" if generated.letter in ("A", "B", "M") else "unknown"


def _in_order(listed: tuple[ModelInfo, ...] | None) -> list[ModelInfo]:
    """Put chat models first, keep their order, cut what is too much for a page."""
    found = sorted(listed or (), key=lambda info: "chat" not in info.kinds)
    return found[:MOST_MODELS]


def _request_id(
    answer: ChatAnswer | None, failure: FailureVerdict | None
) -> str | None:
    if answer is not None:
        return answer.request_id

    return None if failure is None else failure.request_id


def _tokens(answer: ChatAnswer | None) -> int | None:
    if answer is None or answer.usage.input_tokens is None:
        return None

    return answer.usage.input_tokens + (answer.usage.output_tokens or 0)

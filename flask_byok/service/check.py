"""Asks a provider whether a key works: list, then a tiny generation, then judge.

At most three requests under one deadline, never a retry, and nothing of the company is
sent: a fixed prompt and a cap of 16 tokens. A list that everybody may read is not asked
for.
"""

from __future__ import annotations

import collections.abc as cabc
import datetime as dt
import time
import typing as t

from ..failover.classify import classify
from ..failover.verdict import Verdict as FailureVerdict
from ..providers.base import Provider
from ..providers.base import undated
from ..providers.http import Deadline
from ..providers.http import Sender
from ..providers.types import AttemptFailed
from ..providers.types import ChatAnswer
from ..providers.types import ModelInfo
from ..secret import Secret
from .endings import find_end
from .endings import read_facts
from .endings import warn_of_end
from .grading import Step
from .grading import Steps
from .types import ConnectionReport
from .types import Grade

#: Seconds a whole check may take, whatever ``BYOK_TIMEOUT`` allows.
LONGEST_CHECK: t.Final = 10.0

#: How much of the time the list may use, so that the generation is still tried.
LIST_SHARE: t.Final = 0.5

#: Model ids kept of a list.
MOST_MODELS: t.Final = 500

_T = t.TypeVar("_T")


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
        listed: Step[tuple[ModelInfo, ...]] = Step(is_skipped=True)

        if provider.list_proves:
            listed = self._list(provider, api_key, deadline)

        if listed.ends_the_check:
            return self._report(provider, model, Steps(listed))

        generated = self._generate(provider, api_key, model, deadline)
        other = None

        if _blames_the_model(generated, provider):
            other_model = _another_model(provider, model, listed.value)

            if other_model is not None:
                other = self._generate(provider, api_key, other_model, deadline)

        return self._report(provider, model, Steps(listed, generated, other))

    def _list(
        self, provider: Provider, api_key: Secret, deadline: Deadline
    ) -> Step[tuple[ModelInfo, ...]]:
        share = deadline.share(LIST_SHARE)
        return _step(
            provider,
            lambda: provider.models(
                self._sender, api_key=api_key, deadline=share, pages=1
            ),
        )

    def _generate(
        self, provider: Provider, api_key: Secret, model: str, deadline: Deadline
    ) -> Step[ChatAnswer]:
        return _step(
            provider,
            lambda: provider.probe(
                self._sender, model=model, api_key=api_key, deadline=deadline
            ),
        )

    def _report(self, provider: Provider, model: str, steps: Steps) -> ConnectionReport:
        answered, failure = steps.answered, steps.failure
        answer = None if answered is None else answered.value
        models = _in_order(steps.listed.value)
        ends_on = find_end(provider, model, models)
        warn_of_end(provider, model, ends_on)
        return ConnectionReport(
            provider=provider.id,
            verdict=steps.verdict,
            key=steps.key_grade,
            latency=self._grade_latency(answered),
            list=steps.list_grade,
            generate=steps.generate_grade,
            limit_ms=self._limit_ms,
            model=model,
            tested_at=dt.datetime.now(dt.timezone.utc),
            latency_ms=None if answered is None else answered.latency_ms,
            answered_model=_answered_model(answer, model, steps),
            models=tuple(info.id[:200] for info in models),
            model_facts=read_facts(provider, models),
            model_shuts_down_on=ends_on,
            list_asked=not steps.listed.is_skipped,
            missing=None if failure is None else failure.missing,
            reason=None if failure is None else failure.reason,
            code=None if failure is None else failure.code,
            status=None if failure is None else failure.status,
            until=None if failure is None else failure.until,
            request_id=_request_id(answer, failure),
            tokens=_tokens(answer),
        )

    def _grade_latency(self, answered: Step[ChatAnswer] | None) -> Grade:
        if answered is None or answered.latency_ms is None:
            return "unknown"

        return "pass" if answered.latency_ms <= self._limit_ms else "remark"


def _step(provider: Provider, ask: cabc.Callable[[], _T]) -> Step[_T]:
    begun = time.perf_counter()

    try:
        value = ask()
    except AttemptFailed as error:
        failure = error.failure
    else:
        latency_ms = round((time.perf_counter() - begun) * 1000)
        return Step(value=value, latency_ms=latency_ms)

    now = dt.datetime.now(dt.timezone.utc)
    verdict = classify(failure, dialect=provider.error_table, now=now)
    # Without details it may be the capacity all customers share.
    is_vague = provider.dialect == "GEMINI" and verdict.letter == "D"
    return Step(
        failure=verdict, kind=failure.kind, is_vague=is_vague and verdict.code is None
    )


def _blames_the_model(generated: Step[ChatAnswer], provider: Provider) -> bool:
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


def _answered_model(answer: ChatAnswer | None, model: str, steps: Steps) -> str | None:
    if answer is None or answer.model == model:
        return None

    # A name may stand for the newest of its dated models; that is the same model.
    is_same = undated(answer.model) == undated(model)
    return None if steps.other is None and is_same else answer.model


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

"""From a verdict to the error a caller sees: fixed sentences, no provider text."""

from __future__ import annotations

import collections.abc as cabc
import typing as t

from ..errors import ProviderError
from ..errors import StreamInterrupted
from ..providers.types import Attempt
from ..providers.types import Usage
from .reasons import CLASSES
from .routes import Route
from .verdict import Verdict

_SENTENCES: t.Final[cabc.Mapping[str, str]] = {
    "A": "{provider} rejected the {source} key",
    "B": "{provider} does not permit this with the {source} key",
    "M": "{provider} has no such model for the {source} key",
    "C": "The account behind the {source} key of {provider} is out of credit or at "
    "its limit",
    "D": "{provider} limits the {source} key for a moment",
    "E": "{provider} could not answer the request on the {source} key",
    "F": "{provider} did not answer in time on the {source} key; the request may have "
    "been billed",
    "G": "{provider} refused the request itself; another key would not help",
    "L": "The way from this server to {provider} is closed; no key is the cause",
    "K": "The stream of {provider} broke after its first content",
}


def build_error(
    verdict: Verdict,
    route: Route,
    attempts: cabc.Sequence[Attempt],
    *,
    timeout: float | None = None,
) -> ProviderError:
    """Make the error of one failed attempt.

    :param timeout: seconds of the whole call, named where they were used up.
    """
    error_class = t.cast("type[ProviderError]", CLASSES[verdict.letter].error)
    return error_class(
        build_message(verdict, route, timeout if verdict.letter == "F" else None),
        provider=route.provider.id,
        source=route.source,
        reason=verdict.reason,
        status=verdict.status,
        code=verdict.code,
        request_id=verdict.request_id,
        retry_after=verdict.delay,
        attempts=attempts,
    )


def build_interruption(
    verdict: Verdict,
    route: Route,
    attempts: cabc.Sequence[Attempt],
    *,
    partial: str,
    usage: Usage | None,
) -> StreamInterrupted:
    """Make the error of a stream that broke after its first content.

    :param partial: the text that came before.
    :param usage: the last that the provider stated; ``None`` when it stated none.
    """
    return StreamInterrupted(
        build_message(verdict, route),
        partial=partial,
        usage=usage,
        provider=route.provider.id,
        source=route.source,
        reason=verdict.reason,
        status=verdict.status,
        code=verdict.code,
        request_id=verdict.request_id,
        attempts=attempts,
    )


def build_message(verdict: Verdict, route: Route, timeout: float | None = None) -> str:
    """Say in a sentence of ours what happened, with status, code and deadline."""
    sentence = _SENTENCES[verdict.letter].format(
        provider=route.provider.label, source=route.source
    )
    facts = [
        *([f"status {verdict.status}"] if verdict.status is not None else []),
        *([verdict.code] if verdict.code is not None else []),
        *([f"deadline of the call: {timeout:g} s"] if timeout is not None else []),
    ]
    return f"{sentence} ({', '.join(facts)})." if facts else f"{sentence}."

"""Reads what lists of models say about a model, whichever vendor's words they use.

A field that is missing, or of another type, says nothing.
"""

from __future__ import annotations

import collections.abc as cabc
import datetime as dt
import re
import typing as t

from .payloads import Json
from .payloads import read_count
from .payloads import read_object
from .payloads import read_text
from .types import ModelInfo
from .wire import IdCleaner

#: CLAUDE's names of abilities, and ours.
_CLAUDE_CAN: t.Final = {
    "image_input": "vision",
    "pdf_input": "documents",
    "structured_outputs": "schema",
    "thinking": "reasoning",
}
#: Flags in ``capabilities``, and names in ``supported_parameters`` and
#: ``input_modalities``, of compatible vendors.
_FLAGS: t.Final = {"vision": "vision", "function_calling": "tools"}
_PARAMETERS: t.Final = {
    "tools": "tools",
    "structured_outputs": "schema",
    "reasoning": "reasoning",
}
_MODALITIES: t.Final = {"image": "vision", "file": "documents"}

_INPUT_LIMITS: t.Final = (
    "context_length",
    "context_window",
    "max_context_length",
    "max_model_len",
)
_ENDS: t.Final = ("shutdown_date", "deprecation", "expiration_date")
_TYPES: t.Final = {"chat": "chat", "language": "chat", "embedding": "embed"}
_EMBEDS: t.Final = re.compile(r"embed", re.IGNORECASE)
_OTHER: t.Final = re.compile(
    r"whisper|tts|audio|transcri|image|diffusion|moderation|guard|rerank|ocr",
    re.IGNORECASE,
)


def read_pages(
    ask: cabc.Callable[[cabc.Mapping[str, str]], Json],
    find_next: cabc.Callable[[Json], cabc.Mapping[str, str]],
    pages: int,
) -> cabc.Iterator[Json]:
    """Give a list page by page, up to its end.

    :param ask: gives the page behind a mark, the first one without any.
    :param find_next: reads off a page the mark of the next; empty on the last.
    :param pages: read at most so many.
    """
    mark: cabc.Mapping[str, str] = {}

    for _ in range(pages):
        page = ask(mark)
        yield page
        following = find_next(page)

        # A page that points at itself would be read until the limit.
        if not following or following == mark:
            return

        mark = following


def collect_models(found: cabc.Iterable[ModelInfo | None]) -> tuple[ModelInfo, ...]:
    """Give each model once, in the order of the list."""
    by_id = {info.id: info for info in found if info is not None}
    return tuple(by_id.values())


def read_day(value: object) -> dt.date | None:
    """Read a day, or the day of a time, in UTC, from ISO text or seconds.

    :return: ``None`` when it is neither.
    """
    try:
        if type(value) is int and value > 0:
            return dt.datetime.fromtimestamp(value, dt.timezone.utc).date()

        return dt.date.fromisoformat(read_text(value)[:10])
    except (ValueError, OverflowError, OSError):
        return None


def read_claude_model(entry: Json, cleaner: IdCleaner) -> ModelInfo | None:
    """Read one of CLAUDE's; ``None`` without a usable id, or when it is retired."""
    model = cleaner.listed_model(entry.get("id"))
    lifecycle = entry.get("lifecycle")
    stages = (lifecycle, read_object(lifecycle).get("status"))

    if model is None or "retired" in stages:
        return None

    capabilities = read_object(entry.get("capabilities"))
    return ModelInfo(
        id=model,
        label=cleaner.label(entry.get("display_name")),
        can=frozenset(
            ours
            for theirs, ours in _CLAUDE_CAN.items()
            if read_object(capabilities.get(theirs)).get("supported") is True
        ),
        shuts_down_on=read_day(entry.get("retires_at")),
        input_limit=read_count(entry.get("max_input_tokens")),
        output_limit=read_count(entry.get("max_tokens")),
    )


def read_gemini_model(entry: Json, cleaner: IdCleaner) -> ModelInfo | None:
    """Read one of GEMINI's; ``None`` without a usable id."""
    model = cleaner.listed_model(read_text(entry.get("name")).removeprefix("models/"))

    if model is None:
        return None

    methods = entry.get("supportedGenerationMethods")
    kinds = set()

    if isinstance(methods, list):
        if "generateContent" in methods and not _speaks_or_draws(model):
            kinds.add("chat")

        if "embedContent" in methods:
            kinds.add("embed")

    return ModelInfo(
        id=model,
        label=cleaner.label(entry.get("displayName")),
        kinds=frozenset(kinds or {"other"}),
        can=frozenset({"reasoning"} if entry.get("thinking") is True else ()),
        input_limit=read_count(entry.get("inputTokenLimit")),
        output_limit=read_count(entry.get("outputTokenLimit")),
    )


def read_compatible_model(entry: Json, cleaner: IdCleaner) -> ModelInfo | None:
    """Read one of a compatible vendor's; ``None`` without a usable id, or when off."""
    model = cleaner.listed_model(entry.get("id"))

    if model is None or entry.get("active") is False:
        return None

    return ModelInfo(
        id=model,
        label=cleaner.label(entry.get("display_name") or entry.get("name")),
        kinds=frozenset({_compatible_kind(model, entry)}),
        can=frozenset(_compatible_abilities(entry)),
        shuts_down_on=_first(read_day(entry.get(name)) for name in _ENDS),
        input_limit=_first(read_count(entry.get(name)) for name in _INPUT_LIMITS),
        output_limit=read_count(entry.get("max_completion_tokens")),
    )


def _compatible_kind(model: str, entry: Json) -> str:
    told = entry.get("type")

    if isinstance(told, str) and told != "model":
        return _TYPES.get(told, "other")

    chats = read_object(entry.get("capabilities")).get("completion_chat")

    if chats is True:
        return "chat"

    if _EMBEDS.search(model):
        return "embed"

    return "other" if chats is False or _OTHER.search(model) else "chat"


def _compatible_abilities(entry: Json) -> cabc.Iterator[str]:
    capabilities = read_object(entry.get("capabilities"))
    architecture = read_object(entry.get("architecture"))

    for theirs, ours in _FLAGS.items():
        if capabilities.get(theirs) is True:
            yield ours

    for theirs, ours in _PARAMETERS.items():
        if theirs in _names(entry.get("supported_parameters")):
            yield ours

    for theirs, ours in _MODALITIES.items():
        if theirs in _names(architecture.get("input_modalities")):
            yield ours


def _names(value: object) -> list[object]:
    return value if isinstance(value, list) else []


_T = t.TypeVar("_T")


def _first(values: cabc.Iterable[_T | None]) -> _T | None:
    return next((value for value in values if value is not None), None)


def _speaks_or_draws(model: str) -> bool:
    return "-tts" in model or "-image" in model

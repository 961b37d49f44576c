"""The models the simulated providers have."""

from __future__ import annotations

import collections.abc as cabc
import re

OPENAI_MODELS = (
    "gpt-6-astra",
    "gpt-6.2-sol",
    "gpt-6.1-sol",
    "gpt-6-sol",
    "gpt-6.1-terra",
    "gpt-6-luna",
    "gpt-5.6-sol",
    "gpt-5.6-luna",
    "gpt-5.5",
    "gpt-5.2",
    "gpt-5-nano",
    "gpt-4.1",
    "gpt-4.1-mini",
    "gpt-4o",
    "gpt-4o-mini",
    "text-embedding-3-small",
    "text-embedding-3-large",
    "omni-moderation-latest",
    "gpt-image-2",
)
CLAUDE_MODELS = (
    "claude-opus-5-5",
    "claude-sonnet-5-5",
    "claude-haiku-5-5",
    "claude-fable-5-2",
    "claude-mythos-5-2",
    "claude-opus-5",
    "claude-sonnet-5",
    "claude-haiku-4-5",
    "claude-sonnet-4-5",
)
GEMINI_MODELS = (
    "gemini-4-argon",
    "gemini-4-carbon",
    "gemini-4-hydrogen",
    "gemini-3.8-flash",
    "gemini-3.5-flash",
    "gemini-3.5-flash-lite",
    "gemini-3.1-flash-lite",
    "gemini-2.5-pro",
    "gemini-2.5-flash",
    "gemini-2.5-flash-lite",
    "gemini-3.8-flash-tts",
    "gemini-3.1-flash-image",
    "gemini-embedding-2",
    "gemini-embedding-001",
)

MODELS: cabc.Mapping[str, tuple[str, ...]] = {
    "OPENAI": OPENAI_MODELS,
    "CLAUDE": CLAUDE_MODELS,
    "GEMINI": GEMINI_MODELS,
}

#: The days on which lists say that models end; as of 2026-11-23.
SHUTDOWNS: cabc.Mapping[str, str] = {
    "gpt-5-nano": "2026-12-11",
    "gpt-4.1": "2027-01-14",
    "gpt-4.1-mini": "2027-01-14",
    "gpt-4o": "2027-01-14",
    "gpt-4o-mini": "2027-01-14",
    "claude-sonnet-4-5": "2026-11-30",
}

_DATED = re.compile(r"-(\d{8}|\d{4}-\d{2}-\d{2}|latest)$")

#: A model of this form chooses a fault; see :mod:`flask_byok.testing.faults`.
FAULT_PREFIX = "fault-"


def knows_model(provider: str, model: str) -> bool:
    """Tell whether a provider has a model; dated names of a known one count."""
    if model.startswith(FAULT_PREFIX):
        return True

    return _DATED.sub("", model) in MODELS[provider]

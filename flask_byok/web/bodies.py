"""Reads the JSON bodies of the API: strict objects, known fields, no duplicates."""

from __future__ import annotations

import collections.abc as cabc
import datetime as dt
import json
import re
import typing as t

from flask import request

from .forms import is_model_name
from .forms import looks_like_key
from .guard import Refused

if t.TYPE_CHECKING:
    from ..providers.registry import Registry
from ..secret import Secret

#: By field of a body: the types it may have, besides being absent.
Fields: t.TypeAlias = "cabc.Mapping[str, tuple[type, ...]]"

CREDENTIAL_FIELDS: t.Final[Fields] = {
    "api_key": (str,),
    "model": (str, type(None)),
    "expires_on": (str, type(None)),
    "activate": (bool,),
    "generation": (int,),
    "confirm": (str,),
}

#: What a save needs at least one of; the other fields go with these.
_WISHES: t.Final = ("api_key", "model", "expires_on")

POLICY_FIELDS: t.Final[Fields] = {
    "fallback": (str,),
    "active_provider": (str,),
    "use_other_keys": (bool,),
}


class Unusable(Exception):
    """A field is understood and its value cannot be used."""

    def __init__(self, field: str, detail: str) -> None:
        super().__init__(field)
        #: Which field.
        self.field = field
        #: A sentence of ours; never the value.
        self.detail = detail


def read_body(fields: Fields, *, may_be_empty: bool = False) -> dict[str, t.Any]:
    """Read the body as one object with no other fields than these.

    :raises Refused: ``wrong-type`` or ``bad-request``; nothing of the body is repeated.
    """
    # What is stated, not what is left: a form was read before, for its token.
    if may_be_empty and not request.content_length:
        return {}

    if request.mimetype != "application/json":
        raise Refused("wrong-type")

    parsed = _parse(request.get_data())

    if not isinstance(parsed, dict) or not _fits(parsed, fields):
        names = ", ".join(fields)
        detail = f"Send one JSON object with these fields, as documented: {names}."
        raise Refused("bad-request", detail=detail)

    # From here on no frame holds it as plain text.
    if "api_key" in parsed:
        parsed["api_key"] = Secret(parsed["api_key"])

    return parsed


def _parse(body: bytes) -> object:
    """Parse the body; ``None`` when it is not JSON or names a field twice."""
    try:
        return json.loads(
            body.decode("utf-8"),
            object_pairs_hook=_object,
            parse_constant=_refuse_constant,
        )
    except (RecursionError, ValueError):
        return None


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)

    if len(found) != len(pairs):
        raise ValueError("a field stands twice")

    return found


def _refuse_constant(name: str) -> t.NoReturn:
    raise ValueError("not a number of JSON")


def _fits(parsed: cabc.Mapping[str, object], fields: Fields) -> bool:
    for name, value in parsed.items():
        if name not in fields:
            return False

        # True is an int in Python, and not in JSON.
        if type(value) not in fields[name]:
            return False

    return True


def asks_for_something(body: cabc.Mapping[str, t.Any]) -> bool:
    """Tell whether a save would store or change anything."""
    return any(name in body for name in _WISHES)


def read_generation(body: cabc.Mapping[str, t.Any]) -> int | None:
    """Read the generation the caller looked at; 0 stands for no key."""
    generation: int | None = body.get("generation")

    if generation is not None and generation < 0:
        raise Unusable("generation", "Send 0 or more.")

    return generation


def read_model(text: str | None, registry: Registry) -> str | None:
    """Read the model; ``None`` for the choice of the app."""
    model = (text or "").strip()

    if model and not is_model_name(model):
        raise Unusable(
            "model", "A model's name is at most 200 visible ASCII characters."
        )

    if looks_like_key(model, registry):
        raise Unusable("model", "This looks like an API key.")

    return model or None


def read_expiry(body: cabc.Mapping[str, t.Any], today: dt.date) -> dt.date | None:
    """Read the date on which the key expires; ``None`` for unknown."""
    text = body.get("expires_on")

    if not text:
        return None

    date = None

    try:
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text, re.ASCII):
            date = dt.date.fromisoformat(text)
    except ValueError:
        date = None

    if date is None or date <= today:
        raise Unusable("expires_on", "Give a date after today as YYYY-MM-DD, or null.")

    return date

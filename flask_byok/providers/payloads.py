"""JSON in and out: requests encoded, and what another party wrote read strictly."""

from __future__ import annotations

import codecs
import collections.abc as cabc
import json
import math
import re
import typing as t

from .types import AttemptFailed
from .types import Failure
from .types import FinishReason

Json = cabc.Mapping[str, t.Any]

#: Lists and objects, and commas, in one text of more than a mebibyte. A dense text
#: takes thirty times its size to decode. Vectors have the most commas: 2,048 of 1,536
#: numbers.
MOST_NESTED = 500_000
MOST_COMMAS = 4_000_000
_LARGE = 1024 * 1024

#: No answer counts more tokens; a larger number is none, and fits no column.
MOST_TOKENS = 10**12


def encode_json(body: Json) -> bytes:
    """Encode a request.

    :raises AttemptFailed: of kind ``not_sendable``, when it holds what JSON cannot.
    """
    text: str | None = None

    try:
        text = _encoder.encode(body)
    except (TypeError, ValueError, RecursionError):
        pass

    if text is None:
        raise AttemptFailed(
            Failure(kind="not_sendable", reasons=("request",), sent=False)
        )

    return text.encode("ascii")


def _refuse_constant(name: str) -> t.NoReturn:
    raise ValueError(name)


_encoder = json.JSONEncoder(allow_nan=False, separators=(",", ":"))
_decoder = json.JSONDecoder(parse_constant=_refuse_constant)
#: What JSON lets stand around a value.
_BLANKS = " \t\n\r"
# Half of a character, written as an escape. Without its other half it is no text: no
# page, column or wire takes it.
_HALF = re.compile(r"\\u[dD][89a-fA-F]")


def decode_json(text: str | bytes) -> t.Any:
    """Decode JSON of another party's making, strictly.

    :return: ``None`` when it is none; nesting too deep or too dense, ``NaN`` and bad
        UTF-8 included.
    """
    try:
        if isinstance(text, bytes):
            text = text.removeprefix(codecs.BOM_UTF8).decode()

        if len(text) > _LARGE and _is_dense(text):
            return None

        text = text.strip(_BLANKS)
        value, end = _decoder.raw_decode(text)

        if end < len(text):
            return None

        return _mend(value) if "\\u" in text and _HALF.search(text) else value
    except (ValueError, RecursionError):
        return None


def _is_dense(text: str) -> bool:
    nested = text.count("[") + text.count("{")
    return nested > MOST_NESTED or text.count(",") > MOST_COMMAS


def _mend(value: t.Any) -> t.Any:
    """Put the sign for a lost character in the place of each half of one."""
    if isinstance(value, str):
        halves = value.encode("utf-16-le", "surrogatepass")
        return halves.decode("utf-16-le", "replace")

    if isinstance(value, list):
        return [_mend(entry) for entry in value]

    if isinstance(value, dict):
        return {_mend(name): _mend(entry) for name, entry in value.items()}

    return value


def read_object(value: object) -> Json:
    """Give a JSON object, or an empty one instead of anything else."""
    return value if isinstance(value, dict) else {}


def read_objects(value: object) -> list[Json]:
    """Give the objects of a JSON list, or none instead of anything else."""
    if not isinstance(value, list):
        return []

    return [entry for entry in value if isinstance(entry, dict)]


def read_first(value: object) -> Json:
    """Give the first entry of a JSON list, or an empty object when it is none."""
    return read_object(value[0]) if isinstance(value, list) and value else {}


def read_text(value: object) -> str:
    """Give a JSON string, or an empty one instead of anything else."""
    return value if isinstance(value, str) else ""


def read_count(value: object) -> int | None:
    """Give a number of tokens, or ``None`` instead of anything else."""
    if isinstance(value, bool) or not isinstance(value, int):
        return None

    return value if 0 <= value <= MOST_TOKENS else None


def read_place(value: object) -> int | str | None:
    """Give what a wire numbers its parts by, or ``None`` instead of anything else."""
    return value if isinstance(value, int | str) else None


def read_finish(value: object, words: cabc.Mapping[str, FinishReason]) -> FinishReason:
    """Give why an answer ended: our word for the provider's."""
    return words.get(value, "other") if isinstance(value, str) else "other"


def read_vector(value: object) -> tuple[float, ...]:
    """Give a vector of finite numbers, or an empty one instead of anything else."""
    if not isinstance(value, list) or not {*map(type, value)} <= {int, float}:
        return ()

    try:
        vector = tuple(map(float, value))
    except OverflowError:
        return ()

    return vector if all(map(math.isfinite, vector)) else ()

"""From ``response_format`` to a schema, and from an answer to what was asked for."""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import json
import typing as t

from ..errors import InvalidAnswer
from ..providers.payloads import decode_json
from ..providers.schemas import close_schema
from ..providers.types import ChatResponse
from .checking import find_misfit
from .classes import ClassFormat

#: What ``chat`` and ``stream`` take: a JSON schema, a dataclass, a pydantic model.
ResponseFormat = cabc.Mapping[str, t.Any] | type[t.Any]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class AnswerFormat:
    """How an answer shall look, and what is made of it.

    :param schema: a JSON schema of an object; what the provider is told.
    :param is_checked: whether a value is held against the schema; a class that checks
        for itself is more exact.
    :param build: makes the result of a value that fits; ``ValueError`` refuses it.
    """

    schema: cabc.Mapping[str, t.Any]
    build: cabc.Callable[[t.Any], t.Any]
    is_checked: bool = True

    def parse(self, response: ChatResponse) -> ChatResponse:
        """Give the response with its ``parsed``.

        An answer that refuses, or calls tools, has nothing to be parsed.

        :raises InvalidAnswer: when the text does not fit.
        """
        if response.finish_reason in ("content_filter", "tool_calls"):
            return response

        parsed, problem = self._read(response.text)

        if problem is None:
            return dataclasses.replace(response, parsed=parsed)

        if response.finish_reason == "length":
            problem = f"{problem}; it was cut off at the limit of tokens"

        raise InvalidAnswer(
            f"The model's answer is not in the format asked for: {problem}. Its text "
            "and usage are kept in this error.",
            problem=problem,
            response=response,
        )

    def _read(self, text: str) -> tuple[t.Any, str | None]:
        """Give the result, or what is wrong; raised by the caller, with no context."""
        value = decode_json(text)

        if not isinstance(value, dict):
            return None, "the answer is no JSON object"

        problem = find_misfit(value, self.schema) if self.is_checked else None

        if problem is not None:
            return None, problem

        try:
            return self.build(value), None
        except (ValueError, OverflowError):
            return None, "the class refuses a value"


def read_format(wanted: ResponseFormat | None) -> AnswerFormat | None:
    """Read what a caller gave.

    :raises TypeError: when it is neither a schema nor a class we can read.
    :raises ValueError: when it describes something else than an object.
    """
    if wanted is None:
        return None

    found = _read_format(wanted)

    if found.schema.get("type", "object") != "object":
        raise ValueError(
            "'response_format' must describe an object: a JSON schema of type 'object'."
        )

    return found


def _read_format(wanted: ResponseFormat) -> AnswerFormat:
    if isinstance(wanted, cabc.Mapping):
        return AnswerFormat(schema=wanted, build=_keep)

    if isinstance(wanted, type) and dataclasses.is_dataclass(wanted):
        made = ClassFormat(wanted)
        return AnswerFormat(schema=made.schema, build=made.build)

    # A pydantic model, without importing pydantic: the caller's class is one.
    describe: t.Any = getattr(wanted, "model_json_schema", None)
    validate: t.Any = getattr(wanted, "model_validate_json", None)

    if isinstance(wanted, type) and callable(describe) and callable(validate):
        described: t.Any = describe()
        return AnswerFormat(
            schema=close_schema(described),
            build=lambda value: validate(json.dumps(value)),
            is_checked=False,
        )

    raise TypeError(
        "'response_format' is a JSON schema as a dict, a dataclass, or a pydantic "
        "model class."
    )


def _keep(value: t.Any) -> t.Any:
    return value

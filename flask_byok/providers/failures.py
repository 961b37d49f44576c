"""From a provider's error answer to the facts of a failure. Nothing is judged here."""

from __future__ import annotations

import collections.abc as cabc
import dataclasses

from .payloads import decode_json
from .payloads import Json
from .payloads import read_object
from .payloads import read_objects
from .payloads import read_text
from .types import Failure
from .wire import IdCleaner

#: Characters of a provider's message kept for matching.
TEXT_LIMIT = 4000
#: Headers a verdict may need.
KEPT_HEADERS = ("retry-after", "retry-after-ms", "date", "x-should-retry")

#: What may be shown of an answer's headers, beside the request id.
SHOWN_HEADERS = frozenset(
    {
        "content-disposition",
        "content-type",
        "openai-processing-ms",
        "openai-version",
        "retry-after",
        "retry-after-ms",
    }
)
_SHOWN_FAMILIES = ("x-ratelimit-", "anthropic-ratelimit-")
_LONGEST_NAME, _LONGEST_VALUE = 80, 200


def read_failure(
    status: int,
    headers: cabc.Mapping[str, str],
    body: bytes,
    *,
    dialect: str,
    cleaner: IdCleaner,
) -> Failure:
    """Read an answer that is an error by its status."""
    payload = decode_json(body)
    failure = read_error(payload, status=status, dialect=dialect, cleaner=cleaner)
    request_id = find_request_id(headers, cleaner)

    if failure is None:
        failure = Failure(
            kind="answer",
            status=status,
            is_html=payload is None and bool(body.strip()),
        )

    return dataclasses.replace(
        failure,
        headers={name: headers[name] for name in KEPT_HEADERS if name in headers},
        request_id=request_id or failure.request_id,
    )


def read_error(
    payload: object, *, status: int, dialect: str, cleaner: IdCleaner | None
) -> Failure | None:
    """Read an error object, in whatever answer or stream it stands.

    :param payload: decoded JSON; GEMINI may wrap it in a list.
    :param cleaner: without one no request id is taken over.
    :return: ``None`` when there is no error object.
    """
    if isinstance(payload, list) and payload:
        payload = payload[0]

    outer = read_object(payload)
    error = outer.get("error")

    if isinstance(error, str):
        # Vendors that are compatible with OPENAI, and not quite.
        error = {"message": error, "code": outer.get("code")}
    elif error is None and _is_bare(outer, status, dialect):
        message = read_text(outer.get("message")) or read_text(outer.get("detail"))
        error = {**outer, "message": message}

    if not isinstance(error, dict):
        return None

    details = error.get("details")

    return Failure(
        kind="answer",
        status=status,
        reasons=_read_reasons(error, details, dialect),
        type=_word(error.get("type")) or _word(error.get("status")),
        param=_word(error.get("param")),
        text=read_text(error.get("message"))[:TEXT_LIMIT].lower(),
        details=tuple(read_objects(details)),
        has_envelope=_has_envelope(outer, error, dialect),
        request_id=cleaner.request_id(outer.get("request_id")) if cleaner else None,
    )


def read_answer(
    status: int,
    headers: cabc.Mapping[str, str],
    body: bytes,
    *,
    dialect: str,
    cleaner: IdCleaner,
) -> tuple[Json, Failure | None]:
    """Read an answer that should be a JSON object.

    :return: the object, and why there is none instead: an error by status, an error
        object in a good answer, or something unreadable. Not raised here, so that no
        frame of a traceback holds what a provider wrote.
    """
    if status >= 400:
        return {}, read_failure(status, headers, body, dialect=dialect, cleaner=cleaner)

    payload = decode_json(body)
    failure = read_error(payload, status=status, dialect=dialect, cleaner=cleaner)

    if failure is None and isinstance(payload, dict):
        return payload, None

    if failure is None:
        failure = Failure(
            kind="unreadable_answer",
            status=status,
            is_html=payload is None and bool(body.strip()),
        )

    request_id = find_request_id(headers, cleaner) or failure.request_id
    return {}, dataclasses.replace(failure, request_id=request_id)


def find_request_id(headers: cabc.Mapping[str, str], cleaner: IdCleaner) -> str | None:
    """Give the id a provider's support asks for, from the headers."""
    return cleaner.request_id(headers.get("x-request-id") or headers.get("request-id"))


def keep_headers(headers: cabc.Mapping[str, str], cleaner: IdCleaner) -> dict[str, str]:
    """Give the headers of an answer that may be shown, none with a piece of the key."""
    kept = {
        name: value
        for name, value in headers.items()
        if (name in SHOWN_HEADERS or name.startswith(_SHOWN_FAMILIES))
        and _may_be_shown(name, value, cleaner)
    }

    for name in ("x-request-id", "request-id"):
        value = cleaner.request_id(headers.get(name))

        if value is not None:
            kept[name] = value

    return kept


def _may_be_shown(name: str, value: str, cleaner: IdCleaner) -> bool:
    # The rest of a family's name is the provider's to choose, so it is looked at, too.
    return (
        len(name) <= _LONGEST_NAME
        and len(value) <= _LONGEST_VALUE
        and value.isascii()
        and value.isprintable()
        and not cleaner.is_shown_in(value)
        and (name in SHOWN_HEADERS or not cleaner.is_shown_in(name))
    )


def _is_bare(outer: Json, status: int, dialect: str) -> bool:
    """Tell whether a body is the error itself, as some compatible vendors write it."""
    if outer.get("object") == "error":
        return True

    is_error = status >= 400 and dialect == "COMPATIBLE"
    return is_error and ("message" in outer or "detail" in outer)


def _read_reasons(error: Json, details: object, dialect: str) -> tuple[str, ...]:
    """Collect the machine words: code, CLAUDE's error_code, GEMINI's reasons."""
    code = error.get("code")

    # Compatible vendors may put the status there, as a number. GEMINI always does.
    if type(code) is int and dialect != "GEMINI":
        code = str(code)

    words = [code, read_object(details).get("error_code")]
    words.extend(entry.get("reason") for entry in read_objects(details))
    return tuple(word for word in map(_word, words) if word is not None)


def _word(value: object) -> str | None:
    return value if isinstance(value, str) and 0 < len(value) <= 200 else None


def _has_envelope(outer: Json, error: Json, dialect: str) -> bool:
    if dialect == "CLAUDE":
        # A firewall in front of it answers with the inner object alone.
        return outer.get("type") == "error" and isinstance(error.get("type"), str)

    if dialect == "GEMINI":
        return isinstance(error.get("status"), str) or "code" in error

    return isinstance(error.get("message"), str)

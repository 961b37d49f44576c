"""One question to a key service over HTTP, by the one sender and within its time."""

from __future__ import annotations

import base64
import binascii
import collections.abc as cabc
import logging
import typing as t

from ..errors import KeyServiceUnavailable
from ..events import log_event
from ..providers.http import Auth
from ..providers.http import Deadline
from ..providers.http import Sender
from ..providers.payloads import decode_json
from ..providers.types import AttemptFailed

_log = logging.getLogger(__name__)

#: Bytes of an answer: the longest wrap in base64, many times.
ANSWER_CAP: t.Final = 64 * 1024


class Question(t.NamedTuple):
    """What is sent. It is signed, or carries a token, and is never shown."""

    url: str
    headers: cabc.Mapping[str, str]
    auth: Auth
    body: bytes

    def __repr__(self) -> str:
        return "<Question>"


def ask(
    sender: Sender, service: str, question: Question, deadline: Deadline
) -> tuple[int, dict[str, t.Any]]:
    """Post a question once, and again where a kept connection had died unnoticed.

    :param service: how the log calls the service.
    :return: the status, and the object of the answer; an empty one of an error whose
        body is no object.
    :raises KeyServiceUnavailable: when no answer came; the log tells why.
    """
    answer, kind = _try_once(sender, question, deadline)

    if kind == "reset_reused":
        answer, kind = _try_once(sender, question, deadline)

    if answer is None:
        give_up(service, str(kind))

    return answer


def give_up(service: str, why: str) -> t.NoReturn:
    """Tell the log in words of ours what a key service did not do.

    :raises KeyServiceUnavailable: always.
    """
    log_event(
        _log,
        logging.WARNING,
        "key_service_failed",
        "The key service %(service)s gave no usable answer: %(what)s.",
        service=service,
        what=why,
    )
    raise KeyServiceUnavailable


def _try_once(
    sender: Sender, question: Question, deadline: Deadline
) -> tuple[tuple[int, dict[str, t.Any]] | None, str | None]:
    try:
        answer = sender.send(
            "POST",
            question.url,
            headers=question.headers,
            auth=question.auth,
            body=question.body,
            deadline=deadline,
            cap=ANSWER_CAP,
        )
    except AttemptFailed as error:
        return None, error.failure.kind

    payload = decode_json(answer.body)

    if not isinstance(payload, dict):
        payload = {}

        if answer.status < 300:
            return None, "unreadable_answer"

    return (answer.status, payload), None


def read_base64(value: object) -> bytes | None:
    """Read a text of base64; ``None`` for anything else."""
    if not isinstance(value, str):
        return None

    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return None


def write_base64(value: bytes) -> str:
    """Write bytes as base64, as both services take them."""
    return base64.b64encode(value).decode("ascii")

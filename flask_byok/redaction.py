"""A second net under the logs: masks what looks like a provider's API key.

This package logs no key. A host's own code might, or a library it uses.
"""

from __future__ import annotations

import collections.abc as cabc
import logging
import re
import traceback
import typing as t

from .providers.base import Provider
from .providers.registry import built_in_providers

#: Characters behind a public prefix, below which nothing is taken for a key.
SHORTEST: t.Final = 20

#: What random characters have and words have not: so many changes from small to
#: capital letters, and between letters and digits.
_FEWEST_CHANGES: t.Final = 5

# Between a word and the prefix must be a border ("task-" is no key), which an escape
# is as well: "%3Dsk-", "\\nsk-".
_BORDER: t.Final = r"(?:(?<![A-Za-z0-9])|(?<=%[0-9A-Fa-f]{2})|(?<=\\[abfnrtv]))"
_CHANGE: t.Final = re.compile(r"[a-z](?=[A-Z])|[A-Za-z](?=[0-9])|[0-9](?=[A-Za-z])")

#: What a record has by itself. Everything else was added with ``extra``.
_OWN: t.Final = frozenset(vars(logging.makeLogRecord({})))


class ApiKeyFilter(logging.Filter):
    """Mask what looks like an API key in a record: message, arguments, exception.

    A key begins with a public prefix of a provider (``sk-``, ``sk-ant-``, ``AIza``,
    ``AQ.``) and goes on with 20 or more random characters; it becomes the prefix and
    three dots. Words that happen to begin so are left alone.

    Put it on **handlers**: a filter on a logger does not see what the loggers below it
    write. The record itself is changed, so one handler with the filter serves those
    that come after it, too. It never drops a record and never raises.

    :param providers: whose prefixes count; the built-in ones by default. Pass
        ``byok.registry`` when your app has registered more.
    """

    def __init__(self, providers: cabc.Iterable[Provider] | None = None) -> None:
        super().__init__()
        known = built_in_providers() if providers is None else providers
        prefixes = {p for one in known for p in (*one.mask_prefixes, *one.prefix_hints)}
        self._key = _build_pattern(prefixes)

    def mask(self, text: str) -> str:
        """Give a text with what looks like an API key masked."""
        if self._key is None:
            return text

        return self._key.sub(_mask_match, text)

    def filter(self, record: logging.LogRecord) -> bool:
        """Mask the record in place; always ``True``: the record is kept."""
        self._mask_message(record)
        self._mask_exception(record)

        if record.stack_info:
            record.stack_info = self.mask(record.stack_info)

        for name in set(vars(record)) - _OWN:
            self._mask_extra(record, name)

        return True

    def _mask_message(self, record: logging.LogRecord) -> None:
        message = _read_message(record)
        arguments = _print(record.args) if record.args else ""

        if message is None:
            # logging would print message, arguments and error to stderr as they are.
            text = f"{_print(record.msg, str)} {arguments}"
            record.msg, record.args = self.mask(text), None
            return

        shown = self.mask(message)

        # An argument may stand in no text and still be read by a handler.
        if shown != message or self.mask(arguments) != arguments:
            record.msg, record.args = shown, None

    def _mask_exception(self, record: logging.LogRecord) -> None:
        if not record.exc_info and not record.exc_text:
            return

        text = record.exc_text or _read_exception(record)
        shown = self.mask(text)

        if shown != text:
            # Without the exception: whoever reads it would find the key in there.
            record.exc_info, record.exc_text = None, shown

    def _mask_extra(self, record: logging.LogRecord, name: str) -> None:
        value = getattr(record, name)
        text = value if isinstance(value, str) else _print(value)
        shown = self.mask(text)

        if shown != text:
            setattr(record, name, shown)


def _build_pattern(prefixes: cabc.Iterable[str]) -> re.Pattern[str] | None:
    longest_first = sorted(filter(None, prefixes), key=len, reverse=True)

    if not longest_first:
        return None

    known = "|".join(map(re.escape, longest_first))
    return re.compile(f"{_BORDER}({known})([A-Za-z0-9_-]{{{SHORTEST},}})")


def _mask_match(match: re.Match[str]) -> str:
    is_random = len(_CHANGE.findall(match[2])) >= _FEWEST_CHANGES
    return f"{match[1]}..." if is_random else match[0]


def _read_message(record: logging.LogRecord) -> str | None:
    """Give the message; ``None`` when its arguments do not fit or do not print."""
    try:
        return record.getMessage()
    except Exception:
        return None


def _read_exception(record: logging.LogRecord) -> str:
    if not isinstance(record.exc_info, tuple):
        return ""

    try:
        return "".join(traceback.format_exception(*record.exc_info)).rstrip("\n")
    except Exception as error:
        return f"<no traceback: {type(error).__name__}>"


def _print(value: object, way: cabc.Callable[[object], str] = repr) -> str:
    try:
        return way(value)
    except Exception as error:
        return f"<no {way.__name__}: {type(error).__name__}>"

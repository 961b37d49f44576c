"""The typed text of a company's id: ``42`` is ``i:42``, ``"42"`` is ``s:42``.

It stands in the column, in the sealed key's context and in the arguments of commands.
The tag keeps ``42`` and ``"42"`` apart; nothing is normalised, so two ids that differ
in one byte stay two companies.
"""

from __future__ import annotations

import typing as t
import unicodedata
import uuid

from ..errors import NoCompany

#: What a host's ``company_loader`` may return.
CompanyId: t.TypeAlias = int | str | uuid.UUID

_LONGEST: t.Final = 255
_LOWEST_INT: t.Final = -(2**63)
_HIGHEST_INT: t.Final = 2**63 - 1


def company_text(company_id: CompanyId) -> str:
    """Write a company's id with its type: ``i:42``, ``s:acme`` or ``u:0d9e5a31-…``.

    :param company_id: an ``int`` of signed 64 bits, a ``str`` of 1 to 255 bytes of
        UTF-8, a ``UUID`` or a subclass of it.
    :raises NoCompany: for ``None``, ``bool``, other types and subclasses, and for text
        with a control character, a lone surrogate or whitespace at an end. Two such
        ids might look alike to people or become one in a database.
    """
    text = _write(company_id)

    if text is None:
        raise NoCompany(
            "A company's id must be an int of 64 bits, a UUID, or a str of 1 to 255 "
            "bytes without control characters or whitespace at its ends. "
            f"This {type(company_id).__name__} is not.",
            type_name=type(company_id).__name__,
        )

    return text


def company_value(text: str) -> CompanyId:
    """Give back the id whose :func:`company_text` this is.

    :raises ValueError: when no id has this text (``i:042``, ``x:1``, ``42``).
    """
    company_id = _read(text)

    if company_id is None or _write(company_id) != text:
        raise ValueError(
            "This is not the text of a company's id; it reads i:42, s:acme or u:<uuid>."
        )

    return company_id


def _write(company_id: object) -> str | None:
    if type(company_id) is int and _LOWEST_INT <= company_id <= _HIGHEST_INT:
        return f"i:{company_id}"

    if isinstance(company_id, uuid.UUID):
        # Through the number: a subclass may print itself differently.
        return f"u:{uuid.UUID(int=company_id.int)}"

    if type(company_id) is str and _is_plain(company_id):
        return f"s:{company_id}"

    return None


def _is_plain(text: str) -> bool:
    if text != text.strip() or not 1 <= len(text) <= _LONGEST:
        return False

    if any(unicodedata.category(character) in ("Cc", "Cs") for character in text):
        return False

    return len(text.encode("utf-8")) <= _LONGEST


def _read(text: str) -> CompanyId | None:
    tag, bare = text[:2], text[2:]

    if tag == "s:":
        return bare

    try:
        if tag == "i:":
            return int(bare)

        if tag == "u:":
            return uuid.UUID(bare)
    except ValueError:
        pass

    return None

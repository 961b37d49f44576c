"""Which draft is this browser session's: its random id in the host's session."""

from __future__ import annotations

import re
import typing as t

from flask import session

from ..proxies import current_byok
from ..vault.company import company_text

if t.TYPE_CHECKING:
    from ..service.types import CompanyStatus
    from ..vault.company import CompanyId

_SLOT: t.Final = "byok_draft"
_ID: t.Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def draft_id() -> str | None:
    """Read the id of this session's draft; ``None`` when it holds none."""
    stored = session.get(_SLOT)
    return stored if isinstance(stored, str) and _ID.fullmatch(stored) else None


def remember_draft(made: str) -> None:
    """Make a draft this session's own."""
    session[_SLOT] = made


def forget_draft() -> None:
    """Let the session hold no draft, whatever became of its row."""
    session.pop(_SLOT, None)


def read_status(company_id: CompanyId) -> CompanyStatus:
    """Read how a company stands, and this session's draft if it has one. One query."""
    byok, mine = current_byok, draft_id()

    if mine is None:
        return byok.status(company_id)

    status = byok.state.companies.drafted_status(
        company_text(company_id), mine, byok.load_actor()
    )

    if status.draft is None:
        forget_draft()

    return status

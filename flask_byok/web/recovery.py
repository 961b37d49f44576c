"""Good news, once: a key that this browser saw failing works again."""

from __future__ import annotations

import typing as t

from flask import session

from .standing import active_credential

if t.TYPE_CHECKING:
    from ..service.types import CompanyStatus
    from ..vault.types import CredentialInfo

_SLOT: t.Final = "byok_failing"


def find_recovered(status: CompanyStatus) -> CredentialInfo | None:
    """Remember a failing key in the host's session; find the one that recovered.

    The session holds the provider's id alone. What is found is forgotten: it is told
    once.
    """
    active = active_credential(status)
    seen = session.get(_SLOT)

    if active is not None and _is_failing(status):
        if seen != active.provider:
            session[_SLOT] = active.provider

        return None

    if seen is None:
        return None

    session.pop(_SLOT)
    recovered = active is not None and active.provider == seen
    return active if recovered and status.serving == "company" else None


def _is_failing(status: CompanyStatus) -> bool:
    """Tell whether the page speaks of a failing key; a busy one is no trouble."""
    is_out = status.fallback_active or status.serving is None
    return is_out and status.reason != "rate_limit"

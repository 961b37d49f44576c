"""The pages. Every change ends in 303 to a GET; what came of it travels as a code.

A page rendered on the POST itself would leave the key in the browser's resend buffer.
"""

from __future__ import annotations

import typing as t

from flask import make_response
from flask import request
from flask import Response

from ..errors import CredentialChanged
from ..errors import CredentialNotFound
from ..errors import PolicyLocked
from ..proxies import current_byok
from ..vault.company import company_text
from . import forms
from .answers import require_stored
from .answers import to_page
from .builder import Material
from .builder import PageBuilder
from .context import render_page
from .csvfile import render_csv
from .draftslot import read_status
from .guard import Refused
from .history import READ_BACK
from .outcome import Outcome
from .outcome import take
from .page import RemovePage
from .recovery import find_recovered
from .removal import build_remove_page
from .usage import last_days
from .usage import RANGES
from .usage import read_range

if t.TYPE_CHECKING:
    from ..vault.company import CompanyId

_POLICIES: t.Final = ("auto", "outage_only", "never")


def show_page(company_id: CompanyId) -> Response:
    """Show the settings page."""
    byok = current_byok
    status = read_status(company_id)
    company = company_text(company_id)
    byok.state.reminders.look(company, status.credentials, status.now)
    outcome = take(byok.registry.ids)
    today = status.now.date()
    asked = read_range(request.args, today)
    days = asked or last_days(RANGES[0], today)
    material = Material(
        status=status,
        allowances=byok.state.companies.allowance(company, status.now),
        rows=byok.usage(company_id, days.since, days.until),
        days=days,
        is_range=asked is not None,
        entries=byok.history(company_id, READ_BACK),
        outcome=outcome,
        chosen=forms.known_provider(request.args, byok.registry),
        # After an action the page has something else to say.
        recovered=find_recovered(status) if outcome is None else None,
    )
    page = PageBuilder(byok.settings, byok.registry, material).build()
    return make_response(render_page("settings.html", page))


def change_policy(company_id: CompanyId) -> Response:
    """Change what the form holds: the active key, the policy, the other keys."""
    byok = current_byok
    fallback = request.form.get("fallback")
    use_other_keys = forms.read_flag(request.form, "use_other_keys")
    active = request.form.get("active_provider")

    if fallback is not None and fallback not in _POLICIES:
        raise Refused("bad-request")

    if active is not None:
        require_stored(company_id, byok.status(company_id), active)

    try:
        byok.set_policy(
            company_id,
            fallback=fallback,
            active_provider=active,
            use_other_keys=use_other_keys,
            actor=byok.load_actor(),
        )
    except PolicyLocked:
        return to_page(Outcome(code="locked"))
    except CredentialNotFound:
        return to_page(Outcome(code="gone", provider=active))

    if active is not None:
        return to_page(Outcome(code="active_changed", provider=active))

    return to_page(Outcome(code="setting_saved"))


def ask_to_remove(company_id: CompanyId, provider: str) -> Response:
    """Show what removing a key means, and ask."""
    byok = current_byok
    status = byok.status(company_id)
    require_stored(company_id, status, provider)
    page: RemovePage = build_remove_page(status, provider, byok.settings, byok.registry)
    return make_response(render_page("remove.html", page))


def remove_key(company_id: CompanyId, provider: str) -> Response:
    """Remove a key for good."""
    byok = current_byok
    require_stored(company_id, byok.status(company_id), provider)

    try:
        byok.remove_key(
            company_id,
            provider,
            actor=byok.load_actor(),
            generation=forms.read_generation(request.form),
        )
    except CredentialNotFound:
        return to_page(Outcome(code="gone", provider=provider))
    except CredentialChanged:
        return to_page(Outcome(code="changed", provider=provider))

    return to_page(Outcome(code="removed", provider=provider))


def send_csv(company_id: CompanyId) -> Response:
    """Send the usage of a range of days as a CSV file."""
    byok = current_byok
    days = read_range(request.args, byok.status(company_id).now.date())

    if days is None:
        raise Refused("bad-request")

    rows = byok.usage(company_id, days.since, days.until)
    name = f"ai-usage-{days.since}-{days.until}.csv"
    return Response(
        render_csv(rows),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )

"""The pages. Every change ends in 303 to a GET; what came of it travels as a code.

A page rendered on the POST itself would leave the key in the browser's resend buffer.
"""

from __future__ import annotations

import typing as t

from flask import make_response
from flask import redirect
from flask import render_template
from flask import request
from flask import Response
from flask import session
from flask import url_for

from ..errors import ApiKeyFormatError
from ..errors import CheckLimited
from ..errors import CredentialChanged
from ..errors import CredentialNotFound
from ..errors import PolicyLocked
from ..errors import StoredKeyUnreadable
from ..errors import VaultClosed
from ..proxies import current_byok
from . import forms
from .builder import Material
from .builder import PageBuilder
from .context import page_context
from .guard import count_address
from .guard import Refused
from .outcome import keep
from .outcome import Outcome
from .outcome import take
from .page import RemovePage
from .removal import build_remove_page
from .results import build_result
from .texts import Names
from .usage import last_days
from .usage import RANGES
from .usage import read_range
from .usage import render_csv

if t.TYPE_CHECKING:
    from ..service.types import CompanyStatus
    from ..service.types import ConnectionReport
    from ..service.types import SaveResult
    from ..vault.company import CompanyId

_FORM_SLOT: t.Final = "byok_form"
_ADMIN_KEYS: t.Final = ("sk-ant-admin", "sk-admin-")
_POLICIES: t.Final = ("auto", "outage_only", "never")


def show_page(company_id: CompanyId) -> Response:
    """Show the settings page."""
    byok = current_byok
    status = byok.status(company_id)
    today = status.now.date()
    days = read_range(request.args, today) or last_days(RANGES[0], today)
    material = Material(
        status=status,
        allowances=byok.allowance(company_id),
        rows=byok.usage(company_id, days.since, days.until),
        days=days,
        entries=byok.history(company_id),
        outcome=take(byok.registry.ids),
        chosen=forms.known_provider(request.args, byok.registry),
    )
    page = PageBuilder(byok.settings, byok.registry, material).build()
    return make_response(render_template("byok/settings.html", **page_context(page)))


def change_key(company_id: CompanyId) -> Response:
    """Save a key, or the model and expiry date of a stored one."""
    action = request.form.get("action")

    if action == "save":
        return _save(company_id)

    if action == "details":
        return _save_details(company_id)

    raise Refused("bad-request")


def _save(company_id: CompanyId) -> Response:
    byok = current_byok
    status = byok.status(company_id)
    form = forms.read_save(
        request.form, byok.settings, byok.registry, status.now.date()
    )

    if form.form_id is not None and session.get(_FORM_SLOT) == form.form_id:
        return _to_page(Outcome(code="saved", provider=form.provider or None))

    if form.errors:
        return _to_page(_mistakes(form, form.errors))

    # The form was made when there was no key of this provider; now there is one.
    if form.generation == 0 and _is_stored(status, form.provider):
        return _to_page(
            Outcome(code="changed", provider=form.provider, typed=form.typed)
        )

    outcome = _try_to_save(company_id, form)

    if outcome.code == "saved" and form.form_id is not None:
        session[_FORM_SLOT] = form.form_id

    return _to_page(outcome)


def _try_to_save(company_id: CompanyId, form: forms.SaveForm) -> Outcome:
    try:
        count_address()
        result = current_byok.save_key(
            company_id,
            form.provider,
            form.api_key,
            model=form.model,
            expires_on=form.expires_on,
            actor=current_byok.load_actor(),
            activate=form.activate,
            generation=form.generation or None,
            confirm=form.confirm,
        )
    except ApiKeyFormatError as error:
        return _mistakes(form, (error.code,))
    except CheckLimited as error:
        return _limited(error, form)
    except VaultClosed:
        return Outcome(code="not_set_up")

    return _saved(result, form)


def _saved(result: SaveResult, form: forms.SaveForm) -> Outcome:
    if result.saved:
        return Outcome(code="saved", provider=result.provider)

    if result.verdict == "changed":
        return Outcome(code="changed", provider=form.provider, typed=form.typed)

    reason = None if result.report is None else result.report.reason

    if result.verdict == "rejected":
        looks_admin = any(text in form.api_key for text in _ADMIN_KEYS)
        code = "expired" if reason == "expired" else "rejected"
        return _mistakes(form, ("rejected_admin" if looks_admin else code,))

    # A reason word where there is one: the verdict says the rest.
    told = reason if result.verdict == "not_usable" else result.verdict
    return Outcome(
        code="refused",
        provider=form.provider,
        reason=told,
        other=result.other_provider,
        confirm=result.verdict,
        typed=form.typed,
    )


def _mistakes(form: forms.SaveForm, errors: tuple[str, ...]) -> Outcome:
    return Outcome(
        code="fields",
        provider=form.provider or None,
        errors=errors,
        typed=form.typed,
    )


def _limited(error: CheckLimited, form: forms.SaveForm | None = None) -> Outcome:
    if error.retry_after is None:
        return Outcome(code="counter_down", typed=None if form is None else form.typed)

    return Outcome(
        code="check_limit",
        number=max(1, round(error.retry_after)),
        typed=None if form is None else form.typed,
    )


def _save_details(company_id: CompanyId) -> Response:
    byok = current_byok
    status = byok.status(company_id)
    form = forms.read_details(request.form, byok.registry, status.now.date())
    _require_stored(status, form.provider)

    if form.errors:
        return _to_page(_card_mistakes(form.provider, form.errors))

    try:
        count_address()
        result = byok.save_key(
            company_id,
            form.provider,
            None,
            model=form.model,
            expires_on=form.expires_on,
            actor=byok.load_actor(),
            generation=form.generation,
        )
    except CheckLimited as error:
        return _to_page(_limited(error))
    except CredentialNotFound:
        return _to_page(Outcome(code="gone", provider=form.provider))
    except StoredKeyUnreadable:
        return _to_page(Outcome(code="unreadable", provider=form.provider))
    except VaultClosed:
        return _to_page(Outcome(code="not_set_up"))

    if result.saved:
        return _to_page(Outcome(code="details_saved", provider=form.provider))

    if result.verdict == "changed":
        return _to_page(Outcome(code="changed", provider=form.provider))

    asked = result.verdict in ("other_model", "not_usable")
    code = "model_not_available" if asked else "model_not_tried"
    return _to_page(_card_mistakes(form.provider, (code,)))


def _card_mistakes(provider: str, errors: tuple[str, ...]) -> Outcome:
    return Outcome(code="fields", provider=provider, card=provider, errors=errors)


def test_key(company_id: CompanyId) -> Response:
    """Test a stored key; in place when the script asks, else by way of the page."""
    byok = current_byok
    provider = forms.known_provider(request.form, byok.registry)
    before = byok.status(company_id)
    _require_stored(before, provider)

    try:
        count_address()
        report = byok.test_connection(company_id, provider, actor=byok.load_actor())
    except CheckLimited as error:
        return _to_page(_limited(error))
    except CredentialNotFound:
        return _to_page(Outcome(code="gone", provider=provider))
    except StoredKeyUnreadable:
        return _to_page(Outcome(code="unreadable", provider=provider))
    except VaultClosed:
        return _to_page(Outcome(code="not_set_up"))

    if request.headers.get("X-Byok-Fragment") == "1":
        return _fragment(report, before, byok.status(company_id))

    keep(Outcome(code="tested", provider=provider))
    return _see(f"#byok-test-{provider}")


def _fragment(
    report: ConnectionReport, before: CompanyStatus, after: CompanyStatus
) -> Response:
    byok = current_byok
    names = Names.of(byok.settings, byok.registry.get(report.provider))
    expires_on = None

    for info in after.credentials:
        if info.provider == report.provider:
            expires_on = info.expires_on

    result = build_result(
        report,
        names,
        expires_on=expires_on,
        changed=_shape(before) != _shape(after),
        typed=request.headers.get("X-Byok-Typed") == "1",
    )
    return make_response(
        render_template("byok/partials/_test_result.html", **page_context(result))
    )


def _shape(status: CompanyStatus) -> tuple[object, ...]:
    states = [(c.provider, c.state, c.circuit) for c in status.credentials]
    return (status.serving, status.provider, status.fallback_active, *states)


def change_policy(company_id: CompanyId) -> Response:
    """Change what the form holds: the active key, the policy, the other keys."""
    byok = current_byok
    fallback = request.form.get("fallback")
    use_other_keys = forms.read_flag(request.form, "use_other_keys")
    active = request.form.get("active_provider")

    if fallback is not None and fallback not in _POLICIES:
        raise Refused("bad-request")

    if active is not None:
        _require_stored(byok.status(company_id), active)

    try:
        byok.set_policy(
            company_id,
            fallback=fallback,
            active_provider=active,
            use_other_keys=use_other_keys,
            actor=byok.load_actor(),
        )
    except PolicyLocked:
        return _to_page(Outcome(code="locked"))
    except CredentialNotFound:
        return _to_page(Outcome(code="gone", provider=active))

    if active is not None:
        return _to_page(Outcome(code="active_changed", provider=active))

    return _to_page(Outcome(code="setting_saved"))


def ask_to_remove(company_id: CompanyId, provider: str) -> Response:
    """Show what removing a key means, and ask."""
    byok = current_byok
    status = byok.status(company_id)
    _require_stored(status, provider)
    page: RemovePage = build_remove_page(status, provider, byok.settings, byok.registry)
    return make_response(render_template("byok/remove.html", **page_context(page)))


def remove_key(company_id: CompanyId, provider: str) -> Response:
    """Remove a key for good."""
    byok = current_byok
    _require_stored(byok.status(company_id), provider)

    try:
        byok.remove_key(
            company_id,
            provider,
            actor=byok.load_actor(),
            generation=forms.read_generation(request.form),
        )
    except CredentialNotFound:
        return _to_page(Outcome(code="gone", provider=provider))
    except CredentialChanged:
        return _to_page(Outcome(code="changed", provider=provider))

    return _to_page(Outcome(code="removed", provider=provider))


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


def _require_stored(status: CompanyStatus, provider: str) -> None:
    """Treat another company's provider as none at all: 404 for both."""
    known = provider in current_byok.registry.ids

    if not known or not _is_stored(status, provider):
        raise Refused("not-found")


def _is_stored(status: CompanyStatus, provider: str) -> bool:
    return any(info.provider == provider for info in status.credentials)


def _to_page(outcome: Outcome) -> Response:
    keep(outcome)
    return _see("#byok-errors" if outcome.errors else "#byok-notice")


def _see(fragment: str) -> Response:
    return t.cast("Response", redirect(url_for("byok.page") + fragment, 303))

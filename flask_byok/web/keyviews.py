"""The forms of a key: save it, change what stands beside it, test it."""

from __future__ import annotations

import typing as t

from flask import make_response
from flask import render_template
from flask import request
from flask import Response
from flask import session

from ..errors import ApiKeyFormatError
from ..errors import CheckLimited
from ..errors import CredentialNotFound
from ..errors import KeyServiceUnavailable
from ..errors import StoredKeyUnreadable
from ..errors import VaultClosed
from ..proxies import current_byok
from ..service.clean import looks_like_admin_key
from . import forms
from .answers import limited
from .answers import require_stored
from .answers import see
from .answers import to_page
from .context import page_context
from .draftviews import change_draft
from .draftviews import DRAFT_ACTIONS
from .draftviews import end_draft
from .draftviews import keep_draft
from .guard import count_address
from .guard import Refused
from .outcome import keep
from .outcome import Outcome
from .outcome import why_rejected
from .results import build_result
from .texts import Names

if t.TYPE_CHECKING:
    from ..service.types import CompanyStatus
    from ..service.types import ConnectionReport
    from ..vault.company import CompanyId

_FORM_SLOT: t.Final = "byok_form"


def change_key(company_id: CompanyId) -> Response:
    """Save a key, or the model and expiry date of a stored one."""
    action = request.form.get("action")

    if action == "save":
        return _save(company_id)

    if action == "details":
        return _save_details(company_id)

    if action in DRAFT_ACTIONS:
        return change_draft(company_id, action)

    raise Refused("bad-request")


def _save(company_id: CompanyId) -> Response:
    byok = current_byok
    status = byok.status(company_id)
    form = forms.read_save(
        request.form, byok.settings, byok.registry, status.now.date()
    )

    if _is_pressed_again(form, status):
        return to_page(Outcome(code="saved", provider=form.provider or None))

    if form.errors:
        return to_page(_mistakes(form, form.errors))

    end_draft(company_id)
    outcome = _try_to_save(company_id, form)

    if outcome.code == "saved" and form.form_id is not None:
        session[_FORM_SLOT] = form.form_id

    return to_page(outcome)


def _is_pressed_again(form: forms.SaveForm, status: CompanyStatus) -> bool:
    """Tell a second press of *Save* from another key in the same form.

    A browser's Back shows the form as it was. What is pasted there then is not what was
    saved, and nobody may be told that it was: nor where a short key shows no digits by
    which to tell.
    """
    if form.form_id is None or session.get(_FORM_SLOT) != form.form_id:
        return False

    for info in status.credentials:
        if info.provider == form.provider:
            return bool(info.last4) and form.api_key.has_at_end(info.last4)

    return False


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
            generation=form.generation,
        )
    except ApiKeyFormatError as error:
        return _mistakes(form, (error.code,))
    except CheckLimited as error:
        told = keep_draft(company_id, form, "check_limit")
        return told or limited(error, form.typed)
    except KeyServiceUnavailable:
        return Outcome(
            code="key_service", provider=form.provider or None, typed=form.typed
        )
    except VaultClosed:
        return Outcome(code="not_set_up")

    if result.saved:
        return Outcome(code="saved", provider=result.provider)

    if result.verdict == "rejected":
        is_admin_key = looks_like_admin_key(form.api_key)
        return _mistakes(form, (why_rejected(result, is_admin_key),))

    told = keep_draft(company_id, form, result.verdict, result)
    return told or Outcome(code="drafted", provider=form.provider)


def _mistakes(form: forms.SaveForm, errors: tuple[str, ...]) -> Outcome:
    return Outcome(
        code="fields",
        provider=form.provider or None,
        errors=errors,
        typed=form.typed,
    )


def _save_details(company_id: CompanyId) -> Response:
    byok = current_byok
    status = byok.status(company_id)
    form = forms.read_details(request.form, byok.registry, status.now.date())
    require_stored(company_id, status, form.provider)

    if form.errors:
        return to_page(_card_mistakes(form.provider, form.errors))

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
        return to_page(limited(error))
    except CredentialNotFound:
        return to_page(Outcome(code="gone", provider=form.provider))
    except KeyServiceUnavailable:
        return to_page(Outcome(code="key_service", provider=form.provider))
    except StoredKeyUnreadable:
        return to_page(Outcome(code="unreadable", provider=form.provider))
    except VaultClosed:
        return to_page(Outcome(code="not_set_up"))

    if result.saved:
        return to_page(Outcome(code="details_saved", provider=form.provider))

    if result.verdict == "changed":
        return to_page(Outcome(code="changed", provider=form.provider))

    asked = result.verdict in ("other_model", "not_usable")
    code = "model_not_available" if asked else "model_not_tried"
    return to_page(_card_mistakes(form.provider, (code,)))


def _card_mistakes(provider: str, errors: tuple[str, ...]) -> Outcome:
    return Outcome(code="fields", provider=provider, card=provider, errors=errors)


def test_key(company_id: CompanyId) -> Response:
    """Test a stored key; in place when the script asks, else by way of the page."""
    byok = current_byok
    provider = forms.known_provider(request.form, byok.registry)
    before = byok.status(company_id)
    require_stored(company_id, before, provider)

    try:
        count_address()
        report = byok.test_connection(company_id, provider, actor=byok.load_actor())
    except CheckLimited as error:
        return to_page(limited(error))
    except CredentialNotFound:
        return to_page(Outcome(code="gone", provider=provider))
    except KeyServiceUnavailable:
        return to_page(Outcome(code="key_service", provider=provider))
    except StoredKeyUnreadable:
        return to_page(Outcome(code="unreadable", provider=provider))
    except VaultClosed:
        return to_page(Outcome(code="not_set_up"))

    if request.headers.get("X-Byok-Fragment") == "1":
        return _in_place(report, before, byok.status(company_id))

    keep(Outcome(code="tested", provider=provider))
    return see(f"#byok-test-{provider}")


def _in_place(
    report: ConnectionReport, before: CompanyStatus, after: CompanyStatus
) -> Response:
    """Answer the script: with the result alone, or with 205, to load the page again.

    What a test changed stands in many places of the page. A key that is being typed
    would be lost by loading it again; then the result says what to do.
    """
    changed = _shape(before) != _shape(after)
    typed = request.headers.get("X-Byok-Typed") == "1"

    if changed and not typed:
        return make_response("", 205)

    return _fragment(report, after, changed=changed, typed=typed)


def _fragment(
    report: ConnectionReport, after: CompanyStatus, *, changed: bool, typed: bool
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
        changed=changed,
        typed=typed,
    )
    return make_response(
        render_template("byok/partials/_test_result.html", **page_context(result))
    )


def _shape(status: CompanyStatus) -> tuple[object, ...]:
    states = [(c.provider, c.state, c.circuit) for c in status.credentials]
    return (status.serving, status.provider, status.fallback_active, *states)

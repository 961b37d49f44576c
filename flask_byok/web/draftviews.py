"""What becomes of a pasted key that is not saved at once: kept, decided, discarded."""

from __future__ import annotations

import typing as t

from flask import request
from flask import Response

from ..errors import ApiKeyFormatError
from ..errors import CheckLimited
from ..errors import CredentialNotFound
from ..errors import KeyServiceUnavailable
from ..errors import VaultClosed
from ..proxies import current_byok
from ..service.drafting import DECIDED
from ..service.drafting import DraftStep
from ..service.drafting import DraftWish
from ..vault.company import company_text
from . import forms
from .answers import limited
from .answers import to_page
from .draftslot import draft_id
from .draftslot import forget_draft
from .draftslot import read_status
from .draftslot import remember_draft
from .guard import count_address
from .outcome import DRAFT_CARD
from .outcome import Outcome
from .outcome import why_rejected

if t.TYPE_CHECKING:
    from ..service.types import SaveResult
    from ..vault.company import CompanyId

#: The actions of ``POST /key`` about a draft.
DRAFT_ACTIONS: t.Final = ("draft_check", "draft_use", "draft_switch", "draft_discard")


def end_draft(company_id: CompanyId) -> None:
    """Delete this session's draft: a new paste takes its place."""
    mine, byok = draft_id(), current_byok

    if mine is not None:
        company = company_text(company_id)
        byok.state.drafting.discard(company, mine, byok.load_actor())
        forget_draft()


def keep_draft(
    company_id: CompanyId,
    form: forms.SaveForm,
    verdict: str,
    result: SaveResult | None = None,
) -> Outcome | None:
    """Keep a pasted key, so that nobody has to paste it twice.

    :param verdict: why it is not saved.
    :param result: of the save, if it came so far.
    :return: what to tell instead when it cannot be kept.
    """
    byok = current_byok
    wish = DraftWish(
        company=company_text(company_id),
        provider=form.provider,
        verdict=verdict,
        actor=byok.load_actor(),
        model=form.model,
        expires_on=form.expires_on,
        activate=form.activate,
        report=None if result is None else result.report,
        other_provider=None if result is None else result.other_provider,
    )

    try:
        draft = byok.state.drafting.keep(wish, form.api_key)
    except ApiKeyFormatError as error:
        return Outcome(
            code="fields",
            provider=form.provider,
            errors=(error.code,),
            typed=form.typed,
        )
    except KeyServiceUnavailable:
        return Outcome(code="key_service", provider=form.provider, typed=form.typed)
    except VaultClosed:
        return Outcome(code="not_set_up")

    remember_draft(draft.id)
    return None


def change_draft(company_id: CompanyId, action: str) -> Response:
    """Do what a person decided about this session's draft."""
    byok, mine = current_byok, draft_id()
    form = forms.read_draft(request.form, byok.registry)

    draft = read_status(company_id).draft

    # Another tab may have pasted another key since: then this decision is about none.
    if mine is None or draft is None or form.form_id not in (None, mine):
        return to_page(Outcome(code="draft_gone"))

    if action == "draft_discard":
        end_draft(company_id)
        return to_page(Outcome(code="draft_discarded"))

    if form.errors:
        return to_page(
            Outcome(
                code="fields",
                provider=form.provider or None,
                card=DRAFT_CARD,
                errors=form.errors,
            )
        )

    step = DraftStep(
        company=company_text(company_id),
        draft=mine,
        provider=form.provider,
        actor=byok.load_actor(),
        generation=form.generation,
        model=form.model,
        changes_model=form.has_model,
    )
    asks = action != "draft_use" or form.has_model or draft.verdict not in DECIDED
    return to_page(_decide(action, step, asks=asks))


def _decide(action: str, step: DraftStep, *, asks: bool) -> Outcome:
    """Do it; what asks nobody is not counted as a check either."""
    drafting = current_byok.state.drafting
    decide = {
        "draft_check": drafting.check,
        "draft_use": drafting.use,
        "draft_switch": drafting.switch,
    }

    try:
        if asks:
            count_address()

        result = decide[action](step)
    except CheckLimited as error:
        return limited(error)
    except CredentialNotFound:
        forget_draft()
        return Outcome(code="draft_gone")
    except KeyServiceUnavailable:
        return Outcome(code="key_service", provider=step.provider)
    except VaultClosed:
        return Outcome(code="not_set_up")

    if result.saved:
        forget_draft()
        return Outcome(code="saved", provider=result.provider)

    if result.verdict != "rejected":
        return Outcome(code="drafted", provider=result.provider)

    forget_draft()
    return Outcome(
        code="fields",
        provider=result.provider,
        errors=(why_rejected(result, result.is_admin_key),),
    )

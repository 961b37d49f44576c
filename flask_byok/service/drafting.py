"""Keys that were pasted and could not be saved at once: kept sealed, for one decision.

Nobody has to paste a key twice. A draft belongs to the company, the provider, the
person and the browser session that pasted it; its random id is all that session holds.
No AI call ever uses one.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import logging
import typing as t
import uuid

from ..errors import CredentialNotFound
from ..errors import is_passing
from ..errors import StoredKeyUnreadable
from ..events import log_event
from ..secret import Secret
from ..vault.drafts import LIFETIME
from ..vault.keyring import DRAFT
from ..vault.keyring import SealContext
from ..vault.types import DraftInfo
from ..vault.types import SealedDraft
from .clean import clean_api_key
from .clean import looks_like_admin_key
from .desk import Desk
from .desk import read_model
from .reports import parse_report
from .reports import render_report
from .saving import Saving
from .types import ConnectionReport
from .types import SaveResult

_log = logging.getLogger(__name__)

_GONE: t.Final = "The pasted key is not kept here any more."

#: Verdicts with which a person may go on without asking the provider again.
DECIDED: t.Final = ("not_usable", "could_not_ask")


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class DraftWish:
    """What a pasted key was to be saved as.

    :param company: the typed text.
    :param verdict: why it was not: see :class:`~flask_byok.vault.types.DraftInfo`.
    """

    company: str
    provider: str
    verdict: str
    actor: str | None
    model: str | None = None
    expires_on: dt.date | None = None
    activate: bool = True
    report: ConnectionReport | None = None
    other_provider: str | None = None


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class DraftStep:
    """What a person decided about a draft.

    :param company: the typed text.
    :param draft: the id, as the browser session holds it.
    :param provider: the provider the person saw; another one is another draft.
    :param generation: of the stored key the person saw, 0 for none; ``None``: any.
    :param changes_model: whether ``model`` was chosen in place of the draft's own;
        ``None`` then is the app's choice.
    """

    company: str
    draft: str
    provider: str
    actor: str | None
    generation: int | None = None
    model: str | None = None
    changes_model: bool = False

    def model_for(self, info: DraftInfo) -> str | None:
        """Tell which model the key is to be saved with."""
        return self.model if self.changes_model else info.model


class Drafting:
    """Keeps drafts, and does what people decide about them."""

    def __init__(self, desk: Desk, saving: Saving) -> None:
        self._desk = desk
        self._saving = saving

    def keep(self, wish: DraftWish, pasted: Secret) -> DraftInfo:
        """Seal a pasted key and keep it for a while.

        :raises ApiKeyFormatError: when the text cannot be an API key.
        :raises VaultClosed: when nothing can be sealed here.
        :raises StoredKeyUnreadable: when a key service does not answer.
        :raises StateUnavailable: when the row cannot be written.
        """
        provider = self._desk.registry.get(wish.provider)
        masks = [info.masked for info in self._desk.store.credentials(wish.company)]
        secret = clean_api_key(pasted, provider, self._desk.providers(), masks)
        info = DraftInfo(
            id=str(uuid.uuid4()),
            company_id=wish.company,
            provider=wish.provider,
            actor=wish.actor,
            verdict=wish.verdict,
            other_provider=wish.other_provider,
            model=read_model(wish.model),
            expires_on=wish.expires_on,
            activate=wish.activate,
            report=None if wish.report is None else render_report(wish.report),
            ends_at=self._desk.now() + LIFETIME,
        )
        # Before the transaction: a key service takes network.
        draft = self._seal(info, secret)

        with self._desk.database.write() as conn:
            self._desk.store.ensure_check_value(conn, self._desk.open_keyring())
            self._desk.drafts.insert(conn, draft, info.ends_at - LIFETIME)

        return info

    def check(self, step: DraftStep) -> SaveResult:
        """Ask the provider again, and save the key if it works.

        :raises CredentialNotFound: when the draft has ended, or is somebody else's.
        :raises CheckLimited: after too many checks in a minute; the draft stays.
        :raises StoredKeyUnreadable: when a key service does not answer; it stays.
        :raises StateUnavailable: when rows cannot be read or written.
        """
        draft = self._find(step)
        return self._save(step, draft, self._open(draft))

    def use(self, step: DraftStep) -> SaveResult:
        """Save the key as the person decided, in spite of what stood in the way.

        The provider is asked where it was not asked yet, or about another model.
        Raises as :meth:`check` does.
        """
        draft = self._find(step)
        secret = self._open(draft)
        checked = None

        if draft.info.verdict in DECIDED and not step.changes_model:
            checked = parse_report(draft.info.report)

        return self._save(step, draft, secret, checked=checked)

    def switch(self, step: DraftStep) -> SaveResult:
        """Take the key for one of the provider it looks like, check it and save it.

        Raises as :meth:`check` does.
        """
        draft = self._find(step)
        other = draft.info.other_provider

        if other is None or other not in self._desk.registry.ids:
            raise CredentialNotFound(_GONE)

        secret = self._open(draft)
        info = dataclasses.replace(draft.info, provider=other)
        # Sealed for the provider: what was sealed for the other would not open here.
        moved = self._replace(draft, info, secret)
        return self._save(dataclasses.replace(step, generation=None), moved, secret)

    def discard(self, company: str, draft_id: str, actor: str | None) -> None:
        """Delete a draft, unless it has ended or is somebody else's.

        :param company: the typed text.
        """
        draft = self._desk.drafts.read(company, draft_id)

        if draft is not None and draft.info.actor == actor:
            self._delete(draft.info)

    def _delete(self, info: DraftInfo) -> None:
        with self._desk.database.write() as conn:
            self._desk.drafts.delete(conn, info.company_id, info.id)

    def _find(self, step: DraftStep) -> SealedDraft:
        draft = self._desk.drafts.read(step.company, step.draft)

        if draft is None or (draft.info.actor, draft.info.provider) != (
            step.actor,
            step.provider,
        ):
            raise CredentialNotFound(_GONE)

        return draft

    def _open(self, draft: SealedDraft) -> Secret:
        info, keyring = draft.info, self._desk.open_keyring()

        try:
            return keyring.open(draft.blob, _context(info), key_id=draft.key_id)
        except StoredKeyUnreadable as error:
            failure = error

        if is_passing(failure.reason):
            raise failure

        log_event(
            _log,
            logging.ERROR,
            "draft_unreadable",
            "A pasted key of company %(company)s (%(provider)s) that was kept for a "
            "decision does not open and was deleted: %(reason)s.",
            company=info.company_id,
            provider=info.provider,
            reason=failure.reason,
        )
        self._delete(info)
        raise CredentialNotFound(_GONE)

    def _save(
        self,
        step: DraftStep,
        draft: SealedDraft,
        secret: Secret,
        *,
        checked: ConnectionReport | None = None,
    ) -> SaveResult:
        info = draft.info
        result = self._saving.save(
            info.company_id,
            info.provider,
            secret,
            model=step.model_for(info),
            expires_on=info.expires_on,
            actor=step.actor,
            activate=info.activate,
            generation=step.generation,
            confirm=_confirmed(info, checked),
            checked=checked,
            draft=info.id,
        )

        if result.verdict == "rejected":
            self._delete(info)
            is_admin_key = looks_like_admin_key(secret)
            return dataclasses.replace(result, is_admin_key=is_admin_key)

        if not result.saved:
            self._note(draft, result, step.model_for(info))

        return result

    def _note(self, draft: SealedDraft, result: SaveResult, model: str | None) -> None:
        """Note what is known of a draft now; it is kept no longer for it."""
        report = draft.info.report

        if result.report is not None:
            report = render_report(result.report)

        info = dataclasses.replace(
            draft.info,
            verdict=result.verdict,
            other_provider=result.other_provider or draft.info.other_provider,
            model=model,
            report=report,
        )
        with self._desk.database.write() as conn:
            noted = dataclasses.replace(draft, info=info)
            _require(self._desk.drafts.note(conn, noted))

    def _replace(
        self, draft: SealedDraft, info: DraftInfo, secret: Secret
    ) -> SealedDraft:
        """Keep a draft as one for another provider, sealed anew."""
        sealed = dataclasses.replace(
            self._seal(info, secret), generation=draft.generation
        )

        with self._desk.database.write() as conn:
            self._desk.store.ensure_check_value(conn, self._desk.open_keyring())
            _require(self._desk.drafts.replace(conn, sealed))

        return dataclasses.replace(sealed, generation=draft.generation + 1)

    def _seal(self, info: DraftInfo, secret: Secret) -> SealedDraft:
        keyring = self._desk.open_keyring()
        return SealedDraft(
            info=info,
            blob=keyring.seal(secret, _context(info)),
            key_id=keyring.primary,
        )


def _require(is_there: bool) -> None:
    """Stop where a draft was used, discarded or replaced meanwhile."""
    if not is_there:
        raise CredentialNotFound(_GONE)


def _context(info: DraftInfo) -> SealContext:
    return SealContext(
        purpose=DRAFT,
        company=info.company_id,
        provider=info.provider,
        record=info.id,
    )


def _confirmed(info: DraftInfo, checked: ConnectionReport | None) -> str | None:
    """Tell what a person goes on in spite of."""
    if checked is not None:
        return checked.verdict

    # Whose key it is was asked, and this is the answer.
    return None if info.other_provider is None else "other_provider"

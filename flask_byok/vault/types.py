"""What the vault hands out: values, never rows.

What every call builds is a named tuple: a frozen dataclass takes twenty times as long
to make.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import time
import typing as t


class CircuitState(t.NamedTuple):
    """How a key fared, as its row says. Times are aware UTC.

    :param id: of the row; a key removed and added again has a new one.
    :param generation: +1 on each save; every write about the key names the one it saw.
    :param circuit: ``closed`` or ``open``.
    :param reason: the reason word of the failure that opened it.
    :param code: a provider's code from our own table.
    :param open_until: when one caller may probe; in the past means half-open.
    :param open_count: how often it opened or re-opened in this episode.
    :param episode: the number of the present or last episode; 0 before the first.
    :param episode_at: when that episode began.
    :param model_blocks: JSON text as stored, ``{"<model>": {"reason", "code", "until",
        "count"}}``; ``None`` when there is none. It may be damaged.
    :param blocks_rev: the revision of ``model_blocks``, for compare-and-set.
    :param unreadable_at: since when the stored key does not open.
    :param unreadable_reason: why, in the words of :exc:`StoredKeyUnreadable`.
    :param fallback_episode: the last episode whose fallback was told.
    :param noticed_episode: the last episode a notice was sent for.
    :param noticed_kind: the last notice: ``failing``, ``reminder``, ``recovered``.
    :param noticed_reason: the reason word that notice gave.
    """

    id: str
    generation: int
    circuit: str
    reason: str | None
    code: str | None
    opened_at: dt.datetime | None
    open_until: dt.datetime | None
    open_count: int
    closed_at: dt.datetime | None
    episode: int
    episode_at: dt.datetime | None
    fail_count: int
    fail_since: dt.datetime | None
    probe_token: str | None
    probe_until: dt.datetime | None
    model_blocks: str | None
    blocks_rev: int
    last_ok_at: dt.datetime | None
    unreadable_at: dt.datetime | None
    unreadable_reason: str | None
    unreadable_told_at: dt.datetime | None
    fallback_episode: int
    noticed_episode: int
    noticed_at: dt.datetime | None
    noticed_kind: str | None
    noticed_reason: str | None


class Credential(t.NamedTuple):
    """A stored key as the engine needs it: sealed, with the state of its circuit.

    :param company_id: the typed text, ``i:42``.
    :param blob: the sealed key.
    :param state: ``unchecked``, ``working``, ``not_usable`` or ``no_model``.
    """

    id: str
    company_id: str
    provider: str
    blob: bytes
    key_id: str
    model: str | None
    expires_on: dt.date | None
    state: str
    generation: int
    circuit: CircuitState

    def __repr__(self) -> str:
        """Name the row; sealed or not, a key is not for printing."""
        return f"Credential(id={self.id!r}, provider={self.provider!r})"


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class SealedKey:
    """What a person saves: a sealed key and all that belongs to it.

    :param id: ``str(uuid4())``; that of the stored key when it is replaced, because the
        blob is bound to it.
    :param company_id: the typed text, ``i:42``.
    :param prefix: a public prefix the key really has; may be empty.
    :param last4: empty for a short or unusual key.
    :param state: ``unchecked``, ``working``, ``not_usable`` or ``no_model``.
    :param state_reason: a reason word for a state other than ``working``.
    :param report: JSON text of the check made before saving, in our own words.
    """

    id: str
    company_id: str
    provider: str
    blob: bytes = dataclasses.field(repr=False)
    key_id: str
    prefix: str
    last4: str
    model: str | None
    expires_on: dt.date | None
    state: str
    state_reason: str | None = None
    report: str | None = None


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class DraftInfo:
    """A key that was pasted and is not saved yet, without its sealed bytes.

    :param id: random; the pasting browser session holds it, and nobody else knows it.
    :param company_id: the typed text, ``i:42``.
    :param actor: who pasted it, as the host names people.
    :param verdict: why it is not saved: ``other_model``, ``not_usable``,
        ``could_not_ask``, ``other_provider``, ``changed`` or ``check_limit``.
    :param other_provider: whose key it looked like, once that was asked.
    :param activate: whether AI features shall use it once it is saved.
    :param report: JSON text of the check that led here; ``None`` without one.
    :param ends_at: when it is gone; aware UTC.
    """

    id: str
    company_id: str
    provider: str
    actor: str | None
    verdict: str
    other_provider: str | None
    model: str | None
    expires_on: dt.date | None
    activate: bool
    report: str | None
    ends_at: dt.datetime


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class SealedDraft:
    """A draft with its sealed bytes.

    :param generation: of those bytes: +1 whenever they are others.
    """

    info: DraftInfo
    blob: bytes = dataclasses.field(repr=False)
    key_id: str
    generation: int = 1


class CompanyState(t.NamedTuple):
    """All that one call has to know about a company, read by one query.

    :param clock: the database's time when it was read; aware UTC.
    :param read_at: ``time.monotonic()`` at the same moment.
    :param fallback: the policy the company chose; ``None`` when it chose none.
    :param active_provider: ``None`` when the company chose none.
    :param credentials: in the order of their provider ids.
    """

    company_id: str
    clock: dt.datetime
    read_at: float
    fallback: str | None
    active_provider: str | None
    use_other_keys: bool
    credentials: tuple[Credential, ...]

    def now(self) -> dt.datetime:
        """Tell the database's time of this moment, whatever this machine believes."""
        return self.clock + dt.timedelta(seconds=time.monotonic() - self.read_at)

    def credential(self, provider: str) -> Credential | None:
        """Find the company's key of one provider."""
        for credential in self.credentials:
            if credential.provider == provider:
                return credential

        return None


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class CredentialInfo:
    """A stored key as managers may see it. It is never decrypted for this.

    :param masked: ``sk-...abcd``: a public prefix the key really has, and ``last4``.
    :param last4: empty for a short or unusual key.
    :param state: ``unchecked``, ``working``, ``not_usable`` or ``no_model``.
    :param state_reason: a reason word for a state other than ``working``.
    :param generation: +1 on each save; guards against concurrent changes.
    :param active: the company's calls start on this key.
    :param circuit: ``closed`` or ``open``.
    :param reason: why the circuit is open.
    :param open_until: when the key is tried again; aware UTC.
    :param closed_at: when the circuit closed last; aware UTC.
    :param unreadable_at: since when the stored key does not open; else ``None``.
    :param unreadable_reason: why, in the words of :exc:`StoredKeyUnreadable`.
    :param model_blocks: JSON text of the models that are blocked for this key.
    :param report: JSON text of the last test, in our own words; ``None`` before it.
    :param reminded_days: the last reminder of ``expires_on``: 14, 7 or 1 days.
    """

    provider: str
    masked: str
    last4: str
    model: str | None
    state: str
    state_reason: str | None
    expires_on: dt.date | None
    generation: int
    active: bool
    created_at: dt.datetime
    created_by: str | None
    updated_at: dt.datetime
    updated_by: str | None
    last_ok_at: dt.datetime | None
    circuit: str
    reason: str | None
    opened_at: dt.datetime | None
    open_until: dt.datetime | None
    closed_at: dt.datetime | None
    unreadable_at: dt.datetime | None
    unreadable_reason: str | None
    model_blocks: str | None
    report: str | None
    tested_at: dt.datetime | None
    reminded_days: int | None

"""What the service methods share: the rooms below, and a few small steps."""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import datetime as dt
import re
import typing as t

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from ..config import Settings
from ..errors import StateUnavailable
from ..errors import StoredKeyUnreadable
from ..errors import VaultClosed
from ..failover.circuit import Circuits
from ..failover.engine import Engine
from ..failover.routes import DEFAULT
from ..failover.routes import Planner
from ..failover.telling import Teller
from ..failover.walk import seal_context
from ..ledger.audit import Action
from ..ledger.audit import Detail
from ..ledger.usage import Ledger
from ..providers.base import Provider
from ..providers.registry import Registry
from ..secret import Secret
from ..vault.database import Database
from ..vault.drafts import Drafts
from ..vault.keyring import Keyring
from ..vault.store import Store
from ..vault.types import CompanyState
from ..vault.types import Credential
from .check import Checker
from .limits import CheckLimiter

#: What a checked key is stored as.
STATES: t.Final[cabc.Mapping[str, str]] = {
    "working": "working",
    "other_model": "no_model",
    "not_usable": "not_usable",
    "could_not_ask": "unchecked",
}

_CLOSED: t.Final = (
    "Keys cannot be saved or opened here: BYOK_MASTER_KEYS is off. "
    "Make a master key with 'flask byok generate-key' and set it."
)
_NOT_RECORDED: t.Final = (
    "The change could not be written into the history, so it was not made. Look at the "
    "table byok_audit of this app's database and try again."
)
_MODEL: t.Final = re.compile(r"[\x21-\x7e]{1,200}")


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Desk:
    """One app's rooms, as the service methods need them. Companies are typed text.

    :param keyring: ``None`` when the vault is closed on purpose.
    """

    settings: Settings
    registry: Registry
    database: Database
    store: Store
    drafts: Drafts
    keyring: Keyring | None
    engine: Engine
    planner: Planner
    circuits: Circuits
    ledger: Ledger
    teller: Teller
    checker: Checker
    limiter: CheckLimiter

    def providers(self) -> list[Provider]:
        """Give the providers, in their order."""
        return [self.registry.get(provider_id) for provider_id in self.registry.ids]

    def model(self, provider: Provider, model: str | None) -> str:
        """Tell which model the app would use, given a name, an id or nothing."""
        names = self.planner.names(provider)
        return names.get(model or DEFAULT) or model or names[DEFAULT]

    def now(self) -> dt.datetime:
        """Tell the time by the database's clock, aware UTC.

        :raises StateUnavailable: when the database cannot be asked.
        """
        with self.database.read() as connection:
            return self.database.now(connection)

    def open_keyring(self) -> Keyring:
        """Give the keyring.

        :raises VaultClosed: when there is none.
        """
        if self.keyring is None:
            raise VaultClosed(_CLOSED)

        return self.keyring

    def open_stored(self, stored: Credential, state: CompanyState) -> Secret:
        """Decrypt a stored key for one check.

        :raises StoredKeyUnreadable: when it does not open; noted and told.
        """
        keyring = self.open_keyring()
        failure = None

        try:
            return keyring.open(stored.blob, seal_context(stored), key_id=stored.key_id)
        except StoredKeyUnreadable as error:
            failure = error

        now = state.now()
        change = self.circuits.marks.unreadable(stored, failure.reason, now)
        self.teller.changed(change, now)
        raise failure

    def count(self, company: str, actor: str | None) -> None:
        """Count one check.

        :raises CheckLimited: after too many in a minute.
        """
        # No id of a company holds a line break, so no two people share a counter.
        user = None if actor is None else f"{company}\n{actor}"
        self.limiter.hit(user=user, company=company, all="all")

    def note(
        self,
        connection: sa.Connection,
        company: str,
        action: Action,
        actor: str | None,
        provider: str | None,
        details: cabc.Mapping[str, Detail],
    ) -> None:
        """Write a line of the history, in the transaction of the change itself.

        :raises StateUnavailable: when it cannot be written; the change is not made.
        """
        at = self.database.now(connection)

        try:
            self.ledger.audit.write(
                connection,
                company,
                action,
                at=at,
                actor=actor,
                provider=provider,
                details=details,
            )
        except SQLAlchemyError:
            pass
        else:
            return

        raise StateUnavailable(_NOT_RECORDED)


def read_model(model: str | None) -> str | None:
    """Check a model's name; an empty one means the app's choice.

    :raises ValueError: for blanks inside, other characters or more than 200.
    """
    model = (model or "").strip()

    if model and not _MODEL.fullmatch(model):
        raise ValueError("A model's name has at most 200 characters and no spaces.")

    return model or None


def none_stored(provider: Provider) -> str:
    """Say that a company has no key of a provider."""
    return f"This company has no stored key of {provider.label}."

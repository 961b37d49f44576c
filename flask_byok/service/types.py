"""What the service methods answer: plain values for the page, the API and the CLI."""

from __future__ import annotations

import dataclasses
import datetime as dt
import decimal
import typing as t

from ..config import Policy
from ..ledger.budget import UnitAllowance
from ..ledger.prices import to_dollars
from ..providers.types import Source
from ..vault.types import CredentialInfo
from ..vault.types import DraftInfo

#: One graded check of a test.
Grade = t.Literal["pass", "remark", "fail", "unknown"]

#: What a test of a key found.
Verdict = t.Literal["working", "other_model", "not_usable", "rejected", "could_not_ask"]

#: What became of a save: a verdict, or why nothing was asked or stored.
SaveVerdict = t.Literal[
    "working",
    "other_model",
    "not_usable",
    "rejected",
    "could_not_ask",
    "other_provider",
    "changed",
]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class ListedModel:
    """What a list says of a model, beside that this key may use it.

    :param kinds: of ``chat``, ``embed``, ``other``.
    :param can: of ``vision``, ``documents``, ``tools``, ``schema``, ``reasoning``.
    :param shuts_down_on: UTC; ``None`` when no end is known.
    :param input_limit: tokens; ``None`` where the list does not say.
    """

    id: str
    kinds: tuple[str, ...] = ("chat",)
    can: tuple[str, ...] = ()
    shuts_down_on: dt.date | None = None
    input_limit: int | None = None


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class ConnectionReport:
    """The graded result of a test request. Holds no key and no provider text.

    :param provider: ``OPENAI``, ``GEMINI``, ``CLAUDE`` or a registered id.
    :param verdict: the overall result.
    :param key: is the key accepted and not expired?
    :param latency: is the answer fast enough? ``remark`` means slow; never ``fail``.
    :param list: may the key list models?
    :param generate: may the key generate with the model?
    :param latency_ms: of the successful generation, in ms.
    :param limit_ms: ``BYOK_LATENCY_LIMIT`` in ms.
    :param model: the model asked for.
    :param answered_model: the model that answered, when it is another one.
    :param models: ids this key may use, chat models first, at most 500.
    :param model_facts: of those of them about which something is known.
    :param model_shuts_down_on: the day ``model`` ends, UTC; ``None``: none is known.
    :param list_asked: ``False`` where a list proves nothing and was not asked for.
    :param missing: the missing permission by the provider's own name for it.
    :param reason: a reason word when something failed (``auth``, ``quota``, …).
    :param code: a code of our own table.
    :param until: when the provider says it may work again, UTC.
    :param tokens: used by the test, on the company's account.
    :param tested_at: UTC.
    """

    provider: str
    verdict: Verdict
    key: Grade
    latency: Grade
    list: Grade
    generate: Grade
    limit_ms: int
    model: str
    tested_at: dt.datetime
    latency_ms: int | None = None
    answered_model: str | None = None
    models: tuple[str, ...] = ()
    missing: str | None = None
    reason: str | None = None
    code: str | None = None
    status: int | None = None
    until: dt.datetime | None = None
    request_id: str | None = None
    tokens: int | None = None
    model_facts: tuple[ListedModel, ...] = ()
    model_shuts_down_on: dt.date | None = None
    list_asked: bool = True

    @property
    def is_valid(self) -> bool | None:
        """Whether the provider accepts the key; ``None`` when it could not be asked."""
        return {"pass": True, "remark": True, "fail": False}.get(self.key)


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class HealthReport:
    """Whether this process can serve its companies. Holds no secret.

    :param database: whether the tables answered.
    :param master_keys: whether the ring of this process is the one the database was
        written under; ``False``, too, while the tables do not answer. ``True`` where
        the vault is closed on purpose.
    :param problems: a sentence each, with the next step, for the operator; they name
        settings and ids of master keys.
    """

    database: bool
    master_keys: bool
    problems: tuple[str, ...]

    @property
    def is_healthy(self) -> bool:
        """Whether there are no problems."""
        return not self.problems


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class SaveResult:
    """What became of a save.

    :param saved: whether the key (or the change) is stored now.
    :param verdict: why, or why not.
    :param provider: the provider it was for.
    :param created: whether there was no key of this provider before.
    :param activated: whether AI features use this key now.
    :param credential: what is stored now; ``None`` when nothing is, or when it cannot
        be read just now.
    :param report: of the check; ``None`` when nothing was sent.
    :param other_provider: whose key it looks like, with verdict ``other_provider``.
    :param changed_by: who changed the key meanwhile, with verdict ``changed``.
    :param changed_at: when, UTC.
    :param is_admin_key: whether a draft that was rejected looks like a key for
        administration, which no provider takes for AI requests.
    """

    saved: bool
    verdict: SaveVerdict
    provider: str
    created: bool = False
    activated: bool = False
    credential: CredentialInfo | None = None
    report: ConnectionReport | None = None
    other_provider: str | None = None
    changed_by: str | None = None
    changed_at: dt.datetime | None = None
    is_admin_key: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class PolicyInfo:
    """The policy of a company, as it is in force.

    :param fallback: ``auto``, ``outage_only`` or ``never``.
    :param locked: whether the operator set ``fallback`` for all companies.
    :param active_provider: whose key AI features use; ``None`` without a key.
    :param use_other_keys: whether the other stored keys may answer too.
    """

    fallback: Policy
    locked: bool
    active_provider: str | None
    use_other_keys: bool


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Allowance:
    """How much of one unit of ``BYOK_SYSTEM_BUDGET`` is left this month.

    :param unit: ``requests``, ``tokens`` or ``money``.
    :param used: what is reserved for calls under way included. Of money a ``Decimal``
        in US dollars, by list prices: an estimate.
    :param limit: in the same unit.
    :param resets_on: the first day of the next month, UTC.
    """

    unit: str
    used: int | decimal.Decimal
    limit: int | decimal.Decimal
    resets_on: dt.date

    @property
    def left(self) -> int | decimal.Decimal:
        """What may still be used; never negative."""
        return self.limit - min(self.used, self.limit)


def read_allowance(unit: UnitAllowance) -> Allowance:
    """Give the ledger's counters as people read them: money in US dollars."""
    used = unit.used + unit.reserved
    return Allowance(
        unit=unit.unit,
        used=to_dollars(used) if unit.unit == "money" else used,
        limit=to_dollars(unit.limit) if unit.unit == "money" else unit.limit,
        resets_on=unit.resets_on,
    )


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class CompanyStatus:
    """Everything the page and the banner tell about one company; read in one query.

    :param serving: whose key the next call would use: ``company``, ``system`` or
        ``None`` when AI is off.
    :param provider: the provider the next call would use.
    :param model: the model the next call would use for ``default``.
    :param fallback_active: a company key exists and the next call would not start on
        the active one.
    :param reason: why the active key does not serve, a reason word.
    :param since: since when, UTC.
    :param until: when it is tried again, UTC.
    :param vault_open: whether keys can be saved here.
    :param draft: a pasted key that is not saved yet, for the session that pasted it.
    """

    now: dt.datetime
    policy: PolicyInfo
    credentials: tuple[CredentialInfo, ...]
    serving: Source | None
    provider: str | None
    model: str | None
    fallback_active: bool
    reason: str | None = None
    code: str | None = None
    since: dt.datetime | None = None
    until: dt.datetime | None = None
    vault_open: bool = True
    draft: DraftInfo | None = None

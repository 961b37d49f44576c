"""The tables, built in the host's metadata.

Column types are plain SQLAlchemy ones, so that a generated migration runs without
importing this package. Times are UTC; the store makes them aware when it reads.
"""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import datetime as dt
import functools
import typing as t

import sqlalchemy as sa
from sqlalchemy import orm
from sqlalchemy.dialects import mysql
from sqlalchemy.sql.elements import conv

from ..errors import SetupError

#: The length of a typed company text: ``s:`` and up to 255 bytes.
COMPANY_LENGTH = 257


def time_type() -> sa.types.TypeEngine[dt.datetime]:
    """Give the type of a time: UTC with microseconds on every database."""
    return sa.DateTime(timezone=True).with_variant(
        mysql.DATETIME(fsp=6), "mysql", "mariadb"
    )


def word_type(length: int) -> sa.types.TypeEngine[str]:
    """Give the type of a text that is compared byte by byte.

    MariaDB's default collation takes ``Acme`` and ``acme`` for one company.
    """
    return sa.String(length).with_variant(
        mysql.VARCHAR(length, charset="utf8mb4", collation="utf8mb4_bin"),
        "mysql",
        "mariadb",
    )


class CircuitMixin:
    """The columns in which a key, company or system, remembers how it fared."""

    id: orm.Mapped[str] = orm.mapped_column(word_type(36), nullable=False)
    generation: orm.Mapped[int] = orm.mapped_column(sa.Integer, nullable=False)
    circuit: orm.Mapped[str] = orm.mapped_column(word_type(16), nullable=False)
    reason: orm.Mapped[str | None] = orm.mapped_column(word_type(32))
    code: orm.Mapped[str | None] = orm.mapped_column(word_type(64))
    opened_at: orm.Mapped[dt.datetime | None] = orm.mapped_column(time_type())
    open_until: orm.Mapped[dt.datetime | None] = orm.mapped_column(time_type())
    open_count: orm.Mapped[int] = orm.mapped_column(sa.Integer, nullable=False)
    closed_at: orm.Mapped[dt.datetime | None] = orm.mapped_column(time_type())
    episode: orm.Mapped[int] = orm.mapped_column(sa.Integer, nullable=False)
    episode_at: orm.Mapped[dt.datetime | None] = orm.mapped_column(time_type())
    fail_count: orm.Mapped[int] = orm.mapped_column(sa.Integer, nullable=False)
    fail_since: orm.Mapped[dt.datetime | None] = orm.mapped_column(time_type())
    probe_token: orm.Mapped[str | None] = orm.mapped_column(word_type(36))
    probe_until: orm.Mapped[dt.datetime | None] = orm.mapped_column(time_type())
    model_blocks: orm.Mapped[str | None] = orm.mapped_column(sa.Text)
    blocks_rev: orm.Mapped[int] = orm.mapped_column(sa.Integer, nullable=False)
    last_ok_at: orm.Mapped[dt.datetime | None] = orm.mapped_column(time_type())
    unreadable_at: orm.Mapped[dt.datetime | None] = orm.mapped_column(time_type())
    unreadable_reason: orm.Mapped[str | None] = orm.mapped_column(word_type(32))
    unreadable_told_at: orm.Mapped[dt.datetime | None] = orm.mapped_column(time_type())
    fallback_episode: orm.Mapped[int] = orm.mapped_column(sa.Integer, nullable=False)
    noticed_episode: orm.Mapped[int] = orm.mapped_column(sa.Integer, nullable=False)
    noticed_at: orm.Mapped[dt.datetime | None] = orm.mapped_column(time_type())
    noticed_kind: orm.Mapped[str | None] = orm.mapped_column(word_type(16))
    noticed_reason: orm.Mapped[str | None] = orm.mapped_column(word_type(32))


class CredentialMixin(CircuitMixin):
    """The columns of a stored key, for a host that brings its own class.

    Add columns (a foreign key to your company, say) as you like; each needs a default
    or must be nullable, because rows are inserted here. ``company_id`` holds the typed
    text of the company's id: ``i:42``, ``u:…``, ``s:acme``. A class that states its own
    ``__table_args__`` must keep company and provider unique together. Pass the class
    as ``BYOK(db=db, credential_class=Mine)``. It cannot be mixed into a base that is a
    ``MappedAsDataclass``; use a second plain base on the same metadata there.
    """

    __tablename__ = "byok_credential"

    id: orm.Mapped[str] = orm.mapped_column(word_type(36), primary_key=True)
    company_id: orm.Mapped[str] = orm.mapped_column(
        word_type(COMPANY_LENGTH), nullable=False
    )
    provider: orm.Mapped[str] = orm.mapped_column(word_type(32), nullable=False)
    #: The sealed key. It is never opened by the mapped class.
    blob: orm.Mapped[bytes] = orm.mapped_column(sa.LargeBinary, nullable=False)
    key_id: orm.Mapped[str] = orm.mapped_column(word_type(4), nullable=False)
    prefix: orm.Mapped[str] = orm.mapped_column(word_type(16), nullable=False)
    last4: orm.Mapped[str] = orm.mapped_column(word_type(4), nullable=False)
    model: orm.Mapped[str | None] = orm.mapped_column(word_type(200))
    expires_on: orm.Mapped[dt.date | None] = orm.mapped_column(sa.Date)
    state: orm.Mapped[str] = orm.mapped_column(word_type(16), nullable=False)
    state_reason: orm.Mapped[str | None] = orm.mapped_column(word_type(32))
    created_at: orm.Mapped[dt.datetime] = orm.mapped_column(time_type(), nullable=False)
    created_by: orm.Mapped[str | None] = orm.mapped_column(sa.String(255))
    updated_at: orm.Mapped[dt.datetime] = orm.mapped_column(time_type(), nullable=False)
    updated_by: orm.Mapped[str | None] = orm.mapped_column(sa.String(255))
    #: The last reminder of ``expires_on`` that was sent: 14, 7 or 1 days.
    reminded_days: orm.Mapped[int | None] = orm.mapped_column(sa.Integer)
    test_report: orm.Mapped[str | None] = orm.mapped_column(sa.Text)
    tested_at: orm.Mapped[dt.datetime | None] = orm.mapped_column(time_type())

    @orm.declared_attr.directive
    def __table_args__(cls) -> tuple[sa.schema.SchemaItem, ...]:
        """Name the constraints after the table."""
        name: str = cls.__tablename__
        return (
            sa.UniqueConstraint(
                "company_id", "provider", name=conv(f"uq_{name}_company_provider")
            ),
            sa.Index(conv(f"ix_{name}_key_id"), "key_id"),
        )


class SystemKeyMixin(CircuitMixin):
    """The columns that remember how one of the operator's own keys fared."""

    __tablename__ = "byok_system_key"

    provider: orm.Mapped[str] = orm.mapped_column(word_type(32), primary_key=True)
    fingerprint: orm.Mapped[str] = orm.mapped_column(word_type(64), nullable=False)


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Tables:
    """The tables of one ``db``."""

    company: sa.Table
    credential: sa.Table
    draft: sa.Table
    system_key: sa.Table
    keyring: sa.Table
    attempt: sa.Table
    usage_day: sa.Table
    budget: sa.Table
    audit: sa.Table

    def all(self) -> tuple[sa.Table, ...]:
        """Give every table, in the order of the fields."""
        return tuple(getattr(self, field.name) for field in dataclasses.fields(self))


def build_tables(
    metadata: sa.MetaData, *, credential: sa.Table | None = None
) -> Tables:
    """Build the tables in the host's metadata, or find those already built there.

    :param credential: the table of a host's own class on :class:`CredentialMixin`.
    :raises SetupError: when that table lacks a column or its unique constraint.
    """
    if credential is None:
        credential = _mapped(metadata, CredentialMixin.__tablename__)

    _refuse_incomplete(credential)
    return Tables(
        company=_plain(metadata, "byok_company", _company_columns),
        credential=credential,
        draft=_plain(metadata, "byok_draft", _draft_columns),
        system_key=_mapped(metadata, SystemKeyMixin.__tablename__),
        keyring=_plain(metadata, "byok_keyring", _keyring_columns),
        attempt=_plain(metadata, "byok_attempt", _attempt_columns),
        usage_day=_plain(metadata, "byok_usage_day", _usage_day_columns),
        budget=_plain(metadata, "byok_budget", _budget_columns),
        audit=_plain(metadata, "byok_audit", _audit_columns),
    )


def _found(metadata: sa.MetaData, name: str) -> sa.Table | None:
    key = name if metadata.schema is None else f"{metadata.schema}.{name}"
    return metadata.tables.get(key)


def _mapped(metadata: sa.MetaData, name: str) -> sa.Table:
    """Build the table of a mixin, whatever base the host has."""
    table = _found(metadata, name)
    return _patterns()[name].to_metadata(metadata) if table is None else table


@functools.cache
def _patterns() -> dict[str, sa.Table]:
    """Map the mixins once: to tables of their own, of which every app gets copies."""
    registry = orm.registry()
    tables: dict[str, sa.Table] = {}

    for mixin in (CredentialMixin, SystemKeyMixin):
        mapped: t.Any = type(mixin.__name__.removesuffix("Mixin"), (mixin,), {})
        tables[mixin.__tablename__] = registry.mapped(mapped).__table__

    return tables


def _plain(
    metadata: sa.MetaData,
    name: str,
    columns: cabc.Callable[[], tuple[sa.schema.SchemaItem, ...]],
) -> sa.Table:
    table = _found(metadata, name)
    return sa.Table(name, metadata, *columns()) if table is None else table


def _refuse_incomplete(table: sa.Table) -> None:
    wanted = CREDENTIAL_COLUMNS + CIRCUIT_COLUMNS
    missing = [name for name in wanted if name not in table.c]

    if missing:
        raise SetupError(
            f"The table '{table.name}' lacks the columns {', '.join(missing)}. "
            "Build its class on 'flask_byok.CredentialMixin'."
        )

    if not _has_unique_pair(table):
        raise SetupError(
            f"In the table '{table.name}' company_id and provider must be unique "
            "together. Add UniqueConstraint('company_id', 'provider') to its "
            "__table_args__."
        )


def _has_unique_pair(table: sa.Table) -> bool:
    groups: list[set[str]] = [
        {column.name for column in constraint.columns}
        for constraint in table.constraints
        if isinstance(constraint, sa.UniqueConstraint)
    ]
    groups += [
        {column.name for column in index.columns}
        for index in table.indexes
        if index.unique
    ]
    return {"company_id", "provider"} in groups


def _names(mixin: type) -> tuple[str, ...]:
    return tuple(
        name
        for name, value in vars(mixin).items()
        if isinstance(value, orm.MappedColumn)
    )


#: The names of the columns in :class:`CircuitMixin`.
CIRCUIT_COLUMNS: tuple[str, ...] = _names(CircuitMixin)

#: The names of the columns a credential has beside them.
CREDENTIAL_COLUMNS: tuple[str, ...] = tuple(
    name for name in _names(CredentialMixin) if name not in CIRCUIT_COLUMNS
)


def _company_columns() -> tuple[sa.schema.SchemaItem, ...]:
    return (
        sa.Column("company_id", word_type(COMPANY_LENGTH), primary_key=True),
        sa.Column("fallback", word_type(16)),
        sa.Column("active_provider", word_type(32)),
        sa.Column("use_other_keys", sa.Boolean, nullable=False),
        sa.Column("removed_generation", sa.Integer),
        sa.Column("updated_at", time_type(), nullable=False),
    )


def _draft_columns() -> tuple[sa.schema.SchemaItem, ...]:
    return (
        sa.Column("id", word_type(36), primary_key=True),
        sa.Column("company_id", word_type(COMPANY_LENGTH), nullable=False),
        sa.Column("provider", word_type(32), nullable=False),
        sa.Column("blob", sa.LargeBinary, nullable=False),
        sa.Column("key_id", word_type(4), nullable=False),
        # Of the sealed bytes: +1 whenever they are others.
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("actor", sa.String(255)),
        sa.Column("verdict", word_type(16), nullable=False),
        sa.Column("other_provider", word_type(32)),
        sa.Column("model", word_type(200)),
        sa.Column("expires_on", sa.Date),
        sa.Column("activate", sa.Boolean, nullable=False),
        sa.Column("test_report", sa.Text),
        sa.Column("created_at", time_type(), nullable=False),
        sa.Column("ends_at", time_type(), nullable=False),
        sa.Index(conv("ix_byok_draft_company"), "company_id"),
        sa.Index(conv("ix_byok_draft_ends"), "ends_at"),
    )


def _keyring_columns() -> tuple[sa.schema.SchemaItem, ...]:
    return (
        sa.Column("key_id", word_type(4), primary_key=True),
        sa.Column("kcv", word_type(32), nullable=False),
        sa.Column("namespace", word_type(64), nullable=False),
        sa.Column("first_seen", time_type(), nullable=False),
        sa.Column("retired_at", time_type()),
    )


def _attempt_columns() -> tuple[sa.schema.SchemaItem, ...]:
    # No foreign key to host tables: an INSERT would wait behind the host's own lock on
    # the company, and fail for a company that is not committed yet.
    return (
        sa.Column("id", word_type(36), primary_key=True),
        sa.Column("call_id", word_type(36)),
        sa.Column("company_id", word_type(COMPANY_LENGTH), nullable=False),
        sa.Column("period", word_type(7), nullable=False),
        sa.Column("source", word_type(16), nullable=False),
        sa.Column("provider", word_type(32), nullable=False),
        sa.Column("model", sa.String(200)),
        sa.Column("label", sa.String(100)),
        sa.Column("state", word_type(16), nullable=False),
        sa.Column("reason", word_type(32)),
        sa.Column("status", sa.Integer),
        sa.Column("code", word_type(64)),
        sa.Column("request_id", sa.String(200)),
        sa.Column("streamed", sa.Boolean, nullable=False),
        sa.Column("latency_ms", sa.Integer),
        sa.Column("input_tokens", sa.BigInteger),
        sa.Column("output_tokens", sa.BigInteger),
        sa.Column("cached_tokens", sa.BigInteger),
        sa.Column("reasoning_tokens", sa.BigInteger),
        sa.Column("est_tokens", sa.BigInteger),
        sa.Column("est_micros", sa.BigInteger),
        sa.Column("cost_micros", sa.BigInteger),
        sa.Column("started_at", time_type(), nullable=False),
        sa.Column("expires_at", time_type(), nullable=False),
        sa.Index(conv("ix_byok_attempt_company_started"), "company_id", "started_at"),
        sa.Index(conv("ix_byok_attempt_state_expires"), "state", "expires_at"),
    )


#: The counts of a day, as they stand in :data:`Tables.usage_day`.
DAY_COUNTS: tuple[str, ...] = (
    "requests",
    "failed",
    "unknown",
    "input_tokens",
    "cached_tokens",
    "output_tokens",
    "reasoning_tokens",
    "cost_micros",
    "unpriced",
)


def _usage_day_columns() -> tuple[sa.schema.SchemaItem, ...]:
    # The id is made of what the row is about: no unique constraint holds with NULLs.
    counts = (sa.Column(name, sa.BigInteger, nullable=False) for name in DAY_COUNTS)
    return (
        sa.Column("id", word_type(64), primary_key=True),
        sa.Column("company_id", word_type(COMPANY_LENGTH), nullable=False),
        sa.Column("day", sa.Date, nullable=False),
        sa.Column("source", word_type(16), nullable=False),
        sa.Column("provider", word_type(32), nullable=False),
        sa.Column("model", sa.String(200)),
        sa.Column("label", sa.String(100)),
        *counts,
        sa.Index(conv("ix_byok_usage_day_company_day"), "company_id", "day"),
    )


def _budget_columns() -> tuple[sa.schema.SchemaItem, ...]:
    counters = (
        sa.Column(f"{kind}_{unit}", sa.BigInteger, nullable=False)
        for unit in ("requests", "tokens", "micros")
        for kind in ("reserved", "used")
    )
    return (
        sa.Column("company_id", word_type(COMPANY_LENGTH), primary_key=True),
        sa.Column("period", word_type(7), primary_key=True),
        *counters,
    )


def _audit_columns() -> tuple[sa.schema.SchemaItem, ...]:
    return (
        sa.Column("id", word_type(36), primary_key=True),
        sa.Column("company_id", word_type(COMPANY_LENGTH), nullable=False),
        sa.Column("at", time_type(), nullable=False),
        sa.Column("actor", sa.String(255)),
        sa.Column("action", word_type(32), nullable=False),
        sa.Column("provider", word_type(32)),
        sa.Column("details", sa.Text),
        sa.Index(conv("ix_byok_audit_company_at"), "company_id", "at"),
    )

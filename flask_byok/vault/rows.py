"""From rows to values."""

from __future__ import annotations

import collections.abc as cabc
import datetime as dt
import time
import typing as t

import sqlalchemy as sa

from .clock import db_now
from .clock import read_time
from .models import CIRCUIT_COLUMNS
from .models import Tables
from .query import Query
from .types import CircuitState
from .types import CompanyState
from .types import Credential
from .types import CredentialInfo
from .types import DraftInfo

_COMPANY = ("company_id", "fallback", "active_provider", "use_other_keys")
_SEALED = ("company_id", "provider", "blob", "key_id", "model", "expires_on", "state")
_CREDENTIAL_AT = 1 + len(_COMPANY)
_CIRCUIT_AT = _CREDENTIAL_AT + len(_SEALED)
_SHOWN = (
    "prefix",
    "last4",
    "state_reason",
    "created_at",
    "created_by",
    "updated_at",
    "updated_by",
    "test_report",
    "tested_at",
    "reminded_days",
)
_SHOWN_AT = _CIRCUIT_AT + len(CIRCUIT_COLUMNS)
_DRAFT_AT = _SHOWN_AT + len(_SHOWN)

#: The columns of a draft that stand in :class:`DraftInfo`, in its order.
DRAFT_COLUMNS: tuple[str, ...] = (
    "id",
    "company_id",
    "provider",
    "actor",
    "verdict",
    "other_provider",
    "model",
    "expires_on",
    "activate",
    "test_report",
    "ends_at",
)
_INFO = (
    "last4",
    "model",
    "state",
    "state_reason",
    "generation",
    "created_by",
    "updated_by",
    "circuit",
    "reason",
    "unreadable_reason",
    "model_blocks",
    "reminded_days",
)
_INFO_TIMES = (
    "created_at",
    "updated_at",
    "last_ok_at",
    "opened_at",
    "open_until",
    "closed_at",
    "unreadable_at",
    "tested_at",
)

#: Which of :data:`~flask_byok.vault.models.CIRCUIT_COLUMNS` hold times.
CIRCUIT_TIMES: tuple[str, ...] = (
    "opened_at",
    "open_until",
    "closed_at",
    "episode_at",
    "fail_since",
    "probe_until",
    "last_ok_at",
    "unreadable_at",
    "unreadable_told_at",
    "noticed_at",
)
_CIRCUIT_TIMES_AT = tuple(map(CIRCUIT_COLUMNS.index, CIRCUIT_TIMES))


def state_query(tables: Tables, *, shown: bool = False, drafted: bool = False) -> Query:
    """Build the one query a call makes before it sends anything.

    It answers with at least one row, for the clock, also for an unknown company.

    :param shown: read what managers may see of the keys, too.
    :param drafted: read one draft of the company, as well; its id is the parameter
        ``draft``. Needs ``shown``.
    """
    company, credential = tables.company.c, tables.credential.c
    one = sa.select(sa.literal_column("1").label("one")).subquery("o")
    asked = sa.bindparam("company", type_=sa.String())
    source = one.outerjoin(tables.company, company.company_id == asked)
    source = source.outerjoin(tables.credential, credential.company_id == asked)
    draft = tables.draft.c

    if drafted:
        named = sa.bindparam("draft", type_=sa.String())
        one_draft = sa.and_(draft.id == named, draft.company_id == asked)
        source = source.outerjoin(tables.draft, one_draft)

    return Query(
        sa.select(
            db_now(),
            *(company[name] for name in _COMPANY),
            *(credential[name] for name in _SEALED + CIRCUIT_COLUMNS),
            *(credential[name] for name in _SHOWN if shown),
            *(draft[name] for name in DRAFT_COLUMNS if drafted),
        ).select_from(source)
    )


def read_company(
    company: str,
    rows: cabc.Sequence[tuple[t.Any, ...]],
    moved: cabc.Callable[[t.Any], dt.datetime],
) -> CompanyState:
    """Build a company's state from the rows of :func:`state_query`.

    Ids are compared once more, exactly: a collation may ignore case or blanks.

    :param moved: makes the clock's raw answer an aware time.
    :raises ValueError: when a row cannot be read.
    """
    first = rows[0]
    known = first[1] == company
    credentials = [
        _read_credential(row) for row in rows if row[_CREDENTIAL_AT] == company
    ]
    credentials.sort(key=lambda credential: credential.provider)
    return CompanyState(
        company_id=company,
        clock=moved(first[0]),
        read_at=time.monotonic(),
        fallback=first[2] if known else None,
        active_provider=first[3] if known else None,
        use_other_keys=bool(known and first[4]),
        credentials=tuple(credentials),
    )


def _read_credential(row: tuple[t.Any, ...]) -> Credential:
    sealed = row[_CREDENTIAL_AT:_CIRCUIT_AT]
    company_id, provider, blob, key_id, model, expires_on, state = sealed
    circuit = read_circuit(row[_CIRCUIT_AT:_SHOWN_AT])
    return Credential(
        id=circuit.id,
        company_id=company_id,
        provider=provider,
        blob=read_blob(blob),
        key_id=key_id,
        model=model,
        expires_on=read_date(expires_on),
        state=state,
        generation=circuit.generation,
        circuit=circuit,
    )


def read_blob(value: t.Any) -> bytes:
    """Give a stored blob; what is none is empty, and the keyring refuses that.

    SQLite keeps a text or a number in a column of bytes. It must not hide the rest of
    the company's rows.
    """
    return bytes(value) if isinstance(value, (bytes, bytearray, memoryview)) else b""


def read_circuit(values: cabc.Sequence[t.Any]) -> CircuitState:
    """Build a circuit's state; ``values`` stand in the order of ``CIRCUIT_COLUMNS``."""
    read = list(values)

    for place in _CIRCUIT_TIMES_AT:
        if read[place] is not None:
            read[place] = read_time(read[place])

    return CircuitState._make(read)


def read_date(value: dt.date | str | None) -> dt.date | None:
    """Read a day; SQLite's driver gives it as text."""
    return dt.date.fromisoformat(value) if isinstance(value, str) else value


def read_infos(
    company: str, rows: cabc.Sequence[tuple[t.Any, ...]]
) -> tuple[CredentialInfo, ...]:
    """Build what managers may see from rows of :func:`state_query`, shown ones."""
    names = (*_SEALED, *CIRCUIT_COLUMNS, *_SHOWN)
    found = [
        _read_info(dict(zip(names, row[_CREDENTIAL_AT:_DRAFT_AT], strict=True)), row[3])
        for row in rows
        if row[_CREDENTIAL_AT] == company
    ]
    return tuple(sorted(found, key=lambda info: info.provider))


def _read_info(
    row: cabc.Mapping[str, t.Any], active_provider: str | None
) -> CredentialInfo:
    return CredentialInfo(
        **{name: row[name] for name in _INFO},
        **{name: read_time(row[name]) for name in _INFO_TIMES},
        provider=row["provider"],
        masked=f"{row['prefix']}...{row['last4']}",
        expires_on=read_date(row["expires_on"]),
        active=row["provider"] == active_provider,
        report=row["test_report"],
    )


def read_draft(company: str, row: tuple[t.Any, ...]) -> DraftInfo | None:
    """Read the draft at the end of a row of :func:`state_query`, if there is one."""
    values = row[_DRAFT_AT:]
    return build_draft(values) if values and values[1] == company else None


def build_draft(values: cabc.Sequence[t.Any]) -> DraftInfo:
    """Build a draft from the values of :data:`DRAFT_COLUMNS`."""
    named = dict(zip(DRAFT_COLUMNS, values, strict=True))
    report = named.pop("test_report")
    named["expires_on"] = read_date(named["expires_on"])
    named["activate"] = bool(named["activate"])
    named["ends_at"] = read_time(named["ends_at"])
    return DraftInfo(report=report, **named)

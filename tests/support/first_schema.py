"""The tables as the first revision of this package made them, and what came since.

Never changed: whatever ``flask_byok.vault.models`` becomes, a database that begins
here must arrive there by an ordinary migration.
"""

from __future__ import annotations

import typing as t

import sqlalchemy as sa
from sqlalchemy.dialects import mysql


def word(length: int) -> t.Any:
    """Give the type of a text that is compared byte by byte."""
    exact = mysql.VARCHAR(length, charset="utf8mb4", collation="utf8mb4_bin")
    return sa.String(length).with_variant(exact, "mysql", "mariadb")


WORDS: t.Final[dict[str, t.Any]] = {
    "big": sa.BigInteger(),
    "bytes": sa.LargeBinary(),
    "company": word(257),
    "date": sa.Date(),
    "flag": sa.Boolean(),
    "int": sa.Integer(),
    "text": sa.Text(),
    "time": sa.DateTime(timezone=True).with_variant(
        mysql.DATETIME(fsp=6), "mysql", "mariadb"
    ),
    **{f"word{length}": word(length) for length in (4, 7, 16, 32, 36, 64, 200)},
    **{f"name{length}": sa.String(length) for length in (100, 200, 255)},
}

_CIRCUIT: t.Final = (
    "generation int! circuit word16! reason word32 code word64 opened_at time "
    "open_until time open_count int! closed_at time episode int! fail_count int! "
    "fail_since time probe_token word36 probe_until time model_blocks text "
    "blocks_rev int! last_ok_at time unreadable_at time unreadable_told_at time "
    "fallback_episode int! noticed_episode int! noticed_at time"
)

#: Each table: column and type by turns. ``!`` is NOT NULL, ``*`` the primary key.
FIRST: t.Final[dict[str, str]] = {
    "byok_attempt": "id word36* call_id word36 company_id company! period word7! "
    "source word16! provider word32! model name200 label name100 state word16! "
    "reason word32 status int code word64 request_id name200 streamed flag! "
    "latency_ms int input_tokens big output_tokens big cached_tokens big "
    "reasoning_tokens big est_tokens big est_micros big cost_micros big "
    "started_at time! expires_at time!",
    "byok_audit": "id word36* company_id company! at time! actor name255 "
    "action word32! provider word32 details text",
    "byok_budget": "company_id company* period word7* reserved_requests big! "
    "used_requests big! reserved_tokens big! used_tokens big! reserved_micros big! "
    "used_micros big!",
    "byok_company": "company_id company* fallback word16 active_provider word32 "
    "use_other_keys flag! updated_at time!",
    "byok_credential": "id word36* company_id company! provider word32! blob bytes! "
    "key_id word4! prefix word16! last4 word4! model word200 expires_on date "
    "state word16! state_reason word32 created_at time! created_by name255 "
    f"updated_at time! updated_by name255 test_report text tested_at time {_CIRCUIT}",
    "byok_keyring": "key_id word4* kcv word32! namespace word64! first_seen time! "
    "retired_at time",
    "byok_system_key": f"provider word32* fingerprint word64! id word36! {_CIRCUIT}",
}

#: Table, name and columns of each index; the first is unique.
INDEXES: t.Final = (
    ("byok_credential", "uq_byok_credential_company_provider", "company_id provider"),
    ("byok_credential", "ix_byok_credential_key_id", "key_id"),
    ("byok_attempt", "ix_byok_attempt_company_started", "company_id started_at"),
    ("byok_attempt", "ix_byok_attempt_state_expires", "state expires_at"),
    ("byok_audit", "ix_byok_audit_company_at", "company_id at"),
)


def first_metadata() -> sa.MetaData:
    """Build those tables."""
    metadata = sa.MetaData()

    for name, text in FIRST.items():
        words = text.split()
        sa.Table(name, metadata, *map(_column, words[::2], words[1::2]))

    unique, *others = INDEXES
    metadata.tables[unique[0]].append_constraint(
        sa.UniqueConstraint(*unique[2].split(), name=unique[1])
    )

    for name, index, columns in others:
        table = metadata.tables[name]
        sa.Index(index, *(table.c[column] for column in columns.split()))

    return metadata


def _column(name: str, kind: str) -> sa.Column[t.Any]:
    return sa.Column(
        name,
        WORDS[kind.rstrip("!*")],
        primary_key=kind.endswith("*"),
        nullable=kind[-1] not in "!*",
        autoincrement=False,
    )

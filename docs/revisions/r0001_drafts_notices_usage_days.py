"""Bring the tables of flask-byok from its first schema to that of 0.1.0.

Copy it into "versions" of your Alembic environment and set "down_revision" to the
revision you are at. It imports nothing of flask-byok, so it stays true.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "byok0001"
down_revision = None


def word(length):
    """A text that is compared byte by byte."""
    exact = mysql.VARCHAR(length, charset="utf8mb4", collation="utf8mb4_bin")
    return sa.String(length).with_variant(exact, "mysql", "mariadb")


TIME = sa.DateTime(timezone=True).with_variant(
    mysql.DATETIME(fsp=6), "mysql", "mariadb"
)


def new_columns():
    """The new columns of older tables; none of them needs a value."""
    yield "byok_company", sa.Column("removed_generation", sa.Integer())
    yield "byok_credential", sa.Column("reminded_days", sa.Integer())

    for table in ("byok_credential", "byok_system_key"):
        yield table, sa.Column("episode_at", TIME)
        yield table, sa.Column("noticed_kind", word(16))
        yield table, sa.Column("noticed_reason", word(32))
        yield table, sa.Column("unreadable_reason", word(32))


def upgrade():
    for table, column in new_columns():
        op.add_column(table, column)

    op.create_table(
        "byok_draft",
        sa.Column("id", word(36), primary_key=True),
        sa.Column("company_id", word(257), nullable=False),
        sa.Column("provider", word(32), nullable=False),
        sa.Column("blob", sa.LargeBinary(), nullable=False),
        sa.Column("key_id", word(4), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("actor", sa.String(255)),
        sa.Column("verdict", word(16), nullable=False),
        sa.Column("other_provider", word(32)),
        sa.Column("model", word(200)),
        sa.Column("expires_on", sa.Date()),
        sa.Column("activate", sa.Boolean(), nullable=False),
        sa.Column("test_report", sa.Text()),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("ends_at", TIME, nullable=False),
    )
    op.create_index("ix_byok_draft_company", "byok_draft", ["company_id"])
    op.create_index("ix_byok_draft_ends", "byok_draft", ["ends_at"])

    counts = ("requests", "failed", "unknown", "input_tokens", "cached_tokens")
    counts += ("output_tokens", "reasoning_tokens", "cost_micros", "unpriced")
    op.create_table(
        "byok_usage_day",
        sa.Column("id", word(64), primary_key=True),
        sa.Column("company_id", word(257), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("source", word(16), nullable=False),
        sa.Column("provider", word(32), nullable=False),
        sa.Column("model", sa.String(200)),
        sa.Column("label", sa.String(100)),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in counts),
    )
    op.create_index(
        "ix_byok_usage_day_company_day", "byok_usage_day", ["company_id", "day"]
    )


def downgrade():
    op.drop_table("byok_usage_day")
    op.drop_table("byok_draft")

    for table, column in new_columns():
        op.drop_column(table, column.name)

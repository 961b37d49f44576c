"""Are our tables in the database?"""

from __future__ import annotations

import sqlalchemy as sa

from .models import Tables


def missing_names(connection: sa.Connection, tables: Tables) -> tuple[str, ...]:
    """Name what the database lacks: ``byok_audit``, or ``byok_audit.actor``."""
    inspector = sa.inspect(connection)
    return tuple(name for table in tables.all() for name in _missing(inspector, table))


def _missing(inspector: sa.Inspector, table: sa.Table) -> list[str]:
    if not inspector.has_table(table.name, schema=table.schema):
        return [table.name]

    columns = inspector.get_columns(table.name, schema=table.schema)
    found = {column["name"] for column in columns}
    return [f"{table.name}.{name}" for name in table.c.keys() if name not in found]

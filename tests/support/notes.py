"""A table of the host's own, beside ours in the same database."""

from __future__ import annotations

import types

import sqlalchemy as sa

from tests.support.host import Host


class Notes:
    """Rows the host writes while it calls; a context manager that drops the table."""

    def __init__(self, host: Host) -> None:
        self.db = host.db
        self.table = sa.Table(
            "notes", host.db.metadata, sa.Column("id", sa.Integer, primary_key=True)
        )
        self.table.create(host.db.engine)

    def __enter__(self) -> Notes:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: types.TracebackType | None,
    ) -> None:
        self.db.session.rollback()
        self.table.drop(self.db.engine)
        self.db.metadata.remove(self.table)

    def flush(self, note: int) -> None:
        """Write a row without committing it."""
        self.db.session.execute(sa.insert(self.table).values(id=note))

    def lock(self, note: int) -> None:
        """Lock a committed row until the end of the host's transaction."""
        mine = sa.select(self.table).where(self.table.c.id == note)
        self.db.session.execute(mine.with_for_update())

    def count(self) -> int:
        """Count the rows that are committed."""
        self.db.session.rollback()
        found = self.db.session.scalar(sa.select(sa.func.count(self.table.c.id)))
        self.db.session.rollback()
        return int(found or 0)

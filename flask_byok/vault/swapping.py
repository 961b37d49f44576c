"""Writes keys that were sealed anew, each only where its row is still what was read.

Nothing but ``blob`` and ``key_id`` changes. The generation stays, because the secret is
the same: what is known of the key remains true of it.
"""

from __future__ import annotations

import collections.abc as cabc
import typing as t

import sqlalchemy as sa

from .sealed_rows import SealedRow

#: Rows of one statement where a driver sends each statement by itself.
_PIECE: t.Final = 100


class Resealed(t.NamedTuple):
    """A row as it was read, and its key sealed by the primary."""

    row: SealedRow
    blob: bytes


class Swap:
    """The compare-and-swap of one table.

    :param key_id: of the master key that all rows get.
    """

    def __init__(self, table: sa.Table, key_id: str) -> None:
        self._key_id = key_id
        self._one = _update_one(table)
        self._piece = _update_piece(table)

    def write(
        self, connection: sa.Connection, resealed: cabc.Sequence[Resealed]
    ) -> int:
        """Write inside the caller's transaction; give how many rows were unchanged."""
        if not resealed:
            return 0

        dialect = connection.dialect

        # Its drivers wait for the answer to each row of an executemany.
        if dialect.name in ("mysql", "mariadb") and len(resealed) > 1:
            starts = range(0, len(resealed), _PIECE)
            pieces = [resealed[start : start + _PIECE] for start in starts]
            return sum(self._write_piece(connection, piece) for piece in pieces)

        rows = [self._named(each, "_") for each in resealed]

        if dialect.supports_sane_multi_rowcount:
            return connection.execute(self._one, rows).rowcount

        return sum(connection.execute(self._one, row).rowcount for row in rows)

    def _write_piece(
        self, connection: sa.Connection, piece: cabc.Sequence[Resealed]
    ) -> int:
        values: dict[str, t.Any] = {}

        for number in range(_PIECE):
            # The last one again, up to the size the statement was built for.
            each = piece[min(number, len(piece) - 1)]
            values.update(self._named(each, str(number)))

        return connection.execute(self._piece, values).rowcount

    def _named(self, each: Resealed, number: str) -> dict[str, t.Any]:
        return {
            f"id{number}": each.row.id,
            f"generation{number}": each.row.generation,
            f"key_id{number}": each.row.key_id,
            f"blob{number}": each.blob,
            "primary": self._key_id,
        }


class _Seen(t.NamedTuple):
    """The parameters of one row."""

    id: sa.BindParameter[t.Any]
    generation: sa.BindParameter[t.Any]
    key_id: sa.BindParameter[t.Any]
    blob: sa.BindParameter[t.Any]


def _seen(table: sa.Table, number: str) -> _Seen:
    return _Seen(
        *(
            # Not the column's own name, which would be taken for a value to set.
            sa.bindparam(f"{name}{number}", type_=table.c[name].type)
            for name in _Seen._fields
        )
    )


def _update_one(table: sa.Table) -> sa.Update:
    seen = _seen(table, "_")
    return (
        sa.update(table)
        .where(
            table.c.id == seen.id,
            table.c.generation == seen.generation,
            table.c.key_id == seen.key_id,
        )
        .values(blob=seen.blob, key_id=sa.bindparam("primary"))
    )


def _update_piece(table: sa.Table) -> sa.Update:
    """Build one statement for many rows; the ids alone let it use the primary key."""
    seen = [_seen(table, str(number)) for number in range(_PIECE)]
    whole = sa.tuple_(table.c.id, table.c.generation, table.c.key_id)
    return (
        sa.update(table)
        .where(
            table.c.id.in_([each.id for each in seen]),
            whole.in_([sa.tuple_(*each[:3]) for each in seen]),
        )
        .values(
            blob=sa.case(*((each.id, each.blob) for each in seen), value=table.c.id),
            key_id=sa.bindparam("primary"),
        )
    )

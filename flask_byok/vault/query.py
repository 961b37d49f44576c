"""Statements compiled once and run on the driver's own cursors.

What every call runs is too often compiled, processed and wrapped by the usual way: that
would cost more than the request it is about.
"""

from __future__ import annotations

import collections.abc as cabc
import typing as t

import sqlalchemy as sa


class Prepared:
    """A statement that every call runs.

    :param statement: an ``INSERT`` names every column, and one that a row does not
        give becomes NULL.
    :param sets: the columns an ``UPDATE`` sets, by parameters of their names.
    """

    def __init__(
        self,
        statement: sa.Select[t.Any] | sa.Insert | sa.Update,
        sets: cabc.Iterable[str] | None = None,
    ) -> None:
        #: The statement itself, for the usual way.
        self.statement: t.Final = statement
        #: What SQLAlchemy is told of it when its text is made.
        self.column_keys: t.Final = None if sets is None else list(sets)


class Query(Prepared):
    """A SELECT that every call runs.

    Rows come as the driver gives them: times go through
    :func:`~flask_byok.vault.clock.read_time`.
    """


class Insertion(Prepared):
    """The INSERT of one row that every call makes."""

    def __init__(self, table: sa.Table) -> None:
        super().__init__(sa.insert(table))
        self._columns: t.Final = tuple(column.name for column in table.c)

    def run_all(
        self,
        connection: sa.Connection,
        rows: cabc.Iterable[cabc.Mapping[str, object]],
    ) -> None:
        """Insert several rows, the usual way."""
        whole = [{name: row.get(name) for name in self._columns} for row in rows]
        connection.execute(self.statement, whole)


class RowUpdate(Prepared):
    """The UPDATE of one row, whose row count tells whether its conditions held.

    :param statement: names the row and its conditions, and sets nothing yet.
    """

    def __init__(self, statement: sa.Update, sets: cabc.Iterable[str]) -> None:
        super().__init__(statement, sets)


class Rendered:
    """A prepared statement as text for one engine.

    :param wrap: adds what belongs around the text.
    """

    def __init__(
        self,
        prepared: Prepared,
        engine: sa.Engine,
        wrap: cabc.Callable[[str], str] = str,
    ) -> None:
        dialect = engine.dialect
        schemas = engine.get_execution_options().get("schema_translate_map")
        compiled: t.Any = prepared.statement.compile(
            dialect=dialect,
            column_keys=prepared.column_keys,
            schema_translate_map=schemas,
            render_schema_translate=schemas is not None,
        )
        processors = {
            name: bound.type.dialect_impl(dialect).bind_processor(dialect)
            for name, bound in compiled.binds.items()
        }
        self._sql = wrap(str(compiled))
        # Values that stand in the statement itself are the same each time.
        self._fixed = {
            name: bound.value
            for name, bound in compiled.binds.items()
            if not bound.required
        }
        self._names = tuple(name for name in processors if name not in self._fixed)
        self._may_lack = isinstance(prepared, Insertion)
        self._places: tuple[str, ...] | None = getattr(compiled, "positiontup", None)
        self._processors = [(name, p) for name, p in processors.items() if p]

    def run(
        self,
        info: dict[t.Any, t.Any],
        open_cursor: cabc.Callable[[], t.Any],
        given: cabc.Mapping[str, object],
    ) -> t.Any:
        """Run it and give the cursor, which the connection keeps for the next time.

        A driver remembers on it what it learned of this very text.

        :param info: of the connection.
        :param open_cursor: opens one of its cursors.
        """
        cursor = info.get(self)

        if cursor is None:
            cursor = info[self] = open_cursor()

        cursor.execute(self._sql, self._values(given))
        return cursor

    def _values(self, given: cabc.Mapping[str, object]) -> t.Any:
        """Give the parameters as the driver takes them.

        :raises KeyError: when a query lacks one; NULL would find nothing, in silence.
        """
        if self._may_lack:
            named = {name: given.get(name) for name in self._names}
        else:
            named = {name: given[name] for name in self._names}

        named.update(self._fixed)

        for name, process in self._processors:
            named[name] = process(named[name])

        if self._places is None:
            return named

        return tuple(named[name] for name in self._places)

"""Statements compiled once and run on the driver's own cursor.

What every call runs is too often compiled, processed and wrapped by the usual way: that
would cost more than the request it is about.
"""

from __future__ import annotations

import collections.abc as cabc
import typing as t

import sqlalchemy as sa

#: Gives a value the form in which a driver takes it.
_Processor = cabc.Callable[[t.Any], t.Any]


class Prepared:
    """A statement as text for one dialect, made at its first use.

    :param statement: with plain bound parameters alone.
    """

    def __init__(self, statement: sa.Select[t.Any] | sa.Insert) -> None:
        #: The statement itself, for the usual way.
        self.statement: t.Final = statement
        self._rendered: tuple[sa.Dialect, str, tuple[str, ...] | None] | None = None

    def render(self, engine: sa.Engine) -> tuple[str, tuple[str, ...] | None]:
        """Give the text and, where parameters have positions, their names in order."""
        if self._rendered is None or self._rendered[0] is not engine.dialect:
            schemas = engine.get_execution_options().get("schema_translate_map")
            compiled = self.statement.compile(
                dialect=engine.dialect,
                schema_translate_map=schemas,
                render_schema_translate=schemas is not None,
            )
            names = getattr(compiled, "positiontup", None)
            self._rendered = (
                engine.dialect,
                str(compiled),
                None if names is None else tuple(names),
            )

        return self._rendered[1:]


class Query(Prepared):
    """A SELECT that every call runs.

    Rows come as the driver gives them: times go through
    :func:`~flask_byok.vault.clock.read_time`.
    """

    def run(
        self,
        engine: sa.Engine,
        connection: t.Any,
        parameters: cabc.Mapping[str, object],
    ) -> list[tuple[t.Any, ...]]:
        """Run it on a driver's connection and give all rows."""
        sql, names = self.render(engine)
        values: t.Any = parameters

        if names is not None:
            values = tuple(parameters[name] for name in names)

        cursor = connection.cursor()

        try:
            cursor.execute(sql, values)
            return list(cursor.fetchall())
        finally:
            cursor.close()


class Insertion(Prepared):
    """The INSERT of one row that every call makes.

    :param table: every column is named; one that a row does not give becomes NULL.
    """

    def __init__(self, table: sa.Table) -> None:
        super().__init__(sa.insert(table))
        self._columns = tuple(table.c)
        self._processors: tuple[sa.Dialect, dict[str, _Processor | None]] | None = None

    def prepare(
        self, engine: sa.Engine, row: cabc.Mapping[str, object]
    ) -> tuple[str, t.Any]:
        """Give text and values, as a driver's ``execute`` takes them."""
        sql, names = self.render(engine)
        values = {
            name: row.get(name) if process is None else process(row.get(name))
            for name, process in self._processors_for(engine.dialect).items()
        }
        return sql, values if names is None else tuple(values[name] for name in names)

    def _processors_for(self, dialect: sa.Dialect) -> dict[str, _Processor | None]:
        if self._processors is None or self._processors[0] is not dialect:
            self._processors = (
                dialect,
                {
                    column.name: column.type.dialect_impl(dialect).bind_processor(
                        dialect
                    )
                    for column in self._columns
                },
            )

        return self._processors[1]

"""The tables, where the host's ``db`` has its own."""

from __future__ import annotations

import typing as t

import sqlalchemy as sa

from ..errors import SetupError
from ..vault.models import build_tables
from ..vault.models import Tables
from .hostdb import HostDb
from .hostdb import NO_DB


class TableMaker:
    """Builds the tables once per ``db`` and bind, however many apps use it.

    :param metadata: where they are built, when ``db`` does not say.
    """

    def __init__(
        self, credential_class: type[t.Any] | None, metadata: sa.MetaData | None
    ) -> None:
        self._credential_class = credential_class
        self._metadata = metadata
        self._foreseen: Tables | None = None

    def foresee(self, db: HostDb) -> None:
        """Build the tables before any app has told where it keeps them."""
        self._foreseen = self._build(db, None)

    def make(self, db: HostDb, bind_key: str | None) -> Tables:
        """Build the tables in the metadata of a bind, or find them there."""
        if bind_key is not None and self._metadata is None:
            self._take_back(db)

        self._foreseen = None
        return self._build(db, bind_key)

    def _build(self, db: HostDb, bind_key: str | None) -> Tables:
        metadata = self._metadata
        metadata = _metadata(db, bind_key) if metadata is None else metadata
        return build_tables(metadata, credential=self._credential())

    def _take_back(self, db: HostDb) -> None:
        """Remove foreseen tables, or the app's main database would get them too."""
        for table in () if self._foreseen is None else self._foreseen.all():
            if table is not self._credential():
                _metadata(db, None).remove(table)

    def _credential(self) -> sa.Table | None:
        if self._credential_class is None:
            return None

        table = getattr(self._credential_class, "__table__", None)

        if not isinstance(table, sa.Table):
            raise SetupError(
                "'credential_class' must be a mapped class with a table of its own: "
                "a model on 'CredentialMixin' and 'db.Model'."
            )

        return table


def _metadata(db: t.Any, bind_key: str | None) -> sa.MetaData:
    # Looked up on the class: the property itself needs an app.
    if not hasattr(type(db), "engines"):
        raise SetupError(NO_DB)

    if not hasattr(db, "metadatas"):
        raise SetupError(
            "The 'db' given to BYOK has no metadata of its own. Name that of your base "
            "class: 'BYOK(db=db, metadata=Base.metadata)'."
        )

    # Finds it, or makes that of a bind that has no table yet.
    return t.cast("sa.MetaData", db._make_metadata(bind_key))

"""Finding and opening a company's key among many, beside the bare steps.

``BENCH_DATABASE`` is an empty database, ``BENCH_COMPANIES`` how many there are. All but
one company are copies of one row; any of them is read, and that one's key is opened.
"""

from __future__ import annotations

import collections.abc as cabc
import os
import random
import sys
import typing as t

import bench_call
import sqlalchemy as sa
import work
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from flask_byok import BYOK
from flask_byok.failover.walk import seal_context

#: The numbers of the companies begin here.
FIRST = 10_000_000
RECORD = "5b7f7a3e-3c0e-4a57-9a0c-2d6f5c1e8b90"


def build(url: str) -> work.Works:
    """Give what it can do."""
    app, db, byok = bench_call.build_app(os.environ["BENCH_DATABASE"], url)
    number = int(os.environ["BENCH_COMPANIES"])

    with app.app_context():
        bench_call.store_key(byok, "OPENAI", FIRST, RECORD)
        _fill(byok, db.engine, number)
        ours, bare = _ours(byok, number), _bare(byok, db.engine, number)

    runs = {"resolve": {"OPENAI": ours}, "bare": {"OPENAI": bare}}
    return work.Works(runs=runs, context=app.app_context)


def _fill(byok: BYOK, engine: sa.Engine, number: int) -> None:
    """Copy the rows of the first company until there are so many."""
    tables = byok.state.tables

    with engine.begin() as connection:
        for table in (tables.company, tables.credential):
            if number > 1:
                connection.execute(_copies(table, number))

    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("ANALYZE"))


def _copies(table: sa.Table, number: int) -> sa.Insert:
    numbers = sa.select(sa.literal(1).label("n")).cte("numbers", recursive=True)
    numbers = numbers.union_all(
        sa.select(numbers.c.n + 1).where(numbers.c.n < number - 1)
    )
    text = sa.cast(numbers.c.n + FIRST, sa.String(32))
    changed = {"company_id": sa.literal("i:") + text, "id": sa.literal("copy-") + text}
    columns = [changed.get(column.name, column) for column in table.c]
    source = sa.select(*columns).select_from(table.join(numbers, sa.true()))
    source = source.where(table.c.company_id == f"i:{FIRST}")
    return sa.insert(table).from_select([column.name for column in table.c], source)


def _anybody(number: int) -> cabc.Callable[[], str]:
    choose = random.Random(1).randrange
    return lambda: f"i:{FIRST + choose(number)}"


def _ours(byok: BYOK, number: int) -> work.Run:
    store, keyring = byok.state.store, byok.state.desk.open_keyring()
    anybody = _anybody(number)
    (credential,) = store.read_state(f"i:{FIRST}").credentials

    def resolve() -> object:
        (found,) = store.read_state(anybody()).credentials
        return keyring.open(
            credential.blob, seal_context(credential), key_id=found.key_id
        )

    return resolve


def _bare(byok: BYOK, engine: sa.Engine, number: int) -> work.Run:
    """The columns through SQLAlchemy Core, and the same derivation and cipher."""
    table, anybody = byok.state.tables.credential, _anybody(number)
    query = sa.select(table.c.blob, table.c.key_id, table.c.model).where(
        table.c.company_id == sa.bindparam("company"),
        table.c.provider == "OPENAI",
    )
    # Without a transaction around it, as ours.
    bare = sa.create_engine(
        engine.url, isolation_level="AUTOCOMMIT", pool_reset_on_return=None
    )
    master, salt, nonce = os.urandom(32), os.urandom(16), os.urandom(12)

    def derive() -> AESGCM:
        # 64 bytes as ours: half of them say which key it was.
        made = HKDF(hashes.SHA256(), 64, salt, b"of one company").derive(master)
        return AESGCM(made[:32])

    sealed = derive().encrypt(nonce, work.API_KEY.encode(), b"bound")

    def resolve() -> object:
        with bare.connect() as connection:
            row: t.Any = connection.execute(query, {"company": anybody()}).one()

        assert row.blob
        return derive().decrypt(nonce, sealed, b"bound").decode()

    return resolve


if __name__ == "__main__":
    sys.exit(work.serve(build(sys.argv[1])))

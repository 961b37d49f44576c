"""A host app for gunicorn: what its workers do, they are told over HTTP.

Its order stands in an environment variable, see ``tests.support.served_order``.
"""

from __future__ import annotations

import collections.abc as cabc
import datetime as dt
import json
import os
import pathlib
import typing as t
import urllib.request

import sqlalchemy as sa
from flask import Flask
from flask import request
from flask_sqlalchemy import SQLAlchemy

from flask_byok import BYOK
from tests.support.served_order import NUMBER
from tests.support.served_order import read_order

#: Asks each database which of its connections this is.
_CONNECTION: t.Final = {
    "postgresql": "SELECT pg_backend_pid()",
    "mysql": "SELECT connection_id()",
}


def create_app() -> Flask:
    """Make the app of one worker; with ``--preload``, of all of them."""
    order = read_order()
    mine = order["of_worker"].get(os.environ.get(NUMBER, ""), {})
    _set_clock(mine.get("clock_ahead", 0))
    app, db = Flask("served"), SQLAlchemy()
    byok = BYOK(db=db)
    app.config.update(order["config"], SQLALCHEMY_DATABASE_URI=order["url"])
    app.config.update(mine.get("config", {}))
    db.init_app(app)
    byok.init_app(app)
    Views(app, db, byok, pathlib.Path(order["clock"]))

    if order["preload"]:
        with app.app_context():
            byok.client_for("preloaded").chat("before the fork")

    return app


def _set_clock(seconds: float) -> None:
    """Let this process's clock go wrong; the database's is another."""
    if seconds:
        import time_machine

        wrong = dt.datetime.now(dt.timezone.utc) + dt.timedelta(seconds=seconds)
        time_machine.travel(wrong, tick=True).start()


def note_table(metadata: sa.MetaData) -> sa.Table:
    """The host's own rows: one per call it was told to note."""
    return sa.Table("note", metadata, sa.Column("id", sa.Integer, primary_key=True))


class Views:
    """What may be asked of a worker; each answer tells which one gave it."""

    def __init__(
        self, app: Flask, db: SQLAlchemy, byok: BYOK, clock: pathlib.Path
    ) -> None:
        self._db = db
        self._byok = byok
        self._clock = clock
        self._note = note_table(db.metadata)
        app.before_request(self._move_clock)

        for view in (self.chat, self.stream, self.save, self.remove, self.whoami):
            app.add_url_rule(f"/{view.__name__}", view_func=view, methods=["POST"])

    def _move_clock(self) -> None:
        """Let the database's clock run ahead as far as the file says."""
        ahead = dt.timedelta(seconds=float(self._clock.read_text() or 0))
        self._byok.state.database.clock_offset = ahead

    def chat(self) -> dict[str, t.Any]:
        """Call once, inside a transaction of the host where it has a row to note."""
        order = _order()

        if order.get("note"):
            self._db.session.execute(sa.insert(self._note).values(id=order["note"]))

        told = self._call(order)

        if order.get("keep"):
            self._db.session.commit()
        else:
            self._db.session.rollback()

        return told

    def _call(self, order: dict[str, t.Any]) -> dict[str, t.Any]:
        client = self._byok.client_for(order["company"])

        try:
            answer = client.chat(
                order["prompt"], model=order.get("model"), label=order.get("label")
            )
        except Exception as error:
            return {**_me(), "error": type(error).__name__}

        return {**_me(), "source": answer.source, "text": answer.text}

    def stream(self) -> cabc.Iterator[str]:
        """Stream lines of JSON: the pieces, then how it ended."""
        return self._pieces(_order(), self._byok.client_for(_order()["company"]))

    def _pieces(self, order: dict[str, t.Any], client: t.Any) -> cabc.Iterator[str]:
        told = _me()

        try:
            opened = client.stream(
                order["prompt"], model=order.get("model"), label=order.get("label")
            )

            with opened:
                for chunk in opened:
                    if chunk.text:
                        yield _line({"text": chunk.text})

            yield _line({**told, "end": "done", "source": opened.response.source})
        except Exception as error:
            partial = getattr(error, "partial", "")
            yield _line({**told, "end": type(error).__name__, "partial": partial})

    def save(self) -> dict[str, t.Any]:
        """Store a key."""
        order = _order()
        provider = order.get("provider", "OPENAI")

        try:
            saved = self._byok.save_key(order["company"], provider, order["api_key"])
        except Exception as error:
            return {**_me(), "end": type(error).__name__}

        return {**_me(), "end": "saved" if saved.saved else saved.verdict}

    def remove(self) -> dict[str, t.Any]:
        """Remove the key."""
        order = _order()

        try:
            self._byok.remove_key(order["company"], order.get("provider", "OPENAI"))
        except Exception as error:
            return {**_me(), "end": type(error).__name__}

        return {**_me(), "end": "removed"}

    def whoami(self) -> dict[str, t.Any]:
        """Tell a connection of this worker's own engine, and how much waits here."""
        database = self._byok.state.database
        engine = database.engine
        question = _CONNECTION.get(engine.dialect.name, "SELECT 0")

        with engine.connect() as connection:
            number = connection.exec_driver_sql(question).scalar()
            return {**_me(), "connection": number, "pending": database.pending}


def _order() -> dict[str, t.Any]:
    order: dict[str, t.Any] = request.get_json()

    if "meet" in order:
        _meet(order.pop("meet"))

    return order


def _meet(gate: str) -> None:
    """Wait at the gate until everybody who was invited is there."""
    with urllib.request.urlopen(f"{gate}/{os.getpid()}", timeout=60) as answer:
        answer.read()


def _me() -> dict[str, t.Any]:
    return {"pid": os.getpid(), "number": int(os.environ.get(NUMBER, 0))}


def _line(value: t.Any) -> str:
    return json.dumps(value) + "\n"

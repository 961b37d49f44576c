"""What a newcomer gets wrong: each mistake is made in an app, and what is said is read.

The table of ``docs/troubleshooting.md`` is made of this: ``make tables`` writes it.
"""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import dataclasses
import datetime as dt
import importlib
import itertools
import json
import logging
import pathlib
import shutil
import sys
import tempfile
import typing as t

import flask
import flask_sqlalchemy
import jinja2
import sqlalchemy as sa
from click.testing import CliRunner
from flask.cli import ScriptInfo

from flask_byok import BYOK
from flask_byok import current_ai_client
from flask_byok.cli import byok_cli
from flask_byok.errors import BYOKError
from flask_byok.masterkeys import generate
from flask_byok.testing import Simulator
from flask_byok.vault.models import build_tables
from tests.support.examples import ROOT
from tests.support.gunicorn_log import start
from tests.support.host import GOOD

PAGE: t.Final = ROOT / "docs" / "troubleshooting.md"
HEAD: t.Final = "| mistake | what is said | where | doctor |\n|---|---|---|---|\n"

#: Where a mistake shows.
Where = t.Literal["at the start", "in the log", "in a call", "by the doctor"]


class Newcomer:
    """Puts an app together as the quickstart says, with one thing done wrong."""

    def __init__(self, url: str, simulator: Simulator) -> None:
        self.url = url
        self.simulator = simulator
        self.made: list[tuple[flask.Flask, t.Any]] = []

    def app(self, **config: t.Any) -> flask.Flask:
        """Make an app with the usual settings; ``None`` leaves one out."""
        app = flask.Flask("newcomer")
        usual = {
            "SECRET_KEY": "not-a-real-secret",
            "SESSION_COOKIE_SECURE": True,
            "SQLALCHEMY_DATABASE_URI": self.url,
            "BYOK_MASTER_KEYS": {"k001": generate()},
            "BYOK_PROVIDER_URLS": dict(self.simulator.urls),
            "BYOK_SYSTEM_KEYS": {"OPENAI": "not-a-real-system-key"},
            "BYOK_RATE_LIMIT": {},
        }
        chosen = {**usual, **config}
        app.config.update({name: v for name, v in chosen.items() if v is not None})
        return app

    def finish(
        self,
        app: flask.Flask,
        *,
        create: bool = True,
        load: cabc.Callable[[], t.Any] | None = lambda: 1,
        check: cabc.Callable[[], t.Any] | None = lambda: True,
    ) -> flask.Flask:
        """Add ``db`` and ``byok`` to an app."""
        db = flask_sqlalchemy.SQLAlchemy()
        byok = BYOK(db=db)
        db.init_app(app)
        byok.init_app(app)
        self.made.append((app, db))

        if load is not None:
            byok.company_loader(load)

        if check is not None:
            byok.access_check(check)

        with app.app_context():
            (db.create_all if create else db.drop_all)()

        return app

    def close(self) -> None:
        """Give every connection back."""
        for app, db in self.made:
            with app.app_context():
                app.extensions["byok"].state.database.close()
                app.extensions["byok"].state.sender.close()

                for engine in db.engines.values():
                    engine.dispose()

        self.made.clear()


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Mistake:
    """One mistake.

    :param make: makes it; may raise what is said at the start.
    :param check: what ``flask byok doctor`` calls it; ``None`` where only a request
        or a call can show it.
    :param deploy: whether the doctor must be asked with ``--deploy``.
    :param gunicorn: options of the gunicorn that loads the app, in place of ``make``.
    """

    name: str
    where: Where
    check: str | None
    make: cabc.Callable[[Newcomer], flask.Flask] = lambda newcomer: newcomer.app()
    deploy: bool = False
    gunicorn: tuple[str, ...] = ()
    headers: cabc.Mapping[str, str] = dataclasses.field(default_factory=dict)


def _no_db(newcomer: Newcomer) -> flask.Flask:
    app = newcomer.app()
    BYOK().init_app(app)
    return app


def _by_place(newcomer: Newcomer) -> flask.Flask:
    misplaced: t.Any = flask_sqlalchemy.SQLAlchemy()
    BYOK(misplaced)
    return newcomer.app()


def _without_metadata(newcomer: Newcomer) -> flask.Flask:
    from flask_sqlalchemy_lite import SQLAlchemy

    BYOK(db=SQLAlchemy())
    return newcomer.app()


def _db_forgotten(newcomer: Newcomer) -> flask.Flask:
    app = newcomer.app()
    byok = BYOK(app, db=flask_sqlalchemy.SQLAlchemy())
    byok.company_loader(lambda: 1)
    byok.access_check(lambda: True)
    return app


def _no_bind(newcomer: Newcomer, **config: t.Any) -> flask.Flask:
    app = newcomer.app(**config)
    db = flask_sqlalchemy.SQLAlchemy(app)
    byok = BYOK(app, db=db)
    newcomer.made.append((app, db))
    byok.company_loader(lambda: 1)
    byok.access_check(lambda: True)
    return app


def _two(newcomer: Newcomer) -> flask.Flask:
    app = newcomer.finish(newcomer.app())
    BYOK(app, db=flask_sqlalchemy.SQLAlchemy())
    return app


def _other_byok(newcomer: Newcomer) -> flask.Flask:
    app = newcomer.finish(newcomer.app())
    other = BYOK(db=newcomer.made[0][1])

    with app.app_context():
        other.client_for(1)

    return app


def _name_taken(newcomer: Newcomer) -> flask.Flask:
    app = newcomer.app()
    app.register_blueprint(flask.Blueprint("byok", "newcomer"))
    return newcomer.finish(app)


def _old_flask(newcomer: Newcomer) -> flask.Flask:
    """Let the files of an older Flask stand first on the path."""
    with tempfile.TemporaryDirectory() as folder:
        info = pathlib.Path(folder, "flask-2.2.5.dist-info")
        info.mkdir()
        info.joinpath("METADATA").write_text("Name: Flask\nVersion: 2.2.5\n", "utf-8")
        sys.path.insert(0, folder)
        importlib.invalidate_caches()

        try:
            return newcomer.finish(newcomer.app())
        finally:
            sys.path.remove(folder)


def _other_ring(newcomer: Newcomer) -> flask.Flask:
    app = newcomer.finish(newcomer.app())

    with app.app_context():
        assert app.extensions["byok"].save_key(1, "OPENAI", GOOD).saved

    return newcomer.finish(newcomer.app())


def _taken_address(newcomer: Newcomer) -> flask.Flask:
    app = newcomer.app()
    app.add_url_rule("/settings/<part>/", "settings", lambda part: part)
    app.add_url_rule("/settings/ai/", "ai_settings", lambda: "mine")
    return newcomer.finish(app)


def _wrong_clock(newcomer: Newcomer) -> flask.Flask:
    app = newcomer.finish(newcomer.app())
    # The database's is moved instead: everybody else would see this machine's.
    app.extensions["byok"]._states[app].database.clock_offset = dt.timedelta(hours=-2)
    return app


def _never_swept(newcomer: Newcomer) -> flask.Flask:
    app = newcomer.finish(newcomer.app())

    with app.app_context():
        current_ai_client.chat("hello")
        age_rows(app, "attempt", "started_at", "expires_at")

    return app


def _never_rotated(newcomer: Newcomer) -> flask.Flask:
    app = newcomer.finish(newcomer.app())

    with app.app_context():
        assert app.extensions["byok"].save_key(1, "OPENAI", GOOD).saved
        age_rows(app, "keyring", "first_seen")

    return app


def age_rows(app: flask.Flask, table: str, *columns: str) -> None:
    """Let the rows of a table be of that old day that the page names, too."""
    state = app.extensions["byok"].state
    long_ago = dt.datetime(2020, 2, 29, tzinfo=dt.timezone.utc)

    with state.database.write() as connection:
        aged = sa.update(getattr(state.tables, table))
        connection.execute(aged.values(dict.fromkeys(columns, long_ago)))


def _journal(newcomer: Newcomer) -> flask.Flask:
    keep_journal(newcomer.url, "DELETE")
    return newcomer.finish(newcomer.app())


def keep_journal(url: str, mode: str) -> None:
    """Change how a file of SQLite is written, while nobody uses it."""
    engine = sa.create_engine(url)

    with engine.connect() as connection:
        connection.exec_driver_sql(f"PRAGMA journal_mode = {mode}")

    engine.dispose()


def _layout(newcomer: Newcomer, **templates: str) -> flask.Flask:
    app = newcomer.finish(newcomer.app(BYOK_BASE_TEMPLATE="base.html"))
    app.jinja_loader = jinja2.DictLoader(
        {f"{name}.html": text for name, text in templates.items()}
    )
    return app


def _settings(**config: t.Any) -> cabc.Callable[[Newcomer], flask.Flask]:
    return lambda newcomer: newcomer.finish(newcomer.app(**config))


def _finished(**options: t.Any) -> cabc.Callable[[Newcomer], flask.Flask]:
    return lambda newcomer: newcomer.finish(newcomer.app(), **options)


MISTAKES: t.Final = (
    Mistake(
        name="Flask is too old", where="at the start", check="settings", make=_old_flask
    ),
    Mistake(name="no `db`", where="at the start", check="settings", make=_no_db),
    Mistake(name="`BYOK(db)`", where="at the start", check="settings", make=_by_place),
    Mistake(
        name="Flask-SQLAlchemy-Lite without its metadata",
        where="at the start",
        check="settings",
        make=_without_metadata,
    ),
    Mistake(
        name="no `db.init_app(app)`",
        where="in the log",
        check="tables",
        make=_db_forgotten,
    ),
    Mistake(
        name="a bind that is not there",
        where="in the log",
        check="tables",
        make=lambda newcomer: _no_bind(newcomer, BYOK_BIND_KEY="ai"),
    ),
    Mistake(
        name="binds alone, and none of them named",
        where="in the log",
        check="tables",
        make=lambda newcomer: _no_bind(
            newcomer,
            SQLALCHEMY_DATABASE_URI=None,
            SQLALCHEMY_BINDS={"ai": newcomer.url},
        ),
    ),
    Mistake(name="two extensions", where="at the start", check="settings", make=_two),
    Mistake(
        name="another `byok` than that of the app",
        where="in a call",
        check=None,
        make=_other_byok,
    ),
    Mistake(
        name="a blueprint of the same name",
        where="at the start",
        check="settings",
        make=_name_taken,
    ),
    Mistake(
        name="no master key",
        where="at the start",
        check="settings",
        make=_settings(BYOK_MASTER_KEYS=None),
    ),
    Mistake(
        name="a master key cut short",
        where="at the start",
        check="settings",
        make=_settings(BYOK_MASTER_KEYS={"k001": "c2hvcnQ"}),
    ),
    Mistake(
        name="a setting misspelt",
        where="at the start",
        check="settings",
        make=_settings(BYOK_BASE_TEMPLATES="base.html"),
    ),
    Mistake(
        name="a prefix without its slash",
        where="at the start",
        check="settings",
        make=_settings(BYOK_URL_PREFIX="settings/ai"),
    ),
    Mistake(
        name="the wrong ring",
        where="in the log",
        check="master-keys",
        make=_other_ring,
    ),
    Mistake(
        name="no tables",
        where="in the log",
        check="tables",
        make=_finished(create=False),
    ),
    Mistake(
        name="no `company_loader`",
        where="in a call",
        check="company-loader",
        make=_finished(load=None),
    ),
    Mistake(
        name="the loader gives a user",
        where="in a call",
        check=None,
        make=_finished(load=object),
    ),
    Mistake(
        name="nobody is signed in",
        where="in a call",
        check=None,
        make=_finished(load=lambda: None),
    ),
    Mistake(
        name="no `access_check`",
        where="in the log",
        check="access-check",
        make=_finished(check=None),
    ),
    Mistake(
        name="an access check that gives 1",
        where="in the log",
        check=None,
        make=_finished(check=lambda: 1),
    ),
    Mistake(
        name="no `SECRET_KEY`",
        where="in the log",
        check="secret-key",
        make=_settings(SECRET_KEY=None),
    ),
    Mistake(
        name="a layout that is not there",
        where="in the log",
        check="layout",
        make=_layout,
    ),
    Mistake(
        name="a layout without `content`",
        where="in the log",
        check="layout",
        make=lambda newcomer: _layout(newcomer, base="<main></main>"),
    ),
    Mistake(
        name="a proxy in front",
        where="in the log",
        check=None,
        make=_finished(),
        headers={"X-Forwarded-For": "203.0.113.7"},
    ),
    Mistake(
        name="a proxy that serves a sub-path",
        where="in the log",
        check=None,
        make=_finished(),
        headers={"X-Forwarded-Prefix": "/app"},
    ),
    Mistake(
        name="a layout that Jinja cannot read",
        where="by the doctor",
        check="layout",
        make=lambda newcomer: _layout(newcomer, base="<main>{% if %}</main>"),
    ),
    Mistake(
        name="the address of the page is taken",
        where="by the doctor",
        check="page",
        make=_taken_address,
    ),
    Mistake(
        name="`APPLICATION_ROOT` instead of a mount",
        where="by the doctor",
        check="mount",
        make=_settings(APPLICATION_ROOT="/app"),
    ),
    Mistake(
        name="no system key",
        where="by the doctor",
        check="system-keys",
        make=_settings(BYOK_SYSTEM_KEYS=None),
    ),
    Mistake(
        name="the clock of this machine is wrong",
        where="by the doctor",
        check="clock",
        make=_wrong_clock,
    ),
    Mistake(
        name="nobody runs the sweep",
        where="by the doctor",
        check="sweep",
        make=_never_swept,
    ),
    Mistake(
        name="one master key for ever",
        where="by the doctor",
        check="rotation",
        make=_never_rotated,
    ),
    Mistake(
        name="workers that are killed before a call ends",
        where="in the log",
        check=None,
        gunicorn=("--timeout", "30"),
    ),
    Mistake(
        name="gevent that comes too late",
        where="in the log",
        check=None,
        gunicorn=("--worker-class", "gevent", "--preload"),
    ),
    Mistake(
        name="debug mode on a server",
        where="in the log",
        check="debug",
        deploy=True,
        make=_settings(DEBUG=True),
    ),
    Mistake(
        name="a `SECRET_KEY` that can be guessed",
        where="by the doctor",
        check="secret-key",
        deploy=True,
        make=_settings(SECRET_KEY="dev"),
    ),
    Mistake(
        name="cookies without HTTPS",
        where="by the doctor",
        check="cookies",
        deploy=True,
        make=_settings(SESSION_COOKIE_SECURE=None),
    ),
    Mistake(
        name="counters in memory beside several workers",
        where="by the doctor",
        check="rate-limit",
        deploy=True,
        make=_settings(BYOK_RATE_LIMIT=None),
    ),
    Mistake(
        name="SQLite that does not write ahead",
        where="by the doctor",
        check="sqlite",
        deploy=True,
        make=_journal,
    ),
    Mistake(
        name="a database in memory",
        where="by the doctor",
        check="sqlite",
        deploy=True,
        make=_settings(SQLALCHEMY_DATABASE_URI="sqlite://"),
    ),
)


@contextlib.contextmanager
def _listening() -> cabc.Iterator[list[str]]:
    """Collect what the package says to its log, from WARNING on."""
    said: list[str] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: said.append(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger("flask_byok")
    logger.addHandler(handler)

    try:
        yield said
    finally:
        logger.removeHandler(handler)


def hear(mistake: Mistake, newcomer: Newcomer) -> str:
    """Make a mistake and give the sentence that is said."""
    if mistake.check is not None and mistake.where == "by the doctor":
        return examine(mistake, newcomer)[mistake.check]

    if mistake.gunicorn:
        # Beside what gunicorn itself writes, and the app when it is ready.
        lines = start(*mistake.gunicorn).splitlines()
        return next(line for line in lines if line.startswith("gunicorn"))

    with _listening() as said:
        try:
            app = mistake.make(newcomer)

            if mistake.where == "in a call":
                with app.app_context():
                    current_ai_client.chat("hello")

            app.test_client().get("/settings/ai/", headers=dict(mistake.headers))
        except BYOKError as refused:
            assert mistake.where in ("at the start", "in a call"), str(refused)
            return str(refused)

    assert mistake.where == "in the log", mistake.name
    return said[0]


def examine(mistake: Mistake, newcomer: Newcomer) -> dict[str, str]:
    """Run ``flask byok doctor``; give what it finds amiss, by the name of the check."""
    info = ScriptInfo(create_app=lambda: mistake.make(newcomer))
    command = ["doctor", "--deploy", "--json"]
    result = CliRunner().invoke(byok_cli, command, obj=info)
    assert result.output, (mistake.name, result.exception)
    found = json.loads(result.output)
    return {f["check"]: f["text"] for f in found if f["level"] != "ok"}


def newcomers(
    folder: pathlib.Path, simulator: Simulator
) -> cabc.Generator[Newcomer, None, None]:
    """Give one newcomer after another, each with tables of his own in a folder."""
    prepared = folder / "prepared.sqlite3"
    engine = sa.create_engine(f"sqlite:///{prepared}")
    metadata = sa.MetaData()
    build_tables(metadata)
    metadata.create_all(engine)
    engine.dispose()
    keep_journal(str(engine.url), "WAL")

    for number in itertools.count():
        copy = shutil.copyfile(prepared, folder / f"{number}.sqlite3")

        with contextlib.closing(Newcomer(f"sqlite:///{copy}", simulator)) as newcomer:
            yield newcomer


def rows(folder: pathlib.Path, simulator: Simulator) -> list[str]:
    """Make every mistake and write the table's rows."""
    written = []

    for mistake, newcomer in zip(MISTAKES, newcomers(folder, simulator), strict=False):
        sentence = hear(mistake, newcomer)
        check = "" if mistake.check is None else f"`{mistake.check}`"
        check += " with `--deploy`" if mistake.deploy else ""
        written.append(f"| {mistake.name} | {sentence} | {mistake.where} | {check} |")

    return written


def table(page: str) -> list[str]:
    """Read the rows that stand on the page."""
    return page.partition(HEAD)[2].partition("\n\n")[0].splitlines()


def _write_page() -> None:
    page = PAGE.read_text("utf-8")

    with tempfile.TemporaryDirectory() as folder, Simulator() as simulator:
        new = rows(pathlib.Path(folder), simulator)

    before, head, rest = page.partition(HEAD)
    rest = rest.partition("\n\n")[2]
    PAGE.write_text(before + head + "\n".join(new) + "\n\n" + rest, "utf-8")


if __name__ == "__main__":
    _write_page()

"""The guard finds what is planted: in every sink, in every encoding."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import gzip
import logging
import pathlib
import subprocess
import sys
import textwrap
import typing as t
import warnings
import zlib

import brotli
import flask
import pytest
import sqlalchemy as sa

from flask_byok.testing import LeakGuard
from flask_byok.testing import make_canary
from flask_byok.testing.leaks import SINKS
from tests.leaks.planting import ENCODINGS
from tests.leaks.planting import PLANTERS
from tests.leaks.planting import prepare
from tests.leaks.planting import Quiet
from tests.leaks.planting import Site
from tests.web.conftest import MakeHost


@pytest.fixture
def canary(request: pytest.FixtureRequest) -> str:
    """A key that is different in each test and the same in each run."""
    return make_canary(request.node.nodeid)


def test_every_sink_has_a_planter() -> None:
    """No sink is left out of the test below."""
    assert set(PLANTERS) == set(SINKS)


@pytest.mark.parametrize("sink", PLANTERS)
def test_a_planted_leak_is_found(make_host: MakeHost, sink: str) -> None:
    """In each sink, by a real leak there, and in each encoding."""
    host = make_host(BYOK_RATE_LIMIT={"company": 1000})
    host.save()
    site = Site(host, LeakGuard(make_canary(sink)))
    prepare(site)
    missed = []

    for encoding, encode in ENCODINGS.items():
        canary = make_canary(f"{sink} {encoding}")
        site.guard = guard = LeakGuard(canary)
        guard.attach(host.app)
        guard.attach_simulator(host.simulator)

        with (
            warnings.catch_warnings(record=True),
            guard.listening(),
            guard.reporting() if sink == "sentry" else contextlib.nullcontext(),
        ):
            PLANTERS[sink](site, encode(canary))

        guard.look_around()
        guard.detach()

        if not any(leak.startswith(f"{sink}: ") for leak in guard.leaks):
            missed.append(encoding)

    assert missed == []


@pytest.mark.parametrize("sink", SINKS)
def test_a_sink_that_was_never_attached_fails_by_name(canary: str, sink: str) -> None:
    """Silence is no proof; the sentence names the sink and what to do."""
    guard = LeakGuard(canary)
    guard.require(sink)

    with pytest.raises(AssertionError, match=f"never looked at:\n  {sink}: ."):
        guard.verify()


def test_a_leak_fails_by_name(canary: str) -> None:
    """With its sink, the encoding, and what stands around it."""
    guard = LeakGuard(canary)
    guard.require()
    guard.look("signals", f"code={canary[20:30]}")

    with pytest.raises(AssertionError, match="signals: plain, near b'code=.*'$"):
        guard.verify()


def test_an_unknown_sink_is_refused(canary: str) -> None:
    """A typo would demand nothing."""
    with pytest.raises(ValueError, match="No such sink: drains"):
        LeakGuard(canary).require("logs", "drains")


def test_other_texts_are_no_leak(canary: str) -> None:
    """Five characters, other random texts, and the last four as a mask."""
    guard = LeakGuard(canary)
    guard.look("responses", f"sk-...{canary[-4:]}", canary[-5:], make_canary("other"))
    guard.look("logs", canary[:5], make_canary("other"), [canary[5:10]] * 3)
    assert guard.leaks == []


@pytest.mark.parametrize("sink", ["logs", "signals", "audit", "sessions", "cookies"])
def test_the_last_four_are_for_managers_alone(canary: str, sink: str) -> None:
    """Elsewhere they are a leak as a word; a longer word that ends so is none."""
    guard = LeakGuard(canary)
    guard.look(sink, f"x{canary[-4:]}", f"{canary[-4:]}x")
    assert guard.leaks == []
    guard.look(sink, f"sk-...{canary[-4:]}")
    assert guard.leaks[0].startswith(f"{sink}: the last four")


def test_members_see_no_digits(canary: str) -> None:
    """A page may show them, unless it is a member's."""
    guard = LeakGuard(canary)
    guard.look("responses", f"…{canary[-4:]}")

    with guard.no_digits():
        guard.look("responses", f"…{canary[-4:]}")

    assert len(guard.leaks) == 1


@pytest.mark.parametrize("prefix", ["sk-ant-", "sk-proj-", "AIza"])
def test_a_public_prefix_may_be_shown(prefix: str) -> None:
    """Runs inside the prefix are exempt, one that leaves it is not."""
    canary = make_canary(prefix, prefix)
    guard = LeakGuard(canary, prefix=prefix)
    guard.look("logs", f"{prefix}...", prefix.encode().hex())
    assert guard.leaks == []
    guard.look("logs", canary[: max(6, len(prefix) + 1)])
    assert guard.leaks


def test_several_secrets_are_watched(canary: str) -> None:
    """A system key or the bytes of a master key beside the canary."""
    guard = LeakGuard(canary)
    system, master = make_canary("system"), bytes(range(200, 232))
    guard.look("logs", system)
    guard.watch_also(system)
    guard.watch_also(master)
    guard.look("logs", system)
    guard.look("tables", b"x" + master[9:20])
    assert [leak.split(":")[0] for leak in guard.leaks] == ["logs", "tables"]


def test_an_error_tells_through_every_seam(canary: str) -> None:
    """Text, attributes, notes, locals of a frame, cause, context and members."""

    def raise_with_local(held: str) -> t.NoReturn:
        raise ValueError("nothing")

    def chained() -> None:
        try:
            raise_with_local(canary)
        except ValueError as error:
            raise KeyError("clean") from error

    hidden = ValueError("clean")
    hidden.attribute = canary  # type: ignore[attr-defined]
    noted = ValueError("clean")
    noted.__notes__ = [canary]  # type: ignore[attr-defined]
    suppressed = ValueError("clean")
    suppressed.__context__ = KeyError(canary)
    suppressed.__suppress_context__ = True
    both = ValueError("clean")
    both.__cause__, both.__context__ = KeyError("clean"), KeyError(canary)

    with pytest.raises(KeyError) as caught:
        chained()

    for error in (ValueError(canary), hidden, noted, suppressed, both, caught.value):
        guard = LeakGuard(canary)
        guard.look_at_error(error)
        assert guard.leaks, error


def test_the_tests_own_frames_are_spared(canary: str) -> None:
    """They hold the key by right; the text of the error is looked at all the same."""

    def fail(held: str, text: str) -> None:
        raise ValueError(text)

    for text, found in (("clean", False), (canary, True)):
        guard = LeakGuard(canary, own_code=[pathlib.Path(__file__).parent])

        with pytest.raises(ValueError) as caught:
            fail(canary, text)

        guard.look_at_error(caught.value)
        assert bool(guard.leaks) is found


def test_a_record_tells_by_message_args_extra_and_exception(canary: str) -> None:
    """Loggers with a level of their own, switched off or cut off from the root too."""
    log = logging.getLogger("planted.cut.off")
    log.setLevel(logging.ERROR)
    log.propagate, log.disabled = False, True

    for write in (
        lambda: log.debug("key %s", canary),
        lambda: log.info("clean", extra={"held": canary}),
        lambda: log.debug("%(a)s", {"a": 1, "b": canary}),
        lambda: log.error("clean", exc_info=ValueError(canary)),
        lambda: log.error("clean", stack_info=False, extra={"a": {"b": [canary]}}),
    ):
        guard = LeakGuard(canary)

        with guard.listening():
            write()

        assert guard.leaks

    assert (log.level, log.propagate, log.disabled) == (logging.ERROR, False, True)


def test_a_repr_that_logs_does_not_go_round_in_circles(canary: str) -> None:
    """A value that logs while it is printed is printed once."""

    printed: list[str] = []

    class Chatty:
        def __repr__(self) -> str:
            printed.append("once")
            logging.getLogger("planted").debug("printing %s", canary)
            return "<Chatty>"

    guard = LeakGuard(canary)

    with guard.listening():
        guard.look("logs", Chatty())

    assert printed == ["once"]


def deflate_bare(body: bytes) -> bytes:
    """Compress without zlib's header and checksum, as some servers do."""
    compressor = zlib.compressobj(wbits=-15)
    return compressor.compress(body) + compressor.flush()


@pytest.mark.parametrize(
    ("name", "pack"),
    [
        ("gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("deflate", deflate_bare),
        ("br", brotli.compress),
        ("identity", bytes),
        ("br, gzip", lambda body: gzip.compress(brotli.compress(body))),
    ],
)
def test_a_compressed_body_is_looked_into(
    canary: str, name: str, pack: cabc.Callable[[bytes], bytes]
) -> None:
    """In each encoding that browsers take, and in two of them."""
    guard = LeakGuard(canary)
    body = pack(f"<p>{canary}</p>".encode())
    guard.look_at_response(flask.Response(body, headers={"Content-Encoding": name}))
    assert guard.leaks[-1].startswith("responses: plain")


@pytest.mark.parametrize(
    ("name", "body"), [("dcb", b"what"), ("gzip", b"not gzip at all")]
)
def test_a_body_that_cannot_be_read_is_no_proof(
    canary: str, name: str, body: bytes
) -> None:
    """An encoding nobody knows, or damage, fails the test and names the trouble."""
    guard = LeakGuard(canary)
    guard.require()
    guard.look_at_response(flask.Response(body, headers={"Content-Encoding": name}))

    with pytest.raises(AssertionError, match=f"'{name}'"):
        guard.verify()


def test_a_stream_that_is_broken_off_is_looked_at(
    make_host: MakeHost, canary: str
) -> None:
    """What a client has read of it counts; the app gets its close()."""
    app, guard, closed = make_host().app, LeakGuard(canary), []

    @app.get("/stream")
    def stream() -> flask.Response:
        def pieces() -> cabc.Iterator[str]:
            try:
                yield canary[:3]
                yield canary[3:9]
                yield "never read"
            finally:
                closed.append(True)

        return flask.Response(pieces())

    guard.attach(app)
    response = app.test_client().get("/stream")
    pieces = response.iter_encoded()
    assert next(pieces) + next(pieces) == canary[:9].encode()
    response.close()
    guard.detach()
    assert closed and guard.leaks


def test_a_limiter_in_redis_is_looked_at(
    make_host: MakeHost, redis_url: str, canary: str
) -> None:
    """The keys of the counters, in the database that several processes share."""
    host, guard = make_host(BYOK_RATE_LIMIT_STORAGE=redis_url), LeakGuard(canary)

    with host.app.app_context():
        limiter = host.byok.state.desk.limiter
        limiter.hit(company=canary)
        guard.look_at_limiter(limiter.storage)

    assert guard.leaks[0].startswith("limiter: plain")


@pytest.mark.parametrize("mode", ["WAL", "PERSIST"])
def test_the_files_beside_a_database_are_looked_at(
    canary: str, tmp_path: pathlib.Path, mode: str
) -> None:
    """A write-ahead log and a journal keep bytes that are in no table any more."""
    engine = sa.create_engine(f"sqlite:///{tmp_path}/planted.db")
    guard = LeakGuard(canary)

    with engine.connect() as connection:
        for statement in (
            f"PRAGMA journal_mode = {mode}",
            "CREATE TABLE a (b TEXT)",
            f"INSERT INTO a VALUES ('{canary}')",
        ):
            connection.exec_driver_sql(statement)

        connection.commit()
        connection.exec_driver_sql("PRAGMA secure_delete = ON")
        connection.exec_driver_sql("DELETE FROM a")
        connection.commit()
        guard.look_at_database(engine)

    assert guard.leaks and guard.leaks[0].startswith("database files")
    engine.dispose()


def test_a_pickle_tells(canary: str) -> None:
    """What a cache would keep of an object whose repr is clean."""
    guard = LeakGuard(canary)
    guard.look_at_value(Quiet(canary))
    assert guard.leaks


def test_everything_is_put_back(make_host: MakeHost, canary: str) -> None:
    """Streams, loggers, warnings, the app and Sentry are as before."""
    import sentry_sdk

    app = make_host().app

    def state() -> list[object]:
        return [
            sys.stdout.write,
            sys.stderr.buffer.write,
            warnings.showwarning,
            logging.getLogger().level,
            logging.getLogger("sqlalchemy").level,
            list(logging.getLogger().handlers),
            sentry_sdk.get_global_scope().client,
            sentry_sdk.get_isolation_scope().client,
            app.wsgi_app,
        ]

    before = state()
    guard = LeakGuard(canary)

    with guard.listening(), guard.reporting():
        guard.attach(app)
        assert [a == b for a, b in zip(before, state(), strict=True)].count(True) <= 2
        guard.detach()

    assert state() == before


CONFTEST = 'pytest_plugins = ["flask_byok.testing.fixtures"]\n'

TESTS = """
import flask
import flask_sqlalchemy
import pytest
from flask_byok import BYOK
from flask_byok.masterkeys import generate


@pytest.fixture
def host(tmp_path, byok_simulator):
    app = flask.Flask("host")
    app.config.update(
        SECRET_KEY="a secret of the host",
        SQLALCHEMY_DATABASE_URI=f"sqlite:///{tmp_path}/app.db",
        BYOK_MASTER_KEYS={"k001": generate()},
        BYOK_PROVIDER_URLS=byok_simulator.urls,
    )
    db = flask_sqlalchemy.SQLAlchemy()
    byok = BYOK(db=db)
    db.init_app(app)
    byok.init_app(app)

    @app.get("/<path:text>")
    def echo(text):
        return text

    with app.app_context():
        db.create_all()

    yield app

    with app.app_context():
        byok.state.database.close()
        byok.state.sender.close()
        db.engine.dispose()


def test_clean(host, leak_guard):
    leak_guard.attach(host)
    host.test_client().get("/nothing")


def test_leaking(host, leak_guard):
    leak_guard.attach(host)
    host.test_client().get(f"/a/{leak_guard.canary}")


def test_printing(host, leak_guard, capsys):
    leak_guard.attach(host)
    host.test_client().get("/nothing")
    print(leak_guard.canary)
    assert leak_guard.canary in capsys.readouterr().out


def test_forgetful(leak_guard):
    pass
"""


def test_a_host_uses_the_fixture(tmp_path: pathlib.Path) -> None:
    """One line in a conftest.py; a leak and a forgotten sink fail the run."""
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_host.py").write_text(textwrap.dedent(TESTS))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-rA"]
    run = subprocess.run(
        [*command, "-W", "error", tmp_path],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    told = run.stdout

    assert run.returncode == pytest.ExitCode.TESTS_FAILED, told
    assert "4 passed, 3 errors" in told, told
    assert "ERROR test_host.py::test_clean" not in told
    assert "ERROR test_host.py::test_leaking - AssertionError: The key came" in told
    assert "ERROR test_host.py::test_printing - AssertionError: The key came" in told
    assert "ERROR test_host.py::test_forgetful" in told
    assert "responses: attach the app and make a request" in told

"""What could show a key inside the process: values, debug switches, masks, memory."""

from __future__ import annotations

import contextvars
import gc
import http.client
import logging
import threading
import typing as t

import pytest

from flask_byok import BYOK
from flask_byok.errors import StateUnavailable
from flask_byok.providers.registry import built_in_providers
from flask_byok.secret import Secret
from flask_byok.testing import LeakGuard
from flask_byok.testing import make_canary
from tests.web.conftest import Host
from tests.web.conftest import MakeHost


@pytest.mark.case("C1", "C2", "C3", "C14")
def test_no_public_object_tells(host: Host, guard: LeakGuard, canary: str) -> None:
    """Printed, pickled, copied or turned into JSON, in every way that Python has."""
    saved = host.save(api_key=canary)
    answer = host.chat()
    byok = host.byok

    with host.app.app_context():
        client = byok.client_for(1)
        stream = client.stream("hello")
        chunks = list(stream)
        state = byok.state
        stored = state.store.read_state("i:1")
        values: list[t.Any] = [
            Secret(canary),
            saved,
            saved.report,
            saved.credential,
            answer,
            answer.attempts,
            client,
            stream,
            stream.response,
            *chunks[:2],
            client.models(),
            byok,
            byok.settings,
            byok.status(1),
            byok.policy(1),
            byok.credentials(1),
            byok.history(1),
            byok.test_connection(1),
            stored,
            stored.credentials,
            state,
            state.keyring,
            state.sender,
            state.desk,
            state.registry.get("OPENAI"),
        ]

        for value in values:
            guard.look_at_value(value)

    assert saved.saved and isinstance(byok, BYOK)
    guard.require("pickles", "requests", "tables", "logs")
    guard.verify()


@pytest.mark.case("C10", "C11")
@pytest.mark.parametrize("provider", ["OPENAI", "GEMINI", "CLAUDE"])
def test_a_host_that_debugs_http_sees_no_key(
    host: Host,
    guard: LeakGuard,
    canary: str,
    monkeypatch: pytest.MonkeyPatch,
    provider: str,
) -> None:
    """With ``debuglevel`` switched on for all connections and urllib3 at DEBUG."""
    monkeypatch.setattr(http.client.HTTPConnection, "debuglevel", 1)
    logging.getLogger("urllib3").setLevel(logging.DEBUG)
    host.save(provider, canary)
    host.chat()

    for fault in ("reset", "outage", "redirect_307"):
        host.simulator.set_fault(provider, fault, canary[:9])

        with host.app.app_context():
            host.byok.test_connection(1, provider)

    assert any(request.api_key == canary for request in host.simulator.requests)
    guard.require("logs", "output", "requests", "exceptions")
    guard.verify()


@pytest.mark.case("C12", "C13")
@pytest.mark.parametrize("echo", [True, "debug"])
def test_a_host_that_echoes_sql_sees_ciphertext_alone(
    make_host: MakeHost, leak_guard: LeakGuard, echo: t.Any
) -> None:
    """Statements, parameters, rows, and a database that fails in the middle."""
    guard, log = leak_guard, logging.getLogger("sqlalchemy.engine.Engine")
    handlers = list(log.handlers)
    host = make_host(SQLALCHEMY_ECHO=echo, SQLALCHEMY_ENGINE_OPTIONS={"echo": echo})
    guard.attach(host.app)
    host.client().save(guard.canary)
    host.chat()

    with host.app.app_context():
        engine = host.byok.state.database.engine

        with engine.connect() as connection:
            connection.exec_driver_sql("ALTER TABLE byok_audit RENAME TO other")

        with pytest.raises(StateUnavailable) as caught:
            host.byok.save_key(1, "OPENAI", guard.canary)

        with engine.connect() as connection:
            connection.exec_driver_sql("ALTER TABLE other RENAME TO byok_audit")

    guard.look_at_error(caught.value)
    guard.look_around()
    # SQLAlchemy's own handler stays for good, and prints rows, last four and all.
    log.handlers[:] = handlers
    guard.leaks[:] = [leak for leak in guard.leaks if "the last four" not in leak]
    assert caught.value.__context__ is None
    guard.verify()


@pytest.mark.case("C20")
def test_a_dump_of_the_configuration_shows_masks(
    make_host: MakeHost, leak_guard: LeakGuard
) -> None:
    """Master and system keys are wrapped in ``app.config``, as a toolbar prints it."""
    from flask_byok.masterkeys import generate

    system, master = make_canary("system"), generate()
    leak_guard.watch_also(system)
    leak_guard.watch_also(master)
    host = make_host(
        BYOK_SYSTEM_KEYS={"OPENAI": system}, BYOK_MASTER_KEYS={"k001": master}
    )
    leak_guard.attach(host.app)
    leak_guard.look_at_value(host.app.config)
    leak_guard.look_at_value(dict(host.app.config))
    leak_guard.look_at_value(host.byok)
    host.client().get("/")
    assert host.chat().source == "system"
    leak_guard.verify()


@pytest.mark.case("C16")
def test_debug_mode_is_warned_of(
    make_host: MakeHost, caplog: pytest.LogCaptureFixture
) -> None:
    """The debugger's console can read anything, and the log says so at the start."""
    make_host(DEBUG=True)

    assert "Debug mode is on" in caplog.text


#: A key's text, and what may be shown of it by which provider.
MASKS: t.Final = [
    ("OPENAI", "sk-" + "x" * 16, ("sk-", "")),
    ("OPENAI", "sk-" + "x" * 13 + "AbCd", ("sk-", "AbCd")),
    ("OPENAI", "sk-" + "x" * 20 + ".AbCd", ("sk-", "")),
    ("OPENAI", "x" * 20, ("", "xxxx")),
    ("CLAUDE", "sk-ant-" + "x" * 20, ("sk-ant-", "xxxx")),
    ("CLAUDE", "sk-" + "x" * 20, ("", "xxxx")),
    ("GEMINI", "AI" + "za" + "x" * 20, ("AIza", "xxxx")),
    ("GEMINI", "A" + "Q." + "x" * 20, ("AQ.", "")),
]


@pytest.mark.case("C24")
@pytest.mark.parametrize(("provider", "api_key", "shown"), MASKS)
def test_a_mask_says_little(
    provider: str, api_key: str, shown: tuple[str, str]
) -> None:
    """A public prefix the key really has; four of a long key of plain characters."""
    (found,) = (one for one in built_in_providers() if one.id == provider)

    assert found.mask(Secret(api_key)) == shown


@pytest.mark.case("C26", "C27")
def test_nothing_is_left_in_the_thread_or_the_context(
    host: Host, guard: LeakGuard, canary: str
) -> None:
    """After the request no thread-local, no context variable and no Secret holds it."""
    host.client().save(canary)
    host.chat()
    gc.collect()
    context = {str(name): value for name, value in contextvars.copy_context().items()}
    guard.look("pickles", context, vars(threading.current_thread()))
    left = [one for one in gc.get_objects() if type(one) is Secret]

    # The system keys are held, and found.
    assert left and not any(secret == Secret(canary) for secret in left)
    guard.require("pickles")
    guard.verify()

"""The recipe for notices by mail, in two workers and against a real SMTP server."""

from __future__ import annotations

import collections.abc as cabc
import datetime as dt
import typing as t

import pytest

from flask_byok import signals
from flask_byok.testing import Simulator
from tests.support.calls import CallHost
from tests.support.host import GOOD
from tests.support.host import MASTER_KEYS
from tests.support.mailing import find_free_port
from tests.support.mailing import MailServer
from tests.support.mailing import MANAGERS
from tests.support.mailing import run_recipe
from tests.support.worker import Worker
from tests.support.worker import workers

on_postgresql = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


@pytest.fixture
def server() -> cabc.Iterator[MailServer]:
    """A mail server."""
    with MailServer().running() as server:
        yield server


@pytest.fixture
def crew(
    host: CallHost, database_url: str, byok_simulator: Simulator, server: MailServer
) -> cabc.Iterator[list[Worker]]:
    """Two workers that send mail."""
    config = {
        "SECRET_KEY": "not-a-real-secret",
        "BYOK_MASTER_KEYS": dict(MASTER_KEYS),
        "BYOK_PROVIDER_URLS": dict(byok_simulator.urls),
        "BYOK_SYSTEM_KEYS": {"OPENAI": "not-a-real-system-key-openai"},
        "BYOK_RATE_LIMIT": {},
        "MAIL_SERVER": "127.0.0.1",
        "MAIL_PORT": server.port,
        "MAIL_DEFAULT_SENDER": "studio@host.example",
    }

    with workers(2, database_url, config, prepare="tests.support.mailing") as crew:
        yield crew


def work(crew: list[Worker], times: int = 5) -> dict[str, int]:
    """Let all workers call at the same time; count who answered."""
    found: dict[str, int] = {}

    for worker in crew:
        worker.tell("chat", times=times)

    for worker in crew:
        for source, number in worker.hear().items():
            found[source] = found.get(source, 0) + number

    return found


@on_postgresql
def test_one_mail_for_the_trouble_and_one_for_its_end(
    host: CallHost, crew: list[Worker], server: MailServer
) -> None:
    """For each manager, from two workers together; nothing of the key is in them."""
    host.store()
    host.fail("revoked")
    assert work(crew) == {"system": 10}
    first = server.receive(len(MANAGERS))
    assert sorted(mail["To"] for mail in first) == MANAGERS
    assert {mail["Subject"] for mail in first} == {"Your OPENAI key is not working"}
    assert "Create a new key" in str(first[0].get_payload())

    host.fail(None)

    for worker in crew:
        worker.ask("move", seconds=20 * 60)

    assert work(crew)["company"] > 0
    last = server.receive(len(MANAGERS))
    assert {mail["Subject"] for mail in last} == {"Your OPENAI key works again"}

    for mail in [*first, *last]:
        assert GOOD not in mail.as_string()
        assert GOOD[-4:] not in mail.as_string()
        assert "Incorrect API key" not in mail.as_string()

    for worker in crew:
        assert worker.ask("settle") is None  # what they have sent has arrived

    assert server.is_empty


def hear_no_more(names: dict[str, t.Any]) -> None:
    """Take the recipe off: it hears every app, also those of the tests that follow."""
    signals.notice_due.disconnect(names["on_notice_due"])
    signals.key_expiring.disconnect(names["on_key_expiring"])


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_date_that_comes_near_is_mailed_once(
    host: CallHost, server: MailServer
) -> None:
    """The sweep of two days finds it; the second has nothing to say."""
    host.app.config.update(
        MAIL_SERVER="127.0.0.1",
        MAIL_PORT=server.port,
        MAIL_DEFAULT_SENDER="studio@host.example",
    )
    names = run_recipe(host.app, lambda company_id: MANAGERS[:1])

    try:
        now = host.byok.state.store.read_state("i:1").now()
        host.store(expires_on=now.date() + dt.timedelta(days=6))

        for _ in range(2):
            host.app.test_cli_runner().invoke(args=["byok", "sweep"])
            host.move_clock(days=1)

        names["post"].shutdown(wait=True)
    finally:
        hear_no_more(names)

    (mail,) = server.receive(1)
    assert mail["Subject"].startswith("Your OPENAI key expires on ")
    assert mail["To"] == MANAGERS[0]
    assert server.is_empty


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("trouble", ["no_server", "raises"])
def test_without_a_mail_the_call_answers(
    host: CallHost,
    server: MailServer,
    caplog: pytest.LogCaptureFixture,
    trouble: str,
) -> None:
    """The mail server is away, or what finds the managers fails."""

    def addresses(company_id: t.Any) -> list[str]:
        if trouble == "raises":
            raise LookupError("no such table")

        return MANAGERS

    host.app.config.update(
        MAIL_SERVER="127.0.0.1",
        MAIL_PORT=server.port if trouble == "raises" else find_free_port(),
        MAIL_DEFAULT_SENDER="studio@host.example",
    )
    names = run_recipe(host.app, addresses)

    try:
        host.store()
        host.fail("revoked")
        assert host.chat().source == "system"
        names["post"].shutdown(wait=True)
    finally:
        hear_no_more(names)

    assert server.is_empty
    assert "A notice could not be sent." in caplog.text


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_receiver_that_raises_itself(host: CallHost, server: MailServer) -> None:
    """A host that sends in the call, and fails: no mail, an answer."""

    def send_now(app: t.Any, **notice: t.Any) -> None:
        raise ConnectionRefusedError

    host.store()
    host.fail("revoked")

    with signals.notice_due.connected_to(send_now, sender=host.app):
        assert host.chat().source == "system"

    assert server.is_empty
    assert [notice["kind"] for notice in host.told("notice_due")] == ["failing"]

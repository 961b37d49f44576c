"""The recipe for notices by mail, in two workers and against a real SMTP server."""

from __future__ import annotations

import collections.abc as cabc
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
        # The recipe hears every app; the tests after this one have none of it.
        signals.notice_due.disconnect(names["on_notice_due"])

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

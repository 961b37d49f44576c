"""The surfaces beside the page: every command, and the simulator's own page."""

from __future__ import annotations

import collections.abc as cabc
import urllib.request

import click
import pytest

from example_app.extensions import byok
from example_app.tasks import TASKS
from flask_byok.cli import byok_cli
from flask_byok.testing import LeakGuard
from tests.example.conftest import IDS
from tests.example.conftest import make_studio as make_studio
from tests.example.conftest import Studio
from tests.web.conftest import Host

#: What stands for each argument of a command.
WORDS = {"company": "i:1", "provider": "OPENAI"}

#: Runs until it is stopped.
SERVES = {"simulator"}


@pytest.mark.case("C21")
@pytest.mark.parametrize("name", sorted(set(byok_cli.commands) - SERVES))
def test_no_command_prints_a_key(
    host: Host, guard: LeakGuard, canary: str, name: str
) -> None:
    """Each one there is, as people read it, as JSON, and with its help."""
    host.save(api_key=canary)
    command = byok_cli.commands[name]
    words = [
        WORDS.get(parameter.name or "", "x")
        for parameter in command.params
        if isinstance(parameter, click.Argument)
    ]
    flags = {flag for parameter in command.params for flag in parameter.opts}

    for more in ([], ["--json"], ["--yes"], ["--deploy"], ["--help"]):
        if set(more) <= flags | {"--help"}:
            guard.invoke(host.app, "byok", name, *words, *more, input="n\n")

    guard.require("command line", "logs", "output", "tables")
    guard.verify()


def test_the_simulator_shows_the_last_four_alone(
    host: Host, guard: LeakGuard, canary: str
) -> None:
    """Its page is for developers who play with keys; its JSON says whole ones."""
    host.save(api_key=canary)

    with urllib.request.urlopen(host.simulator.address) as answer:
        page = answer.read()

    assert canary[-4:].encode() in page
    guard.look("responses", page)
    guard.require("responses", "requests")
    guard.verify()


def test_the_example_app_shows_no_key(
    make_studio: cabc.Callable[..., Studio], guard: LeakGuard, canary: str
) -> None:
    """Dashboard, tools, settings, to a manager, while the key works and afterwards."""
    studio = make_studio()
    guard.attach(studio.app)
    guard.attach_simulator(studio.simulator)

    with studio.app.app_context():
        assert byok.save_key(IDS["northwind"], "OPENAI", canary).saved

    ada = studio.visit("Ada")

    for fault in (None, "revoked", "key_echoed"):
        studio.simulator.set_fault("OPENAI", fault, canary[:9])

        for path in ("/", "/settings/", "/settings/ai/"):
            ada.get(path)

        for slug in TASKS:
            ada.run(slug)

    assert canary in studio.simulator.api_keys_seen()
    guard.require("responses", "sessions", "logs", "requests", "tables", "ledger")
    guard.verify()

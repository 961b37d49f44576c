"""A provider written in small letters, or one that is gone."""

from __future__ import annotations

import collections.abc as cabc
import dataclasses

import pytest
from click.testing import Result

from flask_byok import CredentialNotFound
from flask_byok import UnknownProvider
from flask_byok.testing import Simulator
from tests.support.host import close_host
from tests.support.host import GOOD
from tests.support.host import Host
from tests.support.host import make_host

Run = cabc.Callable[..., Result]


@pytest.mark.parametrize(
    "command",
    [
        ("remove", "i:1", "openai", "--yes"),
        ("remove", "i:1", "NOPE", "--yes"),
        ("test", "i:1", "--provider", "openai"),
    ],
)
def test_a_name_nobody_registered(saved: Host, run: Run, command: tuple[str]) -> None:
    """The sentence lists the names there are; the stored key stays."""
    result = run(*command)
    assert result.exit_code == 1
    assert "registered are: OPENAI, GEMINI, CLAUDE." in result.output

    with saved.app.app_context():
        assert len(saved.byok.credentials(1)) == 1


def test_a_known_provider_without_a_key(saved: Host, run: Run) -> None:
    """That is another sentence: the name is right, the key is not there."""
    result = run("remove", "i:1", "CLAUDE", "--yes")
    assert result.exit_code == 1
    assert "no stored key of that provider" in result.output


def test_a_key_of_a_provider_that_is_gone_can_be_removed(
    sqlite_url: str, byok_simulator: Simulator
) -> None:
    """What an app does not register any more it can still delete."""
    host = make_host(sqlite_url, byok_simulator)

    with host.app.app_context():
        openai = host.byok.registry.get("OPENAI")
        host.byok.register_provider(dataclasses.replace(openai, id="VENDOR"))
        host.byok.save_key(1, "VENDOR", GOOD)

    later = make_host(sqlite_url, byok_simulator)
    result = later.app.test_cli_runner().invoke(
        args=["byok", "remove", "i:1", "VENDOR", "--yes"]
    )
    assert result.exit_code == 0, result.output

    with later.app.app_context():
        with pytest.raises(UnknownProvider):
            later.byok.remove_key(1, "VENDOR")

        with pytest.raises(CredentialNotFound):
            later.byok.remove_key(1, "OPENAI")

    close_host(host)
    close_host(later)

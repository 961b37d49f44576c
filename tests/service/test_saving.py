"""What a save stores, and what it refuses to store."""

from __future__ import annotations

import datetime as dt

import pytest

from flask_byok import ApiKeyFormatError
from flask_byok import CredentialNotFound
from flask_byok import UnknownProvider
from flask_byok import VaultClosed
from flask_byok.testing import Simulator
from tests.support.host import BETTER
from tests.support.host import close_host
from tests.support.host import GOOD
from tests.support.host import Host
from tests.support.host import make_host
from tests.support.host import REVOKED

#: A key per verdict, as the simulator understands them.
VERDICTS = {
    "not_usable": "not-a-real-nocredit-key-0004",
    "could_not_ask": "not-a-real-outage-key-0005",
}


def blob(host: Host, provider: str = "OPENAI") -> bytes:
    """Read the stored ciphertext."""
    return host.byok.state.store.read_state("i:1").credential(provider).blob


def test_a_working_key_is_saved_and_used(host: Host) -> None:
    """After a save the company's calls run on its own key."""
    result = host.byok.save_key(1, "CLAUDE", GOOD)

    assert (result.saved, result.verdict, result.created) == (True, "working", True)
    assert host.byok.client_for(1).chat("hello").source == "company"
    assert host.who_paid()[-1] == GOOD


@pytest.mark.case("E9")
def test_only_last_four_come_back(host: Host) -> None:
    """The answer to a save shows a mask and four characters."""
    info = host.byok.save_key(1, "OPENAI", GOOD).credential

    assert (info.masked, info.last4) == ("...AbCd", "AbCd")
    assert GOOD not in repr(info)


@pytest.mark.parametrize("verdict", VERDICTS)
def test_a_first_key_is_saved_unless_refused(host: Host, verdict: str) -> None:
    """Without a stored key even one that cannot be used yet is kept."""
    result = host.byok.save_key(1, "OPENAI", VERDICTS[verdict])

    assert (result.saved, result.verdict) == (True, verdict)


@pytest.mark.case("D19", "F11")
@pytest.mark.parametrize("verdict", VERDICTS)
def test_a_stored_key_gives_way_only_to_one_that_works(
    host: Host, verdict: str
) -> None:
    """A replacement that does not work changes nothing without a yes."""
    host.byok.save_key(1, "OPENAI", GOOD)
    before = blob(host)

    result = host.byok.save_key(1, "OPENAI", VERDICTS[verdict])

    assert (result.saved, result.verdict) == (False, verdict)
    assert blob(host) == before


@pytest.mark.parametrize("verdict", VERDICTS)
def test_a_person_may_insist(host: Host, verdict: str) -> None:
    """Repeating the verdict stores the key all the same."""
    host.byok.save_key(1, "OPENAI", GOOD)

    result = host.byok.save_key(1, "OPENAI", VERDICTS[verdict], confirm=verdict)

    assert (result.saved, result.credential.generation) == (True, 2)


@pytest.mark.case("C22", "F11")
@pytest.mark.parametrize("confirm", [None, "rejected"])
def test_a_rejected_key_is_never_stored(host: Host, confirm: str | None) -> None:
    """The provider's clear no cannot be overruled, and stands in the history."""
    result = host.byok.save_key(1, "OPENAI", REVOKED, confirm=confirm)

    assert (result.saved, result.verdict) == (False, "rejected")
    assert host.byok.credentials(1) == []
    assert host.byok.history(1)[0].action == "key_rejected"


@pytest.mark.case("D16", "D17")
def test_a_key_of_another_provider_is_asked_about_first(host: Host) -> None:
    """Nothing is sent before somebody says that the prefix misleads."""
    result = host.byok.save_key(1, "OPENAI", "sk-ant-not-a-real-key-0006")

    assert (result.verdict, result.other_provider) == ("other_provider", "CLAUDE")
    assert host.simulator.requests == []


@pytest.mark.case("D17")
def test_confirming_the_provider_saves(host: Host) -> None:
    """A prefix is advice: with a yes the key is checked and saved."""
    result = host.byok.save_key(
        1, "OPENAI", "sk-ant-not-a-real-key-0006", confirm="other_provider"
    )

    assert result.saved


@pytest.mark.case("D12", "D15", "E11")
@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "empty"),
        ("   ", "empty"),
        ("sk-...abcd", "masked"),
        ("not-a-real\nkey-0001", "space"),
        ("not-a-real-kéy-0001", "character"),
        ("not-a\x00real-key", "character"),
        ("short", "short"),
        ("x" * 100_000, "long"),
    ],
)
def test_what_cannot_be_a_key_is_not_sent(host: Host, text: str, code: str) -> None:
    """Bad input gets a sentence, reaches nobody and changes nothing."""
    host.byok.save_key(1, "OPENAI", GOOD)
    host.simulator.clear()
    before = blob(host)

    with pytest.raises(ApiKeyFormatError) as caught:
        host.byok.save_key(1, "OPENAI", text)

    assert caught.value.code == code
    assert host.simulator.requests == []
    assert blob(host) == before


@pytest.mark.case("E10")
def test_the_mask_of_the_stored_key_is_no_key(host: Host) -> None:
    """Posting the shown form back does not replace the key."""
    host.byok.save_key(1, "OPENAI", GOOD)

    with pytest.raises(ApiKeyFormatError, match="hidden form"):
        host.byok.save_key(1, "OPENAI", "...AbCd")


def test_an_unknown_provider_is_refused(host: Host) -> None:
    """A provider nobody registered has no place in the table."""
    with pytest.raises(UnknownProvider):
        host.byok.save_key(1, "NOBODY", GOOD)


def test_a_changed_key_is_not_overwritten(host: Host) -> None:
    """Who looked at an older key is told, and asks the provider nothing."""
    host.byok.save_key(1, "OPENAI", GOOD)
    host.byok.save_key(1, "OPENAI", BETTER, actor="ada")
    host.simulator.clear()

    result = host.byok.save_key(1, "OPENAI", GOOD, generation=1)

    assert (result.saved, result.verdict) == (False, "changed")
    assert result.changed_by == "ada"
    assert host.simulator.requests == []


def test_a_save_ends_the_episode(host: Host) -> None:
    """A new key starts with a closed circuit."""
    host.byok.save_key(1, "OPENAI", GOOD)
    host.simulator.set_fault("OPENAI", "revoked", keys=GOOD)
    host.byok.client_for(1).chat("hello")
    assert host.byok.status(1).fallback_active

    host.byok.save_key(1, "OPENAI", BETTER)

    assert not host.byok.status(1).fallback_active


def test_a_second_key_becomes_active_when_it_works(host: Host) -> None:
    """Saving with the box ticked moves the calls to the new key."""
    host.byok.save_key(1, "OPENAI", GOOD)
    host.byok.save_key(1, "CLAUDE", BETTER)

    assert host.byok.policy(1).active_provider == "CLAUDE"


@pytest.mark.parametrize(
    ("api_key", "activate"), [(BETTER, False), (VERDICTS["not_usable"], True)]
)
def test_a_second_key_may_stand_aside(host: Host, api_key: str, activate: bool) -> None:
    """An unticked box, or a key that does not work, leaves the active key."""
    host.byok.save_key(1, "OPENAI", GOOD)
    host.byok.save_key(1, "CLAUDE", api_key, activate=activate)

    assert host.byok.policy(1).active_provider == "OPENAI"


def test_details_change_without_the_key(host: Host) -> None:
    """Model and date change; the ciphertext stays."""
    host.byok.save_key(1, "OPENAI", GOOD)
    before = blob(host)
    day = dt.date(2031, 2, 3)

    result = host.byok.save_key(1, "OPENAI", None, model="gpt-6-luna", expires_on=day)

    assert (result.credential.model, result.credential.expires_on) == (
        "gpt-6-luna",
        day,
    )
    assert blob(host) == before


def test_a_model_that_does_not_exist_is_not_stored(host: Host) -> None:
    """A new model is tried with the stored key first."""
    host.byok.save_key(1, "OPENAI", GOOD)

    result = host.byok.save_key(1, "OPENAI", None, model="gpt-0-never-made")

    assert (result.saved, result.verdict) == (False, "other_model")
    assert host.byok.credentials(1)[0].model is None


def test_details_need_a_stored_key(host: Host) -> None:
    """Without a key there is nothing to change."""
    with pytest.raises(CredentialNotFound):
        host.byok.save_key(1, "OPENAI", None, model="gpt-6-luna")


def test_a_closed_vault_saves_nothing(
    sqlite_url: str, byok_simulator: Simulator
) -> None:
    """With BYOK_MASTER_KEYS off the system key serves and saving says why."""
    host = make_host(sqlite_url, byok_simulator, BYOK_MASTER_KEYS=False)

    with host.app.app_context():
        with pytest.raises(VaultClosed, match="BYOK_MASTER_KEYS"):
            host.byok.save_key(1, "OPENAI", GOOD)

        assert host.byok.client_for(1).chat("hello").source == "system"

    close_host(host)


def test_zero_says_there_was_no_key(host: Host) -> None:
    """Who saw no key does not overwrite one that came meanwhile."""
    host.byok.save_key(1, "OPENAI", GOOD)

    result = host.byok.save_key(1, "OPENAI", BETTER, generation=0)

    assert (result.saved, result.verdict) == (False, "changed")

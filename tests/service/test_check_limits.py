"""How often keys may be checked: by user, by company, by all together."""

from __future__ import annotations

import collections.abc as cabc
import typing as t

import pytest

from flask_byok.errors import CheckLimited
from flask_byok.testing import Simulator
from tests.support.host import close_host
from tests.support.host import GOOD
from tests.support.host import Host
from tests.support.host import make_host

Check = cabc.Callable[[Host, int, str], t.Any]


def save(host: Host, company: int, actor: str) -> t.Any:
    """Save a key, which asks the provider first."""
    return host.byok.save_key(company, "OPENAI", GOOD, actor=actor)


def check(host: Host, company: int, actor: str) -> t.Any:
    """Ask about a key without storing it."""
    return host.byok.check_key("OPENAI", GOOD)


@pytest.fixture
def made(
    sqlite_url: str, byok_simulator: Simulator, request: pytest.FixtureRequest
) -> cabc.Iterator[Host]:
    """A host that allows two checks a minute in one scope."""
    host = make_host(sqlite_url, byok_simulator, BYOK_RATE_LIMIT={request.param: 2})

    with host.app.app_context():
        yield host

    close_host(host)


def limited(host: Host, use: Check, company: int, actor: str) -> bool:
    """Tell whether a check is refused."""
    before = len(host.simulator.requests)

    try:
        use(host, company, actor)
    except CheckLimited:
        assert len(host.simulator.requests) == before
        return True

    return False


@pytest.mark.case("E16")
@pytest.mark.parametrize(
    ("made", "use", "same", "other"),
    [
        ("user", save, (1, "ann"), (1, "bob")),
        ("user", save, (1, "ann"), (2, "ann")),
        ("company", save, (1, "ann"), (2, "ann")),
    ],
    indirect=["made"],
)
def test_one_scope_is_used_up_and_another_is_not(
    made: Host, use: Check, same: tuple[int, str], other: tuple[int, str]
) -> None:
    """The third check of a minute is refused, unsent; somebody else's is not."""
    assert [limited(made, use, *same) for _ in range(3)] == [False, False, True]
    assert not limited(made, use, *other)


@pytest.mark.case("E16")
@pytest.mark.parametrize("use", [save, check])
@pytest.mark.parametrize("made", ["all"], indirect=True)
def test_all_together_have_a_limit(made: Host, use: Check) -> None:
    """Companies and users in turn do not get around it, nor does ``check_key``."""
    subjects = [(1, "ann"), (2, "bob"), (3, "cid")]

    assert [limited(made, use, *each) for each in subjects] == [False, False, True]


@pytest.mark.case("E16")
@pytest.mark.parametrize("made", ["company"], indirect=True)
def test_a_test_of_the_stored_key_counts(made: Host) -> None:
    """Save, test, and the next test has to wait."""
    save(made, 1, "ann")
    made.byok.test_connection(1, "OPENAI", actor="ann")

    with pytest.raises(CheckLimited):
        made.byok.test_connection(1, "OPENAI", actor="ann")

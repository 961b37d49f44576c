"""A save, test or call is under way while somebody else changes the key."""

from __future__ import annotations

import collections.abc as cabc
import concurrent.futures
import contextlib
import typing as t

import pytest
import sqlalchemy as sa

from flask_byok import CredentialNotFound
from flask_byok.testing import Hold
from tests.support.calls import CallHost
from tests.support.calls import calling
from tests.support.host import BETTER
from tests.support.host import GOOD

Work = cabc.Callable[[], t.Any]
THIRD = "not-a-real-company-key-0003-IjKl"


class Underway:
    """Work in threads of its own whose requests are held."""

    def __init__(self, host: CallHost, hold: Hold) -> None:
        self.hold = hold
        self._host = host
        self._pool = concurrent.futures.ThreadPoolExecutor(8)

    def begin(self, work: Work) -> concurrent.futures.Future[t.Any]:
        """Start work in an app context of its own."""

        def run() -> t.Any:
            with self._host.app.app_context():
                return work()

        return self._pool.submit(run)

    def close(self) -> None:
        self._pool.shutdown()


@contextlib.contextmanager
def underway(host: CallHost, keys: str | None) -> cabc.Iterator[Underway]:
    """Hold the answers for a key until the block ends, then wait for the threads."""
    with contextlib.ExitStack() as stack:
        with host.simulator.holding("OPENAI", keys) as hold:
            made = Underway(host, hold)
            stack.callback(made.close)
            yield made


def row(host: CallHost) -> dict[str, t.Any] | None:
    """Read the one credential there may be."""
    table = host.byok.state.tables.credential

    with host.byok.state.database.read() as connection:
        found = connection.execute(sa.select(table)).mappings().all()

    assert len(found) <= 1
    return dict(found[0]) if found else None


def stored_key(host: CallHost) -> str | None:
    """Open what is stored, by asking with it."""
    if row(host) is None:
        return None

    host.simulator.clear()
    assert host.chat(fallback=False).source == "company"
    return host.who_paid()[-1]


def replace(host: CallHost) -> None:
    assert host.byok.save_key(1, "OPENAI", BETTER).saved


def remove(host: CallHost) -> None:
    host.byok.remove_key(1, "OPENAI")


def remove_and_add(host: CallHost) -> None:
    remove(host)
    replace(host)


CHANGES: t.Final = {
    "replaced": replace,
    "removed": remove,
    "removed and added": remove_and_add,
}
change = pytest.mark.parametrize("change", CHANGES)


@pytest.mark.case("F7")
@change
@pytest.mark.parametrize("fault", [None, "revoked", "outage"])
def test_the_verdict_of_a_late_test_is_dropped(
    host: CallHost, change: str, fault: str | None
) -> None:
    """A test of the old key says nothing of the new one, and brings none back."""
    host.store(api_key=GOOD)
    host.fail(fault, keys=GOOD)

    with underway(host, GOOD) as others:
        test = others.begin(lambda: host.byok.test_connection(1, "OPENAI"))
        others.hold.wait_for(1)
        CHANGES[change](host)
        before = row(host)

    assert test.result(60).provider == "OPENAI"
    assert row(host) == before
    assert "key_tested" not in host.actions()
    assert stored_key(host) == (None if change == "removed" else BETTER)


@pytest.mark.case("F7")
@change
@pytest.mark.parametrize("fault", [None, "revoked", "ratelimited_38s", "outage"])
def test_the_verdict_of_a_late_call_is_dropped(
    host: CallHost, change: str, fault: str | None
) -> None:
    """A call on the old key ends well, and the new key starts with a clean record."""
    host.store(api_key=GOOD)
    host.fail(fault, keys=GOOD)

    with underway(host, GOOD) as others:
        call = others.begin(lambda: host.byok.client_for(1).chat("hello").source)
        others.hold.wait_for(1)
        CHANGES[change](host)
        before = row(host)

    assert call.result(60) == ("company" if fault is None else "system")
    host.byok.state.database.flush(force=True)
    assert row(host) == before
    assert not host.told("circuit_opened") and not host.told("key_rejected")
    assert stored_key(host) == (None if change == "removed" else BETTER)


@pytest.mark.case("F7")
@change
def test_a_late_save_overwrites_nothing(host: CallHost, change: str) -> None:
    """A replacement that is still being checked gives way to what came meanwhile."""
    host.store(api_key=GOOD)

    with underway(host, THIRD) as others:
        save = others.begin(lambda: host.byok.save_key(1, "OPENAI", THIRD))
        others.hold.wait_for(1)
        CHANGES[change](host)
        before = row(host)

    result = save.result(60)
    assert (result.saved, result.verdict) == (False, "changed")
    assert row(host) == before
    assert stored_key(host) == (None if change == "removed" else BETTER)


@pytest.mark.case("F7")
@change
def test_a_late_change_of_details_overwrites_nothing(
    host: CallHost, change: str
) -> None:
    """The same of a model that is being tried with the old key."""
    host.store(api_key=GOOD)

    with underway(host, GOOD) as others:
        save = others.begin(
            lambda: host.byok.save_key(1, "OPENAI", None, model="gpt-6-luna")
        )
        others.hold.wait_for(1)
        CHANGES[change](host)
        before = row(host)

    if change == "removed":
        with pytest.raises(CredentialNotFound):
            save.result(60)
    else:
        assert save.result(60).verdict == "changed"

    assert row(host) == before


@pytest.mark.case("F19", "F20")
@pytest.mark.parametrize("had_a_key", [True, False])
def test_a_late_save_of_a_forgotten_company(host: CallHost, had_a_key: bool) -> None:
    """A replacement is not stored; a first key is, as ``docs/security.md`` says.

    Nothing is left by which it could be told from a key of the next company.
    """
    if had_a_key:
        host.store(api_key=GOOD)

    with underway(host, THIRD) as others:
        save = others.begin(lambda: host.byok.save_key(1, "OPENAI", THIRD))
        others.hold.wait_for(1)
        host.byok.forget_company(1)

    assert save.result(60).saved is not had_a_key
    assert stored_key(host) == (None if had_a_key else THIRD)


@pytest.mark.case("F6")
def test_two_first_saves_make_one_row(host: CallHost) -> None:
    """Eight first saves are checked at once: one key is stored, seven are told."""
    keys = [f"not-a-real-first-key-000{n}-Abc{n}" for n in range(8)]

    with underway(host, "first-key") as others:
        saves = [
            others.begin(lambda k=k: host.byok.save_key(1, "OPENAI", k)) for k in keys
        ]
        others.hold.wait_for(8)

    results = [save.result(60) for save in saves]
    (winner,) = [n for n, result in enumerate(results) if result.saved]
    assert sorted(r.verdict for r in results) == ["changed"] * 7 + ["working"]
    assert stored_key(host) == keys[winner]
    assert (row(host) or {})["generation"] == 1
    assert host.actions().count("key_saved") == 1


@pytest.mark.case("F6")
def test_two_providers_at_once_make_one_company(host: CallHost) -> None:
    """First keys of three providers, saved together: three rows, one of them active."""
    with host.simulator.holding() as hold:
        others = Underway(host, hold)
        saves = [
            others.begin(lambda p=p: host.byok.save_key(1, p, GOOD))
            for p in ("OPENAI", "GEMINI", "CLAUDE")
        ]
        hold.wait_for(3)

    results = [save.result(60) for save in saves]
    others.close()
    assert all(result.saved for result in results)
    assert len(host.byok.credentials(1)) == 3
    assert len([c for c in host.byok.credentials(1) if c.active]) == 1


@pytest.mark.case("F7")
def test_two_removals_remove_once(host: CallHost) -> None:
    """Of many removals of one key one did it, the others say that there is none."""
    host.store(api_key=GOOD)

    def remove_once() -> str:
        try:
            host.byok.remove_key(1, "OPENAI")
        except CredentialNotFound:
            return "none"

        return "removed"

    with underway(host, None) as others:
        ends = [others.begin(remove_once) for _ in range(8)]
        found = sorted(end.result(60) for end in ends)

    assert found == ["none"] * 7 + ["removed"] and row(host) is None
    assert host.actions().count("key_removed") == 1


@pytest.mark.case("F9")
def test_removed_here_is_refused_there(host: CallHost, database_url: str) -> None:
    """Another app object on the same database asks no provider with a removed key."""
    host.store(api_key=GOOD)

    with calling(database_url, host.simulator) as other:
        assert other.chat().source == "company"

        with host.app.app_context():
            host.byok.remove_key(1, "OPENAI")

        other.simulator.clear()

        with pytest.raises(CredentialNotFound):
            other.byok.test_connection(1, "OPENAI")

        assert other.chat().source == "system"
        assert GOOD not in other.who_paid()

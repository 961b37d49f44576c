"""Calls and saves of an app whose stored keys lie behind a key service."""

from __future__ import annotations

import collections.abc as cabc
import time
import typing as t

import pytest
import sqlalchemy as sa

from flask_byok.errors import KeyServiceUnavailable
from flask_byok.errors import StoredKeyUnreadable
from flask_byok.errors import VaultClosed
from flask_byok.masterkeys import generate
from flask_byok.testing import FakeKeyService
from flask_byok.testing import Simulator
from tests.support.calls import CallHost
from tests.support.calls import calling
from tests.support.host import BETTER
from tests.support.host import GOOD


class Watched(FakeKeyService):
    """A key service that looks at the app's connections whenever it is asked."""

    def __init__(self, **options: t.Any) -> None:
        super().__init__(**options)
        self.held: list[int] = []
        self.engine: sa.Engine | None = None

    def make_data_key(
        self, ids: cabc.Mapping[str, str], timeout: float
    ) -> tuple[bytes, bytes]:
        self._look()
        return super().make_data_key(ids, timeout)

    def unwrap(
        self, wrap: bytes, ids: cabc.Mapping[str, str], timeout: float
    ) -> bytes | None:
        self._look()
        return super().unwrap(wrap, ids, timeout)

    def _look(self) -> None:
        if self.engine is not None:
            self.held.append(t.cast("t.Any", self.engine.pool).checkedout())


@pytest.fixture
def service() -> Watched:
    """One key service, slow ones of which give up soon."""
    return Watched(timeout=0.3)


@pytest.fixture
def host(
    database_url: str, byok_simulator: Simulator, service: Watched
) -> cabc.Iterator[CallHost]:
    """A host on each database, whose ring is a key service alone."""
    with calling(
        database_url, byok_simulator, BYOK_MASTER_KEYS={"kms1": service}
    ) as made:
        yield made


def stored(host: CallHost) -> list[tuple[str, bytes]]:
    """Read key ids and blobs."""
    table = host.byok.state.tables.credential

    with host.byok.state.database.read() as conn:
        return [
            tuple(row) for row in conn.execute(sa.select(table.c.key_id, table.c.blob))
        ]


def test_a_company_pays_with_a_key_behind_the_service(
    host: CallHost, service: Watched
) -> None:
    """Saved, called, streamed and tested; each opening asks the service."""
    host.store()
    ((key_id, blob),) = stored(host)

    assert (key_id, blob[:6]) == ("kms1", b"\x01\x02kms1")
    assert (host.chat().source, host.paid) == ("company", "c")
    assert host.stream() and host.paid == "c"
    assert host.byok.test_connection(1).verdict == "working"
    assert [r.verb for r in service.requests] == ["make", "unwrap", "unwrap", "unwrap"]
    assert {r.ids["company"] for r in service.requests} == {"i:1"}


@pytest.mark.case("B20", "F12")
@pytest.mark.parametrize("fault", ["down", "slow", "oversized", "short"])
def test_under_auto_the_system_key_answers(
    host: CallHost, service: Watched, fault: t.Any
) -> None:
    """Told once, as unavailable and never as tampering; the first success ends it."""
    host.store()
    before = stored(host)
    service.fail(fault)
    answers = [host.chat() for _ in range(2)]

    assert host.paid == "ss"
    assert [a.attempts[0].reason for a in answers] == ["unreadable"] * 2
    assert [p["reason"] for p in host.told("key_unreadable")] == [
        "key_service_unavailable"
    ]
    assert host.actions().count("key_unreadable") == 1
    assert host.circuit().circuit == "closed"
    assert stored(host) == before

    service.recover()
    assert (host.chat().source, host.paid) == ("company", "c")
    assert host.circuit().unreadable_at is None


@pytest.mark.case("B20", "F17")
@pytest.mark.parametrize("policy", ["outage_only", "never"])
def test_under_other_policies_the_call_fails(
    host: CallHost, service: Watched, policy: t.Any
) -> None:
    """With an error that says to try again, and is a stored key that does not open."""
    host.store()
    host.byok.set_policy(1, fallback=policy)
    service.fail("down")
    error = host.refuse(KeyServiceUnavailable)

    assert isinstance(error, StoredKeyUnreadable)
    assert (error.reason, error.key_id) == ("key_service_unavailable", "kms1")
    assert "try again" in str(error)
    assert host.paid == ""
    assert [attempt.sent for attempt in error.attempts] == [False]


@pytest.mark.case("B20")
def test_a_call_gives_the_service_no_more_than_its_share(
    host: CallHost, service: Watched
) -> None:
    """What the service may take is bounded by the call; a fallback keeps its time."""
    service.timeout = 60.0
    host.store()
    service.requests.clear()
    host.chat(timeout=8.0)
    host.byok.set_policy(1, fallback="never")
    host.chat(timeout=8.0)
    shared, whole = (request.timeout for request in service.requests)

    assert 4.0 < shared <= 6.0 < whole <= 8.0


@pytest.mark.case("B20")
def test_a_slow_service_leaves_time_for_the_system_key(
    host: CallHost, service: Watched
) -> None:
    """Three quarters of the call are waited for, the rest brings an answer."""
    service.timeout = 60.0
    host.store()
    service.fail("slow")
    began = time.monotonic()
    answer = host.chat(timeout=4.0)

    assert (answer.source, host.paid) == ("system", "s")
    assert time.monotonic() - began > 2.9


@pytest.mark.case("B20")
def test_no_connection_is_held_while_the_service_is_asked(
    host: CallHost, service: Watched
) -> None:
    """Neither in a save, a call, a stream, a test, nor by doctor."""
    service.engine = host.byok.state.database.engine
    host.store()
    host.chat()
    host.stream()
    host.byok.test_connection(1)
    list(
        host.byok.state.doctor.examine(
            has_loader=True, has_access_check=True, has_secret_key=True
        )
    )

    assert len(service.held) == 7
    assert set(service.held) == {0}


@pytest.mark.case("B20")
@pytest.mark.parametrize("fault", ["down", "slow", "oversized", "short"])
def test_a_save_that_cannot_seal_stores_nothing(
    host: CallHost, service: Watched, fault: t.Any
) -> None:
    """No row, no line in the history, no check value; a stored key stays as it was."""
    service.fail(fault)

    with pytest.raises(KeyServiceUnavailable):
        host.byok.save_key(1, "OPENAI", GOOD)

    assert (stored(host), host.actions()) == ([], [])

    with host.byok.state.database.read() as conn:
        assert conn.execute(sa.select(host.byok.state.tables.keyring)).all() == []

    service.recover()
    host.store()
    before = stored(host)
    service.fail(fault)

    with pytest.raises(KeyServiceUnavailable):
        host.byok.save_key(1, "OPENAI", BETTER)

    service.recover()
    assert stored(host) == before
    assert host.actions() == ["key_saved"]


@pytest.mark.case("B7", "B16")
def test_two_workers_agree_on_the_service_by_its_name(
    host: CallHost, service: Watched, database_url: str, byok_simulator: Simulator
) -> None:
    """Another service under the id may not save beside the first one's rows."""
    host.store()
    other = {"kms1": FakeKeyService("two")}

    with calling(database_url, byok_simulator, BYOK_MASTER_KEYS=other) as second:
        with pytest.raises(VaultClosed, match="'kms1' in 'BYOK_MASTER_KEYS' has other"):
            second.byok.save_key(2, "OPENAI", GOOD)


def test_a_system_key_keeps_its_circuit_without_a_master_key(
    host: CallHost, byok_simulator: Simulator, database_url: str
) -> None:
    """Two workers on services alone mark it alike: no worker resets the other's row."""

    def marks() -> list[tuple[str, int]]:
        table = host.byok.state.tables.system_key

        with host.byok.state.database.read() as conn:
            query = sa.select(table.c.fingerprint, table.c.generation)
            return [tuple(row) for row in conn.execute(query)]

    host.chat()
    first = marks()

    with calling(
        database_url, byok_simulator, BYOK_MASTER_KEYS={"kms2": FakeKeyService("two")}
    ) as second:
        second.chat()

    assert len(first) == 1
    assert marks() == first


def test_rings_with_both_seal_under_the_primary(
    sqlite_url: str, byok_simulator: Simulator, service: Watched
) -> None:
    """Rows of ring and service stand side by side; a ring without one id says so."""
    both = {"k001": generate(), "kms1": service}
    rings: list[tuple[dict[str, t.Any], str]] = [
        (both, "k001"),
        (both, "kms1"),
        ({"k001": both["k001"]}, "k001"),
    ]

    def worker(ring: dict[str, t.Any], primary: str) -> t.Any:
        return calling(
            sqlite_url,
            byok_simulator,
            BYOK_MASTER_KEYS=ring,
            BYOK_PRIMARY_KEY_ID=primary,
        )

    with worker(*rings[0]) as host:
        host.store("OPENAI")

    with worker(*rings[1]) as host:
        host.store("CLAUDE")
        host.byok.set_policy(1, active_provider="CLAUDE", fallback="never")
        assert host.chat().provider == "CLAUDE"
        assert [key_id for key_id, _ in stored(host)] == ["k001", "kms1"]

    with worker(*rings[0]) as host:
        assert host.chat().provider == "CLAUDE"

    with worker(*rings[2]) as host:
        error = host.refuse(StoredKeyUnreadable)
        assert (error.reason, error.key_id) == ("unknown_key_id", "kms1")

"""Workers of gunicorn share one budget and lose no row of it, killed or stopped."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import datetime as dt
import itertools
import typing as t

import pytest
import sqlalchemy as sa

from flask_byok.testing import Simulator
from tests.served.conftest import config_of
from tests.served.conftest import EVERY_TIME
from tests.served.conftest import let_readers_alone
from tests.served.conftest import PLACES
from tests.served.conftest import Stage
from tests.support.calls import calling
from tests.support.locks import writes_locked
from tests.support.served import ends
from tests.support.served import serving

#: Requests on the system key for each company and month.
BUDGET: t.Final = 100


@contextlib.contextmanager
def on_stage(
    place: tuple[str, str], url: str, simulator: Simulator, **more: t.Any
) -> cabc.Iterator[Stage]:
    """Serve an app, and look at its rows from here."""
    config = config_of(simulator, **more)

    with calling(url, simulator, **config) as host:
        let_readers_alone(host)

        with serving(url, config, kind=place[0]) as served:
            stage = Stage(*place, served, host, itertools.count(1))

            with simulator.log.watching(stage.count):
                yield stage


_PLACES: t.Final = [place for place in PLACES if place.values[0] in EVERY_TIME]


@pytest.fixture(params=_PLACES)
def place(request: pytest.FixtureRequest) -> tuple[str, str]:
    """Give threads or greenlets, and a database."""
    found: tuple[str, str] = request.param
    return found


@pytest.fixture
def url(place: tuple[str, str], make_database: cabc.Callable[[str], str]) -> str:
    """Name an empty database of that kind."""
    return make_database(place[1])


@pytest.mark.fault(65, got="answer, SystemBudgetExceeded", served="c0 s100")
@pytest.mark.fault(67, got="connection lost", served="c0 s1")
@pytest.mark.fault(71, got="answer", served="c0 s40")
@pytest.mark.fault(74, got="answer", served="c40 s0")
def test_a_budget_of_a_hundred(
    place: tuple[str, str],
    url: str,
    simulator: Simulator,
    request: pytest.FixtureRequest,
) -> None:
    """Of 200 callers 100 are served; a killed worker's reservation is charged."""
    phases = {
        71: see_first_calls,
        65: see_two_hundred,
        67: see_killed,
        74: see_graceful_stop,
    }
    limits = {"requests": BUDGET}

    with on_stage(place, url, simulator, BYOK_SYSTEM_BUDGET=limits) as stage:
        for number, phase in phases.items():
            stage.take_company()
            stage.host.simulator.clear()
            stage.begin()
            phase(stage)
            stage.see(request.node, number)


def see_first_calls(stage: Stage) -> None:
    """Forty first calls of a month at once make one row, and nobody meets an error."""
    assert ends(stage.served.ask_often([stage.order()] * 40)) == {"system": 40}
    see_settled(stage, 40)


def see_two_hundred(stage: Stage) -> None:
    """Exactly a hundred reach the provider."""
    told = stage.served.ask_often([stage.order()] * 2 * BUDGET)
    assert ends(told) == {"system": BUDGET, "SystemBudgetExceeded": BUDGET}
    assert stage.host.paid == "s" * BUDGET
    see_settled(stage, BUDGET)
    assert [row.state for row in stage.attempts()] == ["done"] * BUDGET


def counters(stage: Stage) -> dict[str, int]:
    """Read the one month of the company in hand."""
    columns = stage.host.byok.state.tables.budget.c
    query = sa.select(columns.used_requests, columns.reserved_requests)
    mine = columns.company_id == f"i:{stage.host.company}"

    with stage.host.byok.state.database.read() as connection:
        (row,) = connection.execute(query.where(mine)).mappings()

    return dict(row)


def see_settled(stage: Stage, used: int) -> None:
    """See that each reservation became use; what had to wait is written meanwhile."""
    expected = {"used_requests": used, "reserved_requests": 0}

    stage.see_in_rows(lambda: counters(stage) == expected, "all is settled")


def see_killed(stage: Stage) -> None:
    """``kill -9`` between reserve and settle: ``started``; swept, it is charged."""
    stage.kill_in_mid_call("system")
    assert [row.state for row in stage.attempts()] == ["started"]
    assert counters(stage) == {"used_requests": 0, "reserved_requests": 1}
    ledger = stage.host.byok.state.desk.ledger
    now = stage.host.byok.state.store.read_state("i:0").now()
    assert ledger.sweep(now + dt.timedelta(hours=2)) == 1
    assert [row.state for row in stage.attempts()] == ["unknown"]
    assert counters(stage) == {"used_requests": 1, "reserved_requests": 0}


def see_graceful_stop(stage: Stage) -> None:
    """The tables were locked when the calls ended: the rows are written at the end."""
    stage.host.store()
    stage.begin()

    with writes_locked(stage.host):
        assert ends(stage.served.meet(stage.order())) == {"company": 40}
        assert stage.attempts() == []

    stage.served.stop()
    assert [row.state for row in stage.attempts()] == ["done"] * 40

"""Reminders of declared dates: at 14, 7 and 1 days, once each, over all workers."""

from __future__ import annotations

import concurrent.futures
import datetime as dt
import typing as t

from tests.support.calls import CallHost
from tests.support.host import BETTER
from tests.support.host import GOOD


def today(host: CallHost) -> dt.date:
    """Give the day, UTC, by the database's clock."""
    return t.cast("dt.date", host.byok.status(host.company).now.date())


def look(host: CallHost) -> None:
    """Look for reminders as the page does."""
    status = host.byok.status(host.company)
    host.byok.state.reminders.look("i:1", status.credentials, status.now)


def sweep(host: CallHost) -> int:
    """Look for reminders as ``flask byok sweep`` does."""
    now = host.byok.state.store.read_state("i:1").now()
    found = host.byok.state.reminders.count(now)
    sent = host.byok.state.reminders.sweep(now)
    assert found == sent
    return sent


def days(host: CallHost) -> list[int]:
    """List how many days were left at each reminder."""
    return [reminder["days_left"] for reminder in host.told("key_expiring")]


def test_at_14_7_and_1_days_once_each(any_host: CallHost) -> None:
    """Eight workers find each step at once; one of them tells, and the history too."""
    host = any_host
    date = today(host) + dt.timedelta(days=15)
    host.store(expires_on=date)
    assert (sweep(host), days(host)) == (0, [])
    app = host.app

    def work(number: int) -> None:
        with app.app_context():
            if number % 2:
                look(host)
            else:
                now = host.byok.state.store.read_state("i:1").now()
                host.byok.state.reminders.sweep(now)

    for step in (1, 3, 4, 3, 3, 1):
        host.move_clock(days=step)

        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            list(pool.map(work, range(8)))

        # A claim that meets another's lock is left to the next who looks.
        look(host)
        look(host)

    assert days(host) == [14, 7, 1]
    assert host.told("key_expiring")[0] == {
        "company_id": 1,
        "provider": "OPENAI",
        "days_left": 14,
        "expires_on": date,
    }
    assert host.actions().count("key_expiring") == 3
    assert "expires" not in {entry.actor for entry in host.byok.history(1)}


def test_what_was_missed_and_what_begins_anew(host: CallHost) -> None:
    """Only the latest step is sent; another date or key is reminded of anew."""
    date = today(host) + dt.timedelta(days=5)
    host.store(expires_on=date)
    assert (sweep(host), days(host)) == (1, [5])

    # The model alone changes nothing of it.
    host.byok.save_key(1, "OPENAI", None, model="gpt-6-luna", expires_on=date)
    assert sweep(host) == 0
    host.byok.save_key(
        1, "OPENAI", None, model="gpt-6-luna", expires_on=date + dt.timedelta(days=1)
    )
    assert (sweep(host), days(host)) == (1, [5, 6])
    host.byok.save_key(1, "OPENAI", BETTER, expires_on=date)
    assert (sweep(host), days(host)) == (1, [5, 6, 5])

    # A date that has come is told by the page, and by no reminder.
    host.byok.save_key(1, "OPENAI", GOOD, expires_on=today(host))
    assert sweep(host) == 0
    host.byok.remove_key(1, "OPENAI")
    assert sweep(host) == 0


def test_a_table_that_is_gone_costs_nothing(host: CallHost) -> None:
    """Bookkeeping never raises into a page or a sweep."""
    host.store(expires_on=today(host) + dt.timedelta(days=5))
    status = host.byok.status(1)
    host.byok.state.tables.audit.drop(host.db.engine)
    host.byok.state.reminders.look("i:1", status.credentials, status.now)
    assert days(host) == []

"""Rotations in processes of their own, some of which do not live to the end."""

from __future__ import annotations

import os
import pty

import pytest

from tests.support.rotation_drill import drill
from tests.support.rotation_drill import end
from tests.support.rotation_drill import kill
from tests.support.rotation_drill import start
from tests.support.rotation_drill import wait_until_stopped
from tests.support.rotation_room import BOTH
from tests.support.rotation_room import fill
from tests.support.rotation_room import NEW
from tests.support.rotation_room import opened
from tests.support.rotation_room import ring
from tests.support.rotation_room import under
from tests.support.vault_room import open_room

ROTATE = ("rotate", "--json", "--batch", "10")


@pytest.mark.case("B10")
@pytest.mark.parametrize("where", ["inside 3", "between 3"])
def test_a_killed_rotation_is_run_again(database_url: str, where: str) -> None:
    """``kill -9``: what was committed stays, the rest is as it was, nothing is lost."""
    with open_room(database_url) as room:
        kept = fill(room, 50)
        worker = start(database_url, *ROTATE, stop=where)
        wait_until_stopped(worker)
        kill(worker)

        assert opened(room, ring(BOTH, "k002")) == kept
        assert under(room) == {"k001": 30, "k002": 20}
        report = end(start(database_url, *ROTATE))
        assert (report["moved"], report["failed"], report["left"]) == (30, 0, {})
        assert opened(room, ring(NEW, "k002")) == kept


@pytest.mark.case("B9", "B10", "B13", "B15")
def test_the_drill(postgresql_url: str) -> None:
    """Two workers, one killed in a batch, again, verify, retire: every key opens."""
    told: list[str] = []
    drill(postgresql_url, 3_000, batch=100, say=told.append)

    assert told[-1].startswith("every key is")


def test_a_person_sees_how_far_it_is(sqlite_url: str) -> None:
    """On a terminal a bar is drawn on standard error; the result goes to the other."""
    with open_room(sqlite_url) as room:
        fill(room, 60)

    parent, child = pty.openpty()
    worker = start(sqlite_url, "rotate", "--batch", "10", stderr=child)
    os.close(child)
    shown = read_all(parent)
    out = worker.communicate(timeout=60)[0]

    assert "Moving keys to k002" in shown
    assert "100%" in shown
    assert "60 keys" in shown
    assert out.startswith("60 stored keys are now sealed by k002.")


def read_all(terminal: int) -> str:
    """Read a terminal until nobody writes to it any more."""
    found = b""

    try:
        while more := os.read(terminal, 4096):
            found += more
    except OSError:  # what Linux says at its end
        pass
    finally:
        os.close(terminal)

    return found.decode()

"""Keeps the history of keys that were tried and not stored, and tells of many.

A stolen key can be tried by saving it. What is tried stands in the company's history;
many in an hour are told to the operator.
"""

from __future__ import annotations

import datetime as dt
import typing as t

import sqlalchemy as sa

from ..ledger.audit import Action
from .desk import Desk
from .types import ConnectionReport

#: So many keys of one company, tried and not stored within :data:`WINDOW`, are told.
MANY: t.Final = 10

#: How far back keys are counted, and how long nothing is told a second time.
WINDOW: t.Final = dt.timedelta(hours=1)

#: By verdict: what stands in the history. A provider that could not be asked says
#: nothing of a key, so that an outage fills no history and raises no alarm.
_ACTIONS: t.Final[dict[str, Action]] = {
    "rejected": "key_rejected",
    "not_usable": "key_not_saved",
    "other_model": "key_not_saved",
}


def note_refusal(
    desk: Desk, company: str, report: ConnectionReport, actor: str | None
) -> None:
    """Note a key that was checked and is not stored; tell when these are many.

    :param company: the typed text.
    """
    action = _ACTIONS.get(report.verdict)

    if action is None:
        return

    with desk.database.write() as conn:
        details = {"verdict": report.verdict, "reason": report.reason}
        desk.note(conn, company, action, actor, report.provider, details)
        refusals = _count_untold(desk, conn, company)

        if refusals:
            told = {"refusals": refusals}
            desk.note(conn, company, "keys_refused", None, None, told)

    if refusals:
        desk.teller.keys_refused(company, refusals, actor)


def _count_untold(desk: Desk, conn: sa.Connection, company: str) -> int:
    """Count the last hour's; 0 when they are few, or were told within that hour."""
    audit, since = desk.ledger.audit, desk.database.now(conn) - WINDOW
    refusals = audit.count(conn, company, _ACTIONS.values(), since=since)

    if refusals < MANY or audit.count(conn, company, ["keys_refused"], since=since):
        return 0

    return refusals

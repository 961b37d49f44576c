"""A short run in which everything breaks, and the proof that its checks can fail."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import dataclasses
import math
import typing as t

import pytest

from tests.support.chaos.evidence import Call
from tests.support.chaos.evidence import Evidence
from tests.support.chaos.evidence import find_call
from tests.support.chaos.evidence import find_violations
from tests.support.chaos.evidence import Key
from tests.support.chaos.evidence import make_prompt
from tests.support.chaos.evidence import make_text
from tests.support.chaos.evidence import Request
from tests.support.chaos.evidence import Row
from tests.support.chaos.run import run
from tests.support.chaos.server import CutServer
from tests.support.chaos.server import find_binaries
from tests.support.chaos.server import own_server

SECONDS: t.Final = 9.0
SYSTEM: t.Final = "not-a-real-system-key-openai"
KEY: t.Final = "not-a-real-chaos-key-c1-0001"
OTHER: t.Final = "not-a-real-chaos-key-c2-0001"


def test_every_promise_holds_while_everything_breaks(postgresql_url: str) -> None:
    """Providers fail, workers die, the database crashes, keys come and go."""
    with contextlib.ExitStack() as stack:
        binaries = find_binaries()
        server = (
            stack.enter_context(own_server(binaries))
            if binaries
            else CutServer(postgresql_url)
        )
        report = run(server, SECONDS, seed="short", say=print)

    print("\n".join(report.lines()))
    assert report.violations == []
    assert min(report.done[what] for what in ("bend", "kill", "shake", "jump")) > 0
    assert {call.source for call in report.evidence.calls} >= {"company", "system"}
    assert report.changes["saved"] and report.changes["removed"]
    assert {row.state for row in report.evidence.rows} >= {"done", "failed"}


def make_evidence() -> Evidence:
    """Three calls that went well: on a key, on the system key, and one cut short."""
    times = {"begun": 10.0, "ended": 11.0}
    return Evidence(
        calls=[
            Call(
                number=1,
                company=1,
                streamed=False,
                end="answer",
                source="company",
                text=make_text(1, 1),
                kept=True,
                **times,
            ),
            Call(
                number=2,
                company=2,
                streamed=True,
                end="answer",
                source="system",
                text=make_text(2, 2),
                kept=False,
                **times,
            ),
            Call(
                number=3,
                company=1,
                streamed=True,
                end="StreamInterrupted",
                text=make_text(1, 3)[:30],
                partial=make_text(1, 3)[:30],
                **times,
            ),
        ],
        keys=[
            Key(api_key=KEY, company=1, since=5.0, until=math.inf),
            Key(api_key=OTHER, company=2, since=5.0, until=9.0),
        ],
        requests=[
            Request(call=1, api_key=KEY),
            Request(call=2, api_key=SYSTEM),
            Request(call=3, api_key=KEY),
        ],
        rows=[
            Row(call=1, source="company", state="done"),
            Row(call=2, source="system", state="done"),
        ],
        notes={1},
    )


def test_a_run_without_a_fault_has_none() -> None:
    """What the plants below are put into is whole."""
    assert find_violations(make_evidence()) == []
    assert find_call({"messages": [{"content": make_prompt(1, 17)}]}) == 17


def change(evidence: Evidence, call: int, **values: t.Any) -> None:
    """Let a client have seen something else."""
    evidence.calls[call - 1] = dataclasses.replace(evidence.calls[call - 1], **values)


def tell_another_text(evidence: Evidence) -> None:
    change(evidence, 1, text=make_text(2, 9))


def run_on_anothers_key(evidence: Evidence) -> None:
    evidence.requests[0] = Request(call=1, api_key=OTHER)


def run_on_an_unknown_key(evidence: Evidence) -> None:
    evidence.requests[0] = Request(call=1, api_key="not-a-real-chaos-key-c1-0009")


def run_on_a_removed_key(evidence: Evidence) -> None:
    evidence.keys[0].until = 9.0


def pay_with_another(evidence: Evidence) -> None:
    change(evidence, 1, source="system")


def repeat_a_word(evidence: Evidence) -> None:
    change(evidence, 2, text=make_text(2, 2) + " " + make_text(2, 2).split()[-1])


def end_well_too_early(evidence: Evidence) -> None:
    change(evidence, 2, text=make_text(2, 2)[:50])


def leave_a_gap(evidence: Evidence) -> None:
    text = make_text(1, 3)
    change(evidence, 3, text=text[:8] + text[16:30], partial=text[:8] + text[16:30])


def tell_another_part(evidence: Evidence) -> None:
    change(evidence, 3, partial=make_text(1, 3)[:20])


def lose_a_row(evidence: Evidence) -> None:
    del evidence.rows[1]


def lose_one_of_two_rows(evidence: Evidence) -> None:
    evidence.requests.append(Request(call=2, api_key=SYSTEM))


def never_settle(evidence: Evidence) -> None:
    evidence.rows[1] = Row(call=2, source="system", state="started")


def ask_four_times(evidence: Evidence) -> None:
    evidence.requests += [Request(call=3, api_key=KEY)] * 3


def lose_the_hosts_row(evidence: Evidence) -> None:
    evidence.notes.clear()


def keep_what_the_host_took_back(evidence: Evidence) -> None:
    evidence.notes.add(2)


@pytest.mark.parametrize(
    ("plant", "told"),
    [
        (tell_another_text, "wrong company"),
        (run_on_anothers_key, "wrong company"),
        (run_on_an_unknown_key, "wrong company"),
        (run_on_a_removed_key, "removed key"),
        (pay_with_another, "wrong payer"),
        (repeat_a_word, "lost or duplicated text"),
        (end_well_too_early, "lost or duplicated text"),
        (leave_a_gap, "lost or duplicated text"),
        (tell_another_part, "lost or duplicated text"),
        (lose_a_row, "lost row"),
        (lose_one_of_two_rows, "lost row"),
        (never_settle, "lost row"),
        (ask_four_times, "too many requests"),
        (lose_the_hosts_row, "host's row"),
        (keep_what_the_host_took_back, "host's row"),
    ],
)
def test_a_planted_violation_is_found(
    plant: cabc.Callable[[Evidence], None], told: str
) -> None:
    """Each promise is seen broken once it is."""
    evidence = make_evidence()
    plant(evidence)
    found = find_violations(evidence)
    assert found and all(text.startswith(told) for text in found), found

"""What callers, provider and database saw of a run, and what contradicts itself there.

Three independent witnesses: the clients note what they were told and when, the
simulator whose key came with which call, the database what is left in its rows.
"""

from __future__ import annotations

import collections
import collections.abc as cabc
import dataclasses
import json
import math
import re
import typing as t

#: Requests a call may make, whatever happens.
MOST: t.Final = 3

#: A part of every system key and of no other.
SYSTEM: t.Final = "system-key"

_WORDS: t.Final = 40
_FIRST_WORD: t.Final = re.compile(r"\bc(\d+)n(\d+)w0\b")
_WORD: t.Final = re.compile(r"\bc(\d+)n(\d+)w\d+\b")


def make_text(company: int, number: int) -> str:
    """Give the text that call is answered with: no word of it belongs to another."""
    return " ".join(f"c{company}n{number}w{at}" for at in range(_WORDS))


def make_prompt(company: int, number: int) -> str:
    """Ask the simulated model for that text."""
    return f"Reply with: {make_text(company, number)}"


def make_key(company: int, number: int) -> str:
    """Give a key nobody else has; its company stands in it."""
    return f"not-a-real-chaos-key-c{company}-{number:04d}"


def find_call(body: object) -> int | None:
    """Tell which call a request belongs to; ``None``: no call's, a check of a key."""
    found = _FIRST_WORD.search(json.dumps(body))
    return int(found[2]) if found else None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Call:
    """What a client knows of one call.

    :param begun: by the clock of the driver, as all times here; in seconds.
    :param end: ``answer``, the name of an error, or ``broken`` when the connection to
        the worker was.
    :param text: as far as it came.
    :param partial: of an interrupted stream, what the error says came.
    :param kept: whether the host committed its row; ``None``: nobody knows.
    """

    number: int
    company: int
    streamed: bool
    begun: float
    ended: float
    end: str
    source: str | None = None
    text: str = ""
    partial: str | None = None
    kept: bool | None = None


@dataclasses.dataclass(kw_only=True)
class Key:
    """A key and the time in which a call may find it.

    :param since: when its save was asked for.
    :param until: when its removal or replacement was confirmed.
    """

    api_key: str
    company: int
    since: float
    until: float = math.inf


@dataclasses.dataclass(frozen=True, kw_only=True)
class Request:
    """A request for content that reached a provider."""

    call: int
    api_key: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Row:
    """A row of the ledger, after the sweep."""

    call: int
    source: str
    state: str


@dataclasses.dataclass(kw_only=True)
class Evidence:
    """All that is known of a run."""

    calls: list[Call] = dataclasses.field(default_factory=list)
    keys: list[Key] = dataclasses.field(default_factory=list)
    requests: list[Request] = dataclasses.field(default_factory=list)
    rows: list[Row] = dataclasses.field(default_factory=list)
    notes: set[int] = dataclasses.field(default_factory=set)


def find_violations(evidence: Evidence) -> list[str]:
    """List every promise that did not hold, with the call it did not hold for."""
    requests: dict[int, list[Request]] = collections.defaultdict(list)
    keys = {key.api_key: key for key in evidence.keys}

    for request in evidence.requests:
        requests[request.call].append(request)

    found: list[str] = []

    for call in evidence.calls:
        mine = requests[call.number]
        found += _in_text(call)
        found += _in_requests(call, mine, keys)
        found += _in_note(call, evidence.notes)

    found += _in_ledger(requests, evidence.rows)
    return found


def _in_text(call: Call) -> cabc.Iterator[str]:
    whole = make_text(call.company, call.number)
    is_whole = call.end == "answer"
    mine = (call.company, call.number)

    for word in _WORD.finditer(call.text):
        if (int(word[1]), int(word[2])) != mine:
            yield f"wrong company: call {call.number} was told {word[0]!r}"
            return

    if is_whole and call.text != whole:
        yield f"lost or duplicated text: call {call.number} ended well"
    elif not whole.startswith(call.text):
        yield f"lost or duplicated text: call {call.number} broke off"

    if call.partial is not None and call.partial != call.text:
        yield f"lost or duplicated text: call {call.number}'s error tells another"


def _in_requests(
    call: Call, requests: cabc.Sequence[Request], keys: cabc.Mapping[str, Key]
) -> cabc.Iterator[str]:
    if len(requests) > MOST:
        yield f"too many requests: call {call.number} made {len(requests)}"

    for request in requests:
        if SYSTEM in request.api_key:
            continue

        key = keys.get(request.api_key)

        if key is None or key.company != call.company:
            yield f"wrong company: call {call.number} ran on {request.api_key}"
        elif key.until < call.begun:
            yield f"removed key: call {call.number} ran on {request.api_key}"

    if call.source is not None:
        last = requests[-1].api_key if requests else ""
        expected = "system" if SYSTEM in last else "company"

        if not requests or call.source != expected:
            yield f"wrong payer: call {call.number} says {call.source}"


def _in_note(call: Call, notes: cabc.Set[int]) -> cabc.Iterator[str]:
    if call.kept is not None and call.kept != (call.number in notes):
        yield f"host's row: that of call {call.number} is not as the host left it"


def _in_ledger(
    requests: cabc.Mapping[int, list[Request]], rows: cabc.Sequence[Row]
) -> cabc.Iterator[str]:
    booked = collections.Counter(row.call for row in rows if row.source == "system")

    for call, mine in requests.items():
        used = sum(SYSTEM in request.api_key for request in mine)

        if used > booked[call]:
            yield f"lost row: call {call} has {booked[call]} of {used}"

    for row in rows:
        if row.state == "started":
            yield f"lost row: that of call {row.call} was never settled"

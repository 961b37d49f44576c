"""From a request to what is written: choose the fault, make the answer, bend it."""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import functools
import gzip
import typing as t

from .catalog import FAULT_PREFIX
from .exchange import Answer
from .exchange import Call
from .exchange import Piece
from .exchange import Refusal
from .exchange import Stream
from .exchange import Wire
from .faults import Fault
from .faults import find_fault
from .faults import word_in_key
from .switches import Switchboard

Manner = t.Literal["plain", "hang", "reset", "cut", "short", "drip", "bytewise"]

_PAGE = (
    b"<!DOCTYPE html><html lang=en><title>Error 403 (Forbidden)!!1</title>"
    b"<p>Your client does not have permission to get this page.</html>"
)
_HTML = {"content-type": "text/html; charset=UTF-8"}
_WHOLE: cabc.Mapping[str, tuple[int, cabc.Mapping[str, str], bytes]] = {
    "html": (403, _HTML, _PAGE),
    "html_200": (200, _HTML, _PAGE),
    "html_401": (401, _HTML, _PAGE),
    "html_502": (502, _HTML, _PAGE),
    "empty": (200, {"content-type": "application/json"}, b""),
    "empty_401": (401, {}, b""),
    "not_json": (200, {"content-type": "application/json"}, b"{'no': JSON"),
}
#: Recorded: OPENAI's third event told that there is no credit.
_EVENTS_BEFORE_ERROR = 2
BOMB_SIZE = 64 * 1024 * 1024


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What will be written, and how.

    :param answer: ``None`` when nothing is to be answered.
    :param slow: wait before the answer begins.
    :param fault: names of the faults that struck, joined by ``+``; ``None``: none.
    """

    answer: Answer | Stream | None
    manner: Manner
    slow: bool
    fault: str | None


def choose_faults(
    call: Call, switchboard: Switchboard, reused: bool
) -> tuple[bool, Fault | None]:
    """Choose what befalls a call: whether it is slow, and at most one fault more.

    Switches come first, then the model's name, then the words in the key. What does
    not concern this kind of request lets the next one have its turn.
    """
    slow = False

    for fault, use in _candidates(call, switchboard):
        if not fault.strikes(call) or (
            fault.behaviour == "reset_reused" and not reused
        ):
            continue

        if not use():
            continue

        if fault.behaviour != "slow":
            return slow, fault

        slow = True

    return slow, None


def build_plan(
    call: Call, wire: Wire, switchboard: Switchboard, *, reused: bool, elsewhere: str
) -> Plan:
    """Decide everything about one answer.

    :param reused: the connection has carried an answer before.
    :param elsewhere: the address of another host, for redirects.
    """
    slow, fault = choose_faults(call, switchboard, reused)
    name = "+".join(
        part for part in ("slow" if slow else "", fault.name if fault else "") if part
    )
    answer, manner = _bend(call, wire, fault, elsewhere)
    return Plan(answer=answer, manner=manner, slow=slow, fault=name or None)


def _candidates(
    call: Call, switchboard: Switchboard
) -> cabc.Iterator[tuple[Fault, cabc.Callable[[], bool]]]:
    for switch in switchboard.matching(call.provider, call.api_key):
        if fault := find_fault(call.provider, switch.fault):
            yield fault, functools.partial(switchboard.use, switch)

    named = [call.model.removeprefix(FAULT_PREFIX)]

    if call.model.startswith(FAULT_PREFIX):
        # A misspelt name must not look like a fault that was asked for.
        unknown = Fault(name="no_such_fault", scope="all", behaviour="no_such_fault")
        yield find_fault(call.provider, named[0]) or unknown, lambda: True

    if word := word_in_key(call.api_key):
        if fault := find_fault(call.provider, word):
            yield fault, lambda: True


def _bend(
    call: Call, wire: Wire, fault: Fault | None, elsewhere: str
) -> tuple[Answer | Stream | None, Manner]:
    if fault is None:
        return _answer(call, wire, frozenset()), "plain"

    behaviour = fault.behaviour

    if behaviour in ("hang", "reset", "reset_reused"):
        return None, "hang" if behaviour == "hang" else "reset"

    if whole := _whole_answer(behaviour, elsewhere):
        return whole, "plain"

    if fault.row is not None:
        return _erring(call, wire, fault), "plain"

    answer = _answer(call, wire, {fault.trait} - {""})

    if behaviour in ("cut", "cut_before_content", "cut_body"):
        return _cut(answer, behaviour)

    if behaviour == "no_end_mark" and isinstance(answer, Stream):
        kept = tuple(piece for piece in answer.pieces if piece.kind != "end")
        return dataclasses.replace(answer, pieces=kept), "plain"

    if behaviour in ("drip", "bytewise"):
        return answer, "drip" if behaviour == "drip" else "bytewise"

    return answer, "plain"


def _answer(call: Call, wire: Wire, traits: cabc.Set[str]) -> Answer | Stream:
    try:
        wire.refuse_strangers(call)
        return wire.answer(call, traits)
    except Refusal as refusal:
        return wire.error(call, refusal.row)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        # A number where a list belongs, and the like: nobody lists all of it.
        return wire.error(call, wire.rows["bad_request"])


def _whole_answer(behaviour: str, elsewhere: str) -> Answer | None:
    if behaviour in _WHOLE:
        status, headers, body = _WHOLE[behaviour]
        return Answer(status=status, headers=headers, body=body)

    if behaviour in ("redirect", "redirect_307"):
        status = 307 if behaviour == "redirect_307" else 302
        return Answer(status=status, headers={"location": elsewhere}, body=b"")

    if behaviour == "bomb":
        headers = {"content-type": "application/json", "content-encoding": "gzip"}
        return Answer(status=200, headers=headers, body=_bomb())

    if behaviour == "no_such_fault":
        return Answer(status=501, headers={}, body=b"No such fault.\n")

    return None


def _erring(call: Call, wire: Wire, fault: Fault) -> Answer | Stream:
    """Answer with the fault's error: alone, or inside a stream."""
    row = fault.row
    assert row is not None

    try:
        wire.refuse_strangers(call)
    except Refusal as refusal:
        return wire.error(call, refusal.row)

    if fault.place == "answer":
        return wire.error(call, row)

    answer = _answer(call, wire, frozenset())

    if not isinstance(answer, Stream):
        return wire.error(call, row) if answer.status < 400 else answer

    kept = _beginning(answer, with_content=fault.place == "late")

    if fault.place == "stream":
        kept = kept[:_EVENTS_BEFORE_ERROR]

    data = wire.stream_error(call, row, fault.other_form)
    return dataclasses.replace(answer, pieces=(*kept, Piece(kind="tail", data=data)))


def _cut(answer: Answer | Stream, behaviour: str) -> tuple[Answer | Stream, Manner]:
    if isinstance(answer, Stream):
        with_content = behaviour != "cut_before_content"
        kept = _beginning(answer, with_content=with_content)
        return dataclasses.replace(answer, pieces=kept), "cut"

    if answer.status >= 400 or behaviour == "cut_before_content":
        return answer, "plain"

    half = answer.body[: len(answer.body) // 2]

    if behaviour == "cut_body":
        headers = {**answer.headers, "content-length": str(len(answer.body))}
        return dataclasses.replace(answer, headers=headers, body=half), "short"

    return dataclasses.replace(answer, body=half), "plain"


def _beginning(stream: Stream, *, with_content: bool) -> tuple[Piece, ...]:
    """Keep what stands before the content, or also the first half of it."""
    places = [at for at, one in enumerate(stream.pieces) if one.kind == "content"]

    if not places:
        return tuple(piece for piece in stream.pieces if piece.kind == "preamble")

    if not with_content:
        return stream.pieces[: places[0]]

    return stream.pieces[: places[(len(places) - 1) // 2] + 1]


@functools.cache
def _bomb() -> bytes:
    return gzip.compress(b" " * BOMB_SIZE)

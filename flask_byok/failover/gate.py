"""May this key be tried now? Claims the probe where one is due."""

from __future__ import annotations

import datetime as dt
import typing as t

from .blocks import Block
from .changes import Target
from .circuit import Circuits
from .reasons import class_of
from .reasons import Letter

#: Seconds a probe's lease outlives the call, so that a killed prober is replaced.
LEASE_MARGIN = 30.0


class Gate(t.NamedTuple):
    """Whether a key may be tried, and as what.

    :param reason: why it may not; ``None`` when it may.
    :param until: when it is tried again; aware UTC.
    :param token: of the probe this attempt is; ``None`` for an ordinary attempt.
    :param tries_block: this attempt is the one try of a blocked model.
    :param is_circuit: the whole key is out, not one model of it.
    """

    reason: str | None = None
    code: str | None = None
    until: dt.datetime | None = None
    token: str | None = None
    tries_block: bool = False
    is_circuit: bool = False

    @property
    def is_open(self) -> bool:
        """Whether the attempt may be made."""
        return self.reason is None

    @property
    def letter(self) -> Letter:
        """The class a key that is out counts as.

        A key that is out for broken streams counts as one in an outage: nothing of
        this call was passed on yet.
        """
        try:
            letter = class_of(self.reason or "state").letter
        except KeyError:
            # Another version's word, or nobody's: it never spends the system key.
            return "I"

        return "E" if letter == "K" else letter


#: Of a key that nothing speaks against.
OPEN = Gate()


def look(circuits: Circuits, target: Target, model: str) -> Gate:
    """Tell whether a key may be tried, without claiming anything."""
    state = circuits.view(target)

    if state.circuit == "open":
        return Gate(
            reason=state.reason,
            code=state.code,
            until=state.open_until,
            is_circuit=True,
        )

    block = circuits.blocks.find(target, model)
    return OPEN if block is None else _blocked(block)


def try_again(
    circuits: Circuits,
    target: Target,
    model: str,
    seen: Gate,
    now: dt.datetime,
    left: float,
) -> Gate:
    """Claim the probe of a key that is out, where one is due.

    :param seen: what :func:`look` told of it.
    :param left: seconds left of the call.
    """
    if seen.until is None or seen.until > now:
        return seen

    lease = left + LEASE_MARGIN

    if not seen.is_circuit:
        won = circuits.blocks.claim(target, model, lease, now)
        return Gate(tries_block=True) if won else seen

    block = circuits.blocks.find(target, model)

    if block is not None and block.until > now:
        # A probe on a model that is out would say nothing of the key.
        return _blocked(block)

    token = circuits.claim(target, lease, now)
    return seen if token is None else Gate(token=token)


def _blocked(block: Block) -> Gate:
    return Gate(reason=block.reason, code=block.code, until=block.until)

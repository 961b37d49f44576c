"""Model blocks: what a key remembers about single models.

A block stands on the key's own row, as JSON text: ``{"<model>": {"reason", "code",
"until", "count", "told", "own_told"}}``, at most 16 of them; ``"*"`` stands for a
request without a model. It is written by compare-and-set on ``blocks_rev``. A block
whose time is over is claimed by moving ``until`` on: one caller tries, the others go on
as if it held.
"""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import datetime as dt
import json
import typing as t

import sqlalchemy as sa

from ..providers.types import Source
from ..vault.types import CircuitState
from .reasons import class_of

#: So many models a key remembers; the ones that end soonest give way.
MOST_BLOCKS: t.Final = 16

#: Stands for a request that named no model.
NO_MODEL: t.Final = "*"

#: Compare-and-set is tried so often; after that the next failure writes.
_TRIES: t.Final = 2


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Block:
    """One model a key cannot use for now.

    :param reason: a reason word.
    :param code: a provider's code from our own table.
    :param until: when one caller may try again; aware UTC.
    :param count: how often in a row it was blocked; the pause grows with it.
    :param told: whether the fallback it caused to the system key was told.
    :param own_told: whether the one to another key of the company was.
    """

    reason: str
    code: str | None
    until: dt.datetime
    count: int
    told: bool = False
    own_told: bool = False

    def is_told(self, source: Source) -> bool:
        """Tell whether the fallback to a system key, or to an own one, was told."""
        return self.told if source == "system" else self.own_told


#: Gives the blocks to write for those it gets, or ``None`` to write nothing.
Edit = cabc.Callable[[dict[str, Block]], "dict[str, Block] | None"]


def parse_blocks(text: str | None) -> dict[str, Block] | None:
    """Read stored blocks; ``None`` when the text is damaged."""
    if text is None:
        return {}

    try:
        found = json.loads(text)
        return {str(model): _block(entry) for model, entry in found.items()}
    except (
        ArithmeticError,
        AttributeError,
        LookupError,
        RecursionError,
        TypeError,
        ValueError,
    ):
        return None


def _block(entry: cabc.Mapping[str, t.Any]) -> Block:
    until = dt.datetime.fromisoformat(entry["until"])

    if until.tzinfo is None:
        raise ValueError("A time without a zone.")

    reason, code = str(entry["reason"]), entry["code"]
    class_of(reason)
    return Block(
        reason=reason,
        code=None if code is None else str(code),
        until=until,
        count=int(entry["count"]),
        told=entry.get("told") is True,
        own_told=entry.get("own_told") is True,
    )


def render_blocks(blocks: cabc.Mapping[str, Block]) -> str | None:
    """Write blocks as they are stored; ``None`` for none."""
    if not blocks:
        return None

    return json.dumps(
        {
            model: {
                "reason": block.reason,
                "code": block.code,
                "until": block.until.isoformat(),
                "count": block.count,
                **({"told": True} if block.told else {}),
                **({"own_told": True} if block.own_told else {}),
            }
            for model, block in blocks.items()
        }
    )


def adding(model: str, block: Block, now: dt.datetime) -> Edit:
    """Block ``model``, unless somebody blocked it further meanwhile."""

    def edit(blocks: dict[str, Block]) -> dict[str, Block] | None:
        current = blocks.get(model)

        if current is not None and current.count >= block.count:
            return None

        return _bounded({**_without(blocks, model, now), model: block})

    return edit


def removing(model: str, seen: Block, now: dt.datetime) -> Edit:
    """Take the block of ``model`` away, unless it was blocked anew meanwhile."""

    def edit(blocks: dict[str, Block]) -> dict[str, Block] | None:
        current = blocks.get(model)

        if current is None or current.count > seen.count:
            return None

        return _without(blocks, model, now)

    return edit


def claiming(model: str, until: dt.datetime, now: dt.datetime) -> Edit:
    """Move an ended block on to ``until``; nothing while it holds or is gone."""

    def edit(blocks: dict[str, Block]) -> dict[str, Block] | None:
        current = blocks.get(model)

        if current is None or current.until > now:
            return None

        moved = dataclasses.replace(current, until=until)
        return {**_without(blocks, model, now), model: moved}

    return edit


def telling(model: str, source: Source) -> Edit:
    """Mark the fallback of this block as told; nothing when it is already.

    :param source: whose key answers.
    """

    def edit(blocks: dict[str, Block]) -> dict[str, Block] | None:
        current = blocks.get(model)

        if current is None or current.is_told(source):
            return None

        marked = (
            dataclasses.replace(current, told=True)
            if source == "system"
            else dataclasses.replace(current, own_told=True)
        )
        return {**blocks, model: marked}

    return edit


def _without(
    blocks: cabc.Mapping[str, Block], model: str, now: dt.datetime
) -> dict[str, Block]:
    """Keep the other models whose blocks still hold."""
    return {
        name: block
        for name, block in blocks.items()
        if name != model and block.until > now
    }


def _bounded(blocks: dict[str, Block]) -> dict[str, Block]:
    latest = sorted(blocks, key=lambda name: blocks[name].until, reverse=True)
    return {name: blocks[name] for name in latest[:MOST_BLOCKS]}


def apply_edit(state: CircuitState, edit: Edit) -> CircuitState:
    """Give the state as it will be once ``edit`` is written."""
    blocks = edit(parse_blocks(state.model_blocks) or {})

    if blocks is None:
        return state

    return state._replace(model_blocks=render_blocks(blocks))


def write_edit(
    conn: sa.Connection, table: sa.Table, state: CircuitState, edit: Edit
) -> bool:
    """Write ``edit`` by compare-and-set, inside the caller's transaction.

    :return: whether this call changed the row.
    """
    row_is_ours = sa.and_(
        table.c.id == state.id, table.c.generation == state.generation
    )
    query = sa.select(table.c.model_blocks, table.c.blocks_rev).where(row_is_ours)

    for _ in range(_TRIES):
        row = conn.execute(query).one_or_none()
        blocks = None if row is None else edit(parse_blocks(row.model_blocks) or {})

        if row is None or blocks is None:
            return False

        update = (
            sa.update(table)
            .where(row_is_ours, table.c.blocks_rev == row.blocks_rev)
            .values(model_blocks=render_blocks(blocks), blocks_rev=row.blocks_rev + 1)
        )

        if conn.execute(update).rowcount == 1:
            return True

    return False

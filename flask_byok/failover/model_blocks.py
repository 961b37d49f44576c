"""Which models a key cannot use for now."""

from __future__ import annotations

import datetime as dt
import logging

import sqlalchemy as sa

from ..events import log_event
from ..providers.types import Source
from ..vault.types import CircuitState
from . import blocks
from .blocks import Block
from .changes import build_change
from .changes import Change
from .changes import Target
from .key_writer import KeyWriter
from .key_writer import Note
from .key_writer import write_nothing
from .transitions import rest_until
from .verdict import Verdict

_log = logging.getLogger(__name__)


class ModelBlocks:
    """Reads and changes the model blocks on a key's row."""

    def __init__(self, writer: KeyWriter) -> None:
        self._writer = writer
        self._told_damage: set[tuple[str, int]] = set()

    def find(self, target: Target, model: str | None) -> Block | None:
        """Find the block of one model, over or not; ``None`` when there is none.

        While ``until`` lies ahead the model is out. After it, :meth:`claim` picks the
        one caller who tries.
        """
        return self._read(self._writer.view(target)).get(model or blocks.NO_MODEL)

    def _read(self, state: CircuitState) -> dict[str, Block]:
        found = blocks.parse_blocks(state.model_blocks)

        if found is None:
            self._tell_damage(state)

        return found or {}

    def _tell_damage(self, state: CircuitState) -> None:
        seen = (state.id, state.blocks_rev)

        if seen not in self._told_damage and len(self._told_damage) < 1000:
            self._told_damage.add(seen)
            log_event(
                _log,
                logging.ERROR,
                "blocks_damaged",
                "The model blocks of the key %(credential)s are damaged; they count as "
                "none and are mended by the next write.",
                credential=state.id,
            )

    def block(
        self, target: Target, model: str | None, verdict: Verdict, now: dt.datetime
    ) -> Change | None:
        """Block one model of this key, for longer each time in a row."""
        model = model or blocks.NO_MODEL
        # As the row said: who was refused beside another is no second step of growth.
        seen = self._read(target.circuit).get(model)
        count = 1 if seen is None else seen.count + 1
        block = Block(
            reason=verdict.reason,
            code=verdict.code,
            until=rest_until(verdict, count, now),
            count=count,
        )
        change = build_change(
            "blocked",
            target,
            reason=block.reason,
            code=block.code,
            until=block.until,
            model=model,
        )
        return self._edit(target, blocks.adding(model, block, now), change)

    def claim(
        self, target: Target, model: str | None, lease: float, now: dt.datetime
    ) -> bool:
        """Claim the one try of a model whose block is over.

        :param lease: seconds for which the block holds for all others.
        """
        until = now + dt.timedelta(seconds=lease)
        edit = blocks.claiming(model or blocks.NO_MODEL, until, now)
        return self._claim_edit(target, edit)

    def unblock(
        self, target: Target, model: str | None, now: dt.datetime
    ) -> Change | None:
        """Take a model's block away after a success; nothing when none was seen."""
        model = model or blocks.NO_MODEL
        seen = self._read(target.circuit).get(model)

        if seen is None:
            return None

        change = build_change(
            "unblocked",
            target,
            reason=seen.reason,
            code=seen.code,
            model=model,
            fell_back=seen.told or seen.own_told,
        )
        return self._edit(target, blocks.removing(model, seen, now), change)

    def _edit(self, target: Target, edit: blocks.Edit, change: Change) -> Change | None:
        def transition(before: CircuitState) -> CircuitState:
            return blocks.apply_edit(before, edit)

        def work(conn: sa.Connection) -> Change | None:
            table = self._writer.table(target)
            done = blocks.write_edit(conn, table, target.circuit, edit)
            return change if done else None

        return self._writer.record(target, transition, work)

    def claim_notice(
        self,
        target: Target,
        model: str | None,
        note: Note = write_nothing,
        *,
        source: Source = "system",
    ) -> bool:
        """Tell whether this call is the one that tells the block's fallback.

        :param note: writes what is told, in the same transaction.
        :param source: whose key answers; each is told for itself.
        """
        edit = blocks.telling(model or blocks.NO_MODEL, source)
        return self._claim_edit(target, edit, note)

    def _claim_edit(
        self, target: Target, edit: blocks.Edit, note: Note = write_nothing
    ) -> bool:
        table = self._writer.table(target)
        return self._writer.claim_by(
            lambda conn: blocks.write_edit(conn, table, target.circuit, edit), note
        )

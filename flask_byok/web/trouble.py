"""What keeps a stored key from serving: its circuit, or a block of its model."""

from __future__ import annotations

import dataclasses
import datetime as dt
import typing as t

from ..failover.blocks import parse_blocks

if t.TYPE_CHECKING:
    from ..vault.types import CredentialInfo


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Trouble:
    """Why a key is out, as far as its row tells."""

    reason: str | None
    since: dt.datetime | None
    until: dt.datetime | None


def find_trouble(info: CredentialInfo, model: str, now: dt.datetime) -> Trouble | None:
    """Tell what keeps the key from serving ``model``; ``None`` when nothing does."""
    if info.circuit == "open":
        return Trouble(reason=info.reason, since=info.opened_at, until=info.open_until)

    block = (parse_blocks(info.model_blocks) or {}).get(model)

    if block is None or block.until <= now:
        return None

    return Trouble(reason=block.reason, since=None, until=block.until)

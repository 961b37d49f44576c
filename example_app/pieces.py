"""The texts a company has made: keep, find, list. Never those of another company."""

from __future__ import annotations

import collections.abc as cabc
import datetime as dt
import json
import textwrap
import typing as t

import sqlalchemy as sa
from flask_login import current_user

from flask_byok import ChatResponse

from .extensions import db
from .models import Piece
from .receipts import pack_attempts
from .tasks import Order


def keep_piece(order: Order, response: ChatResponse) -> Piece:
    """Store an answer and who paid for it."""
    piece = Piece(
        company_id=current_user.company_id,
        user_id=current_user.id,
        label=order.task.slug,
        title=textwrap.shorten(order.text, 60, placeholder="…") or order.text[:60],
        text=response.text,
        source=response.source,
        provider=response.provider,
        model=response.model,
        latency_ms=response.latency_ms,
        input_tokens=response.usage.input_tokens,
        output_tokens=response.usage.output_tokens,
        attempts=json.dumps(pack_attempts(response.attempts)),
        made_at=dt.datetime.now(dt.timezone.utc),
    )
    db.session.add(piece)
    db.session.commit()
    return piece


def find_piece(piece_id: int) -> Piece | None:
    """Find a text of the visitor's company."""
    return db.session.scalar(sa.select(Piece).where(_is_mine(), Piece.id == piece_id))


def latest_pieces(limit: int) -> cabc.Sequence[Piece]:
    """List the latest texts of the visitor's company, newest first."""
    wanted = sa.select(Piece).where(_is_mine()).order_by(Piece.id.desc()).limit(limit)
    return db.session.scalars(wanted).all()


def _is_mine() -> sa.ColumnElement[bool]:
    return Piece.company_id == t.cast("int", current_user.company_id)

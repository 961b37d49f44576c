"""The dashboard, a finished text, and the settings of the company."""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import datetime as dt
import typing as t

from flask import abort
from flask import Blueprint
from flask import current_app
from flask import render_template
from flask import request
from flask_login import current_user

from flask_byok import StateUnavailable

from . import breaker
from . import demo_keys
from .accounts import require_sign_in
from .extensions import byok
from .models import User
from .pieces import find_piece
from .pieces import latest_pieces
from .receipts import build_receipt
from .receipts import name_payer
from .receipts import name_provider
from .tasks import TASKS

blueprint = Blueprint("pages", __name__)

#: Texts listed on the dashboard.
_LISTED: t.Final = 6


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """Whose key AI features use now, for everybody in the company.

    :param tone: ``ok``, ``info``, ``warn`` or ``error``.
    :param own: requests this month on the company's keys; so is ``provided``.
    """

    tone: str
    headline: str
    line: str
    own: int = 0
    provided: int = 0


blueprint.before_request(require_sign_in)


@blueprint.get("/")
def dashboard() -> str:
    """Show whose key is in use, the tools, the latest texts and the simulator."""
    pieces = latest_pieces(_LISTED)
    return render_template(
        "studio/dashboard.html",
        standing=_read_standing(),
        work=[(piece, build_receipt(piece)) for piece in pieces],
        panel=breaker.read_panel(current_user.company.slug),
    )


@blueprint.get("/texts/<int:piece_id>")
def work(piece_id: int) -> str:
    """Show a finished text and who paid for it."""
    piece = find_piece(piece_id)

    if piece is None:
        abort(404)

    return render_template(
        "studio/work.html", piece=piece, receipt=build_receipt(piece)
    )


@blueprint.get("/settings/")
def company() -> str:
    """Show the company and its people."""
    return render_template("studio/company.html")


@blueprint.app_context_processor
def offer_names() -> dict[str, object]:
    """Give every template the menu; the pages of flask-byok some more."""
    offered: dict[str, object] = {
        "app_name": current_app.config["APP_NAME"],
        "tasks": TASKS,
        "name_provider": name_provider,
    }

    if request and request.blueprint == "byok" and current_user.is_authenticated:
        offered["byok_admin_names"] = _admin_names(current_user.company.users)
        offered["demo_keys"] = _demo_keys()

    return offered


def _admin_names(users: cabc.Iterable[User]) -> str:
    return ", ".join(user.name for user in users if user.is_admin)


def _demo_keys() -> dict[str, str]:
    """The keys to paste; none for members, none where the real providers answer."""
    if not current_user.is_admin or current_app.config["STUDIO_SIMULATOR_URL"] is None:
        return {}

    return demo_keys.company_keys(current_user.company.slug)


def _read_standing() -> Standing:
    try:
        status = byok.status(current_user.company_id)
        own, provided = _count_requests()
    except StateUnavailable:
        return Standing(
            tone="error",
            headline="AI is not available",
            line="Its settings cannot be read right now. Try again in a minute.",
        )

    app_name = current_app.config["APP_NAME"]
    headline, tone, line = "AI is off", "error", "There is no key that may be used."

    if status.serving == "company" and status.provider is not None:
        headline = name_payer("company", status.provider)
        tone, line = "ok", "AI features run on it, and your company pays for them."

    if status.serving == "system" and status.provider is not None:
        headline = f"Key provided by {app_name}"
        tone, line = "info", "Your company has not added a key of its own."

    if status.fallback_active and status.serving is not None:
        tone, line = "warn", "For now: the key your company chose is not working."

    return Standing(tone=tone, headline=headline, line=line, own=own, provided=provided)


def _count_requests() -> tuple[int, int]:
    """Count this month's requests: on the company's keys, on the provided key."""
    today = dt.datetime.now(dt.timezone.utc).date()
    rows = byok.usage(current_user.company_id, today.replace(day=1), today)
    own = sum(row.requests for row in rows if row.source == "company")
    return own, sum(row.requests for row in rows) - own

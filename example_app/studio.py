"""The pages that use the AI: write, improve, translate, analyse, summarise."""

from __future__ import annotations

import typing as t

from flask import Blueprint
from flask import redirect
from flask import render_template
from flask import request
from flask import url_for
from flask.typing import ResponseReturnValue

from flask_byok import current_ai_client

from .accounts import require_sign_in
from .pieces import find_piece
from .pieces import keep_piece
from .streaming import answer_in_pieces
from .streaming import wants_pieces
from .tasks import LONGEST
from .tasks import Order
from .tasks import read_order
from .tasks import TASKS
from .trouble import CALL_ERRORS
from .trouble import explain
from .trouble import Trouble

blueprint = Blueprint("studio", __name__)
blueprint.before_request(require_sign_in)

_RULE: t.Final = f"/<any({', '.join(TASKS)}):slug>"


@blueprint.get(_RULE)
def task(slug: str) -> str:
    """Show the form of a page, with a sample or the text of an earlier answer."""
    page = TASKS[slug]
    piece = find_piece(request.args.get("from", 0, type=int))
    text = page.sample if piece is None else piece.text
    choice = page.choices[0] if page.choices else ""
    return _page(Order(task=page, text=text, choice=choice))


@blueprint.post(_RULE)
def run(slug: str) -> ResponseReturnValue:
    """Ask the AI: as a stream for the script, else as a page."""
    order = read_order(TASKS[slug], request.form)

    if wants_pieces(order):
        return answer_in_pieces(order)

    if order.trouble:
        trouble = Trouble(sentence=order.trouble)
        return _page(order, trouble), trouble.status

    try:
        response = current_ai_client.chat(
            order.prompt, model=order.task.model, label=order.task.slug
        )
    except CALL_ERRORS as error:
        trouble = explain(error)
        return _page(order, trouble), trouble.status

    piece = keep_piece(order, response)
    return redirect(url_for("pages.work", piece_id=piece.id), 303)


def _page(order: Order, trouble: Trouble | None = None) -> str:
    return render_template(
        "studio/task.html",
        task=order.task,
        order=order,
        trouble=trouble,
        longest=LONGEST,
    )

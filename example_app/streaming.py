"""An answer that appears piece by piece: lines of JSON, read by ``studio.js``.

Each line is an object: ``{"text": …}`` for a piece; at the end ``{"receipt": …,
"banner": …}`` with finished HTML, or ``{"trouble": …}`` when the answer broke off.
"""

from __future__ import annotations

import collections.abc as cabc
import json
import typing as t

from flask import render_template
from flask import request
from flask import Response
from flask import stream_with_context

from flask_byok import current_ai_client

from .pieces import keep_piece
from .receipts import build_receipt
from .tasks import Order
from .trouble import CALL_ERRORS
from .trouble import explain
from .trouble import Trouble

if t.TYPE_CHECKING:
    from flask_byok.client import ChatStream

MIMETYPE: t.Final = "application/x-ndjson"


def wants_pieces(order: Order) -> bool:
    """Tell whether the script asks, and not a plain form."""
    return order.task.streams and request.accept_mimetypes.best == MIMETYPE


def answer_in_pieces(order: Order) -> Response:
    """Ask the AI and pass its answer on while it comes.

    ``stream`` returns with the first piece, so that a call without an answer still
    gets its own status.
    """
    if order.trouble:
        return _refuse(Trouble(sentence=order.trouble))

    try:
        answer = current_ai_client.stream(
            order.prompt, model=order.task.model, label=order.task.slug
        )
    except CALL_ERRORS as error:
        return _refuse(explain(error))

    lines = stream_with_context(_write_lines(order, answer))
    response = Response(lines, mimetype=MIMETYPE)
    response.headers["X-Accel-Buffering"] = "no"
    # Who closes the window before the first line never starts the generator.
    response.call_on_close(answer.close)
    return response


def _write_lines(order: Order, answer: ChatStream) -> cabc.Iterator[str]:
    try:
        for chunk in answer:
            if chunk.text:
                yield _line(text=chunk.text)
    except CALL_ERRORS as error:
        yield _line(trouble=_render_trouble(explain(error)), banner=_render_banner())
        return

    piece = keep_piece(order, answer.response)
    receipt = render_template(
        "studio/_receipt.html", piece=piece, receipt=build_receipt(piece)
    )
    yield _line(receipt=receipt, banner=_render_banner())


def _refuse(trouble: Trouble) -> Response:
    line = _line(trouble=_render_trouble(trouble), banner=_render_banner())
    return Response(line, status=trouble.status, mimetype=MIMETYPE)


def _render_trouble(trouble: Trouble) -> str:
    return render_template("studio/_trouble.html", trouble=trouble)


def _render_banner() -> str:
    """The warning above the page as it stands after the call."""
    return render_template("studio/_banner.html")


def _line(**values: str) -> str:
    return json.dumps(values) + "\n"

"""An answer that reaches the browser piece by piece."""

from flask import Blueprint
from flask import request
from flask import Response
from flask import stream_with_context

from flask_byok import current_ai_client

streaming = Blueprint("streaming", __name__)


@streaming.post("/answer")
def answer():
    """Stream the answer as plain text."""
    stream = current_ai_client.stream(request.form["prompt"])

    def pieces():
        for chunk in stream:
            if chunk.text:
                yield chunk.text

    response = Response(stream_with_context(pieces()), mimetype="text/plain")
    # nginx passes each piece on at once.
    response.headers["X-Accel-Buffering"] = "no"
    # Whoever leaves early ends the call at the provider, too.
    response.call_on_close(stream.close)
    return response

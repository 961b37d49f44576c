"""The same two views over any client: an AI call, and an AI stream.

``BENCH_CLIENT`` names the script, ``BENCH_URL`` what it calls.
"""

from __future__ import annotations

import collections.abc as cabc
import importlib
import os

from flask import Flask
from flask import Response
from flask import stream_with_context

works = importlib.import_module(os.environ["BENCH_CLIENT"]).build(
    os.environ["BENCH_URL"]
)
app = works.app or Flask("view")


@app.get("/ready")
def ready() -> dict[str, str]:
    """Tell that the worker has started."""
    return {"text": "ready"}


@app.get("/call")
def call() -> dict[str, str]:
    """Make a call."""
    works.runs["call"]["OPENAI"]()
    return {"text": "done"}


@app.get("/stream")
def stream() -> Response:
    """Send on each piece of a stream as it comes."""

    def events() -> cabc.Iterator[str]:
        for text in works.pieces():
            yield f"data: {text}\n\n"

    return Response(stream_with_context(events()), mimetype="text/event-stream")

"""The page that switches faults: plain HTML, its own style, no script."""

from __future__ import annotations

import collections.abc as cabc

from .records import RecordedRequest
from .switches import Switch

STYLE = "body{font-family:sans-serif}"


def render_page(
    switches: cabc.Sequence[Switch], requests: cabc.Sequence[RecordedRequest]
) -> str:
    """Write the page."""
    return "<!doctype html><title>Provider simulator</title>"

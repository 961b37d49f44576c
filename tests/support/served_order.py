"""What gunicorn and its workers are told, and where they find it."""

from __future__ import annotations

import json
import os
import typing as t

#: The environment variable with the order, as JSON; see ``tests.support.served``.
ORDER: t.Final = "BYOK_TEST_ORDER"

#: Tells a worker which of the places it has; the next worker of a place is its heir.
NUMBER: t.Final = "BYOK_TEST_NUMBER"


def read_order() -> dict[str, t.Any]:
    """Read what this process was told."""
    order: dict[str, t.Any] = json.loads(os.environ[ORDER])
    return order

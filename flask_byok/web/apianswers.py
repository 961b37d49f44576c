"""How the JSON API answers: a value, or the service's error as problem details."""

from __future__ import annotations

import collections.abc as cabc
import json
import math

from flask import Response

from ..errors import ApiKeyFormatError
from ..errors import CheckLimited
from ..errors import CredentialChanged
from ..errors import CredentialNotFound
from ..errors import PolicyLocked
from ..errors import StoredKeyUnreadable
from ..errors import VaultClosed
from . import bodies
from .problem import problem


def answer(value: object, status: int = 200) -> Response:
    """Answer with a value of :mod:`flask_byok.web.jsonable`."""
    return Response(json.dumps(value), status=status, content_type="application/json")


def mapped(work: cabc.Callable[[], Response]) -> Response:
    """Run ``work`` and turn the errors of the service into problem details."""
    try:
        return work()
    except bodies.Unusable as error:
        return problem(
            "unusable-value", detail=error.detail, members={"field": error.field}
        )
    except ApiKeyFormatError as error:
        # Its message is a fixed sentence that never repeats the text.
        return problem(
            "unusable-value",
            detail=str(error),
            members={"field": "api_key", "code": error.code},
        )
    except CheckLimited as error:
        return _limited(error)
    except CredentialNotFound:
        return problem("not-found")
    except CredentialChanged:
        return problem("changed", members={"verdict": "changed"})
    except PolicyLocked:
        return problem("locked")
    except StoredKeyUnreadable:
        return problem("unreadable")
    except VaultClosed:
        return problem("not-set-up")


def _limited(error: CheckLimited) -> Response:
    if error.retry_after is None:
        return problem("counter-down")

    # Rounded up: who waits so long is not refused a second time.
    wait = str(max(1, math.ceil(error.retry_after)))
    return problem("check-limit", headers={"Retry-After": wait})

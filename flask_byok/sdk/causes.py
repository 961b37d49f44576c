"""From the exception of an SDK, or of a framework around it, to our error."""

from __future__ import annotations

import typing as t

from ..errors import BYOKError

#: In the extensions of an SDK's response: the error of ours that it tells of.
ERROR_EXTENSION: t.Final = "byok_error"

# Frameworks wrap what SDKs raise, a few times over.
_DEPTH: t.Final = 10


def find_byok_error(error: BaseException) -> BYOKError | None:
    """Find the error of ours behind what an SDK raised, with its ``attempts``.

    Looks through what the exception was raised from, as frameworks wrap them.

    :return: ``None`` when the exception has nothing to do with a failed call, or tells
        of a stream that broke after its first content.
    """
    waiting: list[BaseException | None] = [error]

    for _ in range(_DEPTH):
        one = waiting.pop() if waiting else None

        if one is None:
            continue

        if isinstance(one, BYOKError):
            return one

        response = getattr(one, "response", None)
        extensions = getattr(response, "extensions", None)
        found = extensions.get(ERROR_EXTENSION) if isinstance(extensions, dict) else 0

        if isinstance(found, BYOKError):
            return found

        waiting += [one.__context__, one.__cause__]

    return None

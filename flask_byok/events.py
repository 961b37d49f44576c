"""The one way this package tells its log of an event: a sentence, and its fields.

Whoever reads the log as text reads the sentence. Whoever formats records as JSON finds
the same facts as attributes of the record: ``byok_event`` names the event, and each
field stands beside it as ``byok_<field>``. Fields hold ids, numbers, times and words of
ours; never a key, a provider's text or a prompt.
"""

from __future__ import annotations

import datetime as dt
import logging


def log_event(
    logger: logging.Logger, level: int, event: str, message: str, /, **fields: object
) -> None:
    """Write one record about an event.

    :param event: its name, the same in every version.
    :param message: a sentence with the names of fields in it: ``%(company)s``.
    """
    extra = {f"byok_{name}": _plain(value) for name, value in fields.items()}
    # A dict without entries would count as one argument too many.
    arguments = (fields,) if fields else ()
    logger.log(
        level, message, *arguments, extra={"byok_event": event, **extra}, stacklevel=2
    )


def _plain(value: object) -> object:
    """Give a value that any formatter can write; times as ISO 8601."""
    return value.isoformat() if isinstance(value, (dt.datetime, dt.date)) else value

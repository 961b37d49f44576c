"""Days that a caller hands over."""

from __future__ import annotations

import datetime as dt


def check_day(name: str, value: dt.date) -> None:
    """Refuse what is no day before it becomes a trouble of the database.

    :param name: of the parameter.
    :raises TypeError: for anything but a :class:`datetime.date`, a ``datetime`` too.
    """
    if not isinstance(value, dt.date) or isinstance(value, dt.datetime):
        raise TypeError(
            f"'{name}' must be a datetime.date, and is a {type(value).__name__}."
        )

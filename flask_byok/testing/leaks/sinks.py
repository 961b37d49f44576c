"""Where a key may come to light, and how the guard gets to look there."""

from __future__ import annotations

import collections.abc as cabc
import typing as t

#: Each sink, with what to do when nobody has looked at it.
SINKS: t.Final[cabc.Mapping[str, str]] = {
    "audit": "attach the app and let a company have a history",
    "command line": "run a command with 'invoke' or show 'look_at_command' its result",
    "cookies": "attach the app and make a request",
    "database files": "attach an app on a SQLite file, or call 'look_at_database'",
    "exceptions": "enter 'listening()', or call 'look_at_error'",
    "ledger": "attach the app and let a company make a call",
    "limiter": "attach the app, or call 'look_at_limiter'",
    "logs": "enter 'listening()'",
    "output": "enter 'listening()'",
    "pickles": "show values to 'look_at_value'",
    "requests": "attach the simulator and make a call",
    "responses": "attach the app and make a request",
    "sentry": "enter 'reporting()', with sentry-sdk installed",
    "sessions": "attach the app and make a request",
    "signals": "attach the app",
    "tables": "attach the app, or call 'look_at_database'",
    "warnings": "enter 'listening()'",
}

#: What the fixture ``leak_guard`` looks at once an app is attached and was asked for
#: a page.
USUAL: t.Final = frozenset(
    {
        "cookies",
        "exceptions",
        "limiter",
        "logs",
        "output",
        "responses",
        "sessions",
        "signals",
        "tables",
        "warnings",
    }
)

#: Where the last four characters may stand: what managers and operators see, the
#: column that keeps them, and values on their way there.
MAY_SHOW_LAST_FOUR: t.Final = frozenset(
    {"command line", "database files", "pickles", "responses"}
)

"""A leak for each sink, made the way it would happen, and each way to write a key."""

from __future__ import annotations

import base64
import collections.abc as cabc
import contextlib
import dataclasses
import hashlib
import html
import json
import logging
import sys
import types
import typing as t
import urllib.error
import urllib.parse
import urllib.request
import warnings

import click
import flask
import sqlalchemy as sa

from flask_byok import signals
from flask_byok.testing import LeakGuard
from tests.web.conftest import Host

#: How a key, or a piece of it, may be written.
ENCODINGS: t.Final[dict[str, cabc.Callable[[str], object]]] = {
    "raw": lambda k: f"the key is {k}",
    "a piece": lambda k: f"the key is {k[7:13]}…",
    "bytes": lambda k: b"\0\1" + k.encode(),
    "base64": lambda k: base64.b64encode(k.encode()),
    "base64, shifted": lambda k: base64.b64encode(b"x" + k.encode()),
    "base64, shifted twice": lambda k: base64.b64encode(b"xy" + k.encode() + b"z"),
    "base64, a piece": lambda k: base64.b64encode(f"{{'k': '{k[11:17]}'}}".encode()),
    "base64url": lambda k: base64.urlsafe_b64encode(k.encode()).rstrip(b"="),
    "basic": lambda k: "Basic " + base64.b64encode(f"user:{k}".encode()).decode(),
    "hex": lambda k: k.encode().hex(),
    "HEX": lambda k: k.encode().hex().upper(),
    "hex, a piece": lambda k: k[3:9].encode().hex(),
    "percent": lambda k: "".join(f"%{ord(c):02x}" for c in k),
    "percent, upper, twice": lambda k: "".join(f"%25{ord(c):02X}" for c in k),
    "query": lambda k: urllib.parse.urlencode({"key": k}),
    "JSON": lambda k: '"' + "".join(f"\\u{ord(c):04X}" for c in k) + '"',
    "JSON in JSON": lambda k: json.dumps("".join(f"\\u{ord(c):04x}" for c in k)),
    "JSON, plain": lambda k: json.dumps({"a": [k]}),
    "entities": lambda k: "".join(f"&#{ord(c)};" for c in k),
    "entities, hex": lambda k: "".join(f"&#x{ord(c):x};" for c in k),
    "entities, escaped": lambda k: "".join(f"&amp;#X{ord(c):X};" for c in k),
    "escaped": lambda k: html.escape(f"<{k}>"),
    "UTF-16": lambda k: k.encode("utf-16"),
    "UTF-16, big": lambda k: k.encode("utf-16-be"),
    "MD5": lambda k: hashlib.md5(k.encode()).hexdigest(),
    "SHA-1": lambda k: hashlib.sha1(k.encode()).digest(),
    "SHA-256": lambda k: hashlib.sha256(k.encode()).hexdigest().upper(),
    "SHA-256, base64": lambda k: base64.b64encode(hashlib.sha256(k.encode()).digest()),
    "in a repr": lambda k: repr({"nested": [types.SimpleNamespace(key=k)]}),
}


@dataclasses.dataclass
class Site:
    """Where leaks are planted: a host app and the guard that watches it."""

    host: Host
    guard: LeakGuard
    held: object = None


class Quiet:
    """An object that holds something and does not print it."""

    def __init__(self, held: object) -> None:
        self.held = held

    def __repr__(self) -> str:
        return "<Quiet>"


def as_text(planted: object) -> str:
    """Write it into a text, as an f-string would."""
    return planted if isinstance(planted, str) else repr(planted)


def in_logs(site: Site, planted: object) -> None:
    logging.getLogger("planted.deep").debug(
        "a value: %r", Quiet(1), extra={"x": planted}
    )


def in_output(site: Site, planted: object) -> None:
    if isinstance(planted, bytes):
        sys.stderr.buffer.write(planted)
    else:
        print(planted)


def in_warnings(site: Site, planted: object) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn(as_text(planted), UserWarning, stacklevel=1)


def in_exceptions(site: Site, planted: object) -> None:
    site.held = planted
    assert site.host.app.test_client().get("/planted/raise").status_code == 500


def in_pickles(site: Site, planted: object) -> None:
    site.guard.look_at_value(Quiet(planted))


def in_responses(site: Site, planted: object) -> None:
    site.held = planted
    site.host.app.test_client().get("/planted/body").get_data()


def in_cookies(site: Site, planted: object) -> None:
    site.held = planted
    site.host.app.test_client().get("/planted/cookie")


def in_sessions(site: Site, planted: object) -> None:
    site.held = planted
    site.host.app.test_client().get("/planted/session")


def in_requests(site: Site, planted: object) -> None:
    request = urllib.request.Request(
        site.host.simulator.urls["OPENAI"] + "/chat/completions",
        data=json.dumps({"messages": as_text(planted)}).encode(),
        headers={"Authorization": f"Bearer {site.guard.canary}"},
    )

    with contextlib.suppress(urllib.error.HTTPError):
        urllib.request.urlopen(request).close()


def _execute(site: Site, *statements: str, **values: object) -> None:
    with site.host.app.app_context():
        with site.host.byok.state.database.engine.connect() as connection:
            for statement in statements:
                connection.execute(sa.text(statement), values)


_TABLE: t.Final = "CREATE TABLE IF NOT EXISTS planted (value)"
_INSERT: t.Final = "INSERT INTO planted VALUES (:value)"


def in_tables(site: Site, planted: object) -> None:
    _execute(site, _TABLE, _INSERT, value=planted)


def in_database_files(site: Site, planted: object) -> None:
    delete = "DELETE FROM planted"
    _execute(site, "PRAGMA secure_delete = OFF", _TABLE, _INSERT, delete, value=planted)


def in_audit(site: Site, planted: object) -> None:
    with site.host.app.app_context():
        state = site.host.byok.state

        with state.database.write() as connection:
            state.desk.note(
                connection, "i:1", "key_saved", None, None, {"x": as_text(planted)}
            )


def in_ledger(site: Site, planted: object) -> None:
    with site.host.app.app_context():
        site.host.byok.client_for(1).chat("hello", label=as_text(planted))


def in_signals(site: Site, planted: object) -> None:
    signals.send(signals.circuit_opened, site.host.app, {"code": planted})


def in_sentry(site: Site, planted: object) -> None:
    import sentry_sdk

    sentry_sdk.capture_message(as_text(planted))


def in_command_line(site: Site, planted: object) -> None:
    site.held = planted
    site.guard.invoke(site.host.app, "planted")


def in_limiter(site: Site, planted: object) -> None:
    with site.host.app.app_context():
        site.host.byok.state.desk.limiter.hit(company=as_text(planted))


#: How a leak is made in each sink.
PLANTERS: t.Final[dict[str, cabc.Callable[[Site, object], None]]] = {
    "audit": in_audit,
    "command line": in_command_line,
    "cookies": in_cookies,
    "database files": in_database_files,
    "exceptions": in_exceptions,
    "ledger": in_ledger,
    "limiter": in_limiter,
    "logs": in_logs,
    "output": in_output,
    "pickles": in_pickles,
    "requests": in_requests,
    "responses": in_responses,
    "sentry": in_sentry,
    "sessions": in_sessions,
    "signals": in_signals,
    "tables": in_tables,
    "warnings": in_warnings,
}


def prepare(site: Site) -> None:
    """Give the host views and a command that leak what the site holds."""
    app = site.host.app

    @app.get("/planted/body")
    def body() -> flask.Response:
        held = site.held
        return flask.Response(held if isinstance(held, bytes) else as_text(held))

    @app.get("/planted/cookie")
    def cookie() -> flask.Response:
        response = flask.Response("")
        response.set_cookie("planted", as_text(site.held))
        return response

    @app.get("/planted/session")
    def session() -> str:
        flask.session["planted"] = site.held
        return ""

    @app.get("/planted/raise")
    def fail() -> str:
        raise ValueError(site.held)

    @app.cli.command("planted")
    def command() -> None:
        click.echo(site.held)

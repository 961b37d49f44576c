"""The guard finds what is planted: in every sink, in every encoding."""

from __future__ import annotations

import base64
import collections.abc as cabc
import hashlib
import html
import json
import logging
import pathlib
import types
import typing as t
import urllib.parse

import pytest
import sqlalchemy as sa

from tests.support.leaks import Guard
from tests.support.leaks import make_canary
from tests.support.leaks import SINKS

ENCODINGS: dict[str, cabc.Callable[[str], object]] = {
    "raw": lambda k: f"the key is {k}",
    "a piece": lambda k: f"the key is {k[7:13]}…",
    "bytes": lambda k: b"\0\1" + k.encode(),
    "base64": lambda k: base64.b64encode(k.encode()),
    "base64, shifted": lambda k: base64.b64encode(b"x" + k.encode()),
    "base64, shifted twice": lambda k: base64.b64encode(b"xy" + k.encode() + b"z"),
    "base64url": lambda k: base64.urlsafe_b64encode(k.encode()).rstrip(b"="),
    "basic": lambda k: "Basic " + base64.b64encode(f"user:{k}".encode()).decode(),
    "hex": lambda k: k.encode().hex(),
    "HEX": lambda k: k.encode().hex().upper(),
    "percent": lambda k: "".join(f"%{ord(c):02x}" for c in k),
    "query": lambda k: urllib.parse.urlencode({"key": k}),
    "JSON": lambda k: '"' + "".join(f"\\u{ord(c):04X}" for c in k) + '"',
    "JSON, plain": lambda k: json.dumps({"a": [k]}),
    "entities": lambda k: "".join(f"&#{ord(c)};" for c in k),
    "entities, hex": lambda k: "".join(f"&#x{ord(c):x};" for c in k),
    "escaped": lambda k: html.escape(f"<{k}>"),
    "UTF-16": lambda k: k.encode("utf-16"),
    "UTF-16, big": lambda k: k.encode("utf-16-be"),
    "MD5": lambda k: hashlib.md5(k.encode()).hexdigest(),
    "SHA-1": lambda k: hashlib.sha1(k.encode()).digest(),
    "SHA-256": lambda k: hashlib.sha256(k.encode()).hexdigest(),
    "in a repr": lambda k: {"nested": [types.SimpleNamespace(key=k)]},
}


@pytest.fixture
def canary(request: pytest.FixtureRequest) -> str:
    """A key that is different in each test and the same in each run."""
    return make_canary(request.node.nodeid)


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("sink", sorted(SINKS))
def test_a_planted_leak_is_found(canary: str, sink: str, encoding: str) -> None:
    """Each encoding, in each sink."""
    guard = Guard(canary)
    guard.look(sink, "nothing here", ENCODINGS[encoding](canary))
    assert guard.leaks and guard.leaks[0].startswith(sink)

    with pytest.raises(AssertionError, match=sink):
        guard.verify(frozenset())


def test_the_last_four_and_other_keys_are_no_leak(canary: str) -> None:
    """The mask may be shown; ordinary words and other random texts are no leak."""
    guard = Guard(canary)
    guard.look(
        "responses", f"••••{canary[-4:]}", f"{canary[-5:]}", make_canary("other")
    )
    guard.verify(frozenset())


def test_a_sink_nobody_looked_at_fails(canary: str) -> None:
    """Silence is no proof."""
    with pytest.raises(AssertionError, match="Never looked at"):
        Guard(canary).verify()


def test_an_error_tells_through_every_seam(canary: str) -> None:
    """Text, attributes, locals of a frame, cause and context."""

    def raise_with_local(held: str) -> t.NoReturn:
        raise ValueError("nothing")

    def chained() -> None:
        try:
            raise_with_local(canary)
        except ValueError as error:
            raise KeyError("clean") from error

    hidden = ValueError("clean")
    hidden.note = canary  # type: ignore[attr-defined]
    suppressed = ValueError("clean")
    suppressed.__context__ = KeyError(canary)
    suppressed.__suppress_context__ = True

    with pytest.raises(KeyError) as caught:
        chained()

    for error in (ValueError(canary), hidden, suppressed, caught.value):
        guard = Guard(canary)
        guard.look_at_error(error)
        assert guard.leaks


def test_a_log_record_tells_by_message_args_and_extra(canary: str) -> None:
    """Every logger at DEBUG, also what stands in a record and not in its text."""
    log = logging.getLogger("planted.deep")

    for write in (
        lambda: log.debug("key %s", canary),
        lambda: log.info("clean", extra={"held": canary}),
        lambda: log.debug("%(a)s", {"a": 1, "b": canary}),
    ):
        guard = Guard(canary)

        with guard.listening():
            write()

        assert guard.leaks


def test_a_database_tells_by_rows_and_by_bytes(
    canary: str, tmp_path: pathlib.Path
) -> None:
    """A deleted row may stay in the file."""
    engine = sa.create_engine(f"sqlite:///{tmp_path}/planted.db")

    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE a (b TEXT)"))
        connection.execute(sa.text("INSERT INTO a VALUES (:k)"), {"k": canary})

    guard = Guard(canary)
    guard.look_at_database(engine)
    assert {leak.split(":")[0] for leak in guard.leaks} == {"tables", "database files"}
    engine.dispose()


def test_a_pickle_tells(canary: str) -> None:
    """What a cache would keep of an object whose repr is clean."""

    guard = Guard(canary)
    guard.look_at_pickle(Quiet(canary))
    assert guard.leaks


class Quiet:
    """An object that holds a key and does not print it."""

    def __init__(self, held: str) -> None:
        self.held = held

    def __repr__(self) -> str:
        return "<Quiet>"

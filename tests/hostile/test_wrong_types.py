"""Any field of an answer may hold anything: an answer, or our failure, comes of it."""

from __future__ import annotations

import collections.abc as cabc
import datetime as dt
import json
import typing as t

import pytest

from flask_byok.failover.classify import classify
from flask_byok.providers.deadline import Deadline
from flask_byok.providers.http import Sender
from flask_byok.providers.types import AttemptFailed
from flask_byok.providers.types import ChatAnswer
from flask_byok.providers.types import ChatRequest
from flask_byok.providers.types import Failure
from flask_byok.providers.types import Message
from flask_byok.secret import Secret
from tests.hostile import shapes
from tests.providers.replay import build_answer
from tests.providers.replay import build_chunks
from tests.providers.replay import build_head
from tests.providers.replay import Server

Serve = cabc.Callable[..., Server]
Answer = cabc.Callable[[bytes], object]

NOW = dt.datetime(2030, 1, 2, tzinfo=dt.timezone.utc)
HELLO = ChatRequest(messages=(Message(role="user", content="hi"),))
API_KEY = "not-a-real-provider-key-0001-AbCd"

pytestmark = pytest.mark.case("D10")


def outcomes(
    kind: str,
    serve: Serve,
    sender: Sender,
    wholes: cabc.Iterable[tuple[str, bytes]],
    ask: cabc.Callable[..., t.Any],
) -> cabc.Iterator[t.Any]:
    """Answer with each of these in turn, and give what comes of it."""
    waiting: list[bytes] = []
    server = serve(lambda conn, request: conn.sendall(waiting[-1]))
    provider = shapes.LISTERS[kind].with_base_url(server.url + "/v1")

    for name, whole in wholes:
        waiting.append(whole)

        try:
            yield ask(
                provider, sender, api_key=Secret(API_KEY), deadline=Deadline(10.0)
            )
        except AttemptFailed as error:
            assert error.__context__ is None, name
            classify(error.failure, dialect=provider.dialect, now=NOW)
            yield error.failure
        except BaseException as error:
            error.args = (name, *error.args)
            raise


def bodies(good: t.Any, status: int = 200) -> cabc.Iterator[tuple[str, bytes]]:
    for name, ruin in shapes.ruins(good):
        yield name, build_answer(status, json.dumps(ruin).encode())


def chat(provider: t.Any, sender: Sender, **more: t.Any) -> ChatAnswer:
    return t.cast("ChatAnswer", provider.chat(sender, HELLO, model="asked-1", **more))


def stream(provider: t.Any, sender: Sender, **more: t.Any) -> ChatAnswer:
    opened = provider.open_stream(sender, HELLO, model="asked-1", **more)

    for _ in opened:
        pass

    opened.close()
    return t.cast("ChatAnswer", opened.answer)


def look_at(answer: ChatAnswer) -> None:
    """See that every part of an answer is of its own type."""
    assert isinstance(answer.text, str) and isinstance(answer.model, str)
    # No halves of characters: a page of the host could not be sent.
    repr(answer.text).encode()
    answer.text.encode()
    json.dumps(answer.raw, ensure_ascii=False).encode()
    usage = answer.usage

    for count in (usage.input_tokens, usage.output_tokens):
        assert count is None or (type(count) is int and count < 2**62)

    assert type(usage.cached_tokens) is type(usage.reasoning_tokens) is int
    assert answer.finish_reason in (
        "stop",
        "length",
        "tool_calls",
        "content_filter",
        "other",
    )

    for call in answer.tool_calls:
        assert isinstance(call.id, str) and isinstance(call.name, str)
        assert isinstance(call.arguments, dict)


@pytest.mark.parametrize("kind", shapes.PROVIDERS)
def test_whole_answers(kind: str, serve: Serve, sender: Sender) -> None:
    """Of a whole answer with any field ruined: an answer, or a failure of ours."""
    good, bad = 0, 0

    for found in outcomes(kind, serve, sender, bodies(shapes.ANSWERS[kind]), chat):
        if isinstance(found, Failure):
            bad += 1
        else:
            look_at(found)
            good += 1

    assert good > 50 and bad > 5


@pytest.mark.parametrize("kind", shapes.PROVIDERS)
def test_streams(kind: str, serve: Serve, sender: Sender) -> None:
    """The same of every event of a stream."""

    def streams() -> cabc.Iterator[tuple[str, bytes]]:
        head = build_head(200, {"transfer-encoding": "chunked"})

        for name, events in shapes.ruins(shapes.STREAMS[kind]):
            if isinstance(events, list):
                data = b"".join(
                    b"data: %b\n\n"
                    % (e if e == "[DONE]" else json.dumps(e)).encode("utf-8", "replace")
                    for e in events
                )
                yield name, head + b"".join(build_chunks([data]))

    good, bad = 0, 0

    for found in outcomes(kind, serve, sender, streams(), stream):
        if isinstance(found, Failure):
            bad += 1
        else:
            look_at(found)
            good += 1

    assert good > 50 and bad > 5


@pytest.mark.parametrize("kind", shapes.LISTERS)
def test_lists_of_models(kind: str, serve: Serve, sender: Sender) -> None:
    """A list of models holds plain ids and nothing else, and has an end."""

    def ask(provider: t.Any, sender: Sender, **more: t.Any) -> t.Any:
        return provider.models(sender, pages=3, **more)

    good = 0

    for found in outcomes(kind, serve, sender, bodies(shapes.LISTS[kind]), ask):
        if not isinstance(found, Failure):
            good += len(found)

            for info in found:
                assert info.id.isascii() and 0 < len(info.id) <= 200
                assert isinstance(info.label, str) and len(info.label) <= 200
                info.label.encode()
                assert info.kinds and {*map(type, info.can)} <= {str}

    assert good > 20


@pytest.mark.parametrize("kind", shapes.VECTORS)
def test_vectors(kind: str, serve: Serve, sender: Sender) -> None:
    """A vector has numbers in it, as many as there are texts, or there is none."""

    def ask(provider: t.Any, sender: Sender, **more: t.Any) -> t.Any:
        return provider.embed(sender, ["hi"], model="asked-1", **more)

    good = 0

    for found in outcomes(kind, serve, sender, bodies(shapes.VECTORS[kind]), ask):
        if not isinstance(found, Failure):
            good += 1
            assert len(found.vectors) == 1
            assert all(type(number) is float for number in found.vectors[0])

    assert good > 5


@pytest.mark.parametrize("kind", shapes.PROVIDERS)
@pytest.mark.parametrize("status", [200, 400, 429])
def test_errors(kind: str, status: int, serve: Serve, sender: Sender) -> None:
    """Of an error with any field ruined: a failure that can be judged."""
    wholes = bodies(shapes.ERRORS[kind], status)
    found = list(outcomes(kind, serve, sender, wholes, chat))
    assert len(found) > 20 and {*map(type, found)} == {Failure}

"""Answers as vendors on OPENAI's wire write them, and OPENAI itself at times."""

from __future__ import annotations

import json
import typing as t

from flask_byok import OpenAICompatible
from flask_byok.providers.deadline import Deadline
from flask_byok.providers.http import Sender
from flask_byok.providers.types import ChatAnswer
from flask_byok.providers.types import ChatRequest
from flask_byok.providers.types import Message
from flask_byok.secret import Secret

from .conftest import CANARY
from .replay import answer_with
from .replay import stream_with
from .test_requests import Serve

ASK = ChatRequest(messages=(Message(role="user", content="hi"),))
VENDOR = OpenAICompatible(
    id="VENDOR",
    label="Vendor",
    base_url="https://api.vendor.example/v1",
    default_models={"default": "big"},
)


def call(place: int | None, call_id: str | None, name: str, arguments: str) -> t.Any:
    """Write a tool call, or a piece of one."""
    function = {"name": name, "arguments": arguments}
    made = {"type": "function", "function": function, "index": place, "id": call_id}
    return {key: value for key, value in made.items() if value is not None}


def ask(serve: Serve, sender: Sender, message: t.Any, finish: str) -> ChatAnswer:
    choice = {"message": message, "finish_reason": finish}
    server = serve(answer_with(200, json.dumps({"choices": [choice]}).encode()))
    return VENDOR.with_base_url(server.url).chat(
        sender, ASK, model="big", api_key=Secret(CANARY), deadline=Deadline(5)
    )


def stream(
    serve: Serve, sender: Sender, deltas: t.Sequence[t.Any], finish: str
) -> ChatAnswer:
    chunks = [{"choices": [{"delta": delta}]} for delta in deltas]
    chunks.append({"choices": [{"delta": {}, "finish_reason": finish}]})
    pieces = [b"data: %b\n\n" % json.dumps(one).encode() for one in chunks]
    server = serve(stream_with([*pieces, b"data: [DONE]\n\n"]))
    opened = VENDOR.with_base_url(server.url).open_stream(
        sender, ASK, model="big", api_key=Secret(CANARY), deadline=Deadline(5)
    )

    for _ in opened:
        pass

    return opened.answer


def test_calls_that_are_not_told_apart_by_their_place(
    serve: Serve, sender: Sender
) -> None:
    """Several vendors give every call the place 0, or none: then the ids count."""
    for place in (0, None):
        deltas = [
            {"tool_calls": [call(place, "a", "look", '{"city":')]},
            {"tool_calls": [call(place, None, "", '"Paris"}')]},
            {"tool_calls": [call(place, "b", "look", "{}")]},
            # And some repeat the id with each piece.
            {"tool_calls": [call(place, "c", "look", '{"city":')]},
            {"tool_calls": [call(place, "c", "look", '"Rome"}')]},
        ]
        answer = stream(serve, sender, deltas, "tool_calls")
        found = [(one.id, one.name, dict(one.arguments)) for one in answer.tool_calls]
        assert found == [
            ("a", "look", {"city": "Paris"}),
            ("b", "look", {}),
            ("c", "look", {"city": "Rome"}),
        ]


def test_an_answer_that_calls_tools_says_so(serve: Serve, sender: Sender) -> None:
    """OPENAI ends with ``stop`` when one tool was demanded by name, vendors often."""
    calls = [call(0, "a", "look", "{}")]
    whole = ask(serve, sender, {"tool_calls": calls}, "stop")
    assert (whole.finish_reason, len(whole.tool_calls)) == ("tool_calls", 1)
    piecewise = stream(serve, sender, [{"tool_calls": calls}], "stop")
    assert (piecewise.finish_reason, len(piecewise.tool_calls)) == ("tool_calls", 1)
    assert ask(serve, sender, {"tool_calls": calls}, "length").finish_reason == "length"


def test_content_in_parts_is_text(serve: Serve, sender: Sender) -> None:
    """Vendors whose models think write a list: the thoughts are no answer."""
    thought = {"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}
    content = [thought, {"type": "text", "text": "Hel"}, {"type": "text", "text": "lo"}]
    assert ask(serve, sender, {"content": content}, "stop").text == "Hello"
    deltas = [{"content": content[:1]}, {"content": content[1:]}]
    assert stream(serve, sender, deltas, "stop").text == "Hello"

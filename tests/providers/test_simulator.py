"""The adapters against the simulator, which was written without them."""

from __future__ import annotations

import collections.abc as cabc

import pytest

from flask_byok.providers.base import Provider
from flask_byok.providers.deadline import Deadline
from flask_byok.providers.http import Sender
from flask_byok.providers.registry import built_in_providers
from flask_byok.providers.types import AttemptFailed
from flask_byok.providers.types import ChatRequest
from flask_byok.providers.types import Failure
from flask_byok.providers.types import Message
from flask_byok.providers.types import Tool
from flask_byok.secret import Secret
from flask_byok.testing import Simulator

PROVIDERS = built_in_providers()
HELLO = ChatRequest(messages=(Message(role="user", content="hi"),))
API_KEY = Secret("not-a-real-simulator-key-0001")


@pytest.fixture(scope="module")
def simulator() -> cabc.Iterator[Simulator]:
    with Simulator() as simulator:
        yield simulator


@pytest.fixture(params=PROVIDERS, ids=lambda provider: provider.id)
def provider(request: pytest.FixtureRequest, simulator: Simulator) -> Provider:
    found: Provider = request.param
    return found.with_base_url(simulator.urls[found.id])


def ask(
    sender: Sender, provider: Provider, fault: str, *, stream: bool, seconds: float = 5
) -> Failure:
    with pytest.raises(AttemptFailed) as caught:
        if stream:
            for _ in provider.open_stream(
                sender,
                HELLO,
                model=f"fault-{fault}",
                api_key=API_KEY,
                deadline=Deadline(seconds),
            ):
                pass
        else:
            provider.chat(
                sender,
                HELLO,
                model=f"fault-{fault}",
                api_key=API_KEY,
                deadline=Deadline(seconds),
            )

    return caught.value.failure


def test_a_good_key_can_do_everything(sender: Sender, provider: Provider) -> None:
    """Chat, stream, list, probe and embeddings work on each wire."""
    model = provider.default_models["default"]
    options = {"api_key": API_KEY, "deadline": Deadline(20)}

    answer = provider.chat(sender, HELLO, model=model, **options)
    assert answer.text and answer.finish_reason == "stop"
    assert answer.usage.input_tokens and answer.usage.output_tokens
    assert answer.request_id

    with_stop = ChatRequest(messages=HELLO.messages, stop=("END",))
    # OPENAI's reasoning models refuse ``stop``.
    older = "gpt-4.1" if provider.id == "OPENAI" else model

    for request, asked in ((HELLO, model), (with_stop, older)):
        stream = provider.open_stream(sender, request, model=asked, **options)
        text = "".join(chunk.text for chunk in stream)
        assert text == stream.answer.text and text
        assert stream.answer.finish_reason == "stop"
        assert stream.usage.output_tokens
        assert stream.answer.request_id

    assert model in {info.id for info in provider.models(sender, **options)}
    assert provider.probe(sender, model=model, **options).usage.output_tokens

    if provider.embedding_model is not None:
        vectors = provider.embed(
            sender, ["a", "b"], model=provider.embedding_model, **options
        ).vectors
        assert len(vectors) == 2


def test_a_tool_is_called_and_answered(sender: Sender, provider: Provider) -> None:
    """A call comes back with its arguments, in one piece and in a stream."""
    request = ChatRequest(
        messages=HELLO.messages,
        tools=(
            Tool(
                name="weather",
                parameters={
                    "type": "object",
                    "properties": {"city": {"type": "string"}},
                },
            ),
        ),
        tool_choice="required",
    )
    model = provider.default_models["default"]
    options = {"model": model, "api_key": API_KEY, "deadline": Deadline(20)}

    answer = provider.chat(sender, request, **options)
    stream = provider.open_stream(sender, request, **options)
    assert [chunk for chunk in stream if chunk.tool_call]

    for one in (answer, stream.answer):
        assert one.finish_reason == "tool_calls"
        assert [call.name for call in one.tool_calls] == ["weather"]
        assert set(one.tool_calls[0].arguments) == {"city"}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("fault", "kinds", "status"),
    [
        ("redirect", {"redirect"}, 302),
        ("redirect_307", {"redirect"}, 307),
        ("html_200", {"unreadable_answer"}, 200),
        ("html", {"answer"}, 403),
        ("empty_401", {"answer"}, 401),
        ("empty", {"unreadable_answer", "interrupted"}, 200),
        ("not_json", {"unreadable_answer"}, 200),
        ("bomb", {"too_large", "unreadable_answer", "interrupted"}, 200),
        ("cut_body", {"unreadable_answer", "interrupted"}, 200),
        ("reset", {"reset", "reset_reused"}, None),
        ("status_418", {"answer"}, 418),
        ("overloaded", {"answer"}, None),
    ],
)
def test_faults_are_told_apart(
    sender: Sender,
    provider: Provider,
    fault: str,
    kinds: set[str],
    status: int | None,
    stream: bool,
) -> None:
    """What comes over the wire is told by kind and status, streamed or not."""
    failure = ask(sender, provider, fault, stream=stream)

    assert failure.kind in kinds
    # Half of a stream's body reaches beyond its first content.
    assert failure.committed is (stream and fault == "cut_body")

    if status is not None:
        assert failure.status == status


@pytest.mark.parametrize(
    ("fault", "committed"),
    [("cut_before_content", False), ("cut", True), ("no_end_mark", True)],
)
def test_streams_that_break_off(
    sender: Sender, provider: Provider, fault: str, committed: bool
) -> None:
    """Before content or after it, an early end is no end."""
    failure = ask(sender, provider, fault, stream=True)

    assert (failure.kind, failure.committed) == ("interrupted", committed)


def test_a_drip_ends_at_the_deadline(sender: Sender, provider: Provider) -> None:
    """A byte every tenth of a second is a timeout."""
    assert ask(sender, provider, "drip", stream=False, seconds=0.5).kind == "timeout"
    assert ask(sender, provider, "hang", stream=True, seconds=0.5).kind == "timeout"


def test_every_byte_by_itself_is_the_same_answer(
    sender: Sender, provider: Provider
) -> None:
    """Pieces of one byte, in every part of the answer, are put together."""
    stream = provider.open_stream(
        sender,
        HELLO,
        model="fault-bytewise",
        api_key=API_KEY,
        deadline=Deadline(20),
    )
    assert "".join(chunk.text for chunk in stream) == stream.answer.text
    assert stream.answer.finish_reason == "stop"


def test_a_key_fault_inside_a_stream(sender: Sender, provider: Provider) -> None:
    """An error behind the preamble is not committed, behind content it is."""
    early = ask(sender, provider, "stream_nocredit", stream=True)
    late = ask(sender, provider, "late_nocredit", stream=True)

    assert (early.kind, early.committed) == ("answer", False)
    assert (late.kind, late.committed) == ("answer", True)
    assert early.text == late.text != ""

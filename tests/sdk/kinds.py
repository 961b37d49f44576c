"""One way to ask each SDK, so that a test can say what must hold for all three."""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import typing as t

import anthropic
import openai
from google.genai import errors as google_errors

HELLO: t.Final = "Say hello."


def turns(text: str) -> t.Any:
    """Give a conversation of one turn, as two of the SDKs take it."""
    return [{"role": "user", "content": text}]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sdk:
    """How one SDK is asked, sync and async, for text whole and in pieces.

    :param in_stream: a fault in a stream of status 200, before any content.
    """

    kind: str
    provider: str
    in_stream: str
    error: type[Exception]
    ask: cabc.Callable[[t.Any], str]
    stream: cabc.Callable[..., cabc.Iterator[str]]
    ask_async: cabc.Callable[[t.Any], cabc.Awaitable[str]]
    stream_async: cabc.Callable[..., cabc.AsyncIterator[str]]

    def __str__(self) -> str:
        return self.kind


def _chat(client: t.Any) -> str:
    answer = client.chat.completions.create(model="default", messages=turns(HELLO))
    return t.cast("str", answer.choices[0].message.content)


def _chat_stream(client: t.Any, text: str = HELLO) -> cabc.Iterator[str]:
    with client.chat.completions.create(
        model="default", messages=turns(text), stream=True
    ) as chunks:
        for chunk in chunks:
            yield chunk.choices[0].delta.content or ""


async def _chat_async(client: t.Any) -> str:
    answer = await client.chat.completions.create(
        model="default", messages=turns(HELLO)
    )
    return t.cast("str", answer.choices[0].message.content)


async def _chat_stream_async(
    client: t.Any, text: str = HELLO
) -> cabc.AsyncIterator[str]:
    chunks = await client.chat.completions.create(
        model="default", messages=turns(text), stream=True
    )

    async with chunks:
        async for chunk in chunks:
            yield chunk.choices[0].delta.content or ""


def _message(client: t.Any) -> str:
    answer = client.messages.create(
        model="default", max_tokens=64, messages=turns(HELLO)
    )
    return t.cast("str", answer.content[0].text)


def _message_stream(client: t.Any, text: str = HELLO) -> cabc.Iterator[str]:
    with client.messages.stream(
        model="default", max_tokens=60_000, messages=turns(text)
    ) as stream:
        yield from stream.text_stream


async def _message_async(client: t.Any) -> str:
    answer = await client.messages.create(
        model="default", max_tokens=64, messages=turns(HELLO)
    )
    return t.cast("str", answer.content[0].text)


async def _message_stream_async(
    client: t.Any, text: str = HELLO
) -> cabc.AsyncIterator[str]:
    async with client.messages.stream(
        model="default", max_tokens=60_000, messages=turns(text)
    ) as stream:
        async for piece in stream.text_stream:
            yield piece


def _content(client: t.Any) -> str:
    answer = client.models.generate_content(model="default", contents=HELLO)
    return t.cast("str", answer.text)


def _content_stream(client: t.Any, text: str = HELLO) -> cabc.Iterator[str]:
    for chunk in client.models.generate_content_stream(model="default", contents=text):
        yield chunk.text or ""


async def _content_async(client: t.Any) -> str:
    answer = await client.aio.models.generate_content(model="default", contents=HELLO)
    return t.cast("str", answer.text)


async def _content_stream_async(
    client: t.Any, text: str = HELLO
) -> cabc.AsyncIterator[str]:
    async for chunk in await client.aio.models.generate_content_stream(
        model="default", contents=text
    ):
        yield chunk.text or ""


OPENAI: t.Final = Sdk(
    kind="openai",
    provider="OPENAI",
    in_stream="quota_in_stream",
    error=openai.APIError,
    ask=_chat,
    stream=_chat_stream,
    ask_async=_chat_async,
    stream_async=_chat_stream_async,
)
ANTHROPIC: t.Final = Sdk(
    kind="anthropic",
    provider="CLAUDE",
    in_stream="stream_overloaded",
    error=anthropic.APIError,
    ask=_message,
    stream=_message_stream,
    ask_async=_message_async,
    stream_async=_message_stream_async,
)
GOOGLE: t.Final = Sdk(
    kind="google",
    provider="GEMINI",
    in_stream="raw_error",
    error=google_errors.APIError,
    ask=_content,
    stream=_content_stream,
    ask_async=_content_async,
    stream_async=_content_stream_async,
)
SDKS: t.Final = (OPENAI, ANTHROPIC, GOOGLE)

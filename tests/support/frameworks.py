"""The frameworks of ``docs/frameworks.md``: which are here, and how a test asks one.

``TEST_FRAMEWORKS`` takes the same words as ``TEST_SERVERS``. ``make frameworks`` makes
an environment that has them all and demands them.
"""

from __future__ import annotations

import asyncio
import collections.abc as cabc
import dataclasses
import functools
import importlib.util
import inspect
import threading
import types
import typing as t

from tests.support import examples
from tests.support import servers

if t.TYPE_CHECKING:
    from tests.support.calls import CallHost

PAGE: t.Final = "frameworks.md"

_PACKAGES: t.Final = (
    "agents",
    "asgiref",
    "instructor",
    "langchain_anthropic",
    "langchain_google_genai",
    "langchain_openai",
    "litellm",
    "llama_index",
    "pydantic_ai",
)


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """A function of the page that asks one question.

    :param title: the heading it stands under.
    :param raises: the name of what it raises when a key is refused.
    """

    title: str
    name: str
    raises: str
    provider: str

    def __str__(self) -> str:
        return f"{self.title}-{self.name}".replace(" ", "-")


_ROWS: t.Final = (
    ("LangChain", "summarise", "OpenAIAuthenticationError", "OPENAI"),
    ("LangChain", "summarise_async", "OpenAIAuthenticationError", "OPENAI"),
    ("LangChain", "summarise_in_pieces", "OpenAIAuthenticationError", "OPENAI"),
    ("LangChain", "summarise_with_claude", "AnthropicAuthenticationError", "CLAUDE"),
    # It refuses a key with the status 400.
    ("LangChain", "summarise_with_gemini", "GoogleInvalidRequestError", "GEMINI"),
    ("LlamaIndex", "summarise", "AuthenticationError", "OPENAI"),
    ("Pydantic AI", "ask", "ModelAuthenticationError", "OPENAI"),
    ("Pydantic AI", "ask_in_pieces", "ModelAuthenticationError", "OPENAI"),
    ("Pydantic AI", "ask_claude", "ModelAuthenticationError", "CLAUDE"),
    ("Instructor", "read_invoice", "InstructorRetryException", "OPENAI"),
    ("LiteLLM", "ask", "AuthenticationError", "OPENAI"),
    ("LiteLLM", "ask_async", "AuthenticationError", "OPENAI"),
    ("OpenAI Agents SDK", "ask", "AuthenticationError", "OPENAI"),
)

#: Every function of the page that asks a question.
RECIPES: t.Final = tuple(
    Recipe(title=title, name=name, raises=raises, provider=provider)
    for title, name, raises, provider in _ROWS
)


@functools.cache
def trouble() -> str | None:
    """Say which packages are missing, or that nobody wants to know."""
    if servers.mode("TEST_FRAMEWORKS") == "off":
        return "TEST_FRAMEWORKS=off"

    missing = [name for name in _PACKAGES if importlib.util.find_spec(name) is None]
    return f"no {', '.join(missing)}; run 'make frameworks'" if missing else None


def load(host: CallHost, title: str) -> types.SimpleNamespace:
    """Run the blocks of one heading as a module of the host app."""
    names: dict[str, t.Any] = {
        "__name__": f"recipe_{title.lower().replace(' ', '_')}",
        "app": host.app,
        "byok": host.byok,
    }

    for block in examples.section(PAGE, title):
        examples.run(block, names)

    return types.SimpleNamespace(**names)


def ask(made: types.SimpleNamespace, name: str, question: str) -> t.Any:
    """Call a function of a recipe, whatever its kind, and give what it gives.

    The pieces of a generator are joined.
    """
    given = getattr(made, name)(question)

    if inspect.isasyncgen(given):
        return asyncio.run(_join(given))

    if inspect.iscoroutine(given):
        return asyncio.run(given)

    if inspect.isgenerator(given):
        pieces = list(given)
        assert len(pieces) > 2, "It came in one piece."
        return "".join(pieces)

    return given


async def _join(given: cabc.AsyncIterator[str]) -> str:
    pieces = [piece async for piece in given]
    assert len(pieces) > 2, "It came in one piece."
    return "".join(pieces)


class Watch:
    """Every place this process tries to reach, or only to look up."""

    def __init__(self) -> None:
        self._allowed = servers.allowed_addresses() | {"localhost", "", None}
        self._lock = threading.Lock()
        self.left: list[str] = []

    def __call__(self, event: str, args: tuple[t.Any, ...]) -> None:
        """Hear an audit event; see :func:`sys.addaudithook`."""
        if event == "socket.getaddrinfo":
            host = args[0]
        elif event == "socket.connect" and isinstance(args[1], tuple):
            host = args[1][0]
        else:
            return

        name = host.decode() if isinstance(host, bytes) else host

        if name not in self._allowed and not str(name).startswith(("127.", "::1")):
            with self._lock:
                self.left.append(f"{event} {name}")

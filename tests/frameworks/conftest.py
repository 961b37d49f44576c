"""A host with keys of three providers, and a watch over what leaves this machine."""

from __future__ import annotations

import asyncio
import collections.abc as cabc
import sys

import pytest

from flask_byok.testing import Simulator
from flask_byok.testing.fixtures import _byok_simulator_server as _byok_simulator_server
from flask_byok.testing.fixtures import byok_simulator as byok_simulator
from flask_byok.testing.fixtures import leak_guard as leak_guard
from flask_byok.testing.fixtures import pytest_runtest_call as pytest_runtest_call
from tests.support import frameworks
from tests.support.calls import CallHost
from tests.support.calls import calling


@pytest.fixture(scope="session")
def _watch() -> frameworks.Watch:
    if reason := frameworks.trouble():
        pytest.skip(f"Frameworks: {reason}")

    watch = frameworks.Watch()
    sys.addaudithook(watch)
    return watch


@pytest.fixture(autouse=True)
def watch(
    _watch: frameworks.Watch, monkeypatch: pytest.MonkeyPatch
) -> cabc.Iterator[frameworks.Watch]:
    """See that nothing was reached or looked up beyond this machine."""
    for maker in ("OPENAI", "ANTHROPIC", "GOOGLE", "GEMINI"):
        monkeypatch.delenv(f"{maker}_API_KEY", raising=False)

    yield _watch
    left, _watch.left = _watch.left, []
    assert not left


@pytest.fixture
def host(sqlite_url: str, byok_simulator: Simulator) -> cabc.Iterator[CallHost]:
    """A host app in its context; no key is stored yet."""
    with calling(sqlite_url, byok_simulator) as made:
        yield made


@pytest.fixture(autouse=True)
def loop() -> cabc.Iterator[None]:
    """Give the main thread an event loop: LiteLLM takes one and leaves it open."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield
    asyncio.set_event_loop(None)
    loop.close()

"""The official SDKs on a company key: what they hold, log and raise, without it."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import pickle
import typing as t

import httpx2
import pytest

from flask_byok import find_byok_error
from flask_byok.testing import LeakGuard
from tests.sdk.kinds import Sdk
from tests.sdk.kinds import SDKS
from tests.web.conftest import Host

#: What makes a provider say something about the key it was sent, and when.
FAULTS: t.Final = (
    None,
    "key_echoed",
    "stream_key_echoed",
    "late_key_echoed",
    "revoked",
    "redirect_307",
    "cut_body",
)


def look_at_raised(guard: LeakGuard, error: BaseException) -> None:
    """Look at an exception, and at the response and request it carries along."""
    guard.look_at_error(error)
    guard.look("exceptions", repr(vars(error)))
    response = getattr(error, "response", None)

    if isinstance(response, httpx2.Response):
        request = response.request
        guard.look("exceptions", repr(vars(response)), repr(response.headers.raw))
        guard.look("exceptions", repr(request.headers.raw), repr(request.extensions))

    ours = find_byok_error(error)

    if ours is not None:
        guard.look_at_error(ours)


def look_at_client(guard: LeakGuard, client: t.Any) -> None:
    """Look at everything a client holds, as far as it can be followed."""
    waiting, seen = [client], set()

    while waiting and len(seen) < 2000:
        one = waiting.pop()

        if id(one) in seen or isinstance(one, type):
            continue

        seen.add(id(one))
        guard.look("pickles", repr(one))
        module = type(one).__module__.partition(".")[0]

        if module in ("openai", "anthropic", "google", "httpx2"):
            waiting += list(getattr(one, "__dict__", {}).values())
        elif isinstance(one, (dict, list, tuple)):
            waiting += list(one.values()) if isinstance(one, dict) else list(one)

    with contextlib.suppress(Exception):
        guard.look("pickles", pickle.dumps(client))


@pytest.mark.case("C5", "C28", "D1", "E1")
@pytest.mark.usefixtures("reporting")
@pytest.mark.parametrize("sdk", SDKS, ids=str)
def test_an_sdk_never_sees_the_key(
    host: Host, guard: LeakGuard, canary: str, sdk: Sdk
) -> None:
    """With every logger at DEBUG, whatever the provider sends back, sync and async."""
    with host.app.app_context():
        host.byok.save_key(1, sdk.provider, canary)
        host.byok.set_policy(1, fallback="never")
        client = host.byok.client_for(1).sdk(sdk.kind)
        ours = host.byok.client_for(1).sdk(sdk.kind, asynchronous=True)

        async def stream() -> None:
            async for piece in sdk.stream_async(ours):
                guard.look("pickles", piece)

        ways: t.Any = (
            lambda: guard.look("pickles", sdk.ask(client)),
            lambda: guard.look("pickles", *sdk.stream(client)),
            lambda: asyncio.run(stream()),
        )

        for fault in FAULTS:
            host.simulator.set_fault(sdk.provider, fault, canary[:9])

            for way in ways:
                raised: BaseException | None = None

                try:
                    way()
                except Exception as error:
                    raised = error

                if raised is not None:
                    look_at_raised(guard, raised)

                # The key is out by now; in two days it is tried again.
                host.byok.state.database.clock_offset += dt.timedelta(days=2)

        look_at_client(guard, client)
        look_at_client(guard, ours)

    assert sum(r.api_key == canary for r in host.simulator.requests) > 2 * len(FAULTS)
    guard.look_around()
    guard.require("exceptions", "pickles", "logs", "tables")
    guard.verify()

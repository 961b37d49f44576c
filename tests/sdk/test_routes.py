"""The official SDKs on our routes: who paid, what the ledger says, what is raised."""

from __future__ import annotations

import asyncio
import typing as t

import pytest

from tests.sdk.kinds import Sdk
from tests.sdk.kinds import SDKS
from tests.support.calls import CallHost

each_sdk = pytest.mark.parametrize("sdk", SDKS, ids=str)


async def read(sdk: Sdk, client: t.Any, *, streamed: bool) -> str:
    if not streamed:
        return await sdk.ask_async(client)

    return "".join([text async for text in sdk.stream_async(client)])


def ask(host: CallHost, sdk: Sdk, *, streamed: bool, asynchronous: bool) -> str:
    """Ask in one of four ways and give the text."""
    if asynchronous:
        client = host.client.sdk(sdk.kind, asynchronous=True, label="greet")
        return asyncio.run(read(sdk, client, streamed=streamed))

    client = host.client.sdk(sdk.kind, label="greet")
    return "".join(sdk.stream(client)) if streamed else sdk.ask(client)


@each_sdk
@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
def test_a_failing_company_key_is_replaced(
    host: CallHost, sdk: Sdk, asynchronous: bool
) -> None:
    """Whole and streamed: the company key while it works, else the system key.

    In streams also where the failure comes with status 200, before any content.
    """
    host.store(sdk.provider)

    for streamed in (False, True):
        faults = [None, "revoked", *([sdk.in_stream] if streamed else ["cut_body"])]

        for fault in faults:
            host.fail(None, sdk.provider)
            host.byok.state.sender.close()
            host.store(sdk.provider)
            host.fail(fault, sdk.provider)
            text = ask(host, sdk, streamed=streamed, asynchronous=asynchronous)

            row = host.attempts()[-1]
            assert "hello" in text and text.count("You wrote") == 1
            assert host.paid == ("c" if fault is None else "cs"), (streamed, fault)
            assert row.source == ("company" if fault is None else "system")
            assert (row.state, row.label) == ("done", "greet")
            assert bool(row.streamed) is streamed
            assert row.input_tokens > 0 and row.output_tokens > 0


@each_sdk
@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
def test_a_broken_stream_is_never_a_clean_end(
    host: CallHost, sdk: Sdk, asynchronous: bool
) -> None:
    """After the first content no other key is asked: the SDK raises, in our words."""
    host.store(sdk.provider)
    host.fail("error_after_content", sdk.provider)

    for fault in ("cut", "error_after_content"):
        host.fail(fault, sdk.provider)

        with pytest.raises(sdk.error, match="broke|could not answer") as caught:
            ask(host, sdk, streamed=True, asynchronous=asynchronous)

        assert host.paid == "c" and host.attempts()[-1].state == "unknown"
        assert caught.value.__cause__ is None and caught.value.__context__ is None


@each_sdk
def test_a_client_that_leaves_is_counted_as_cancelled(host: CallHost, sdk: Sdk) -> None:
    """Sync and async alike: the connection is closed, the row is settled."""
    long = "Reply with: " + "more than any buffer holds " * 2_000
    pieces = sdk.stream(host.client.sdk(sdk.kind), long)
    next(pieces)
    t.cast("t.Any", pieces).close()
    del pieces

    async def leave() -> None:
        client = host.client.sdk(sdk.kind, asynchronous=True)

        async for _ in sdk.stream_async(client, long):
            break

    asyncio.run(leave())
    assert [row.state for row in host.attempts()] == ["cancelled", "cancelled"]


@each_sdk
def test_a_cancelled_task_cuts_its_request(host: CallHost, sdk: Sdk) -> None:
    """While nothing was answered, too; no other key is asked."""
    host.store(sdk.provider)

    async def leave() -> None:
        client = host.client.sdk(sdk.kind, asynchronous=True)
        task = asyncio.ensure_future(sdk.ask_async(client))
        await asyncio.to_thread(hold.wait_for)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert task.cancelled()
        assert [row.state for row in host.attempts()] == ["cancelled"]

    with host.simulator.holding(sdk.provider) as hold:
        asyncio.run(leave())

    assert host.paid == "c" and host.circuit(sdk.provider).fail_count == 0

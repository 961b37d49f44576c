"""Where an SDK may be used: views, async views, threads, other companies."""

from __future__ import annotations

import concurrent.futures

import flask

from flask_byok import current_ai_client
from tests.sdk.kinds import ANTHROPIC
from tests.sdk.kinds import OPENAI
from tests.support.calls import CallHost


def test_in_views_of_both_kinds(host: CallHost) -> None:
    """The fallback is flashed once, from a thread beside the event loop, too."""
    host.store("OPENAI")
    host.fail("revoked")

    @host.app.get("/sync")
    def sync() -> str:
        return OPENAI.ask(current_ai_client.sdk())

    @host.app.get("/async")
    async def asynchronous() -> str:
        client = current_ai_client.sdk(asynchronous=True)
        text = await OPENAI.ask_async(client)
        pieces = [piece async for piece in OPENAI.stream_async(client)]
        assert "".join(pieces) == text
        return text + repr(flask.get_flashed_messages())

    page = {"Accept": "text/html"}
    web = host.app.test_client()
    answer = web.get("/async", headers=page)
    assert answer.status_code == 200 and "hello" in answer.text
    assert "[]" not in answer.text and host.paid == "css"
    assert "hello" in web.get("/sync", headers=page).text and host.paid == "s"
    assert len(host.told("fallback_used")) == 1


def test_two_companies_in_threads(host: CallHost) -> None:
    """Each client pays with its own company's key, whoever calls beside it."""
    host.store("OPENAI", "CLAUDE")

    with host.byok.as_company(2):
        own = current_ai_client.sdk("openai")

    first = host.client.sdk("openai")
    clients = [
        (OPENAI, first),
        (OPENAI, own),
        (ANTHROPIC, host.client.sdk("anthropic")),
    ] * 4

    with concurrent.futures.ThreadPoolExecutor(6) as pool:

        def ask(number: int) -> str:
            with host.app.app_context():
                sdk, client = clients[number]
                return sdk.ask(client)

        assert all("hello" in text for text in pool.map(ask, range(len(clients))))

    rows = {(row.company_id, row.provider, row.source) for row in host.attempts()}
    assert rows == {
        ("i:1", "OPENAI", "company"),
        ("i:1", "CLAUDE", "company"),
        ("i:2", "OPENAI", "system"),
    }

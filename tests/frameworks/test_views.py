"""Views of Flask: async ones as the page prints them, and a stream in a plain one."""

from __future__ import annotations

import collections
import concurrent.futures

import flask
import pytest

from tests.support import frameworks
from tests.support.calls import CallHost
from tests.support.host import BETTER
from tests.support.host import GOOD

#: What a browser sends for a page, and the header by which these tests sign in.
PAGE = {"Sec-Fetch-Dest": "document", "company": "1"}


@pytest.fixture
def views(host: CallHost) -> CallHost:
    """A host with the views of the page and two companies, named by a header."""
    for host.company, api_key in ((1, GOOD), (2, BETTER)):
        host.store(api_key=api_key)

    host.company = 1
    frameworks.load(host, "Async Flask views")
    host.byok.company_loader(lambda: int(flask.request.headers["company"]))
    return host


def get(host: CallHost, company: int) -> dict[str, object]:
    """Ask for the summary as somebody of a company."""
    client = host.app.test_client()
    answer = client.get("/summary", headers={"company": str(company)})
    assert answer.status_code == 200
    return answer.json


def test_a_view_asks_several_things_at_once_for_its_company(views: CallHost) -> None:
    """Three requests of each of two views are under way together."""
    with (
        concurrent.futures.ThreadPoolExecutor(2) as pool,
        views.simulator.holding("OPENAI") as hold,
    ):
        asked = [pool.submit(get, views, company) for company in (1, 2)]
        hold.wait_for(6)
        hold.release()
        answers = [one.result(timeout=30) for one in asked]

    assert [answer["paid_by"] for answer in answers] == ["company", "company"]
    assert ["cats" in str(answer["titles"]) for answer in answers] == [True, True]
    assert collections.Counter(views.who_paid()) == {GOOD: 3, BETTER: 3}


def test_a_failing_key_is_told_in_an_async_view(views: CallHost) -> None:
    """The system key answers, and whoever looks at the page is warned."""
    views.fail("revoked")
    warned = set()

    with views.app.test_client() as client:
        # Where two tasks meet the broken key at once, the second page may be warned.
        for _ in range(2):
            answer = client.get("/titles", headers=PAGE)
            warned.update(flask.get_flashed_messages())
            assert len(answer.json["titles"]) == 2

    (sentence,) = warned
    assert "AI features use the key provided by" in sentence
    done = [row.source for row in views.attempts() if row.state == "done"]
    assert done == ["system"] * 4


def test_a_plain_view_streams_what_a_framework_gives(views: CallHost) -> None:
    """The generator asks for its company while the answer is being sent."""
    made = frameworks.load(views, "LangChain")

    @views.app.get("/pieces")
    def pieces() -> flask.Response:
        given = made.summarise_in_pieces("cats and dogs")
        return flask.Response(flask.stream_with_context(given))

    answer = views.app.test_client().get("/pieces", headers={"company": "2"})

    assert "cats and dogs" in answer.text.lower()
    assert views.who_paid() == [BETTER]

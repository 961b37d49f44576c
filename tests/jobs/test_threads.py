"""The recipes for threads and schedules run as printed, and what a job carries."""

from __future__ import annotations

import queue
import types
import uuid

import pytest

from flask_byok import NoCompany
from flask_byok.jobs import pack_company
from flask_byok.jobs import unpack_company
from flask_byok.testing import Simulator
from flask_byok.testing.fixtures import _byok_simulator_server as _byok_simulator_server
from flask_byok.testing.fixtures import byok_simulator as byok_simulator
from flask_byok.vault.company import CompanyId
from tests.jobs.conftest import module
from tests.support import examples
from tests.support import queues
from tests.support.calls import CallHost
from tests.support.calls import calling
from tests.support.host import BETTER
from tests.support.host import GOOD

IDS = (42, "42", uuid.UUID(int=42))


@pytest.fixture
def host(sqlite_url: str, byok_simulator: Simulator) -> CallHost:
    """Two companies, each with a key of its own; no queue is needed."""
    with calling(sqlite_url, byok_simulator) as made:
        for company, api_key in ((1, GOOD), (2, BETTER)):
            made.company = company
            made.store(api_key=api_key)

        yield made


def recipe(host: CallHost, *numbers: int) -> types.SimpleNamespace:
    """Run blocks of the page."""
    printed = examples.blocks(queues.PAGE)
    first = "from flask_byok import current_ai_client"
    return module("recipe", host, first, *(printed[n] for n in numbers))


def test_a_thread_serves_the_company_that_started_it(host: CallHost) -> None:
    """Each of two companies starts one; both run on their own key."""
    made, texts = recipe(host, queues.THREAD), queue.Queue[str]()

    for host.company in (1, 2):
        made.summarise_later("A long text.", texts.put)
        texts.get(timeout=30)

    assert host.who_paid() == [GOOD, BETTER]


def test_a_pool_serves_several_companies(host: CallHost) -> None:
    """Each piece of work names its company."""
    made = recipe(host, queues.POOL)

    assert len(made.summarise_all(1, ["one", "two", "three"])) == 3
    assert len(made.summarise_all(2, ["one"])) == 1
    assert host.who_paid() == [GOOD] * 3 + [BETTER]


def test_a_schedule_goes_on_after_one_companys_trouble(host: CallHost) -> None:
    """The company whose key fails under ``never`` gets nothing, the next one does."""
    host.byok.set_policy(1, fallback="never")
    host.simulator.set_fault("OPENAI", "revoked", keys=GOOD)
    saved: dict[CompanyId, str] = {}
    recipe(host, queues.SCHEDULED).every_night([1, 2], saved.__setitem__)

    assert list(saved) == [2]
    assert host.who_paid() == [GOOD, BETTER]


@pytest.mark.parametrize("company_id", IDS, ids=repr)
def test_a_packed_company_comes_back_as_it_was(company_id: CompanyId) -> None:
    """Three ids that print alike stay three companies."""
    back = unpack_company(pack_company(company_id))

    assert (type(back), back) == (type(company_id), company_id)


@pytest.mark.parametrize("text", [None, "", "42", "i:042", "x:1", 42, b"i:42"])
def test_what_was_not_packed_is_refused(text: object) -> None:
    """Nothing is guessed: neither nobody, nor a bare id."""
    with pytest.raises(NoCompany, match="carries no company"):
        unpack_company(text)

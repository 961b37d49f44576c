"""The page and the API of an app whose key service does not answer."""

from __future__ import annotations

import contextlib
import typing as t

import pytest

from flask_byok.errors import KeyServiceUnavailable
from flask_byok.testing import FakeKeyService
from flask_byok.web.wording import build_standing
from tests.web.conftest import GOOD_KEY
from tests.web.conftest import Host
from tests.web.conftest import MakeHost
from tests.web.conftest import OTHER_KEY
from tests.web.conftest import state_of
from tests.web.conftest import text_of
from tests.web.test_api import Checked
from tests.web.test_states import check_sound
from tests.web.test_states import damage

DOWN = "cannot reach the service that protects saved keys"


@pytest.fixture
def service() -> FakeKeyService:
    """The one key of the ring."""
    return FakeKeyService()


@pytest.fixture
def host(make_host: MakeHost, service: FakeKeyService) -> t.Any:
    """A host on it."""
    return make_host(BYOK_MASTER_KEYS={"kms1": service})


@pytest.mark.case("B20")
def test_the_page_says_what_is_the_matter(host: Host, service: FakeKeyService) -> None:
    """A first save, a replacement, a test, another model: nothing has changed."""
    ada = host.client()
    service.fail("down")
    first = ada.save()
    assert state_of(first) == "key-service"
    assert DOWN in text_of(first)
    assert "Your saved key has not changed." not in text_of(first)
    assert GOOD_KEY not in first.text
    check_sound(first)

    service.recover()
    assert state_of(ada.save()) == "saved"
    service.fail("down")

    for answer in (
        ada.save(api_key=OTHER_KEY),
        ada.post("/test", provider="OPENAI"),
        ada.post(
            "/key", action="details", provider="OPENAI", model="gpt-x", generation="1"
        ),
    ):
        assert state_of(answer) == "key-service"
        assert DOWN in text_of(answer)
        assert "Your saved key has not changed." in text_of(answer)
        assert OTHER_KEY not in answer.text

    service.recover()
    assert host.chat().source == "company"


@pytest.mark.case("B20")
def test_the_api_answers_503(host: Host, service: FakeKeyService) -> None:
    """With a problem of its own, as its document says; not 'enter the key again'."""
    api = Checked(host.client())
    service.fail("down")
    put = api.call("PUT", "/credentials/OPENAI", {"api_key": GOOD_KEY})
    service.recover()
    assert (
        api.call("PUT", "/credentials/OPENAI", {"api_key": GOOD_KEY}).status_code == 201
    )
    service.fail("down")
    tested = api.call("POST", "/credentials/OPENAI/test")

    for answer in (put, tested):
        assert answer.status_code == 503
        assert answer.json["type"].endswith(":key-service")
        assert "try again" in answer.json["detail"]


SAFE = (
    "cannot reach the service that protects saved keys right now. Your OpenAI key is "
    "safe. Nothing to do"
)


@pytest.mark.parametrize("policy", ["auto", "never"])
def test_nobody_is_told_to_add_a_safe_key_again(
    host: Host, service: FakeKeyService, policy: str
) -> None:
    """While the service is down: page, card, banner and JSON say what is the matter."""
    host.save()

    with host.app.app_context():
        host.byok.set_policy(1, fallback=policy)

    service.fail("down")

    with contextlib.suppress(KeyServiceUnavailable):
        host.chat()

    ada = host.client()
    page = ada.get()
    assert state_of(page) == "key-service-down"
    assert text_of(page).count(SAFE) == 2  # notice and card
    assert "Add it again" not in text_of(page)
    assert "Test Connection for OpenAI" in text_of(page)
    check_sound(page)
    (listed,) = ada.call("GET", "/credentials").json["credentials"]
    assert listed["unreadable"] is True
    assert listed["unreadable_reason"] == "key_service_unavailable"

    with host.app.test_request_context("/"):
        standing = build_standing(
            host.byok.status(1), [], host.byok.settings, host.byok.registry
        )
        assert SAFE in str(standing.banner)

    service.recover()
    host.chat()
    assert state_of(ada.get()) == "recovered"
    assert state_of(ada.get()) == "working"
    (listed,) = ada.call("GET", "/credentials").json["credentials"]
    assert (listed["unreadable"], listed["unreadable_reason"]) == (False, None)


def test_a_lost_key_is_not_called_safe(host: Host, service: FakeKeyService) -> None:
    """Damaged while the service was down: once that shows, the page says so."""
    host.save()
    service.fail("down")
    host.chat()
    service.recover()
    damage(host)
    host.chat()
    page = host.client().get()
    assert state_of(page) == "unreadable"
    assert "Add it again" in text_of(page) and "is safe" not in text_of(page)
    service.fail("down")
    host.chat()
    assert state_of(host.client().get()) == "unreadable"

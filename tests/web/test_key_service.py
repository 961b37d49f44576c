"""The page and the API of an app whose key service does not answer."""

from __future__ import annotations

import typing as t

import pytest

from flask_byok.testing import FakeKeyService
from tests.web.conftest import GOOD_KEY
from tests.web.conftest import Host
from tests.web.conftest import MakeHost
from tests.web.conftest import OTHER_KEY
from tests.web.conftest import state_of
from tests.web.conftest import text_of
from tests.web.test_api import Checked
from tests.web.test_states import check_sound

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

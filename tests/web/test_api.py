"""The JSON API: exact statuses, strict bodies, and a document that is true to it."""

from __future__ import annotations

import json
import re
import typing as t

import openapi_spec_validator
import pytest
from openapi_schema_validator import OAS31Validator

from flask_byok.web.blueprint import ROUTES
from tests.web.conftest import GOOD_KEY
from tests.web.conftest import Host
from tests.web.conftest import MakeHost
from tests.web.conftest import OTHER_KEY
from tests.web.conftest import Visitor
from tests.web.test_saving import blob_of
from tests.web.test_states import damage


class Checked:
    """A visitor whose every answer is held against the API's own document."""

    def __init__(self, visitor: Visitor) -> None:
        self.visitor = visitor
        self.document = visitor.call("GET", "/openapi.json").json

    def call(self, method: str, path: str, body: t.Any = None, **more: t.Any) -> t.Any:
        """Call, and look up what the document says about such an answer."""
        answer = self.visitor.call(method, path, body, **more)
        bare = re.sub(r"/credentials/\w+", "/credentials/{provider}", path)
        operation = self.document["paths"][f"/api{bare.split('?')[0]}"][method.lower()]
        responses = operation["responses"]
        assert str(answer.status_code) in responses, (method, path, answer.text)
        self.check(responses[str(answer.status_code)], answer)
        return answer

    def check(self, response: t.Any, answer: t.Any) -> None:
        """Hold a body against the schema that is promised for it."""
        if "$ref" in response:
            name = response["$ref"].rpartition("/")[2]
            response = self.document["components"]["responses"][name]

        if "content" not in response:
            assert answer.data == b""
            return

        ((content_type, media),) = response["content"].items()
        assert answer.mimetype == content_type
        schema = {**media["schema"], "components": self.document["components"]}
        OAS31Validator(schema).validate(answer.json)


@pytest.fixture
def api(host: Host) -> Checked:
    """A manager's session on the API."""
    return Checked(host.client())


def test_the_document_is_openapi(api: Checked) -> None:
    """The document follows OpenAPI 3.1 and names where the API stands."""
    openapi_spec_validator.validate(api.document)
    assert api.document["openapi"] == "3.1.0"
    assert api.document["servers"] == [{"url": "/settings/ai"}]


def test_the_document_has_every_route(api: Checked) -> None:
    """Each address and method of the API is in the document, and no other."""
    there = {
        (method.lower(), route.rule.replace("<provider>", "{provider}"))
        for route in ROUTES
        if route.rule.startswith("/api/")
        for method in route.views
    }
    told = {
        (method, path)
        for path, item in api.document["paths"].items()
        for method in item
        if method != "parameters"
    }
    assert told == there


@pytest.mark.case("E9")
def test_the_way_once(api: Checked, host: Host) -> None:
    """Save, list, replace, test, remove, with their statuses."""
    first = api.call("PUT", "/credentials/OPENAI", {"api_key": GOOD_KEY})
    assert (first.status_code, first.json["verdict"]) == (201, "working")
    assert first.json["credential"]["last4"] == "AbCd"
    (listed,) = api.call("GET", "/credentials").json["credentials"]
    assert (listed["provider"], listed["active"], listed["masked"]) == (
        "OPENAI",
        True,
        "...AbCd",
    )
    assert not {"blob", "key_id", "id", "company_id"} & set(listed)
    again = api.call(
        "PUT", "/credentials/OPENAI", {"api_key": OTHER_KEY, "generation": 1}
    )
    assert (again.status_code, again.json["created"]) == (200, False)
    report = api.call("POST", "/credentials/OPENAI/test")
    assert (report.status_code, report.json["checks"]["generate"]) == (200, "pass")
    assert api.call("POST", "/credentials/OPENAI/test", {}).status_code == 200
    gone = api.call("DELETE", "/credentials/OPENAI?generation=2")
    assert (gone.status_code, gone.data) == (204, b"")
    assert api.call("DELETE", "/credentials/OPENAI").status_code == 404
    assert host.status().credentials == ()


def test_model_and_date_without_the_key(api: Checked, host: Host) -> None:
    """Without "api_key" the stored key stays, and so does what is left out."""
    api.call("PUT", "/credentials/OPENAI", {"api_key": GOOD_KEY})
    before = blob_of(host)
    changed = api.call("PUT", "/credentials/OPENAI", {"expires_on": "2099-01-31"})
    assert changed.status_code == 200
    changed = api.call("PUT", "/credentials/OPENAI", {"model": "gpt-6-luna"})
    stored = changed.json["credential"]
    assert (stored["model"], stored["expires_on"]) == ("gpt-6-luna", "2099-01-31")
    stored = api.call(
        "PUT", "/credentials/OPENAI", {"expires_on": None, "model": None}
    ).json["credential"]
    assert (stored["model"], stored["expires_on"]) == (None, None)
    assert blob_of(host) == before
    assert api.call("PUT", "/credentials/CLAUDE", {"model": "x"}).status_code == 404


@pytest.mark.case("D16", "D19", "D20", "F11")
@pytest.mark.parametrize(
    ("pasted", "status", "verdict"),
    [
        ("not-a-real-revoked-key-0001-AbCd", 422, "rejected"),
        ("not-a-real-nocredit-key-0001-AbCd", 409, "not_usable"),
        ("not-a-real-outage-key-0001-AbCd", 409, "could_not_ask"),
        ("sk-ant-not-a-real-key-0001-AbCd", 409, "other_provider"),
    ],
)
def test_verdicts_over_a_stored_key(
    api: Checked, host: Host, pasted: str, status: int, verdict: str
) -> None:
    """What stands in the way is named; repeated as "confirm" it gives way or not."""
    api.call("PUT", "/credentials/OPENAI", {"api_key": GOOD_KEY})
    before = blob_of(host)
    body: dict[str, t.Any] = {"api_key": pasted}
    answer = api.call("PUT", "/credentials/OPENAI", body)
    assert (answer.status_code, answer.json["verdict"]) == (status, verdict)
    assert blob_of(host) == before
    again = api.call("PUT", "/credentials/OPENAI", {**body, "confirm": verdict})
    assert again.status_code == (422 if verdict == "rejected" else 200)
    assert (blob_of(host) == before) is (verdict == "rejected")


def test_another_model(api: Checked) -> None:
    """A model the new key lacks is a 409 that offers the list."""
    api.call("PUT", "/credentials/OPENAI", {"api_key": GOOD_KEY})
    body = {"api_key": OTHER_KEY, "model": "no-such-model"}
    answer = api.call("PUT", "/credentials/OPENAI", body)
    assert (answer.status_code, answer.json["verdict"]) == (409, "other_model")
    assert "gpt-6-sol" in answer.json["models"]
    assert "no-such-model" not in answer.text


def test_generations(api: Checked) -> None:
    """A caller that looked at another state gets 409, on save and removal."""
    body = {"api_key": GOOD_KEY}
    assert (
        api.call("PUT", "/credentials/OPENAI", {**body, "generation": 0}).status_code
        == 201
    )

    for generation in (0, 7):
        answer = api.call(
            "PUT", "/credentials/OPENAI", {**body, "generation": generation}
        )
        assert (answer.status_code, answer.json["verdict"]) == (409, "changed")

    assert api.call("DELETE", "/credentials/OPENAI?generation=7").status_code == 409
    assert api.call("DELETE", "/credentials/OPENAI?generation=x").status_code == 400


@pytest.mark.case("D12", "E10", "E11")
@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("", "empty"),
        ("sk-...abcd", "masked"),
        ("two parts here", "space"),
        ("schlüssel-0001-abcd", "character"),
        ("short", "short"),
        ("k" * 3000, "long"),
    ],
)
def test_what_cannot_be_a_key(api: Checked, host: Host, value: str, code: str) -> None:
    """A text that cannot be a key is a 422 that names field and rule."""
    answer = api.call("PUT", "/credentials/OPENAI", {"api_key": value})
    assert (answer.status_code, answer.json["field"], answer.json["code"]) == (
        422,
        "api_key",
        code,
    )
    assert host.simulator.requests == []


@pytest.mark.case("E8", "E13")
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b"{",
        b'"text"',
        b'{"api_key": 1}',
        b'{"api_key": null}',
        b'{"activate": 1}',
        b'{"generation": true}',
        b'{"generation": NaN}',
        b'{"company_id": 2, "api_key": "not-a-real-key-0001-AbCd"}',
        b'{"status": "working", "api_key": "not-a-real-key-0001-AbCd"}',
        b'{"api_key": "not-a-real-key-0001-AbCd", "api_key": "not-a-real-key-0002"}',
        b'\xff{"api_key": "not-a-real-key-0001-AbCd"}',
        b"[" * 60_000,
    ],
)
def test_only_strict_objects(api: Checked, host: Host, body: bytes) -> None:
    """Unknown fields, duplicates, wrong types and broken JSON change nothing."""
    for method, path in (("PUT", "/credentials/OPENAI"), ("PATCH", "/policy")):
        answer = api.call(method, path, data=body, content_type="application/json")
        assert answer.status_code == 400
        assert answer.json["type"] == "urn:flask-byok:problem:bad-request"

    assert host.status().credentials == ()
    assert host.simulator.requests == []


@pytest.mark.case("E13")
@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "", "text/json"]
)
def test_only_json(api: Checked, content_type: str) -> None:
    """Another content type is 415, whatever the body looks like."""
    body = json.dumps({"fallback": "never"})
    answer = api.call("PATCH", "/policy", data=body, content_type=content_type)
    assert answer.status_code == 415


def test_policy(api: Checked, host: Host) -> None:
    """PATCH changes what it holds and leaves the rest."""
    assert api.call("GET", "/policy").json == {
        "fallback": "auto",
        "locked": False,
        "active_provider": None,
        "use_other_keys": False,
    }
    api.call("PUT", "/credentials/OPENAI", {"api_key": GOOD_KEY})
    api.call("PUT", "/credentials/CLAUDE", {"api_key": OTHER_KEY, "activate": False})
    api.call("PATCH", "/policy", {"use_other_keys": True})
    policy = api.call("PATCH", "/policy", {"active_provider": "CLAUDE"}).json
    assert (policy["active_provider"], policy["use_other_keys"]) == ("CLAUDE", True)
    assert api.call("PATCH", "/policy", {"fallback": "often"}).status_code == 422
    assert (
        api.call("PATCH", "/policy", {"active_provider": "GEMINI"}).status_code == 404
    )
    assert api.call("PATCH", "/policy", {}).status_code == 200
    assert host.status().policy.fallback == "auto"


@pytest.mark.parametrize("name", ["openai", "OpenAI", "NOPE", "%00", "OPENAI%20"])
def test_a_provider_nobody_registered(api: Checked, name: str) -> None:
    """A name in small letters, or of no provider: the answer tells those there are."""
    api.call("PUT", "/credentials/OPENAI", {"api_key": GOOD_KEY})
    answers = [
        api.visitor.call("PUT", f"/credentials/{name}", {"api_key": GOOD_KEY}),
        api.visitor.call("DELETE", f"/credentials/{name}"),
        api.visitor.call("POST", f"/credentials/{name}/test"),
    ]

    for answer in answers:
        assert answer.status_code == 404
        assert answer.json["type"] == "urn:flask-byok:problem:unknown-provider"
        assert answer.json["detail"] == "Send one of: OPENAI, GEMINI, CLAUDE."

    answer = api.call("PATCH", "/policy", {"active_provider": "openai"})
    assert (answer.status_code, answer.json["field"]) == (422, "active_provider")
    assert "OPENAI" in answer.json["detail"]


@pytest.mark.case("E11")
@pytest.mark.parametrize(
    "body", [{}, {"activate": True}, {"generation": 1}, {"confirm": "working"}]
)
def test_a_save_of_nothing(api: Checked, host: Host, body: dict[str, t.Any]) -> None:
    """A save without a key, a model or a date says what to send and changes nothing."""
    assert api.call("PUT", "/credentials/OPENAI", body).status_code == 422
    api.call("PUT", "/credentials/OPENAI", {"api_key": GOOD_KEY, "model": "gpt-6-luna"})
    before = (blob_of(host), host.status().credentials)
    answer = api.call("PUT", "/credentials/OPENAI", body)
    assert answer.json["type"] == "urn:flask-byok:problem:nothing-asked"
    assert "'api_key'" in answer.json["detail"]
    assert (blob_of(host), host.status().credentials) == before


def test_a_locked_policy(make_host: MakeHost) -> None:
    """What the operator fixed is a 409."""
    api = Checked(make_host(BYOK_FALLBACK_LOCKED=True).client())
    assert api.call("GET", "/policy").json["locked"] is True
    assert api.call("PATCH", "/policy", {"fallback": "never"}).status_code == 409


@pytest.mark.case("E16")
def test_limits(make_host: MakeHost) -> None:
    """Too many checks: 429 with the seconds to wait."""
    api = Checked(make_host(BYOK_RATE_LIMIT={"company": 1}).client())
    api.call("PUT", "/credentials/OPENAI", {"api_key": GOOD_KEY})
    answer = api.call("POST", "/credentials/OPENAI/test")
    assert answer.status_code == 429
    assert 1 <= int(answer.headers["Retry-After"]) <= 60


@pytest.mark.case("E17")
def test_a_counter_that_is_down(make_host: MakeHost) -> None:
    """Without the counter nothing is checked: 503, and the page says the same."""
    url = "redis://127.0.0.1:1/0"
    host = make_host(BYOK_RATE_LIMIT_STORAGE=url)
    api = Checked(host.client())
    answer = api.call("PUT", "/credentials/OPENAI", {"api_key": GOOD_KEY})
    assert answer.status_code == 503
    assert answer.json["type"].endswith(":counter-down")
    assert "Keys cannot be checked now." in host.client().save().text


def test_a_closed_vault(make_host: MakeHost) -> None:
    """Nothing is sealed here: 503."""
    api = Checked(make_host(BYOK_MASTER_KEYS=False).client())
    answer = api.call("PUT", "/credentials/OPENAI", {"api_key": GOOD_KEY})
    assert (answer.status_code, answer.json["type"][-10:]) == (503, "not-set-up")


@pytest.mark.case("B8", "F12")
def test_an_unreadable_key(api: Checked, host: Host) -> None:
    """A row that does not open is listed as such, and testing it is a 409."""
    api.call("PUT", "/credentials/OPENAI", {"api_key": GOOD_KEY})
    damage(host)
    assert api.call("POST", "/credentials/OPENAI/test").status_code == 409
    (listed,) = api.call("GET", "/credentials").json["credentials"]
    assert listed["unreadable"] is True


def test_usage(api: Checked, host: Host) -> None:
    """Own and provided requests stand in rows of their own."""
    host.chat()
    api.call("PUT", "/credentials/OPENAI", {"api_key": GOOD_KEY})
    host.chat()
    answer = api.call("GET", "/usage")
    rows = {row["key_source"]: row for row in answer.json["usage"]}
    assert rows["system"]["requests"] == 1
    assert rows["company"]["requests"] >= 1
    assert answer.json["allowance"] == []
    assert float(rows["system"]["estimated_cost"]) > 0
    assert rows["system"]["currency"] == "USD"
    assert rows["system"]["unpriced_requests"] == 0

    for query in (
        "since=x",
        "since=2026-02-31",
        "since=2020-01-01",
        "until=0001-01-01",
    ):
        assert api.call("GET", f"/usage?{query}").status_code == 422

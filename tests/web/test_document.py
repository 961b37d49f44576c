"""The API answers as its own document says, whatever is sent: by schemathesis."""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import pathlib
import typing as t

import hypothesis
import pytest
import schemathesis
from schemathesis.config import GenerationConfig
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

import flask_byok
from tests.web.conftest import GOOD_KEY
from tests.web.conftest import Host

#: Texts for the key: each verdict there is, and what cannot be a key.
API_KEYS: t.Final = (
    GOOD_KEY,
    "not-a-real-revoked-key-0001-AbCd",
    "not-a-real-nocredit-key-0001-AbCd",
    "sk-ant-not-a-real-key-0001-AbCd",
    "not-a-key\u0000\U0001f600{{7*7}}<b>",
)

#: Who calls: a user of the host, a company, whether the token is sent, and statuses
#: that must be among the answers.
ROLES: t.Final = {
    "manager": ("ada", 1, True, {200, 400, 404, 405, 409, 415, 422}),
    "without a token": ("ada", 1, False, {200, 400, 405}),
    "member": ("max", 1, True, {403, 405}),
    "without a company": ("ada", None, True, {403, 405}),
    "signed out": (None, None, True, {401, 405}),
}


#: Hypothesis also sends constants that it finds in our source: what stands there may
#: stand in an answer although it was sent.
OURS: t.Final = "".join(
    file.read_text("utf-8")
    for file in sorted(pathlib.Path(flask_byok.__file__).parent.rglob("*.py"))
)

#: The same requests in each run. How fast they are made says nothing on a busy machine.
SETTINGS: t.Final = hypothesis.settings(
    max_examples=8,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(hypothesis.HealthCheck),
)


@dataclasses.dataclass
class Caller:
    """Somebody who calls the API, and what he sends with every request."""

    schema: t.Any
    headers: dict[str, str]
    cookies: dict[str, str]
    expected: set[int]
    statuses: list[int] = dataclasses.field(default_factory=list)

    def operations(self) -> cabc.Iterator[t.Any]:
        """Go through the operations of the document."""
        for found in self.schema.get_all_operations():
            yield found.ok()

    def check(self, case: t.Any) -> None:
        """Send a request and hold the answer against the document."""
        has_token = case.headers is not None and "X-CSRFToken" in case.headers
        headers = self.headers if has_token else {}
        response = case.call(headers=headers, cookies=self.cookies)
        # A key that fits the document may still be refused by its provider.
        case.validate_response(response, excluded_checks=[positive_data_acceptance])
        assert response.headers["cache-control"] == ["no-store"]

        if response.status_code >= 400:
            sent = list(texts((case.body, case.query, case.path_parameters)))
            assert not [text for text in sent if text in response.text]

        self.statuses.append(response.status_code)


def texts(value: object) -> cabc.Iterator[str]:
    """Find every text that was sent and whose return would be an echo."""
    if isinstance(value, str) and len(value) >= 6 and value not in OURS:
        yield value

    if isinstance(value, cabc.Mapping):
        # The names of the fields are ours.
        for part in value.values():
            yield from texts(part)

    elif isinstance(value, list | tuple):
        for part in value:
            yield from texts(part)


@pytest.fixture(params=ROLES)
def caller(request: pytest.FixtureRequest, host: Host) -> Caller:
    """Sign somebody in, and read the document as a manager does."""
    user, company, has_token, expected = ROLES[request.param]
    host.save()
    document = host.client().call("GET", "/openapi.json").json
    change = document["components"]["schemas"]["CredentialChange"]
    change["properties"]["api_key"]["enum"] = list(API_KEYS)
    schema = schemathesis.openapi.from_dict(document)
    schema.app = host.app
    visitor = host.client(user, company)
    token = visitor.token()
    cookie = visitor.client.get_cookie("session")
    assert cookie is not None
    return Caller(
        schema=schema,
        headers={"X-CSRFToken": token} if has_token else {},
        cookies={"session": cookie.value},
        expected=expected,
    )


@pytest.mark.case("E13", "E22")
def test_every_border_of_the_document(caller: Caller) -> None:
    """Each value at the edge of what is allowed, and each just beyond it."""
    modes = [GenerationMode.POSITIVE, GenerationMode.NEGATIVE]

    for operation in caller.operations():
        cases = caller.schema.iter_coverage_cases(
            operation, generation_modes=modes, generation_config=GenerationConfig()
        )

        for case in cases:
            caller.check(case)

    assert len(caller.statuses) > 200
    assert caller.expected <= set(caller.statuses)


@pytest.mark.case("E13", "E22")
def test_random_requests(caller: Caller) -> None:
    """Requests that follow the document, and requests that do not, by chance."""
    for operation in caller.operations():
        modes = [GenerationMode.POSITIVE]

        # An address without parameters cannot be asked wrongly.
        if operation.body or list(operation.iter_parameters()):
            modes.append(GenerationMode.NEGATIVE)

        for mode in modes:
            SETTINGS(
                hypothesis.given(operation.as_strategy(generation_mode=mode))(
                    caller.check
                )
            )()

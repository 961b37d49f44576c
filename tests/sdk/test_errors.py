"""What an SDK raises when no route answers: its own classes, in our words."""

from __future__ import annotations

import typing as t

import anthropic
import openai
import pytest
from google.genai import errors as google_errors

from flask_byok import errors
from flask_byok import find_byok_error
from tests.sdk.kinds import ANTHROPIC
from tests.sdk.kinds import GOOGLE
from tests.sdk.kinds import OPENAI
from tests.sdk.kinds import Sdk
from tests.support.calls import CallHost


def refuse(host: CallHost, sdk: Sdk, error: type[Exception], **options: t.Any) -> t.Any:
    """Ask, see what is raised, and that nothing of ours was its cause."""
    with pytest.raises(error) as caught:
        sdk.ask(host.client.sdk(sdk.kind, **options))

    assert caught.value.__cause__ is None
    return caught.value


@pytest.mark.case("F17")
@pytest.mark.parametrize(
    ("sdk", "fault", "error", "status"),
    [
        (OPENAI, "revoked", openai.AuthenticationError, 401),
        (OPENAI, "ratelimited", openai.RateLimitError, 429),
        (OPENAI, "outage", openai.InternalServerError, 500),
        (OPENAI, "html_200", openai.InternalServerError, 503),
        (OPENAI, "reset", openai.InternalServerError, 504),
        (OPENAI, "redirect", openai.InternalServerError, 502),
        (ANTHROPIC, "revoked", anthropic.AuthenticationError, 401),
        (ANTHROPIC, "restricted", anthropic.PermissionDeniedError, 403),
        (ANTHROPIC, "overloaded", anthropic.APIStatusError, 529),
        (GOOGLE, "revoked", google_errors.ClientError, 400),
        (GOOGLE, "ratelimited", google_errors.ClientError, 429),
        (GOOGLE, "overloaded", google_errors.ServerError, 503),
    ],
)
def test_the_status_of_the_provider_is_the_class(
    host: CallHost, sdk: Sdk, fault: str, error: type[Exception], status: int
) -> None:
    """The sentence is ours, the provider's is in no part; our error lies behind it."""
    host.store(sdk.provider)
    host.byok.set_policy(1, fallback="never")
    host.fail(fault, sdk.provider)
    raised = refuse(host, sdk, error)
    ours = find_byok_error(raised)

    assert status == getattr(raised, "status_code", getattr(raised, "code", None))
    assert isinstance(ours, errors.ProviderError) and str(ours) in str(raised)
    assert [attempt.source for attempt in ours.attempts][:1] == ["company"]
    assert raised.response.headers["x-byok-reason"] == ours.reason
    assert "platform.openai" not in repr(vars(raised))
    assert set(host.paid) == {"c"}


def test_the_sdks_own_retries_stay_off(host: CallHost) -> None:
    """Whoever switches them on again still makes one call: we have retried."""
    host.store("OPENAI")
    host.byok.set_policy(1, fallback="never")
    host.fail("outage")
    client = host.client.sdk("openai").with_options(max_retries=3)

    with pytest.raises(openai.InternalServerError):
        OPENAI.ask(client)

    assert host.paid == "c"


def test_a_request_that_is_wrong_is_sent_once(host: CallHost) -> None:
    """Another key would not help."""
    host.store("OPENAI")
    host.fail("status_400")
    assert refuse(host, OPENAI, openai.BadRequestError).status_code == 400
    assert host.paid == "c"


def test_a_timeout_is_told(host: CallHost) -> None:
    """Of the client and of one request; both count for the whole call."""
    host.store("OPENAI")
    host.byok.set_policy(1, fallback="never")
    host.fail("hang")
    raised = refuse(host, OPENAI, openai.InternalServerError, timeout=0.3)
    assert raised.status_code == 504 and "0.3 s" in str(raised)

    with pytest.raises(openai.InternalServerError, match="0.2 s"):
        OPENAI.ask(host.client.sdk("openai").with_options(timeout=0.2))


def test_what_only_we_can_say(make: t.Any) -> None:
    """No route, a key that is out, a spent allowance, an unreadable key or database."""
    host: CallHost = make(
        BYOK_SYSTEM_BUDGET={"requests": 1}, BYOK_SYSTEM_KEYS={"OPENAI": "system-0001"}
    )
    OPENAI.ask(host.client.sdk("openai"))
    spent = refuse(host, OPENAI, openai.APIStatusError)
    assert (spent.status_code, spent.code) == (402, "budget")
    assert isinstance(find_byok_error(spent), errors.SystemBudgetExceeded)

    nothing = refuse(host, ANTHROPIC, anthropic.PermissionDeniedError)
    assert "no key" in str(nothing)
    assert isinstance(find_byok_error(nothing), errors.NoRoute)

    host.paid  # noqa: B018 - looked at, and so forgotten

    with pytest.raises(google_errors.ClientError, match="no key"):
        host.client.sdk("google").models.embed_content(model="default", contents="a")

    assert host.paid == ""

    host.store("OPENAI")
    host.byok.set_policy(1, fallback="never")
    host.fail("revoked")
    refuse(host, OPENAI, openai.AuthenticationError)
    host.paid  # noqa: B018 - looked at, and so forgotten
    out = find_byok_error(refuse(host, OPENAI, openai.AuthenticationError))
    assert isinstance(out, errors.CompanyKeyUnavailable) and host.paid == ""

    def framework() -> None:
        try:
            OPENAI.ask(host.client.sdk("openai"))
        except openai.APIError as error:
            raise RuntimeError("The agent has failed.") from error

    with pytest.raises(RuntimeError) as wrapped:
        framework()

    assert isinstance(find_byok_error(wrapped.value), errors.CompanyKeyUnavailable)
    assert find_byok_error(RuntimeError("something else")) is None

    with host.db.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE byok_credential RENAME TO elsewhere")

    gone = refuse(host, OPENAI, openai.InternalServerError)
    assert (gone.status_code, gone.code) == (503, "state")
    assert isinstance(find_byok_error(gone), errors.StateUnavailable)


def test_nobody_is_calling(host: CallHost) -> None:
    """Without a company there is no client at all, so nothing can go astray."""
    from flask_byok import current_ai_client

    host.byok.company_loader(lambda: None)

    with pytest.raises(errors.NoCompany):
        current_ai_client.sdk("openai")

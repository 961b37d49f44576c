"""What one framework can do and the others need not show again."""

from __future__ import annotations

import asyncio
import sys
import typing as t

import pytest
from pydantic import BaseModel
from pydantic import field_validator

from flask_byok import current_ai_client
from tests.support import frameworks
from tests.support.calls import CallHost

TEXT: t.Final = "Ada Lovelace, aged 36, of London and Marylebone."


def test_a_run_of_tools_goes_on_when_the_key_fails_between_its_turns(
    host: CallHost,
) -> None:
    """The tool was called on the company's key; its result is read on the system's."""
    made = frameworks.load(host, "OpenAI Agents SDK")
    host.store()
    (tool,) = made.bookkeeper.tools
    find = tool.on_invoke_tool

    async def fail_and_find(context: object, arguments: str) -> object:
        host.fail("revoked")
        return await find(context, arguments)

    tool.on_invoke_tool = fail_and_find
    answer = frameworks.ask(made, "ask", "Find invoice 17, please.")

    assert "120 EUR, paid." in answer
    assert host.paid == "ccs"
    assert [(row.source, row.state) for row in host.attempts()] == [
        ("company", "done"),
        ("company", "failed"),
        ("system", "done"),
    ]


def test_answers_have_the_shape_that_was_asked_for(host: CallHost) -> None:
    """Objects of the recipes' own classes, from the system's key, too."""
    host.store()
    host.fail("revoked")
    invoice = frameworks.ask(
        frameworks.load(host, "Instructor"), "read_invoice", "No. 17"
    )
    person = frameworks.ask(frameworks.load(host, "Pydantic AI"), "find_person", TEXT)

    assert type(invoice).__name__ == "Invoice" and "17" in invoice.number
    assert type(person).__name__ == "Person" and person.age == 1
    assert host.paid == "css"


def test_instructor_asks_again_for_a_misfit_alone(host: CallHost) -> None:
    """One more call for each re-ask it was allowed, none for an error of a provider."""
    made = frameworks.load(host, "Instructor")
    host.store()

    class Paid(BaseModel):
        number: str

        @field_validator("number")
        @classmethod
        def refuse(cls, value: str) -> str:
            raise ValueError("It is not paid.")

    client = made.instructor.from_openai(current_ai_client.sdk("openai"))

    def ask(told: str) -> None:
        with pytest.raises(Exception, match=told):
            client.chat.completions.create(
                model="default",
                messages=[{"role": "user", "content": "No. 17"}],
                response_model=Paid,
                max_retries=1,
            )

    ask("It is not paid")
    assert host.paid == "cc"
    host.byok.set_policy(1, fallback="never")
    host.fail("revoked")
    ask("rejected the company key")
    assert host.paid == "c"


def test_litellm_cannot_switch_the_retries_of_the_sdk_on(host: CallHost) -> None:
    """Without ``max_retries`` it writes a number of its own into the client."""
    made = frameworks.load(host, "LiteLLM")
    host.store()
    host.byok.set_policy(1, fallback="never")
    host.fail("overloaded")
    client = current_ai_client.sdk("openai")

    with pytest.raises(made.litellm.ServiceUnavailableError):
        made.litellm.completion(
            model="openai/default",
            messages=[{"role": "user", "content": "Hello"}],
            client=client,
        )

    assert client.max_retries == 2
    assert host.paid == "c"


def test_litellm_finds_no_key_of_its_own(
    host: CallHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it sends past the client goes without a key of anybody."""
    monkeypatch.setenv("OPENAI_API_KEY", "not-a-real-key-of-the-environment")
    made = frameworks.load(host, "LiteLLM")
    host.store()

    assert frameworks.ask(made, "ask", "Hello")
    assert host.paid == "c"

    made.litellm.completion(
        model="openai/responses/gpt-6-sol",
        messages=[{"role": "user", "content": "Hello"}],
        client=current_ai_client.sdk("openai"),
        api_key="not used",
        max_retries=0,
    )
    assert host.who_paid() == ["not used"]
    assert len(host.attempts()) == 1


@pytest.mark.parametrize(
    ("title", "name"),
    [("LangChain", "summarise_in_pieces"), ("Pydantic AI", "ask_in_pieces")],
)
def test_a_stream_falls_back_until_its_first_piece(
    host: CallHost, title: str, name: str
) -> None:
    """Before it the framework sees another key's stream, after it that it broke."""
    made = frameworks.load(host, title)
    host.store()
    host.fail("cut_before_content")

    assert TEXT[:12] in frameworks.ask(made, name, TEXT)
    assert host.paid.endswith("s")

    host.move_clock(days=1)
    host.fail("cut")

    with pytest.raises(Exception, match="broke after its first content"):
        frameworks.ask(made, name, TEXT)

    assert host.paid == "c"
    assert host.attempts()[-1].state == "unknown"


def test_the_model_the_company_chose_counts(host: CallHost) -> None:
    """``default`` is a name of ours that LangChain lets pass."""
    made = frameworks.load(host, "LangChain")
    host.store(model="gpt-6-luna")

    frameworks.ask(made, "summarise", TEXT)
    assert [request.model for request in host.simulator.requests] == ["gpt-6-luna"]


def test_llamaindex_wants_a_name_it_knows(host: CallHost) -> None:
    """It says so itself, before any request."""
    made = frameworks.load(host, "LlamaIndex")
    host.store()

    with pytest.raises(ValueError, match="Unknown model 'default'"):
        made.company_llm("default").complete("Hello")

    assert host.paid == ""


def test_two_companies_at_once_in_one_event_loop(host: CallHost) -> None:
    """Each task of a loop runs for the company it was started for."""
    made = frameworks.load(host, "Pydantic AI")
    keys = {1: "not-a-real-company-key-of-one", 2: "not-a-real-company-key-of-two"}

    for host.company, api_key in keys.items():
        host.store(api_key=api_key)

    async def ask(company: int) -> str:
        with host.byok.as_company(company):
            return await made.ask(f"Company {company} asks.")

    async def all_of_them() -> list[str]:
        return await asyncio.gather(*(ask(number % 2 + 1) for number in range(6)))

    answers = asyncio.run(all_of_them())
    asked = {
        (request.api_key, request.body["messages"][-1]["content"])
        for request in host.simulator.requests
        if request.body is not None
    }
    assert len(answers) == 6
    assert asked == {(keys[n], f"Company {n} asks.") for n in keys}


def test_whoever_looks_beyond_this_machine_is_seen(watch: frameworks.Watch) -> None:
    """Neither a lookup nor a connection passes the watch that every test here has."""
    sys.audit("socket.getaddrinfo", "telemetry.example", 443, 0, 0, 0)

    with pytest.raises(RuntimeError, match="loopback alone"):
        sys.audit("socket.connect", None, ("192.0.2.1", 443))

    left, watch.left = watch.left, []
    assert left == ["socket.getaddrinfo telemetry.example"]

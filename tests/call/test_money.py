"""Money on the system key, as a host sees it: estimates, refusals, signals."""

from __future__ import annotations

import collections.abc as cabc
import decimal

import pytest

from flask_byok import errors
from flask_byok.formats.answer import read_format
from flask_byok.messages import build_request
from flask_byok.messages import estimate_tokens
from flask_byok.providers.types import DocumentPart
from flask_byok.providers.types import ImagePart
from flask_byok.providers.types import Message
from flask_byok.providers.types import StatePart
from flask_byok.providers.types import ToolCall
from flask_byok.providers.types import ToolResultPart
from tests.support.calls import CallHost

Make = cabc.Callable[..., CallHost]


def test_a_model_without_a_price_is_not_used(make: Make) -> None:
    """Under a limit on money the call is refused before anything is sent."""
    host = make(
        BYOK_SYSTEM_BUDGET={"money": "5"},
        BYOK_MODELS={"OPENAI": {"default": "gpt-6.2-sol"}},
    )
    error = host.refuse(errors.SystemKeyRefused)

    assert "no price is known for this model" in str(error)
    assert host.paid == ""


def test_a_company_key_needs_no_price(make: Make) -> None:
    """It is not our money: the call goes on, and is not priced."""
    host = make(
        BYOK_SYSTEM_BUDGET={"money": "5"},
        BYOK_MODELS={"OPENAI": {"default": "gpt-6.2-sol"}},
    )
    host.store()
    host.chat()

    assert host.paid == "c"
    assert host.attempts()[-1].cost_micros is None


def test_every_attempt_has_its_cost(make: Make) -> None:
    """On a company key and on the system key alike."""
    host = make(BYOK_SYSTEM_BUDGET={"money": "5"})
    host.chat()
    host.store()
    host.chat()
    system, company = host.attempts()

    assert (system.source, company.source) == ("system", "company")
    assert system.est_micros > system.cost_micros > 0
    assert (company.est_micros, company.cost_micros) == (None, system.cost_micros)


def test_what_is_left_is_in_dollars(make: Make) -> None:
    """Exact decimals, what is used and the limit."""
    host = make(BYOK_SYSTEM_BUDGET={"money": "5"})
    host.chat()
    (money,) = host.byok.allowance(1)
    (attempt,) = host.attempts()

    assert (money.unit, money.limit) == ("money", decimal.Decimal(5))
    assert money.used == decimal.Decimal(attempt.cost_micros) / 1_000_000
    assert money.left == money.limit - money.used


def test_the_end_of_the_money_is_told(make: Make) -> None:
    """The signal carries dollars, and the next call is refused."""
    host = make(BYOK_SYSTEM_BUDGET={"money": "0.000100"})

    while True:
        try:
            host.chat(max_tokens=1)
        except errors.SystemBudgetExceeded:
            break

    (told,) = host.told("budget_threshold")[:1]
    assert told["unit"] == "money"
    assert told["limit"] == decimal.Decimal("0.0001")
    assert isinstance(told["used"], decimal.Decimal)


def estimate(**more: object) -> int:
    parts = {
        "system": None,
        "max_tokens": None,
        "temperature": None,
        "stop": None,
        "tools": None,
        "tool_choice": None,
        "answer_format": None,
        "reasoning_effort": None,
        "extra": None,
    }
    messages = more.pop("messages", "x" * 300)
    return estimate_tokens(build_request(messages, **{**parts, **more}))  # type: ignore[arg-type]


def test_an_estimate_counts_all_that_is_sent() -> None:
    """Instructions, tools and schemas are input that is paid for."""
    tool = {"name": "t" * 30, "description": "d" * 270, "parameters": {}}

    assert estimate() == 100
    assert estimate(system="s" * 300) == 200
    assert estimate(tools=[tool]) == 200
    wanted = read_format({"type": "object", "title": "o" * 3000})
    assert estimate(answer_format=wanted) > 1000


@pytest.mark.parametrize(
    ("part", "tokens"),
    [
        (ImagePart(url="https://example.com/a.png"), 1000),
        (ToolResultPart(call_id="1", name="t", content="c" * 90_000), 30_000),
        (ToolCall(id="1", name="n" * 298, arguments={}), 100),
        (DocumentPart(data=b"%" * 9_000_000), 10_000),
        (DocumentPart(data=b"a" * 90_000, media_type="text/plain"), 30_000),
        (StatePart(provider_state={"CLAUDE": {"block": "x" * 3000}}), 0),
    ],
)
def test_an_estimate_counts_every_part(part: object, tokens: int) -> None:
    """An image or a PDF is flat; what a tool answered, or a text, counts in full."""
    assert estimate(messages=[Message(role="user", content=(part,))]) == tokens  # type: ignore[arg-type]

"""Each recipe as it is printed: the framework sees an answer, whoever pays for it."""

from __future__ import annotations

import typing as t

import pytest

from flask_byok import find_byok_error
from flask_byok import KeyRejected
from flask_byok.testing import LeakGuard
from tests.support import frameworks
from tests.support.calls import CallHost
from tests.support.frameworks import Recipe

QUESTION: t.Final = "Invoice 17 over 120 EUR."
every_recipe = pytest.mark.parametrize("recipe", frameworks.RECIPES, ids=str)


@every_recipe
def test_a_failing_company_key_falls_back(host: CallHost, recipe: Recipe) -> None:
    """Company, then company and system in one call, then system while it rests."""
    made = frameworks.load(host, recipe.title)
    host.store(recipe.provider)

    for paid in ("c", "cs", "s"):
        assert "Invoice 17" in str(frameworks.ask(made, recipe.name, QUESTION))
        assert host.paid == paid
        host.fail("revoked", recipe.provider)

    assert [(row.source, row.state) for row in host.attempts()] == [
        ("company", "done"),
        ("company", "failed"),
        ("system", "done"),
        ("system", "done"),
    ]
    assert len(host.told("fallback_used")) == 1
    assert all(row.output_tokens for row in host.attempts() if row.state == "done")


@every_recipe
def test_a_company_without_an_answer_is_told_why(
    host: CallHost, recipe: Recipe, leak_guard: LeakGuard
) -> None:
    """One request, one sentence of ours, the SDK's class, and no key anywhere."""
    leak_guard.require("ledger", "requests")
    leak_guard.attach(host.app)
    leak_guard.attach_simulator(host.simulator)
    made = frameworks.load(host, recipe.title)
    host.store(recipe.provider, api_key=leak_guard.canary)
    host.byok.set_policy(1, fallback="never")
    host.fail("revoked", recipe.provider, keys=leak_guard.canary)

    with pytest.raises(Exception) as caught:
        frameworks.ask(made, recipe.name, QUESTION)

    assert type(caught.value).__name__ == recipe.raises
    assert "rejected the company key (status" in str(caught.value)
    assert host.paid == "c"
    assert type(find_byok_error(caught.value)) is KeyRejected
    leak_guard.look_at_error(caught.value)


@every_recipe
def test_no_framework_multiplies_a_call(host: CallHost, recipe: Recipe) -> None:
    """What an SDK or a framework would try again by itself is one request here."""
    made = frameworks.load(host, recipe.title)
    host.store(recipe.provider)
    host.byok.set_policy(1, fallback="never")
    host.fail("overloaded", recipe.provider)

    with pytest.raises(Exception, match="could not answer the request"):
        frameworks.ask(made, recipe.name, QUESTION)

    assert host.paid == "c"

"""What the page says about removing a key."""

from __future__ import annotations

import pytest

from tests.web.conftest import Host
from tests.web.conftest import text_of


@pytest.mark.case("G6")
@pytest.mark.parametrize("provider", ["OPENAI", "GEMINI", "CLAUDE"])
def test_removing_is_not_revoking(host: Host, provider: str) -> None:
    """Before and after: it still works at the provider; a link leads there."""
    host.save(provider)
    ada = host.client()

    with host.app.app_context():
        known = host.byok.registry.get(provider)

    question = ada.get(f"/remove/{provider}")
    asked = text_of(question)
    removed = ada.post(f"/remove/{provider}")

    assert f"It still works at {known.vendor} until you revoke it there." in asked
    assert f"still works at {known.vendor} until you revoke it" in text_of(removed)
    assert f'href="{known.key_page_url}"' in question.text
    assert f'href="{known.key_page_url}"' in removed.text

"""A vendor with a header of its own for the key: nothing of it comes to light."""

from __future__ import annotations

import typing as t

import pytest

from flask_byok import AzureOpenAI
from flask_byok import OpenAICompatible
from flask_byok.testing import LeakGuard
from flask_byok.testing import Simulator
from tests.web.conftest import MakeHost

SYSTEM = "not-a-real-system-key-0001-SyS1"


@pytest.mark.parametrize("kind", ["header", "azure"])
def test_no_surface_shows_the_key_of_a_vendor(
    make_host: MakeHost, byok_simulator: Simulator, guard: LeakGuard, kind: str
) -> None:
    """Saved, tested, used, refused with the key echoed, listed, repeated, removed."""
    byok_simulator.add_vendor("ACME")
    usual: dict[str, t.Any] = {
        "id": "ACME",
        "label": "Acme",
        "default_models": {"default": "acme-large"},
    }
    url = byok_simulator.urls["ACME"]
    vendor: OpenAICompatible

    if kind == "azure":
        url = f"{url.removesuffix('v1')}openai"
        vendor = AzureOpenAI(**usual, base_url=url, api_version="2024-10-21")
    else:
        vendor = OpenAICompatible(
            **usual, base_url=url, auth_header="X-API-Key", auth_prefix="Token "
        )

    host = make_host(
        providers=[vendor],
        BYOK_PROVIDER_URLS={},
        BYOK_SYSTEM_KEYS={"ACME": SYSTEM},
    )
    guard.attach(host.app)
    guard.attach_simulator(byok_simulator, carriers={"ACME": vendor.auth_header})
    ada = host.client()
    ada.save(guard.canary, provider="ACME")
    ada.call("POST", "/credentials/ACME/test")
    assert host.chat().source == "company"
    carrier, prefix = ("api-key", "") if kind == "azure" else ("x-api-key", "Token ")
    sent = byok_simulator.requests[-1].headers
    assert sent[carrier] == prefix + guard.canary and "authorization" not in sent

    for fault in ("key_echoed", "wrong_key_400", "revoked"):
        byok_simulator.set_fault("ACME", fault, keys=guard.canary)
        ada.post("/test", provider="ACME")
        ada.save(guard.canary, provider="ACME", generation="ACME:1")
        assert host.chat().source == "system"

    for path in ("/", "/remove/ACME", "/api/credentials", "/api/openapi.json"):
        ada.get(path)

    for command in (["credentials"], ["test", "i:1"], ["doctor", "--json"]):
        guard.invoke(host.app, "byok", *command)

    assert repr(vendor).count(guard.canary) == 0
    ada.post("/remove/ACME", generation="1")
    guard.require("responses", "logs", "requests", "tables", "command line")
    guard.verify()

"""The simulator's own routes: the page, its switches and the record, as JSON."""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import json
import typing as t
import urllib.parse

from .exchange import Answer
from .faults import fault_names
from .page import render_page
from .style import STYLE

if t.TYPE_CHECKING:
    from .server import Simulator

_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_PAGE_HEADERS = {
    "content-type": "text/html; charset=utf-8",
    "content-security-policy": (
        "default-src 'none'; style-src 'self'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "cache-control": "no-store",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
}


def answer_control(
    simulator: Simulator,
    method: str,
    address: urllib.parse.SplitResult,
    headers: cabc.Mapping[str, str],
    raw: bytes,
) -> Answer:
    """Answer a request that is not for a provider."""
    if trouble := _trouble(simulator, method, headers):
        return _json(403, {"error": trouble})

    match method, address.path:
        case "GET" | "HEAD", "/":
            return _page(simulator, 200)
        case "GET", "/style.css":
            kind = {"content-type": "text/css; charset=utf-8"}
            return Answer(status=200, headers=kind, body=STYLE.encode())
        case "POST", "/":
            return _form(simulator, raw)
        case "GET", "/faults":
            return _json(200, _state(simulator))
        case "PUT" | "POST", "/faults":
            return _switch(simulator, raw)
        case "DELETE", "/faults":
            simulator.clear_faults()
            return _json(200, _state(simulator))
        case "GET", "/requests":
            found = [dataclasses.asdict(one) for one in simulator.requests]
            return _json(200, {"requests": found, "in_flight": simulator.in_flight})
        case "DELETE", "/requests":
            simulator.clear()
            return _json(200, {"requests": [], "in_flight": simulator.in_flight})

    return _json(404, {"error": "Nothing is here. The page is at /."})


def _trouble(
    simulator: Simulator, method: str, headers: cabc.Mapping[str, str]
) -> str | None:
    """Refuse other web sites: they could read keys or switch faults."""
    host = urllib.parse.urlsplit(f"//{headers.get('host', '')}").hostname

    if simulator.host in _LOOPBACK and host not in _LOOPBACK:
        return "This page answers under its own address only."

    origin = urllib.parse.urlsplit(headers.get("origin", "")).netloc

    if method not in ("GET", "HEAD") and origin not in ("", headers.get("host")):
        return "Another web site sent this form."

    return None


def _page(simulator: Simulator, status: int, trouble: str = "") -> Answer:
    page = render_page(simulator.faults, simulator.requests, simulator.urls, trouble)
    return Answer(status=status, headers=_PAGE_HEADERS, body=page.encode())


def _form(simulator: Simulator, raw: bytes) -> Answer:
    fields = dict(urllib.parse.parse_qsl(raw.decode("utf-8", "replace")))
    keys = fields.get("keys", "").strip() if fields.get("reach") == "some" else ""

    if fields.get("action") == "clear":
        simulator.clear_faults()
    elif fields.get("action") == "forget":
        simulator.clear()
    elif fields.get("reach") == "some" and not keys:
        return _page(simulator, 400, "Say which text the keys contain.")
    else:
        turn_off = fields.get("action") == "off"
        fault = None if turn_off else fields.get("fault")

        try:
            simulator.set_fault(fields.get("provider", ""), fault, keys or None)
        except ValueError:
            return _page(simulator, 400, "This provider has no such fault.")

    return Answer(status=303, headers={"location": "/"}, body=b"")


def _switch(simulator: Simulator, raw: bytes) -> Answer:
    try:
        given = json.loads(raw)
        simulator.set_fault(
            given["provider"], given["fault"], given.get("keys"), given.get("times")
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        message = (
            'Send {"provider": "CLAUDE" or "*", "fault": a name of GET /faults or '
            'null, "keys": optional text, "times": optional number}.'
        )
        return _json(400, {"error": message})

    return _json(200, _state(simulator))


def _state(simulator: Simulator) -> dict[str, t.Any]:
    return {
        "switches": [dataclasses.asdict(switch) for switch in simulator.faults],
        "faults": {provider: fault_names(provider) for provider in simulator.urls},
    }


def _json(status: int, value: t.Any) -> Answer:
    headers = {"content-type": "application/json", "cache-control": "no-store"}
    return Answer(status=status, headers=headers, body=json.dumps(value).encode())

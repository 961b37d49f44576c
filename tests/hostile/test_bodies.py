"""Bodies whose length nobody states: a server of HTTP/2 ends them by itself."""

from __future__ import annotations

import io
import json
import typing as t

import pytest

from flask_byok.testing.fixtures import _byok_simulator_server as _byok_simulator_server
from flask_byok.testing.fixtures import byok_simulator as byok_simulator
from flask_byok.web.guard import LARGEST_BODY
from tests.web.conftest import GOOD_KEY
from tests.web.conftest import Host
from tests.web.conftest import make_host as make_host
from tests.web.conftest import MakeHost

FORM = "application/x-www-form-urlencoded"


def send(host: Host, method: str, path: str, kind: str, body: bytes) -> tuple[int, int]:
    """Send a body without its length; give the status, and how much was read."""
    ada = host.client()
    stream = io.BytesIO(body)
    answer = ada.client.open(
        f"/settings/ai{path}",
        method=method,
        content_type=kind,
        headers={"X-CSRFToken": ada.token()},
        input_stream=stream,
        environ_overrides={"wsgi.input_terminated": True, "CONTENT_LENGTH": ""},
    )
    return answer.status_code, stream.tell()


def json_of(size: int) -> bytes:
    return json.dumps({"api_key": GOOD_KEY}).encode().ljust(size)


def form_of(size: int) -> bytes:
    return f"action=save&provider=OPENAI&api_key={GOOD_KEY}&x=".encode().ljust(
        size, b"x"
    )


@pytest.mark.case("E14")
@pytest.mark.parametrize(
    ("method", "path", "kind", "build", "good"),
    [
        ("PUT", "/api/credentials/OPENAI", "application/json", json_of, 201),
        ("POST", "/key", FORM, form_of, 303),
    ],
)
def test_no_more_than_a_body_may_have_is_read(
    make_host: MakeHost,
    method: str,
    path: str,
    kind: str,
    build: t.Callable[[int], bytes],
    good: int,
) -> None:
    """64 KiB are taken; of more, hardly more is read."""
    host = make_host()
    status, read = send(host, method, path, kind, build(20 * LARGEST_BODY))
    assert status == 413 and read <= 2 * LARGEST_BODY
    status, _ = send(host, method, path, kind, build(LARGEST_BODY + 1))
    assert status == 413 and host.status().credentials == ()
    status, _ = send(host, method, path, kind, build(LARGEST_BODY))
    assert status == good and len(host.status().credentials) == 1

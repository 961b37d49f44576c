"""Vault's transit engine as a key service, over real sockets."""

from __future__ import annotations

import base64
import copy
import json
import logging
import pathlib
import pickle
import ssl
import time
import typing as t

import pytest

from flask_byok import VaultTransit
from flask_byok.errors import ConfigError
from flask_byok.errors import KeyServiceUnavailable
from flask_byok.secret import Secret
from flask_byok.vault.keyring import Keyring
from tests.providers.certificates import build_tls_context
from tests.support import transit as fake
from tests.support import vectors
from tests.support.transit import Transit
from tests.support.transit import TransitKey
from tests.support.vectors import reason_of

API_KEY = Secret("not-a-real-openai-key-0009-Zz99")
HERE = vectors.V2.context


def ring_on(transit: Transit, **options: t.Any) -> Keyring:
    """Give a ring whose only key is the server's."""
    options = {"token": fake.TOKEN, "timeout": 5.0, **options}
    return Keyring({"vt01": VaultTransit(transit.url, **options)}, "vt01", "default")


@pytest.mark.parametrize("derived", [False, True])
def test_a_key_is_sealed_and_opened(transit: Transit, derived: bool) -> None:
    """With every kind of transit key that can bind a record."""
    transit.keys["byok"] = TransitKey(derived=derived)
    ring = ring_on(transit)
    blob = ring.seal(API_KEY, HERE)

    assert blob.startswith(b"\x01\x02vt01")
    assert b"vault:v1:" in blob
    assert ring.open(blob, HERE, key_id="vt01") == API_KEY


@pytest.mark.parametrize("derived", [False, True])
def test_vault_itself_binds_a_wrap_to_its_record(
    transit: Transit, derived: bool
) -> None:
    """By context or by associated data: for other ids it unwraps nothing."""
    transit.keys["byok"] = TransitKey(derived=derived)
    service = VaultTransit(transit.url, token=fake.TOKEN)
    data_key, wrap = service.make_data_key({"company": "i:1"}, 5.0)

    assert service.unwrap(wrap, {"company": "i:1"}, 5.0) == data_key
    assert service.unwrap(wrap, {"company": "i:2"}, 5.0) is None


def test_a_key_that_binds_nothing_is_not_used(transit: Transit) -> None:
    """An RSA key can take neither context nor associated data: nothing is sealed."""
    transit.keys["byok"] = TransitKey(is_aead=False)

    with pytest.raises(KeyServiceUnavailable):
        ring_on(transit).seal(API_KEY, HERE)


def test_a_rotated_transit_key_opens_what_it_wrapped(transit: Transit) -> None:
    """Vault's own rotation is its own affair, until it refuses old versions."""
    ring = ring_on(transit)
    blob = ring.seal(API_KEY, HERE)
    transit.keys["byok"].versions.append(bytes(range(32)))

    assert ring.open(blob, HERE, key_id="vt01") == API_KEY
    assert b"vault:v2:" in ring.seal(API_KEY, HERE)
    transit.keys["byok"].oldest = 2
    assert reason_of(ring, blob, HERE, key_id="vt01") == "wrong_key_or_context"


def test_what_is_sent_is_a_data_key_and_ids(transit: Transit) -> None:
    """The API key never leaves; the token stands in its header, nowhere else."""
    ring_on(transit).seal(API_KEY, HERE)
    (request,) = transit.requests
    body = json.loads(request.body)
    bound = json.loads(base64.b64decode(body["context"]))

    assert request.path == "/v1/transit/encrypt/byok"
    assert request.headers["x-vault-token"] == fake.TOKEN
    assert request.headers["x-vault-request"] == "true"
    assert len(base64.b64decode(body["plaintext"])) == 32
    assert body["associated_data"] == body["context"]
    assert bound == {
        "purpose": "api-key",
        "namespace": "default",
        "company": "i:42",
        "provider": "OPENAI",
        "record": HERE.record,
    }
    assert API_KEY.reveal().encode() not in request.body


@pytest.mark.case("A1", "A4", "B20")
def test_a_moved_row_or_a_damaged_wrap_is_refused(transit: Transit) -> None:
    """Vault says 400, and that is no outage: trying again would not help."""
    ring = ring_on(transit)
    blob = ring.seal(API_KEY, HERE)
    moved = HERE._replace(company="i:43")
    damaged = blob[:20] + bytes([blob[20] ^ 1]) + blob[21:]
    no_text = blob[:20] + b"\xff" + blob[21:]

    assert reason_of(ring, blob, moved, key_id="vt01") == "wrong_key_or_context"
    assert reason_of(ring, damaged, HERE, key_id="vt01") == "wrong_key_or_context"
    asked = len(transit.requests)
    assert reason_of(ring, no_text, HERE, key_id="vt01") == "wrong_key_or_context"
    assert len(transit.requests) == asked


@pytest.mark.case("B20", "D3", "D8", "D9", "D10")
@pytest.mark.parametrize("trouble", fake.TROUBLES)
def test_every_trouble_ends_within_the_time(transit: Transit, trouble: str) -> None:
    """Silence, drips, bombs, redirects, pages, other shapes: unavailable, soon."""
    ring = ring_on(transit, timeout=0.5)
    blob = ring.seal(API_KEY, HERE)
    transit.answer = fake.TROUBLES[trouble]
    began = time.monotonic()

    assert reason_of(ring, blob, HERE, key_id="vt01") == "key_service_unavailable"

    with pytest.raises(KeyServiceUnavailable):
        ring.seal(API_KEY, HERE)

    # Twice the limit of one use, and room for a busy machine.
    assert time.monotonic() - began < 5
    transit.answer = None
    assert ring.open(blob, HERE, key_id="vt01") == API_KEY


@pytest.mark.case("B20")
@pytest.mark.parametrize(
    "data",
    [
        {"plaintext": base64.b64encode(bytes(31)).decode(), "ciphertext": "vault:v1:"},
        {"plaintext": "%%%", "ciphertext": "v" * 5000},
        {"plaintext": 7, "ciphertext": "vault v1"},
        {"plaintext": "", "ciphertext": ""},
    ],
)
def test_a_wrong_answer_is_no_data_key(
    transit: Transit, data: dict[str, object]
) -> None:
    """Other lengths, other alphabets, a wrap of 5 kB: never taken, never tampering."""
    ring = ring_on(transit)
    blob = ring.seal(API_KEY, HERE)
    transit.answer = lambda handler: handler.send_json(200, {"data": data})

    assert reason_of(ring, blob, HERE, key_id="vt01") == "key_service_unavailable"

    if data["ciphertext"] != "vault:v1:":
        with pytest.raises(KeyServiceUnavailable):
            ring.seal(API_KEY, HERE)


def test_another_data_key_of_the_right_length_is_refused(transit: Transit) -> None:
    """The commitment notices a service that answers with somebody else's data key."""
    ring = ring_on(transit)
    blob = ring.seal(API_KEY, HERE)
    other = {"data": {"plaintext": base64.b64encode(bytes(32)).decode()}}
    transit.answer = lambda handler: handler.send_json(200, other)

    assert reason_of(ring, blob, HERE, key_id="vt01") == "wrong_key_or_context"


@pytest.mark.parametrize("change", ["sealed", "token", "no key", "no mount"])
def test_what_an_operator_can_mend_is_unavailable(
    transit: Transit, change: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Sealed, not permitted, not there: the log has the status, and no token."""
    ring = ring_on(transit)
    blob = ring.seal(API_KEY, HERE)

    if change == "sealed":
        transit.sealed = True
    elif change == "token":
        transit.token = "not-a-real-vault-token-0002"
    elif change == "no key":
        del transit.keys["byok"]
    else:
        transit.answer = fake.sends(404, b'{"errors": []}')

    with caplog.at_level(logging.DEBUG):
        reason = reason_of(ring, blob, HERE, key_id="vt01")

    assert reason == "key_service_unavailable"
    assert "gave no usable answer: status" in caplog.text
    assert fake.TOKEN not in caplog.text


def test_nothing_secret_is_logged(
    transit: Transit, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither token, data key nor API key, with every logger at DEBUG."""
    caplog.set_level(logging.DEBUG)
    ring = ring_on(transit)
    ring.open(ring.seal(API_KEY, HERE), HERE, key_id="vt01")
    data_key = json.loads(transit.requests[0].body)["plaintext"]
    told = caplog.text + str([record.__dict__ for record in caplog.records])

    assert "/v1/transit/decrypt/byok" in told

    for secret in (fake.TOKEN, data_key, API_KEY.reveal()):
        assert secret not in told


# --- the token ---------------------------------------------------------------------


def test_the_token_is_where_vault_users_keep_it(
    transit: Transit, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    """VAULT_TOKEN, else the file: read each time, so that an agent may renew it."""
    ring = ring_on(transit, token=None)
    blob = ring_on(transit).seal(API_KEY, HERE)

    assert reason_of(ring, blob, HERE, key_id="vt01") == "key_service_unavailable"

    (tmp_path / ".vault-token").write_text(fake.TOKEN + "\n")
    assert ring.open(blob, HERE, key_id="vt01") == API_KEY

    monkeypatch.setenv("VAULT_TOKEN", "not-a-real-vault-token-0002")
    assert reason_of(ring, blob, HERE, key_id="vt01") == "key_service_unavailable"

    transit.token = "not-a-real-vault-token-0002"
    assert ring.open(blob, HERE, key_id="vt01") == API_KEY


def test_the_token_may_come_from_a_file_or_a_function(
    transit: Transit, tmp_path: pathlib.Path
) -> None:
    """A function is asked each time; one that fails is an outage."""
    blob = ring_on(transit).seal(API_KEY, HERE)
    (tmp_path / "sink").write_text(fake.TOKEN)
    tokens: list[t.Any] = [Secret(fake.TOKEN), fake.TOKEN]
    asked = ring_on(transit, token=lambda: tokens.pop())

    for ring in (ring_on(transit, token=None, token_file=tmp_path / "sink"), asked):
        assert ring.open(blob, HERE, key_id="vt01") == API_KEY

    assert asked.open(blob, HERE, key_id="vt01") == API_KEY
    assert reason_of(asked, blob, HERE, key_id="vt01") == "key_service_unavailable"


def test_a_token_of_the_settings_is_held_unseen(transit: Transit) -> None:
    """A service stands in the settings, which hosts dump, copy and pickle."""
    service = VaultTransit(transit.url, token=f" {fake.TOKEN}\n")

    assert fake.TOKEN not in repr(vars(service))

    for take in (pickle.dumps, copy.deepcopy):
        with pytest.raises(TypeError):
            take(service)

    ring = Keyring({"vt01": service}, "vt01", "default")
    blob = ring.seal(API_KEY, HERE)
    assert ring.open(blob, HERE, key_id="vt01") == API_KEY


def test_a_token_no_header_can_carry_is_not_sent(transit: Transit) -> None:
    """A line break in it ends before the wire."""
    ring = ring_on(transit, token="not-a-real\r\nvault-token")

    with pytest.raises(KeyServiceUnavailable):
        ring.seal(API_KEY, HERE)

    assert transit.requests == []


# --- the address -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("http://vault.example:8200/v1/transit/keys/byok", "must be https"),
        ("https://u:p@vault.example/v1/transit/keys/byok", "user name"),
        ("https://vault.example/v1/transit/keys/byok?x=1", "query"),
        ("https://vault.example/v1/transit/keys/byok#x", "fragment"),
        ("ftp://vault.example/v1/transit/keys/byok", "https URL"),
        ("https://vault.example/v1/transit/keys/b y", "without spaces"),
        ("https://vault.example/v1/transit/encrypt/byok", "transit key"),
        ("https://vault.example/transit/keys/byok", "transit key"),
        ("https://vault.example/v1/../keys/byok", "transit key"),
        ("https://vault.example/v1//transit/keys/byok", "transit key"),
        ("https://vault.example", "transit key"),
        ("", "https URL"),
    ],
)
def test_another_address_stops_the_start(url: str, told: str) -> None:
    """Each with a sentence that does not repeat it."""
    with pytest.raises(ConfigError, match=told) as caught:
        VaultTransit(url)

    assert "vault.example/" not in str(caught.value).replace(
        "'https://vault.example:8200/v1/transit/keys/byok'", ""
    )
    assert "u:p" not in str(caught.value)


def test_a_namespace_stands_in_the_path(transit: Transit) -> None:
    """As Vault takes it; the name of the key has the path and no address."""
    url = f"{transit.origin}/v1/team-a/transit/keys/byok/"
    service = VaultTransit(url, token=fake.TOKEN)
    ring = Keyring({"vt01": service}, "vt01", "default")

    assert ring.open(ring.seal(API_KEY, HERE), HERE, key_id="vt01") == API_KEY
    assert service.name == "vault-transit:/v1/team-a/transit/keys/byok"
    assert "127.0.0.1" not in repr(service)


def serve_tls(transit: Transit, context: ssl.SSLContext) -> str:
    """Let the server speak TLS from now on; give the URL of its key."""
    transit.socket = context.wrap_socket(transit.socket, server_side=True)
    return transit.url.replace("http://", "https://")


@pytest.mark.case("D6")
@pytest.mark.parametrize("flaw", [None, "wrong_name", "expired"])
def test_tls_is_verified(
    transit: Transit,
    flaw: str | None,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Against certifi's list, or the CA file of the operator, and nothing less."""
    url = serve_tls(transit, build_tls_context(tmp_path, flaw=flaw))
    stranger = VaultTransit(url, token=fake.TOKEN)
    monkeypatch.setenv("VAULT_CACERT", str(tmp_path / "ca.pem"))
    trusted = VaultTransit(url, token=fake.TOKEN)

    with pytest.raises(KeyServiceUnavailable):
        stranger.make_data_key({}, 5.0)

    if flaw is None:
        assert len(trusted.make_data_key({}, 5.0)[0]) == 32
    else:
        with pytest.raises(KeyServiceUnavailable):
            trusted.make_data_key({}, 5.0)


def test_a_missing_ca_file_stops_the_start(tmp_path: pathlib.Path) -> None:
    """It is named by its setting, not by its path."""
    with pytest.raises(ConfigError, match="VAULT_CACERT") as caught:
        VaultTransit(
            "https://vault.example/v1/transit/keys/byok", ca_file=tmp_path / "x"
        )

    assert str(tmp_path) not in str(caught.value)

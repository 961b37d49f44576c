"""Key services in the settings: as texts, as objects, and what stops the start."""

from __future__ import annotations

import json
import typing as t

import pytest

from flask_byok import VaultTransit
from flask_byok.config import Settings
from flask_byok.errors import ConfigError
from flask_byok.keyservices.texts import build_services
from flask_byok.masterkeys import parse_ring
from flask_byok.masterkeys import Ring
from flask_byok.testing import FakeKeyService
from tests.support import vectors

# Random once; fixed, so that a failure repeats. It protects nothing.
K1 = vectors.text_of(
    bytes.fromhex("6e0b84d1c92f57a3e8150d7cb4469af3287e91c05bd63f14a972ee08c35d41b6")
)
ARN = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
KMS = f"aws-kms:{ARN}"
TRANSIT = "vault-transit:https://vault.example:8200/v1/transit/keys/byok"


def ring(value: object, primary: object = None) -> Ring:
    """Read a ring that must be there."""
    parsed = parse_ring(value, primary, [])
    assert parsed is not None
    return parsed


@pytest.mark.parametrize(
    "value",
    [
        {"k001": K1, "kms1": KMS, "vt01": TRANSIT},
        {"k001": K1, "kms1": f" {KMS}\n", "vt01": f"\t{TRANSIT}"},
        f"k001:{K1},kms1:{KMS},vt01:{TRANSIT}",
        f" k001:{K1} ,\n kms1: {KMS}, vt01:{TRANSIT} ",
        json.dumps({"k001": K1, "kms1": KMS, "vt01": TRANSIT}),
    ],
)
def test_every_form_gives_the_same_services(value: object) -> None:
    """Mapping, one text, JSON: the id ends at the first colon."""
    built = build_services(ring(value, "kms1").keys)
    names = {key_id: getattr(each, "name", None) for key_id, each in built.items()}

    assert names == {
        "k001": None,
        "kms1": KMS,
        "vt01": "vault-transit:/v1/transit/keys/byok",
    }


def test_an_object_is_taken_as_it_is() -> None:
    """A service of the host's own, alone or beside a master key."""
    service = FakeKeyService()
    parsed = ring({"fake": service})

    assert parsed.primary == "fake"
    assert build_services(parsed.keys) == {"fake": service}


@pytest.mark.parametrize(
    "value",
    [
        "aws-kms:",
        "aws-kms: " + ARN,
        "gcp-kms:projects/p/locations/l/keyRings/r/cryptoKeys/k",
        "AWS-KMS:" + ARN,
        "aws-kms:" + K1 + "\u00a0",
        FakeKeyService,
        object(),
        ["aws-kms:" + ARN],
    ],
)
def test_what_is_neither_stops_the_start(value: t.Any) -> None:
    """Empty, another service, a class in place of an object: refused by its id."""
    with pytest.raises(ConfigError, match=r"BYOK_MASTER_KEYS\[\"kms1\"\]") as caught:
        parse_ring({"kms1": value}, None, [])

    assert "aws-kms:…" in str(caught.value) or "AwsKms(…)" in str(caught.value)
    assert K1[:6] not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("aws-kms:alias/byok", "must be the ARN of a key"),
        ("vault-transit:http://vault.example/v1/transit/keys/byok", "must be https"),
        ("vault-transit:https://u:pw@vault.example/v1/transit/keys/k", "a user name"),
        ("vault-transit:https://vault.example/ui", "the URL of a transit key"),
    ],
)
def test_a_service_that_cannot_be_what_it_says_stops_the_start(
    text: str, told: str
) -> None:
    """The sentence names the entry and repeats nothing of it."""
    with pytest.raises(ConfigError, match=told) as caught:
        build_services(ring({"kms1": text}).keys)

    assert str(caught.value).startswith("'BYOK_MASTER_KEYS[\"kms1\"]': ")
    assert caught.value.__context__ is None
    assert "pw@" not in str(caught.value)


def test_one_key_under_two_ids_stops_the_start() -> None:
    """By text, by object, and by the key that both mean."""
    service = FakeKeyService()
    other = "vault-transit:https://127.0.0.1:8200/v1/transit/keys/byok"
    apart: dict[str, t.Any] = {"vt01": TRANSIT, "vt02": other}

    for twins in ({"vt01": KMS, "vt02": KMS}, {"vt01": service, "vt02": service}):
        with pytest.raises(ConfigError, match="'vt01' and 'vt02'"):
            ring(twins, "vt01")

    with pytest.raises(ConfigError, match="'vt01' and 'vt02'"):
        build_services(ring(apart, "vt01").keys)


def test_settings_print_no_secret_of_a_service() -> None:
    """A text names the service; tokens and credentials are not in the settings."""
    service = VaultTransit(
        TRANSIT.partition(":")[2], token="not-a-real-vault-token-0001"
    )
    config = {"BYOK_MASTER_KEYS": {"vt01": service, "k001": K1}}
    settings = Settings.from_config({**config, "BYOK_PRIMARY_KEY_ID": "vt01"})

    assert "transit/keys/byok" in repr(settings)
    assert "not-a-real" not in repr(settings)
    assert K1[:6] not in repr(settings)

"""AWS KMS as a key service: against moto's server, and against one that misbehaves."""

from __future__ import annotations

import base64
import collections.abc as cabc
import dataclasses
import hashlib
import hmac
import json
import logging
import sys
import time
import typing as t

import boto3
import pytest
from moto.server import ThreadedMotoServer

from flask_byok import AwsKms
from flask_byok.errors import ConfigError
from flask_byok.errors import KeyServiceUnavailable
from flask_byok.secret import Secret
from flask_byok.vault.keyring import Keyring
from tests.support import transit as fake
from tests.support import vectors
from tests.support.transit import Request
from tests.support.transit import Transit
from tests.support.vectors import reason_of

API_KEY = Secret("not-a-real-openai-key-0009-Zz99")
HERE = vectors.V2.context
ARN = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"


@dataclasses.dataclass
class Moto:
    """A KMS on loopback, and a client to look after it."""

    url: str
    client: t.Any

    def make_key(self) -> str:
        """Make a symmetric key and give its ARN."""
        return str(self.client.create_key()["KeyMetadata"]["Arn"])


@pytest.fixture(scope="module")
def moto() -> cabc.Iterator[Moto]:
    """Run moto's server for this file."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    client = boto3.client(
        "kms",
        region_name="eu-central-1",
        endpoint_url=url,
        aws_access_key_id="not-a-real-id",
        aws_secret_access_key="not-a-real-aws-secret",
    )

    try:
        yield Moto(url, client)
    finally:
        client.close()
        server.stop()


def ring_on(url: str, arn: str = ARN, **options: t.Any) -> Keyring:
    """Give a ring whose only key is one of a KMS."""
    service = AwsKms(arn, endpoint_url=url, **options)
    return Keyring({"kms1": service}, "kms1", "default")


def test_a_key_is_sealed_and_opened(moto: Moto) -> None:
    """By a data key of KMS's own making."""
    ring = ring_on(moto.url, moto.make_key())
    blob = ring.seal(API_KEY, HERE)

    assert blob.startswith(b"\x01\x02kms1")
    assert ring.open(blob, HERE, key_id="kms1") == API_KEY
    assert ring.probe("kms1") is None


@pytest.mark.case("A1", "A4", "B20")
def test_kms_itself_binds_a_wrap_to_its_record(moto: Moto) -> None:
    """For another context, and for a damaged wrap, it decrypts nothing."""
    arn = moto.make_key()
    service = AwsKms(arn, endpoint_url=moto.url)
    data_key, wrap = service.make_data_key({"company": "i:1"}, 5.0)
    ring = ring_on(moto.url, arn)
    moved = HERE._replace(company="i:43")

    assert service.unwrap(wrap, {"company": "i:1"}, 5.0) == data_key
    assert service.unwrap(wrap, {"company": "i:2"}, 5.0) is None
    assert service.unwrap(wrap[:-1] + b"\0", {"company": "i:1"}, 5.0) is None
    assert (
        reason_of(ring, ring.seal(API_KEY, HERE), moved, key_id="kms1")
        == "wrong_key_or_context"
    )


def test_a_key_that_is_not_there_is_unavailable(
    moto: Moto, caplog: pytest.LogCaptureFixture
) -> None:
    """The log has KMS's word for it."""
    with pytest.raises(KeyServiceUnavailable):
        ring_on(moto.url).seal(API_KEY, HERE)

    assert "status 400, NotFoundException" in caplog.text


@pytest.mark.case("C10")
def test_nothing_secret_is_logged(
    moto: Moto, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With every logger at DEBUG, where boto3's own client logs each answer whole."""
    made: list[bytes] = []
    original = AwsKms.make_data_key

    def watched(self: AwsKms, *args: t.Any) -> tuple[bytes, bytes]:
        data_key, wrap = original(self, *args)
        made.append(data_key)
        return data_key, wrap

    monkeypatch.setattr(AwsKms, "make_data_key", watched)
    arn = moto.make_key()
    caplog.clear()
    caplog.set_level(logging.DEBUG)
    ring = ring_on(moto.url, arn)
    ring.open(ring.seal(API_KEY, HERE), HERE, key_id="kms1")
    told = caplog.text + str([record.__dict__ for record in caplog.records])

    assert "TrentService.Decrypt" in told
    assert base64.b64encode(made[0]).decode() not in told
    assert "Plaintext" not in told
    assert API_KEY.reveal() not in told
    assert "not-a-real-aws-secret" not in told


# --- what is sent ------------------------------------------------------------------


def signature_of(request: Request, secret: str) -> str:
    """Sign what arrived, as Signature Version 4 is described: written by hand."""
    said = request.headers["authorization"]
    scope = said.partition("Credential=")[2].partition(",")[0].split("/", 1)[1]
    names = said.partition("SignedHeaders=")[2].partition(",")[0]
    lines = [f"{name}:{request.headers[name].strip()}" for name in names.split(";")]
    body = hashlib.sha256(request.body).hexdigest()
    canonical = "\n".join(["POST", "/", "", *lines, "", names, body])
    when = request.headers["x-amz-date"]
    hashed = hashlib.sha256(canonical.encode()).hexdigest()
    text = "\n".join(["AWS4-HMAC-SHA256", when, scope, hashed])
    signing = f"AWS4{secret}".encode()

    for part in scope.split("/"):
        signing = hmac.new(signing, part.encode(), "sha256").digest()

    return hmac.new(signing, text.encode(), "sha256").hexdigest()


def answer_as_kms(handler: fake.Handler) -> None:
    """Give one fixed data key."""
    handler.send_json(
        200,
        {
            "Plaintext": base64.b64encode(bytes(range(32))).decode(),
            "CiphertextBlob": base64.b64encode(b"wrap" * 20).decode(),
        },
    )


def test_what_is_sent_is_signed_and_carries_ids_alone(
    transit: Transit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each header that was signed arrives as it was signed; the key is pinned."""
    monkeypatch.setenv("AWS_SESSION_TOKEN", "not-a-real-session-token")
    transit.answer = answer_as_kms
    ring = ring_on(transit.origin)
    ring.open(ring.seal(API_KEY, HERE), HERE, key_id="kms1")
    made, opened = transit.requests
    body = json.loads(opened.body)

    for request in (made, opened):
        signature = request.headers["authorization"].rpartition("Signature=")[2]
        assert signature == signature_of(request, "not-a-real-aws-secret")
        assert request.headers["x-amz-security-token"] == "not-a-real-session-token"

    assert made.headers["x-amz-target"] == "TrentService.GenerateDataKey"
    assert opened.headers["x-amz-target"] == "TrentService.Decrypt"
    assert body["KeyId"] == json.loads(made.body)["KeyId"] == ARN
    assert body["EncryptionContext"] == {
        "purpose": "api-key",
        "namespace": "default",
        "company": "i:42",
        "provider": "OPENAI",
        "record": HERE.record,
    }
    assert "eu-central-1/kms/aws4_request" in opened.headers["authorization"]


@pytest.mark.case("B20", "D3", "D8", "D9", "D10")
@pytest.mark.parametrize("trouble", fake.TROUBLES)
def test_every_trouble_ends_within_the_time(transit: Transit, trouble: str) -> None:
    """Silence, drips, bombs, redirects, pages, other shapes: unavailable, soon."""
    transit.answer = answer_as_kms
    ring = ring_on(transit.origin, timeout=0.5)
    blob = ring.seal(API_KEY, HERE)
    transit.answer = fake.TROUBLES[trouble]
    began = time.monotonic()

    assert reason_of(ring, blob, HERE, key_id="kms1") == "key_service_unavailable"

    with pytest.raises(KeyServiceUnavailable):
        ring.seal(API_KEY, HERE)

    # Twice the limit of one use, and room for a busy machine.
    assert time.monotonic() - began < 5
    transit.answer = answer_as_kms
    assert ring.open(blob, HERE, key_id="kms1") == API_KEY


@pytest.mark.case("B20")
@pytest.mark.parametrize(
    ("status", "answer", "reason"),
    [
        (400, {"__type": "InvalidCiphertextException"}, "wrong_key_or_context"),
        (400, {"__type": "x.y#IncorrectKeyException"}, "wrong_key_or_context"),
        (400, {"__type": "AccessDeniedException"}, "key_service_unavailable"),
        (400, {"__type": "DisabledException"}, "key_service_unavailable"),
        (400, {"__type": "ThrottlingException"}, "key_service_unavailable"),
        (400, {"__type": "not-a-real\nword"}, "key_service_unavailable"),
        (400, {"__type": ["InvalidCiphertextException"]}, "key_service_unavailable"),
        (500, {"__type": "InvalidCiphertextException"}, "key_service_unavailable"),
        (200, {"Plaintext": "AAAA"}, "key_service_unavailable"),
        (200, {"Plaintext": "A" * 43 + "="}, "wrong_key_or_context"),
    ],
)
def test_only_a_clear_no_is_no_outage(
    transit: Transit,
    status: int,
    answer: dict[str, object],
    reason: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What KMS says in its own words never reaches the log."""
    transit.answer = answer_as_kms
    ring = ring_on(transit.origin)
    blob = ring.seal(API_KEY, HERE)
    transit.answer = lambda handler: handler.send_json(status, answer)

    assert reason_of(ring, blob, HERE, key_id="kms1") == reason
    assert "not-a-real" not in caplog.text


@pytest.mark.case("B20")
def test_a_wrap_of_5_kb_is_not_stored(transit: Transit) -> None:
    """The format has room for 4096 bytes; nothing is sealed with more."""
    transit.answer = lambda handler: handler.send_json(
        200,
        {
            "Plaintext": base64.b64encode(bytes(range(32))).decode(),
            "CiphertextBlob": base64.b64encode(bytes(5000)).decode(),
        },
    )

    with pytest.raises(KeyServiceUnavailable):
        ring_on(transit.origin).seal(API_KEY, HERE)


@pytest.mark.case("B20", "D9")
def test_an_answer_of_a_megabyte_is_not_taken(transit: Transit) -> None:
    """Though what it says would do: 64 KiB is all that is read."""
    good = {
        "Plaintext": base64.b64encode(bytes(range(32))).decode(),
        "CiphertextBlob": base64.b64encode(b"wrap" * 20).decode(),
    }
    ring = ring_on(transit.origin)

    for padding, fits in ((60_000, True), (1_000_000, False)):
        answer = {**good, "padding": "x" * padding}
        transit.answer = lambda handler, answer=answer: handler.send_json(200, answer)

        if fits:
            assert ring.seal(API_KEY, HERE).startswith(b"\x01\x02kms1")
            continue

        with pytest.raises(KeyServiceUnavailable):
            ring.seal(API_KEY, HERE)


def test_no_credentials_are_an_outage(
    transit: Transit,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The log says that boto3 found none; nothing was sent."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")

    with pytest.raises(KeyServiceUnavailable):
        ring_on(transit.origin).seal(API_KEY, HERE)

    assert "boto3 finds no credentials" in caplog.text
    assert transit.requests == []


# --- the start ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "arn",
    [
        "",
        "alias/byok",
        "1234abcd-12ab-34cd-56ef-1234567890ab",
        "arn:aws:kms:eu-central-1:111122223333:alias/byok",
        "arn:aws:s3:eu-central-1:111122223333:key/1234abcd",
        "arn:aws:kms::111122223333:key/1234abcd",
        "arn:aws:kms:eu-central-1:1111:key/1234abcd",
        ARN + "/x",
        ARN + "\n",
        None,
    ],
)
def test_another_text_than_a_keys_arn_stops_the_start(arn: t.Any) -> None:
    """An alias may come to mean another key; the sentence repeats nothing."""
    with pytest.raises(ConfigError, match="must be the ARN of a key") as caught:
        AwsKms(arn)

    assert not arn or arn not in str(caught.value)


def test_an_endpoint_off_this_machine_must_be_https() -> None:
    """Also where the environment names it."""
    with pytest.raises(ConfigError, match="must be https"):
        AwsKms(ARN, endpoint_url="http://kms.example")


def test_without_boto3_the_sentence_names_the_extra(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It stops the start and says what to install."""
    monkeypatch.setitem(sys.modules, "boto3", None)

    with pytest.raises(ConfigError, match=r"pip install flask-byok\[aws\]") as caught:
        AwsKms(ARN)

    assert caught.value.__context__ is None


def test_replicas_of_a_multi_region_key_are_one_key() -> None:
    """A copy in another Region opens the same rows, so it has the same name."""
    names = [
        AwsKms(f"arn:aws:kms:{region}:111122223333:key/mrk-1234abcd").name
        for region in ("eu-central-1", "us-east-1")
    ]
    single = [
        AwsKms(ARN.replace("eu-central-1", region)).name
        for region in ("eu-central-1", "us-east-1")
    ]

    assert names[0] == names[1] == "aws-kms:arn:aws:kms::111122223333:key/mrk-1234abcd"
    assert single[0] == f"aws-kms:{ARN}" != single[1]

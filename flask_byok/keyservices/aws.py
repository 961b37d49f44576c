"""AWS KMS as a key service.

boto3 finds region, endpoint and credentials, as in every AWS tool, and signs; the
request itself goes out by this package's own sender. botocore would log each answer,
data key included, at DEBUG, and has no deadline for a whole call.

Sources: the KMS API reference (``GenerateDataKey``, ``Decrypt``), Signature Version 4.
"""

from __future__ import annotations

import collections.abc as cabc
import json
import re
import typing as t

from .._readers import base_url
from ..errors import ConfigError
from ..providers.http import Auth
from ..providers.http import Deadline
from ..providers.http import Sender
from ..secret import Secret
from ..vault.keyservice import KeyService
from .asking import ask
from .asking import give_up
from .asking import Question
from .asking import read_base64
from .asking import write_base64

_ARN: t.Final = re.compile(
    r"arn:(aws[a-z0-9-]*):kms:([a-z0-9-]+):([0-9]{12}):key/([A-Za-z0-9-]{1,64})"
)

#: What KMS says of a wrap that is not of this key, or bound to another context.
_REFUSED: t.Final = ("InvalidCiphertextException", "IncorrectKeyException")

#: What else may stand in the log; any other word of an answer is left out.
_KNOWN: t.Final = (
    "AccessDeniedException",
    "DependencyTimeoutException",
    "DisabledException",
    "ExpiredTokenException",
    "InvalidKeyUsageException",
    "InvalidSignatureException",
    "KeyUnavailableException",
    "KMSInternalException",
    "KMSInvalidStateException",
    "LimitExceededException",
    "NotFoundException",
    "ThrottlingException",
    "UnrecognizedClientException",
)


class AwsKms(KeyService):
    """A symmetric key of AWS KMS.

    Who runs the app needs ``kms:GenerateDataKey`` and ``kms:Decrypt`` on the key. The
    ids of each record are its encryption context, so CloudTrail shows them, and a key
    policy may ask for them (``kms:EncryptionContext:namespace``).

    :param arn: of the key itself, not of an alias, which may come to mean another key:
        ``arn:aws:kms:eu-central-1:111122223333:key/…``.
    :param session: a ``boto3.Session``; ``None`` makes one, which looks for credentials
        where every AWS tool does.
    :param endpoint_url: in place of the one boto3 finds (``AWS_ENDPOINT_URL_KMS``).
    :param timeout: seconds one use may take. Fetching credentials, where they come
        from another service, is bounded by boto3's own settings.
    :raises ConfigError: for another text than such an ARN, or without boto3.
    """

    def __init__(
        self,
        arn: str,
        *,
        session: t.Any = None,
        endpoint_url: str | None = None,
        timeout: float = 5.0,
    ) -> None:
        super().__init__(timeout=timeout)
        found = _ARN.fullmatch(arn) if isinstance(arn, str) else None

        if found is None:
            raise ConfigError(
                "'aws-kms' must be the ARN of a key, such as "
                "'arn:aws:kms:eu-central-1:111122223333:key/…', not of an alias."
            )

        self._arn = arn
        self._region = found[2]
        self._session = session if session is not None else _make_session()
        # Tells the endpoint and sends nothing. With these two it looks for no
        # credentials yet: that may ask a network, and an app's start must not wait.
        client = self._session.client(
            "kms",
            region_name=self._region,
            endpoint_url=endpoint_url,
            aws_access_key_id="unused",
            aws_secret_access_key="unused",
        )
        self._url = base_url("endpoint_url of aws-kms", client.meta.endpoint_url) + "/"
        self._sender = Sender(timeout)

    def __repr__(self) -> str:
        return f"<AwsKms {self._arn}>"

    @property
    def name(self) -> str:
        """The ARN; without the Region where replicas of it are one key."""
        arn = self._arn

        if ":key/mrk-" in arn:
            arn = arn.replace(f":kms:{self._region}:", ":kms::", 1)

        return f"aws-kms:{arn}"

    def make_data_key(
        self, ids: cabc.Mapping[str, str], timeout: float
    ) -> tuple[bytes, bytes]:
        """Let KMS make a data key."""
        status, answer = self._post(
            "GenerateDataKey", {"KeySpec": "AES_256"}, ids, timeout
        )
        data_key = read_base64(answer.get("Plaintext"))
        wrap = read_base64(answer.get("CiphertextBlob"))

        if status != 200 or data_key is None or wrap is None:
            give_up(repr(self), _describe(status, answer))

        return data_key, wrap

    def unwrap(
        self, wrap: bytes, ids: cabc.Mapping[str, str], timeout: float
    ) -> bytes | None:
        """Let KMS decrypt a data key."""
        fields = {"CiphertextBlob": write_base64(wrap)}
        status, answer = self._post("Decrypt", fields, ids, timeout)

        if status == 400 and _word_of(answer) in _REFUSED:
            return None

        data_key = read_base64(answer.get("Plaintext"))

        if status != 200 or data_key is None:
            give_up(repr(self), _describe(status, answer))

        return data_key

    def _post(
        self,
        action: str,
        fields: cabc.Mapping[str, str],
        ids: cabc.Mapping[str, str],
        timeout: float,
    ) -> tuple[int, dict[str, t.Any]]:
        deadline = Deadline(timeout)
        body = {"KeyId": self._arn, "EncryptionContext": dict(ids), **fields}
        question = self._sign(action, json.dumps(body).encode("ascii"))
        return ask(self._sender, repr(self), question, deadline)

    def _sign(self, action: str, body: bytes) -> Question:
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest

        credentials = self._session.get_credentials()

        if credentials is None:
            give_up(repr(self), "boto3 finds no credentials")

        headers = {
            "Content-Type": "application/x-amz-json-1.1",
            "X-Amz-Target": f"TrentService.{action}",
        }
        request = AWSRequest("POST", self._url, headers, body)
        frozen = credentials.get_frozen_credentials()
        SigV4Auth(frozen, "kms", self._region).add_auth(request)
        signed = dict(request.headers.items())
        prefix, mark, signature = signed.pop("Authorization").partition("Signature=")
        return Question(
            url=self._url,
            headers=signed,
            auth=Auth("Authorization", Secret(signature), prefix + mark),
            body=body,
        )


def _make_session() -> t.Any:
    session = None

    try:
        import boto3

        session = boto3.Session()
    except ImportError:
        pass

    if session is None:
        raise ConfigError(
            "AWS KMS needs boto3: 'pip install flask-byok[aws]'. It is not installed."
        )

    return session


def _word_of(answer: cabc.Mapping[str, t.Any]) -> str:
    """Give the type of an error, without the name of its service."""
    return str(answer.get("__type")).rpartition("#")[2]


def _describe(status: int, answer: cabc.Mapping[str, t.Any]) -> str:
    word = _word_of(answer)
    return f"status {status}, {word}" if word in _KNOWN else f"status {status}"

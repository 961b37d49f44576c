"""HashiCorp Vault's transit engine (and OpenBao's) as a key service.

The data key is drawn here and sent to ``encrypt/:name``, not made by
``datakey/plaintext/:name``: of the two only ``encrypt`` takes associated data. A data
key is bound to its record by ``context`` alone, which a transit key that was not made
with ``derived=true`` ignores without a word. So both are sent, and one of them binds,
whatever the transit key is like; a key type that can do neither is refused by Vault.

Sources: ``path_datakey.go``, ``path_encrypt.go``, ``path_decrypt.go`` and
``keysutil/policy.go`` of Vault and OpenBao.
"""

from __future__ import annotations

import collections.abc as cabc
import json
import os
import pathlib
import re
import typing as t

from .._readers import base_url
from ..errors import ConfigError
from ..providers.http import Auth
from ..providers.http import Deadline
from ..providers.http import Sender
from ..secret import Secret
from ..vault.keyservice import DATA_KEY_LENGTH
from ..vault.keyservice import KeyService
from .asking import ask
from .asking import give_up
from .asking import Question
from .asking import read_base64
from .asking import write_base64

#: A token, or a function that gives the one of the moment.
Token = str | Secret | cabc.Callable[[], str | Secret]

_KEY_PATH: t.Final = re.compile(r"(/v1/[A-Za-z0-9._~/-]+)/keys/([A-Za-z0-9._-]+)")
_WRAP: t.Final = re.compile(r"[\x21-\x7e]{1,4096}")

#: What Vault says, with status 400, when the key itself is not there.
_NO_SUCH_KEY: t.Final = ("encryption key not found", "policy not found")


class VaultTransit(KeyService):
    """A key of Vault's transit engine.

    The token needs ``update`` on ``<mount>/encrypt/<name>`` and
    ``<mount>/decrypt/<name>``, and nothing else.

    :param url: of the key: ``https://vault.example:8200/v1/transit/keys/byok``. A
        namespace stands in the path: ``…/v1/team-a/transit/keys/byok``.
    :param token: the token, or a function asked for it each time; ``None`` reads
        ``VAULT_TOKEN``, else ``token_file``.
    :param token_file: read each time, so that an agent may renew it; ``None`` means
        ``~/.vault-token``, where ``vault login`` puts it.
    :param ca_file: PEM file of the CA to trust; ``None`` reads ``VAULT_CACERT``, and
        without that trusts certifi's list.
    :param timeout: seconds one use may take.
    :raises ConfigError: for a URL that is no https one of a transit key, or a CA file
        that cannot be read.
    """

    def __init__(
        self,
        url: str,
        *,
        token: Token | None = None,
        token_file: str | os.PathLike[str] | None = None,
        ca_file: str | os.PathLike[str] | None = None,
        timeout: float = 5.0,
    ) -> None:
        super().__init__(timeout=timeout)
        self._origin, self._mount, self._key = _read_url(url)
        self._token = Secret(token.strip()) if isinstance(token, str) else token
        self._token_file = token_file
        self._sender = Sender(timeout, ca_file=_read_ca_file(ca_file))

    def __repr__(self) -> str:
        return f"<VaultTransit {self._mount}/keys/{self._key}>"

    @property
    def name(self) -> str:
        """The path of the key, without the address: servers move, keys stay."""
        return f"vault-transit:{self._mount}/keys/{self._key}"

    def make_data_key(
        self, ids: cabc.Mapping[str, str], timeout: float
    ) -> tuple[bytes, bytes]:
        """Draw a data key and have it encrypted."""
        data_key = os.urandom(DATA_KEY_LENGTH)
        status, data, _ = self._post(
            "encrypt", {"plaintext": write_base64(data_key)}, ids, timeout
        )
        wrap = data.get("ciphertext")

        if status != 200 or not isinstance(wrap, str) or not _WRAP.fullmatch(wrap):
            give_up(repr(self), f"status {status} to 'encrypt'")

        return data_key, wrap.encode("ascii")

    def unwrap(
        self, wrap: bytes, ids: cabc.Mapping[str, str], timeout: float
    ) -> bytes | None:
        """Have a data key decrypted; a 400 says that it is not one of this key."""
        text = wrap.decode("latin-1")

        if not _WRAP.fullmatch(text):
            return None

        status, data, errors = self._post("decrypt", {"ciphertext": text}, ids, timeout)

        if status == 400 and not any(error in _NO_SUCH_KEY for error in errors):
            return None

        data_key = read_base64(data.get("plaintext"))

        if status != 200 or data_key is None:
            give_up(repr(self), f"status {status} to 'decrypt'")

        return data_key

    def _post(
        self,
        verb: str,
        fields: cabc.Mapping[str, str],
        ids: cabc.Mapping[str, str],
        timeout: float,
    ) -> tuple[int, dict[str, t.Any], list[t.Any]]:
        deadline = Deadline(timeout)
        bound = write_base64(json.dumps(dict(ids), sort_keys=True).encode("ascii"))
        body = {**fields, "context": bound, "associated_data": bound}
        question = Question(
            url=f"{self._origin}{self._mount}/{verb}/{self._key}",
            headers={"Content-Type": "application/json", "X-Vault-Request": "true"},
            auth=Auth("X-Vault-Token", self._read_token()),
            body=json.dumps(body).encode("ascii"),
        )
        status, payload = ask(self._sender, repr(self), question, deadline)
        data, errors = payload.get("data"), payload.get("errors")
        return (
            status,
            data if isinstance(data, dict) else {},
            errors if isinstance(errors, list) else [],
        )

    def _read_token(self) -> Secret:
        token = self._token() if callable(self._token) else self._token
        token = token or os.environ.get("VAULT_TOKEN") or self._read_token_file()

        if not token:
            give_up(repr(self), "no token in VAULT_TOKEN or the token file")

        return token if isinstance(token, Secret) else Secret(token.strip())

    def _read_token_file(self) -> str | None:
        path = pathlib.Path(self._token_file or "~/.vault-token")

        try:
            return path.expanduser().read_text("ascii").strip()
        except (OSError, RuntimeError, ValueError):
            return None


def _read_url(url: str) -> tuple[str, str, str]:
    """Take the URL of a transit key apart: origin, path of the mount, name."""
    whole = base_url("vault-transit", url)
    origin, slash, path = whole.partition("//")[2].partition("/")
    found = _KEY_PATH.fullmatch(slash + path)

    if found is None or ".." in path or "//" in path:
        raise ConfigError(
            "'vault-transit' must be the URL of a transit key, such as "
            "'https://vault.example:8200/v1/transit/keys/byok'."
        )

    return f"{whole.partition('//')[0]}//{origin}", found[1], found[2]


def _read_ca_file(ca_file: str | os.PathLike[str] | None) -> str | None:
    given = os.fspath(ca_file or os.environ.get("VAULT_CACERT") or "")

    if given and not pathlib.Path(given).is_file():
        raise ConfigError(
            "The CA file of 'vault-transit' (or VAULT_CACERT) is not there."
        )

    return given or None

"""What a call is, and what it needs of the rooms below."""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import typing as t
import uuid

from ..config import Settings
from ..ledger.usage import Ledger
from ..providers.base import Provider
from ..providers.http import Deadline
from ..providers.http import Sender
from ..secret import Secret
from ..vault.keyring import Keyring
from ..vault.store import Store
from .circuit import Circuits
from .routes import Ask
from .routes import Planner
from .routes import Route
from .telling import Teller

#: What a call asks for, in OpenTelemetry's words where it has one; ``request`` is
#: whatever else an official SDK can ask.
Operation = t.Literal["chat", "count_tokens", "embeddings", "list_models", "request"]

T_co = t.TypeVar("T_co", covariant=True)


class Perform(t.Protocol[T_co]):
    """Puts a call to one route. Raises ``AttemptFailed``."""

    def __call__(
        self, route: Route, sender: Sender, api_key: Secret, deadline: Deadline, /
    ) -> T_co:
        """Send one request and give the provider's answer."""
        ...


def carries_all(provider: Provider, model: str) -> str | None:
    """Say of every provider that it can do what a call asks for."""
    return None


# Changed by nobody; frozen, it would take twice as long to build.
@dataclasses.dataclass(kw_only=True, slots=True)
class Call:
    """What the host asked for.

    :param company: the typed text of the company's id.
    :param timeout: seconds for the whole call; ``None`` for ``BYOK_TIMEOUT``.
    :param label: the host's name of the AI feature.
    :param input_tokens: a guess, for the budget.
    :param output_tokens: the most the answer may have; ``None`` for the usual cap.
    :param find_unsupported: names what a provider, or a model of it, cannot do of this
        call, a word of ``providers.abilities.FEATURES``; ``None`` for nothing.
    :param id: the same for all attempts of the call.
    """

    company: str
    ask: Ask
    timeout: float | None = None
    label: str | None = None
    input_tokens: int = 0
    output_tokens: int | None = None
    streamed: bool = False
    operation: Operation = "chat"
    find_unsupported: cabc.Callable[[Provider, str], str | None] = carries_all
    id: str = dataclasses.field(default_factory=lambda: str(uuid.uuid4()))


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Rooms:
    """What a walk along the routes needs of one app.

    :param keyring: ``None`` when the vault is closed on purpose.
    :param fingerprints: of the system keys, by provider.
    :param ended: is told of each call how many seconds it took.
    """

    settings: Settings
    planner: Planner
    sender: Sender
    store: Store
    keyring: Keyring | None
    circuits: Circuits
    ledger: Ledger
    teller: Teller
    fingerprints: cabc.Mapping[str, str]
    ended: cabc.Callable[[float], None]

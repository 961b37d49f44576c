"""What providers want back: marked where it came from, and sent nowhere else.

A conversation may go on with another provider, model or account. Each of them gets
what was said; thoughts that are encrypted or signed for somebody else are left out, for
they would be refused.
"""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import typing as t

from .content import Message
from .content import Part
from .content import State
from .content import StatePart
from .content import TextPart
from .content import ToolCall

#: Beside a provider's own entries: the model and the account that gave them.
_MODEL: t.Final = "model"
_ACCOUNT: t.Final = "account"

#: A tool call's arguments that were no JSON; they are text, and nobody's secret.
_RAW: t.Final = "raw_arguments"


class Origin(t.NamedTuple):
    """Where an answer comes from, or a request goes to.

    :param dialect: the name under which the wire reads and writes its entries.
    :param account: names it; asked only where a part has a state. ``None`` where any
        account of the provider may have them back.
    """

    provider: str
    dialect: str
    model: str
    account: cabc.Callable[[], str] | None = None


def mark_parts(parts: cabc.Iterable[Part], origin: Origin) -> tuple[Part, ...]:
    """Write into each part's state where it came from."""
    return tuple(_with_state(part, _mark(part, origin)) for part in parts)


def fit_messages(messages: tuple[Message, ...], target: Origin) -> tuple[Message, ...]:
    """Leave out every state that another provider, model or account gave."""
    if all(isinstance(message.content, str) for message in messages):
        return messages

    return tuple(_fit_message(message, target) for message in messages)


def _fit_message(message: Message, target: Origin) -> Message:
    if isinstance(message.content, str):
        return message

    fitted = (_with_state(part, _fit(part, target)) for part in message.content)
    kept = [
        part
        for part in fitted
        if not isinstance(part, StatePart) or part.provider_state
    ]
    return dataclasses.replace(message, content=tuple(kept))


def _mark(part: Part, origin: Origin) -> State | None:
    state = _state(part)

    if state is None or not isinstance(state.get(origin.dialect), cabc.Mapping):
        return state

    account = None if origin.account is None else origin.account()
    stamp = {_MODEL: origin.model, _ACCOUNT: account}
    told = {name: value for name, value in stamp.items() if value is not None}
    marked = {origin.provider: {**state[origin.dialect], **told}}
    return marked | ({_RAW: state[_RAW]} if _RAW in state else {})


def _fit(part: Part, target: Origin) -> State | None:
    state = _state(part)

    if state is None:
        return None

    kept = {_RAW: state[_RAW]} if _RAW in state else {}
    own = state.get(target.provider)

    if isinstance(own, cabc.Mapping) and _fits(own, target):
        kept[target.dialect] = own

    return kept or None


def _fits(own: State, target: Origin) -> bool:
    is_of_model = own.get(_MODEL, target.model) == target.model

    if not is_of_model or _ACCOUNT not in own:
        return bool(is_of_model)

    return bool(target.account is not None and own[_ACCOUNT] == target.account())


def _state(part: Part) -> State | None:
    if isinstance(part, TextPart | ToolCall | StatePart):
        return part.provider_state

    return None


def _with_state(part: Part, state: State | None) -> Part:
    if state is _state(part):
        return part

    if isinstance(part, StatePart):
        return StatePart(provider_state=state or {})

    if isinstance(part, TextPart | ToolCall):
        return dataclasses.replace(part, provider_state=state)

    return part

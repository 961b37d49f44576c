"""Signals as they were sent, for tests to ask what was told."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import dataclasses
import typing as t

import blinker

from .. import signals


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class SentSignal:
    """One signal that an app sent.

    :param name: as in :mod:`flask_byok.signals`, such as ``fallback_used``.
    :param sender: the app.
    :param payload: what it passed, by name.
    """

    name: str
    sender: t.Any
    payload: cabc.Mapping[str, t.Any]


class CapturedSignals(cabc.Sequence[SentSignal]):
    """The signals of all apps since :meth:`listening` began, oldest first.

    .. code-block:: python

        assert captured.names() == ["circuit_opened", "fallback_used"]
        (told,) = captured.payloads("fallback_used")
        assert told["reason"] == "api_key_expired"
    """

    def __init__(self) -> None:
        # A list takes what several threads append to it.
        self._sent: list[SentSignal] = []

    @t.overload
    def __getitem__(self, index: int) -> SentSignal: ...

    @t.overload
    def __getitem__(self, index: slice) -> list[SentSignal]: ...

    def __getitem__(self, index: int | slice) -> SentSignal | list[SentSignal]:
        return self._sent[index]

    def __len__(self) -> int:
        return len(self._sent)

    def __repr__(self) -> str:
        return f"CapturedSignals({self._sent!r})"

    def names(self) -> list[str]:
        """Name the signals in the order they were sent."""
        return [sent.name for sent in self._sent]

    def payloads(self, name: str) -> list[cabc.Mapping[str, t.Any]]:
        """Give what each signal of one name passed, oldest first.

        :raises ValueError: when there is no signal of that name, so that a misspelt one
            is not taken for one that was never sent.
        """
        if name not in _named_signals():
            raise ValueError(f"No signal is called {name!r}: see flask_byok.signals.")

        return [sent.payload for sent in self._sent if sent.name == name]

    def clear(self) -> None:
        """Forget what was sent so far."""
        self._sent.clear()

    @contextlib.contextmanager
    def listening(self) -> cabc.Iterator[CapturedSignals]:
        """Listen to every signal, of every app, until the end of the block."""
        with contextlib.ExitStack() as stack:
            for name, signal in _named_signals().items():
                stack.enter_context(signal.connected_to(self._receiver(name)))

            yield self

    def _receiver(self, name: str) -> cabc.Callable[..., None]:
        def receive(sender: object, **payload: t.Any) -> None:
            self._sent.append(SentSignal(name=name, sender=sender, payload=payload))

        return receive


def _named_signals() -> dict[str, blinker.Signal]:
    return {
        name: value
        for name, value in vars(signals).items()
        if isinstance(value, blinker.Signal)
    }

"""One process under attack: how each request ended, how long it took, what it grew by.

Run as ``python -m tests.hostile.siege <wire>``. It starts the hostile server itself, in
a process of its own, so that the memory measured is the client's alone.
"""

from __future__ import annotations

import collections.abc as cabc
import json
import multiprocessing
import resource
import sys
import time
import typing as t

from flask_byok.providers.deadline import Deadline
from flask_byok.providers.http import Sender
from flask_byok.providers.types import AttemptFailed
from flask_byok.secret import Secret
from flask_byok.service.check import Checker
from tests.hostile import attacks
from tests.hostile import shapes
from tests.hostile.test_wrong_types import HELLO
from tests.providers.replay import build_answer
from tests.providers.replay import Server

#: Seconds an attack may hold a request.
SECONDS: t.Final = 0.7
API_KEY: t.Final = "not-a-real-provider-key-0001-AbCd"


def peak() -> int:
    """Give the most memory this process ever had, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def chat(provider: t.Any, sender: Sender, deadline: Deadline) -> object:
    return provider.chat(
        sender, HELLO, model="m", api_key=Secret(API_KEY), deadline=deadline
    )


def models(provider: t.Any, sender: Sender, deadline: Deadline) -> object:
    return provider.models(sender, api_key=Secret(API_KEY), deadline=deadline)


def stream(provider: t.Any, sender: Sender, deadline: Deadline) -> object:
    opened = provider.open_stream(
        sender, HELLO, model="m", api_key=Secret(API_KEY), deadline=deadline
    )

    for _ in opened:
        pass

    return opened.answer


def check(provider: t.Any, sender: Sender, deadline: Deadline) -> object:
    checker = Checker(sender, timeout=deadline.left(), latency_limit=5.0)
    return checker.check(provider, Secret(API_KEY), model="m")


ACTIONS: t.Final[cabc.Mapping[str, cabc.Callable[..., object]]] = {
    "chat": chat,
    "models": models,
    "stream": stream,
    "check": check,
}


def serve(kind: str, pipe: t.Any) -> None:
    """Be the hostile server, with the behaviour that is named over the pipe."""
    server = Server(lambda conn, request: conn.sendall(build_answer(500)))
    pipe.send(server.url)
    named = {**attacks.ATTACKS, **attacks.stream_attacks(kind)}
    made: dict[str, attacks.Attack] = {}

    while (name := pipe.recv()) is not None:
        # Some take longer to make than to withstand.
        made[name] = made.get(name) or named[name]()
        server.behave = made[name].behave
        pipe.send(name)

    server.close()


def tried(kind: str) -> list[tuple[str, str]]:
    """List what is tried; the second wire of OPENAI differs in streams alone."""
    named = [] if kind == "openai-chat" else list(attacks.ATTACKS)
    wholes = [(name, action) for name in named for action in ACTIONS]
    return [*wholes, *((name, "stream") for name in attacks.stream_attacks(kind))]


def main(kind: str) -> None:
    """Besiege one wire and print a line of JSON for each attack."""
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(
        target=serve, args=(kind, theirs), daemon=True
    )
    process.start()
    provider = shapes.PROVIDERS[kind].with_base_url(ours.recv() + "/v1")

    for name, action in tried(kind):
        ours.send(name)
        ours.recv()
        # Each on a fresh connection, as the server's last answer may still come.
        sender = Sender(5.0)
        before, began, end = peak(), time.monotonic(), "an answer"

        try:
            ACTIONS[action](provider, sender, Deadline(SECONDS))
        except AttemptFailed as error:
            end = error.failure.kind

        print(
            json.dumps(
                {
                    "attack": name,
                    "action": action,
                    "end": end,
                    "seconds": time.monotonic() - began,
                    "grown": peak() - before,
                }
            ),
            flush=True,
        )
        sender.close()

    ours.send(None)
    process.join(10)


if __name__ == "__main__":
    main(sys.argv[1])

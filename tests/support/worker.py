"""A worker process of a host app, told over a pipe what to do.

Run as ``python -m tests.support.worker``. The first line on stdin is a JSON object with
``url``, ``config`` and ``offset`` (seconds the database's clock is ahead); each further
line is a command; each answer is one line of JSON on stdout.
"""

from __future__ import annotations

import collections
import collections.abc as cabc
import contextlib
import dataclasses
import datetime as dt
import importlib
import json
import pathlib
import subprocess
import sys
import threading
import typing as t

#: What the host's own module made.
KEPT: dict[str, t.Any] = {}

ROOT = pathlib.Path(__file__).parent.parent.parent


@dataclasses.dataclass
class Worker:
    """The parent's end of one worker."""

    process: subprocess.Popen[str]

    def ask(self, command: str, **details: t.Any) -> t.Any:
        """Say what to do and wait for the answer."""
        self.tell(command, **details)
        return self.hear()

    def tell(self, command: str, **details: t.Any) -> None:
        """Say what to do."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"do": command, **details}) + "\n")
        self.process.stdin.flush()

    def hear(self) -> t.Any:
        """Wait for the answer."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, f"The worker ended: {self.process.wait(30)}."
        return json.loads(line)


@contextlib.contextmanager
def workers(
    number: int,
    url: str,
    config: cabc.Mapping[str, t.Any],
    prepare: str | None = None,
) -> cabc.Iterator[list[Worker]]:
    """Start workers, all at once, and end them with the block.

    :param prepare: a module whose ``prepare(app)`` each of them calls first.
    """
    made = [_start() for _ in range(number)]

    try:
        for worker in made:
            worker.tell("start", url=url, config=dict(config), prepare=prepare)

        for worker in made:
            assert worker.hear() == "ready"

        yield made
    finally:
        for worker in made:
            _end(worker.process)


def _start() -> Worker:
    return Worker(
        subprocess.Popen(
            [sys.executable, "-W", "error", "-m", "tests.support.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
    )


def _end(process: subprocess.Popen[str]) -> None:
    with contextlib.suppress(BrokenPipeError):
        process.communicate(timeout=30)


def serve(commands: cabc.Iterator[dict[str, t.Any]]) -> None:
    """Do what the parent says until it closes the pipe."""
    from flask import Flask
    from flask_sqlalchemy import SQLAlchemy

    from flask_byok import BYOK

    first = next(commands)
    app, db = Flask("worker"), SQLAlchemy()
    byok = BYOK(db=db)
    app.config.update(first["config"], SQLALCHEMY_DATABASE_URI=first["url"])
    db.init_app(app)
    byok.init_app(app)

    if first.get("prepare") is not None:
        KEPT.update(importlib.import_module(first["prepare"]).prepare(app))

    # As the requests of a server: each command in a context of its own.
    with app.app_context():
        byok.status(1)

    answer("ready")

    for command in commands:
        with app.app_context():
            answer(ACTIONS[command.pop("do")](byok, **command))

    with app.app_context():
        byok.state.database.close()
        byok.state.sender.close()


def answer(value: t.Any) -> None:
    """Write one answer."""
    print(json.dumps(value), flush=True)


def save(byok: t.Any, *, api_key: str) -> bool:
    """Store a key of company 1."""
    return bool(byok.save_key(1, "OPENAI", api_key).saved)


def test(byok: t.Any) -> str:
    """Test the key of company 1; give the verdict, or the name of the error."""
    try:
        return str(byok.test_connection(1).verdict)
    except Exception as error:
        return type(error).__name__


def remove(byok: t.Any) -> None:
    """Remove the key of company 1."""
    byok.remove_key(1, "OPENAI")


def policy(byok: t.Any, *, fallback: str) -> None:
    """Choose a policy for company 1."""
    byok.set_policy(1, fallback=fallback)


def chat(byok: t.Any, *, times: int = 1) -> dict[str, int]:
    """Call so often; count who answered, or which error came."""
    return dict(collections.Counter(_one_call(byok) for _ in range(times)))


def crowd(byok: t.Any, *, threads: int) -> dict[str, int]:
    """Call from many threads at once."""
    from flask import current_app

    app = current_app._get_current_object()  # type: ignore[attr-defined]
    barrier, found = threading.Barrier(threads), []

    def work() -> None:
        with app.app_context():
            barrier.wait(60)
            found.append(_one_call(byok))

    started = [threading.Thread(target=work) for _ in range(threads)]
    [thread.start() for thread in started]
    [thread.join() for thread in started]
    return dict(collections.Counter(found))


def move(byok: t.Any, *, seconds: float) -> None:
    """Let the database's clock run ahead."""
    byok.state.database.clock_offset += dt.timedelta(seconds=seconds)


def settle(byok: t.Any) -> None:
    """Wait until what the recipe of a page has begun is done."""
    KEPT["post"].shutdown(wait=True)


def _one_call(byok: t.Any) -> str:
    try:
        return str(byok.client_for(1).chat("hi").source)
    except Exception as error:
        return type(error).__name__


ACTIONS: dict[str, cabc.Callable[..., t.Any]] = {
    "save": save,
    "test": test,
    "remove": remove,
    "policy": policy,
    "chat": chat,
    "crowd": crowd,
    "move": move,
    "settle": settle,
}

if __name__ == "__main__":
    serve(json.loads(line) for line in sys.stdin)

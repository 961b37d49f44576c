"""Many workers of many companies at once, in one process: threads, greenlets or forks.

Run as ``python -m tests.support.storm``. One line on stdin is a JSON object with
``url``, ``config``, ``manner``, ``workers`` and ``steps``. The process answers
``ready``, waits for one more line, and then prints what happened: one JSON list with
an event per step, its begin and its end by a clock that all processes share.
"""

from __future__ import annotations

import json
import os
import random
import sys
import threading
import time
import typing as t

COMPANIES: t.Final = range(1, 9)
WORKERS: t.Final = range(8)

#: What a worker does next, as often as it stands here.
KINDS: t.Final = "save save save chat chat chat test remove remove list policy".split()


def make_key(company: int, worker: int, step: int) -> str:
    """Give a key nobody else saves; its last four say whose it is and when."""
    return f"not-a-real-storm-key-{company}{worker}{step:02d}"


def make_prompt(company: int, worker: int, step: int) -> str:
    """Give a prompt nobody else sends."""
    return f"storm {company} {worker} {step}"


class Storm:
    """One app, used by many at once."""

    def __init__(self, order: dict[str, t.Any]) -> None:
        from flask import Flask
        from flask_sqlalchemy import SQLAlchemy

        from flask_byok import BYOK

        self.app, db = Flask("storm"), SQLAlchemy()
        self.byok = BYOK(db=db)
        self.app.config.update(order["config"], SQLALCHEMY_DATABASE_URI=order["url"])
        db.init_app(self.app)
        self.byok.init_app(self.app)
        self.steps: int = order["steps"]
        self.events: list[dict[str, t.Any]] = []

    def work(self, company: int, worker: int) -> None:
        """Take every step of one worker of one company."""
        draw = random.Random(f"{company} {worker}")

        for step in range(self.steps):
            kind = draw.choice(KINDS)
            begin = time.monotonic()

            try:
                with self.app.app_context():
                    end = self._step(kind, company, worker, step)
            except Exception as error:
                end = type(error).__name__

            event = {"company": company, "worker": worker, "step": step, "kind": kind}
            event |= {"end": end, "begun": begin, "ended": time.monotonic()}
            self.events.append(event)

    def _step(self, kind: str, company: int, worker: int, step: int) -> t.Any:
        from flask_byok import current_ai_client

        if kind == "save":
            api_key = make_key(company, worker, step)
            return self.byok.save_key(company, "OPENAI", api_key).verdict

        if kind == "chat":
            with self.byok.as_company(company):
                prompt = make_prompt(company, worker, step)
                return current_ai_client.chat(prompt).source

        if kind == "test":
            return self.byok.test_connection(company, "OPENAI").verdict

        if kind == "remove":
            self.byok.remove_key(company, "OPENAI")
            return "removed"

        if kind == "policy":
            return self.byok.set_policy(company, use_other_keys=step % 2 == 0).fallback

        return [info.last4 for info in self.byok.credentials(company)]

    def crowd(self, workers: t.Iterable[int]) -> None:
        """Let these workers of every company work at once."""
        crew = [(c, w) for c in COMPANIES for w in workers]
        barrier = threading.Barrier(len(crew))

        def run(company: int, worker: int) -> None:
            barrier.wait(60)
            self.work(company, worker)

        threads = [threading.Thread(target=run, args=pair) for pair in crew]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]

    def fork(self, workers: t.Iterable[int]) -> None:
        """Use the app in this process, then let a forked child be each worker."""
        children = []

        with self.app.app_context():
            self.byok.client_for(99).chat("before the fork")

        for worker in workers:
            reads, writes = os.pipe()
            child = os.fork()

            if child == 0:
                self.crowd([worker])
                self.close()

                with os.fdopen(writes, "w") as pipe:
                    json.dump(self.events, pipe)

                os._exit(0)

            os.close(writes)
            children.append((child, reads))

        # The parent goes on beside its children, on connections of its own.
        with self.app.app_context():
            self.byok.client_for(99).chat("after the fork")

        for child, reads in children:
            with os.fdopen(reads) as pipe:
                self.events += json.load(pipe)

            assert os.waitpid(child, 0)[1] == 0

    def close(self) -> None:
        """Write what waits and give the connections back."""
        with self.app.app_context():
            self.byok.state.database.close()
            self.byok.state.sender.close()


def main() -> None:
    """Read the order, wait for the word, work, and tell."""
    order = json.loads(sys.stdin.readline())

    if order["manner"] == "greenlets":
        from gevent import monkey

        monkey.patch_all()

    storm = Storm(order)
    print("ready", flush=True)
    sys.stdin.readline()

    if order["manner"] == "forks":
        storm.fork(order["workers"])
    else:
        storm.crowd(order["workers"])

    storm.close()
    print(json.dumps(storm.events), flush=True)


if __name__ == "__main__":
    main()

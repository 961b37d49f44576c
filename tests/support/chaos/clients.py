"""Who uses the host: callers of several companies, and the managers of their keys."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import http.client
import itertools
import json
import random
import threading
import time
import typing as t

from tests.support.chaos.evidence import Call
from tests.support.chaos.evidence import Evidence
from tests.support.chaos.evidence import Key
from tests.support.chaos.evidence import make_key
from tests.support.chaos.evidence import make_prompt
from tests.support.served import Served
from tests.support.served import ServerFailed

COMPANIES: t.Final = range(1, 7)
CALLERS: t.Final = 2
PROVIDERS: t.Final = ("OPENAI", "CLAUDE", "GEMINI")

#: What a client meets when its worker dies, or the host's own statements fail.
BROKEN: t.Final = (OSError, ValueError, http.client.HTTPException, ServerFailed)


class Clients:
    """The threads that use a served host, and what they write down."""

    def __init__(self, served: Served, evidence: Evidence, seed: str) -> None:
        self._served = served
        self._evidence = evidence
        self._seed = seed
        self._numbers = itertools.count(1)
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self._failures: list[BaseException] = []
        #: What changes of keys came to.
        self.changes: list[str] = []

    def start(self) -> None:
        """Let all of them begin."""
        for company in COMPANIES:
            self._begin(self._manage, company, "manager")

            for caller in range(CALLERS):
                self._begin(self._call_on_and_on, company, f"caller {caller}")

    def _begin(
        self, work: cabc.Callable[[int, random.Random], None], company: int, name: str
    ) -> None:
        draw = random.Random(f"{self._seed} {company} {name}")

        def run() -> None:
            try:
                work(company, draw)
            except BaseException as error:
                self._failures.append(error)

        thread = threading.Thread(target=run, name=f"{company} {name}", daemon=True)
        thread.start()
        self._threads.append(thread)

    def stop(self) -> None:
        """Let all of them end, and fail if one of them failed."""
        self._stopping.set()

        for thread in self._threads:
            thread.join(120)

        for failure in self._failures:
            raise failure

    def _call_on_and_on(self, company: int, draw: random.Random) -> None:
        while not self._stopping.wait(draw.uniform(0.0, 0.15)):
            number = next(self._numbers)
            make = self._stream if draw.random() < 0.4 else self._chat
            self._evidence.calls.append(make(company, number, draw.random() < 0.5))

    def _chat(self, company: int, number: int, keep: bool) -> Call:
        begun = time.monotonic()
        told: dict[str, t.Any] = {"error": "broken"}

        with contextlib.suppress(*BROKEN):
            told = self._served.ask(
                "chat", **_order(company, number), note=number, keep=keep
            )

        error = told.get("error")
        return Call(
            number=number,
            company=company,
            streamed=False,
            begun=begun,
            ended=time.monotonic(),
            end=error or "answer",
            source=told.get("source"),
            text=told.get("text", ""),
            kept=None if error == "broken" else keep,
        )

    def _stream(self, company: int, number: int, keep: bool) -> Call:
        begun = time.monotonic()
        text, told = "", {"end": "broken"}

        with contextlib.suppress(*BROKEN):
            with self._served.streaming(**_order(company, number)) as answer:
                for line in answer:
                    piece = json.loads(line)
                    text += piece.get("text", "")
                    told = piece if "end" in piece else told

        is_interrupted = told["end"] == "StreamInterrupted"
        return Call(
            number=number,
            company=company,
            streamed=True,
            begun=begun,
            ended=time.monotonic(),
            end="answer" if told["end"] == "done" else told["end"],
            source=told.get("source"),
            text=text,
            partial=told["partial"] if is_interrupted else None,
        )

    def _manage(self, company: int, draw: random.Random) -> None:
        """Save, replace and remove the company's key, one after the other."""
        keys: list[Key] = []

        for number in itertools.count(1):
            if keys and draw.random() < 0.3:
                end, new = self._change("remove", company), []
            else:
                begun, api_key = time.monotonic(), make_key(company, number)
                new = [Key(api_key=api_key, company=company, since=begun)]
                self._evidence.keys += new
                end = self._change("save", company, api_key=api_key)

            keys = [*_still_possible(keys, end), *new]
            self.changes.append(end)
            # A worker that was killed may have sent its COMMIT a moment before.
            pause = 1.0 if end == "broken" else draw.uniform(0.2, 1.2)

            if self._stopping.wait(pause):
                return

    def _change(self, what: str, company: int, **more: t.Any) -> str:
        provider = PROVIDERS[company % len(PROVIDERS)]

        try:
            told = self._served.ask(what, company=company, provider=provider, **more)
        except BROKEN:
            return "broken"

        return str(told["end"])


def _still_possible(keys: list[Key], end: str) -> list[Key]:
    """Tell which keys a call may still find; a confirmed change ends all before it."""
    if end not in ("saved", "removed", "CredentialNotFound"):
        return keys

    for key in keys:
        key.until = time.monotonic()

    return []


def _order(company: int, number: int) -> dict[str, t.Any]:
    prompt = make_prompt(company, number)
    return {"company": company, "prompt": prompt, "label": str(number)}

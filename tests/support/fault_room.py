"""A host app under a fault: each call is made while somebody looks at a page."""

from __future__ import annotations

import collections
import collections.abc as cabc
import contextlib
import contextvars
import dataclasses
import datetime as dt
import threading
import typing as t

import flask
import sqlalchemy as sa
from flask.testing import FlaskClient

from flask_byok.failover.blocks import Block
from flask_byok.failover.blocks import parse_blocks
from flask_byok.testing import LeakGuard
from flask_byok.testing import make_canary
from flask_byok.testing import Simulator
from flask_byok.testing.faults import word_in_key
from tests.support.calls import CallHost
from tests.support.calls import calling_as
from tests.support.watch import Watch

PROVIDERS: t.Final = ("OPENAI", "GEMINI", "CLAUDE")

#: How a browser asks for a page.
DOCUMENT: t.Final = {"Sec-Fetch-Dest": "document"}

_FLASH: t.Final = '<p class="flash">'
_PAGE: t.Final = (
    """{% from "byok/banner.html" import byok_banner with context %}{{ byok_banner() }}
{% for message in get_flashed_messages() %}"""
    + _FLASH
    + "{{ message }}</p>{% endfor %}"
)


def make_key(seed: str) -> str:
    """Draw a key that looks like nothing real, without a word the simulator obeys."""
    tries = (make_canary(f"{seed} {number}") for number in range(100))
    return next(api_key for api_key in tries if word_in_key(api_key) is None)


@dataclasses.dataclass(slots=True)
class Job:
    """One call, made inside a request for a page."""

    call: cabc.Callable[[], t.Any]
    value: t.Any = None
    error: Exception | None = None

    def do(self) -> None:
        """Make the call and keep what came of it."""
        try:
            self.value = self.call()
        except Exception as error:
            self.error = error


class FaultHost(CallHost):
    """A host whose calls a visitor of its page makes, under watch."""

    watch: Watch
    guard: LeakGuard
    visitor: FlaskClient
    api_key: str
    system_key: str
    is_manager: bool = True
    job: Job | None = None
    #: The page the last call was made for.
    page: str = ""

    def store(self, *providers: str, api_key: str = "", **more: t.Any) -> None:
        """Store a key of each provider; what happens from now on is the fault."""
        super().store(*providers, api_key=api_key or self.api_key, **more)
        self.watch.begin()

    def fail(
        self,
        fault: str | None,
        provider: str = "OPENAI",
        times: int | None = None,
        keys: str | None = "company",
    ) -> None:
        """Let a provider fail for ``company`` keys, the ``system`` key, or all."""
        named = {"company": self.api_key, "system": self.system_key}
        super().fail(fault, provider, times, named.get(keys or "", keys))

    def set_clock(self, at: dt.datetime) -> None:
        """Set the database's clock."""
        database = self.byok.state.database
        now = self.byok.state.store.read_state(f"i:{self.company}").now()
        database.clock_offset += at - now

    def block(self, model: str, provider: str = "OPENAI") -> Block:
        """Read what a stored key remembers about one model."""
        found = parse_blocks(self.circuit(provider).model_blocks)
        assert found is not None
        return found[model]

    def embed(self, texts: str = "hello", **more: t.Any) -> t.Any:
        """Ask for vectors."""
        return self.counted(lambda: self.client.embed(texts, **more))

    def counted(self, call: cabc.Callable[[], t.Any]) -> t.Any:
        """Make a call in a request for a page, count its requests and note its end."""
        return super().counted(lambda: self.in_a_page(call))

    def try_chat(self) -> t.Any:
        """Make a call as a job does, with no page; give its answer or its error."""
        job = Job(lambda: self.client.chat("Say hello."))
        job.do()
        return job.error or job.value

    def in_a_page(self, call: cabc.Callable[[], t.Any], **headers: str) -> t.Any:
        """Make a call, or several, in one request and note how it ended.

        :param headers: instead of those a browser asks for a page with.
        """
        self.job = job = Job(call)

        try:
            self.page = self.look("/ask", **headers)
        except BaseException as error:
            self.watch.note(type(error).__name__)
            raise

        self._note(job)

        if job.error is not None:
            raise job.error

        return job.value

    def _note(self, job: Job) -> None:
        if job.error is None:
            self.watch.note("answer")
        else:
            self.watch.note(type(job.error).__name__)
            self.guard.look_at_error(job.error)

    @contextlib.contextmanager
    def in_mid_call(
        self, call: cabc.Callable[[], t.Any], keys: str = ""
    ) -> cabc.Iterator[Job]:
        """Hold a call at the provider during the block; then it ends.

        It is made in a thread of its own, as a job is.

        :param keys: the key it runs on, if not the company's.
        """
        job = Job(call)

        def work() -> None:
            with self.app.app_context():
                job.do()

        thread = threading.Thread(target=work)

        with self.simulator.holding(keys=keys or self.api_key) as hold:
            thread.start()
            hold.wait_for(1)
            yield job

        thread.join()
        self._note(job)

    def look(self, path: str = "/home", **headers: str) -> str:
        """Open a page, outside of the app context that stands here."""
        found = contextvars.Context().run(
            self.visitor.get, path, headers=headers or DOCUMENT
        )
        self.watch.see("flash", found.text.count(_FLASH))
        return found.text

    @property
    def has_banner(self) -> bool:
        """Whether the manager's page has the banner now."""
        return "byok-banner" in self.look()

    @property
    def paid(self) -> str:
        """Who paid since the last look: ``c`` for a company key, ``s`` for ours."""
        keys = self.who_paid()
        self.simulator.clear()
        return "".join("s" if key == self.system_key else "c" for key in keys)

    def count_history(self) -> collections.Counter[str]:
        """Count the lines of the history, of all companies."""
        table = self.byok.state.tables.audit
        self.byok.state.database.flush(force=True)

        with self.db.engine.connect() as connection:
            return collections.Counter(connection.scalars(sa.select(table.c.action)))


@contextlib.contextmanager
def fault_host(
    url: str, simulator: Simulator, watch: Watch, guard: LeakGuard, **config: t.Any
) -> cabc.Iterator[FaultHost]:
    """Make a host under watch on a database."""
    system_key = make_key(f"system {guard.canary}")
    usual = {"BYOK_SYSTEM_KEYS": dict.fromkeys(PROVIDERS, system_key)}

    with calling_as(FaultHost, url, simulator, **{**usual, **config}) as host:
        # The settings are read; what stays in the configuration would be a leak.
        host.app.config.pop("BYOK_SYSTEM_KEYS", None)
        guard.watch_also(system_key)
        guard.attach(host.app)
        host.watch, host.guard = watch, guard
        host.api_key, host.system_key = guard.canary, system_key
        host.visitor = host.app.test_client()
        watch.system_keys.add(system_key)
        watch.read_history = host.count_history
        host.byok.access_check(lambda: host.is_manager)
        _add_pages(host)

        with watch.watching(host.app):
            yield host


def _add_pages(host: FaultHost) -> None:
    @host.app.get("/ask")
    def ask() -> str:
        if host.job is not None:
            host.job.do()

        return flask.render_template_string(_PAGE)

    @host.app.get("/home")
    def home() -> str:
        return flask.render_template_string(_PAGE)

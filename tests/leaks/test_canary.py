"""A key saved, used, failed, tested and removed appears nowhere but in its header."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import functools
import typing as t

import pytest
import sqlalchemy as sa

from flask_byok import ApiKeyFormatError
from flask_byok import Message
from flask_byok import signals
from flask_byok.testing import LeakGuard
from flask_byok.web.blueprint import ROUTES
from tests.support.calls import NAMES
from tests.web.conftest import Host

PROVIDERS: t.Final = ("OPENAI", "GEMINI", "CLAUDE")

#: What makes a provider say something about the key it was sent.
FAULTS: t.Final = (
    "key_echoed",
    "revoked",
    "restricted",
    "nocredit",
    "ratelimited",
    "outage",
    "html_200",
    "html",
    "redirect_307",
    "reset",
    "cut_body",
    "late_outage",
    "cut",
)


class Walker:
    """Walks a key through its life and shows everything to the guard."""

    def __init__(self, host: Host, guard: LeakGuard, provider: str) -> None:
        self.host = host
        self.guard = guard
        self.provider = provider
        self.visitor = host.client()

    def attempt(self, call: cabc.Callable[[], t.Any]) -> None:
        """Make a call; show its answer or its error."""
        error: BaseException | None = None

        try:
            self.guard.look_at_value(call())
        except Exception as raised:
            error = raised

        if error is not None:
            self.guard.look_at_error(error)

    def chat(self) -> t.Any:
        """Ask for an answer."""
        return self.host.chat()

    def stream(self) -> t.Any:
        """Ask for an answer in pieces."""
        with self.host.app.app_context():
            stream = self.host.byok.client_for(1).stream("hello", fallback=False)
            return [list(stream), stream.response]

    def embed(self) -> t.Any:
        """Ask for vectors."""
        with self.host.app.app_context():
            return self.host.byok.client_for(1).embed("hello")

    def converse(self) -> t.Any:
        """Ask in every other way there is, and keep the conversation."""
        with self.host.app.app_context():
            client = self.host.byok.client_for(1)
            question = Message(role="user", content="hello")
            answer = client.chat([question], reasoning_effort="low")
            stored = [question.to_dict(), answer.message.to_dict()]
            schema = {"type": "object", "properties": {"a": {"type": "string"}}}
            asked = [*stored, {"role": "user", "content": "again"}]
            parsed = client.chat(asked, response_format=schema)
            return [stored, parsed.parsed, client.count_tokens(asked)]

    def models(self) -> t.Any:
        """Ask for the list of models."""
        with self.host.app.app_context():
            return self.host.byok.client_for(1).models()

    def check(self) -> t.Any:
        """Test the stored key without the page."""
        with self.host.app.app_context():
            return self.host.byok.test_connection(1, self.provider)

    def read(self) -> t.Any:
        """Read all there is to read of a company."""
        import datetime as dt

        byok, today = self.host.byok, dt.date.today()
        day = dt.timedelta(days=1)

        with self.host.app.app_context():
            return [
                byok.status(1),
                byok.credentials(1),
                byok.policy(1),
                byok.history(1, 100),
                byok.usage(1, today - day, today + day),
                byok.allowance(1),
                byok.client_for(1),
                byok.settings,
                dict(self.host.app.config),
            ]

    def use(self) -> None:
        """Use the key in every way there is."""
        calls = (self.chat, self.stream, self.embed, self.converse)

        for call in (*calls, self.models, self.check):
            self.attempt(call)

    def look_at_pages(self) -> None:
        """Visit every page and document."""
        for path in ("/", f"/remove/{self.provider}", "/usage.csv"):
            self.visitor.get(path)

        for path in ("/credentials", "/policy", "/usage", "/openapi.json"):
            self.visitor.call("GET", path)

        with self.guard.no_digits():
            for user in ("max", None):
                self.host.client(user).get("/")

    def look_around(self) -> None:
        """Look at everything that lasts."""
        self.look_at_pages()
        self.attempt(self.read)
        self.guard.look_around()

    def command(self, *words: str, **more: t.Any) -> str:
        """Run a command of the package."""
        return str(self.guard.invoke(self.host.app, "byok", *words, **more).output)


@pytest.fixture
def signalled(host: Host) -> cabc.Iterator[set[str]]:
    """Give the names of the signals sent; the guard looks at what they carry."""
    sent: set[str] = set()

    with contextlib.ExitStack() as stack:
        for name in NAMES:
            receive = functools.partial(_note, sent, name)
            stack.enter_context(getattr(signals, name).connected_to(receive))

        yield sent


def _note(sent: set[str], name: str, sender: object, **payload: object) -> None:
    sent.add(name)


def save(walker: Walker, canary: str) -> None:
    """Save through the JSON API, and through the form."""
    walker.visitor.call("PUT", f"/credentials/{walker.provider}", {"api_key": canary})
    walker.visitor.save(canary, provider=walker.provider)


def spoil(host: Host) -> None:
    """Make the stored key unreadable."""
    with host.app.app_context():
        state = host.byok.state
        table = state.tables.credential

        with state.database.write() as conn:
            blob = bytearray(conn.scalar(sa.select(table.c.blob)))
            blob[-1] ^= 1
            conn.execute(sa.update(table).values(blob=bytes(blob)))


@pytest.mark.case(
    "C4",
    "C5",
    "C6",
    "C7",
    "C15",
    "C16",
    "C17",
    "C18",
    "C21",
    "C22",
    "D1",
    "E1",
    "F4",
    "G2",
    "G7",
    "G8",
)
@pytest.mark.usefixtures("reporting")
@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_key_appears_nowhere(
    host: Host,
    guard: LeakGuard,
    canary: str,
    signalled: set[str],
    provider: str,
) -> None:
    """Its whole life, in one app: only the header at the provider may hold it."""
    walker = Walker(host, guard, provider)
    save(walker, canary)
    assert [c.provider for c in host.status().credentials] == [provider]
    walker.use()
    walker.look_around()

    for fault in FAULTS:
        with contextlib.suppress(ValueError):
            host.simulator.set_fault(provider, fault, canary[:9])
            walker.use()
            walker.visitor.post("/test", provider=provider)
            save(walker, canary)

    walker.look_around()
    host.simulator.clear_faults()
    spoil(host)
    walker.use()
    walker.visitor.post("/test", provider=provider)
    walker.look_around()
    save(walker, canary)

    for command in ("credentials", "doctor"):
        walker.command(command)
        walker.command(command, "--json")

    walker.command("test", "i:1", provider)
    walker.command("test", "i:1", provider, "--json")
    walker.command("remove", "i:1", provider, "--yes")
    assert host.status().credentials == ()
    save(walker, canary)
    walker.visitor.post(f"/remove/{provider}")
    walker.look_around()
    assert host.status().credentials == ()
    assert {"circuit_opened", "key_rejected", "key_unreadable"} <= signalled
    assert any(r.api_key == canary for r in host.simulator.requests)
    guard.verify()


#: Texts that cannot be a key and hold most of one.
BAD: t.Final[dict[str, cabc.Callable[[str], str]]] = {
    "newline": lambda k: f"{k[:20]}\n{k[20:]}",
    "space": lambda k: f"{k[:20]} {k[20:]}",
    "control": lambda k: f"{k[:20]}\x07{k[20:]}",
    "NUL": lambda k: f"{k}\x00{k}",
    "accent": lambda k: f"{k}é",
    "masked": lambda k: f"{k[:20]}…{k[-4:]}",
    "bullets": lambda k: f"{k[:20]}••••{k[-4:]}",
    "long": lambda k: k * 60,
    "huge": lambda k: k * 2500,
    "short": lambda k: k[:7],
    "sentence": lambda k: f"My key is {k}.",
    "markup": lambda k: f"<b>{k}</b> {{{{ 7*7 }}}}",
}


@pytest.mark.case("C8", "C9", "C15", "C19", "D12", "E1")
@pytest.mark.usefixtures("reporting")
@pytest.mark.parametrize("bad", BAD)
def test_a_refused_text_is_not_repeated(
    host: Host, guard: LeakGuard, canary: str, bad: str
) -> None:
    """Not on the page, not in the problem, not in the log, not in the error."""
    walker, text = Walker(host, guard, "OPENAI"), BAD[bad](canary)
    walker.visitor.save(text)
    walker.visitor.call("PUT", "/credentials/OPENAI", {"api_key": text})

    with host.app.app_context():
        for call in (host.byok.check_key, lambda p, k: host.byok.save_key(1, p, k)):
            with pytest.raises(ApiKeyFormatError) as caught:
                call("OPENAI", text)

            error = caught.value
            # The frames below are the caller's own, who typed the text.
            guard.look("exceptions", str(error), repr(error), repr(error.args))
            assert error.__context__ is None

    guard.require("responses", "sessions", "logs", "exceptions", "tables")
    guard.verify()


FIELDS: t.Final = (
    "provider",
    "model",
    "expires_on",
    "generation",
    "confirm",
    "action",
    "activate",
    "fallback",
    "active_provider",
    "use_other_keys",
    "surprise",
    "csrf_token",
)


@pytest.mark.case("C18", "C19", "E13", "E15")
@pytest.mark.parametrize("field", FIELDS)
def test_a_key_in_the_wrong_field_is_not_repeated(
    host: Host, guard: LeakGuard, canary: str, field: str
) -> None:
    """A form manager fills in the wrong box: every route, form and JSON alike."""
    walker = Walker(host, guard, "OPENAI")
    walker.visitor.save("not-a-real-company-key-0001-AbCd")
    form = {"provider": "OPENAI", "action": "save", field: canary}

    for path in ("/key", "/test", "/policy", "/remove/OPENAI"):
        walker.visitor.post(path, **form)

    for method, path in (
        ("PUT", "/credentials/OPENAI"),
        ("POST", "/credentials/OPENAI/test"),
        ("PATCH", "/policy"),
        ("DELETE", "/credentials/OPENAI"),
    ):
        walker.visitor.call(method, path, {field: canary})
        walker.visitor.call(method, path, [canary])
        walker.visitor.call(method, path, data=f'{{"a": "{canary}"')
        walker.visitor.call(method, path, headers={"X-CSRFToken": canary})

    guard.require("responses", "sessions", "logs", "tables", "requests")
    guard.verify()


@pytest.mark.case("C18", "E14", "E15")
def test_no_route_repeats_a_key_out_of_its_address(
    host: Host, guard: LeakGuard, canary: str
) -> None:
    """In a path, in a query, as a cookie or header, by every method."""
    walker = Walker(host, guard, "OPENAI")

    for route in ROUTES:
        path = route.rule.replace("<provider>", canary)

        for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
            walker.visitor.pages.append(
                walker.visitor.client.open(
                    f"/settings/ai{path}",
                    method=method,
                    query_string={"api_key": canary, "since": canary},
                    headers={"Authorization": f"Bearer {canary}"},
                )
            )

    for page in walker.visitor.pages:
        assert page.status_code < 500, page.request.path

    guard.require("responses", "logs")
    guard.verify()

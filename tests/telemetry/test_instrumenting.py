"""Turning it on: once, with the extra, and never at the cost of a call."""

from __future__ import annotations

import subprocess
import sys
import typing as t

import flask
import pytest
from opentelemetry import trace

from flask_byok import SetupError
from flask_byok.telemetry import instrument
from flask_byok.testing import Simulator
from tests.support.calls import calling
from tests.support.host import make_host
from tests.telemetry.conftest import SeenHost


def test_it_is_turned_on_once(host: SeenHost) -> None:
    """A second time would count everything twice."""
    with pytest.raises(SetupError, match="instrumented already"):
        instrument(host.app)


def test_it_needs_the_extension() -> None:
    """The message says what to call before."""
    with pytest.raises(SetupError, match=r"Call 'byok.init_app\(app\)' before"):
        instrument(flask.Flask("host"))


def test_a_hash_needs_a_secret(sqlite_url: str, byok_simulator: Simulator) -> None:
    """Without one everybody could work it out."""
    made = make_host(sqlite_url, byok_simulator, SECRET_KEY=None)

    with pytest.raises(SetupError, match="SECRET_KEY"):
        instrument(made.app, company_ids="hashed")

    with pytest.raises(SetupError, match="'plain', 'hashed' or 'off'"):
        instrument(made.app, company_ids="salted")  # type: ignore[arg-type]

    with made.app.app_context():
        made.db.engine.dispose()


def test_two_apps_are_told_apart(host: SeenHost, byok_simulator: Simulator) -> None:
    """Another app in the process is not watched by this one's providers."""
    with calling(str(host.db.engine.url), byok_simulator) as other:
        other.chat()

    assert host.spans() == []


class Failing(trace.TracerProvider):
    """An OpenTelemetry whose spans, from the given one on, cannot be used."""

    def __init__(self, good: int) -> None:
        self.left = good

    def get_tracer(self, *names: t.Any, **more: t.Any) -> trace.Tracer:
        return FailingTracer(self)


class FailingTracer(trace.NoOpTracer):
    def __init__(self, provider: Failing) -> None:
        self._provider = provider

    def start_span(self, *args: t.Any, **more: t.Any) -> trace.Span:
        self._provider.left -= 1

        if self._provider.left < 0:
            raise RuntimeError("a text that may hold anything")

        return FailingSpan()


class FailingSpan(trace.NonRecordingSpan):
    def __init__(self) -> None:
        super().__init__(trace.INVALID_SPAN_CONTEXT)

    def set_attributes(self, attributes: t.Any) -> None:
        raise RuntimeError("a text that may hold anything")

    def end(self, end_time: int | None = None) -> None:
        raise RuntimeError("a text that may hold anything")


@pytest.mark.parametrize("good", [0, 1, 9])
def test_trouble_in_a_tracer_costs_no_call(
    sqlite_url: str,
    byok_simulator: Simulator,
    good: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Calls and streams are answered, settled and logged; the span before is back."""
    with calling(sqlite_url, byok_simulator) as host:
        instrument(host.app, tracer_provider=Failing(good))
        host.store()
        before = trace.get_current_span()

        assert host.chat().source == "company"
        assert host.stream()
        host.fail("revoked")
        assert host.chat().source == "system"
        assert trace.get_current_span() is before
        assert [row.state for row in host.attempts()] == [
            "done",
            "done",
            "failed",
            "done",
        ]

    assert "Telemetry of a call was lost: RuntimeError" in caplog.text
    assert "may hold anything" not in caplog.text


CALL = """
import sys


class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name == {blocked!r} or name.startswith({blocked!r} + "."):
            raise ModuleNotFoundError(name=name)


sys.meta_path.insert(0, Blocked())

import flask
import flask_sqlalchemy
from flask_byok import BYOK
from flask_byok.telemetry import instrument
from flask_byok.testing import Simulator

assert "opentelemetry" not in sys.modules

with Simulator() as simulator:
    app = flask.Flask("host")
    app.config.update(
        SQLALCHEMY_DATABASE_URI="sqlite://",
        BYOK_MASTER_KEYS=False,
        BYOK_PROVIDER_URLS=dict(simulator.urls),
        BYOK_SYSTEM_KEYS={{"OPENAI": "not-a-real-system-key"}},
    )
    db = flask_sqlalchemy.SQLAlchemy(app)
    byok = BYOK(app, db=db)

    try:
        instrument(app)
    except Exception as error:
        print(type(error).__name__, error)

    with app.app_context():
        db.create_all()
        print(byok.client_for(1).chat("hi").source)
        print(sum(1 for chunk in byok.client_for(1).stream("hi")) > 0)
"""


@pytest.mark.parametrize(
    ("blocked", "said"),
    [
        (
            "opentelemetry",
            "SetupError 'instrument' needs OpenTelemetry: "
            "'pip install \"flask-byok[otel]\"'. It is not installed.",
        ),
        ("opentelemetry.sdk", None),
    ],
)
def test_without_the_packages_calls_go_on(blocked: str, said: str | None) -> None:
    """No API: one clear error. An API without an SDK: nothing at all."""
    done = subprocess.run(
        [sys.executable, "-c", CALL.format(blocked=blocked)],
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert done.stdout.splitlines() == [*([said] if said else []), "system", "True"]
    assert "Telemetry" not in done.stderr

"""The page says of spans and metrics what is exported, and its examples run."""

from __future__ import annotations

import collections
import collections.abc as cabc
import contextlib
import pathlib
import re
import typing as t

import pytest
from opentelemetry.sdk.metrics import export
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from flask_byok import errors
from flask_byok import signals
from flask_byok.testing import Simulator
from tests.support import examples
from tests.support.calls import calling
from tests.telemetry.conftest import SeenHost

PAGE = pathlib.Path(__file__).parents[2] / "docs" / "observability.md"

Names = dict[str, set[str]]


def table(header: str) -> list[list[str]]:
    """Read the rows of the table whose first heading is this."""
    text = PAGE.read_text("utf-8")
    found = re.search(rf"^\| {header} \|.*\n\|-.*\n((?:\|.*\n)+)", text, re.M)
    assert found is not None
    return [line.strip("|").split("|") for line in found[1].splitlines()]


def names(cell: str) -> set[str]:
    """List the dotted names in backticks."""
    return set(re.findall(r"`((?:gen_ai|byok|error|server|http)\.[\w.]+)`", cell))


@pytest.fixture
def seen(host: SeenHost) -> SeenHost:
    """Let happen what can happen to calls: each value of the page comes up once."""
    host.store()
    host.chat(label="summary", max_tokens=50)

    for fault in ("cached", "thinking"):
        host.fail(fault)
        host.chat()

    host.stream()
    host.fail("cut")

    with contextlib.suppress(errors.StreamInterrupted):
        host.stream()

    host.fail("status_418")
    host.refuse(errors.RequestRefused)
    host.fail("model_not_found")
    host.chat(model="fast")
    host.fail("revoked")
    host.chat()
    host.chat()
    return host


def of_spans(spans: cabc.Iterable[t.Any]) -> set[str]:
    """List every attribute of some spans."""
    return {name for span in spans for name in span.attributes or ()}


def test_every_attribute_of_a_call_is_in_the_table(seen: SeenHost) -> None:
    """None is missing from the page and none is invented."""
    calls = [span for span in seen.spans() if span not in seen.attempts_seen()]
    written = {name for row in table("attribute of the call") for name in names(row[0])}

    assert of_spans(calls) == written


def test_every_attribute_of_an_attempt_is_in_the_table(seen: SeenHost) -> None:
    """The same for the spans below."""
    rows = table("attribute of an attempt")

    assert of_spans(seen.attempts_seen()) == {n for row in rows for n in names(row[0])}


def test_every_event_is_in_the_table(seen: SeenHost) -> None:
    """With all of its attributes."""
    exported: Names = collections.defaultdict(set)

    for span in seen.spans():
        for event in span.events:
            exported[event.name] |= set(event.attributes or ())

    rows = table("event of the call")
    assert exported == {min(names(row[0])): names(row[2]) for row in rows}


def test_every_metric_is_in_the_table(seen: SeenHost) -> None:
    """With all of its attributes."""
    exported = {
        name: {a for point in points for a in point.attributes}
        for name, points in seen.metrics().items()
    }

    assert exported == {min(names(row[0])): names(row[3]) for row in table("metric")}


def test_the_units_are_those_of_the_table(seen: SeenHost) -> None:
    """Kind and unit, as the page says."""
    (resource,) = seen.reader.get_metrics_data().resource_metrics
    kinds = {
        metric.name: ("histogram" if "Histogram" in kind else "counter", metric.unit)
        for metric in resource.scope_metrics[0].metrics
        for kind in [type(metric.data).__name__]
    }
    written = {
        min(names(row[0])): tuple(row[1].strip().replace("`", "").split(", "))
        for row in table("metric")
    }
    assert kinds == written


class KeptMetrics(export.MetricExporter):
    """Keeps the names of what it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: set[str] = set()

    def export(self, metrics_data: t.Any, *args: t.Any, **more: t.Any) -> t.Any:
        for resource in metrics_data.resource_metrics:
            for scope in resource.scope_metrics:
                self.kept |= {metric.name for metric in scope.metrics}

        return export.MetricExportResult.SUCCESS

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        return True

    def shutdown(self, timeout_millis: float = 30_000, **more: t.Any) -> None:
        pass


def test_the_examples_run(
    sqlite_url: str, byok_simulator: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    """A host that copies them sees the signal, the spans and the metrics."""
    signal_block, otel_block = examples.blocks(PAGE.name)
    spans, metrics = InMemorySpanExporter(), KeptMetrics()
    given = {"span_exporter": spans, "metric_exporter": metrics}

    with calling(sqlite_url, byok_simulator) as host:
        written: dict[str, t.Any] = {"app": host.app, **given}
        examples.run(signal_block, written)
        examples.run(otel_block, written)
        host.store()
        host.fail("revoked")
        host.chat()
        written["tracer_provider"].shutdown()
        written["meter_provider"].shutdown()
        signals.circuit_opened.disconnect(written["note"], host.app)

    assert "company key of OPENAI is out: auth" in caplog.text
    assert len(spans.get_finished_spans()) == 3
    assert "byok.client.fallbacks" in metrics.kept

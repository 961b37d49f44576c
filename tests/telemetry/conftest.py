"""A host app under OpenTelemetry's eyes, whose spans and metrics stay in memory."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import typing as t

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from flask_byok.telemetry import instrument
from flask_byok.testing import Simulator
from flask_byok.testing.fixtures import _byok_simulator_server as _byok_simulator_server
from flask_byok.testing.fixtures import byok_simulator as byok_simulator
from tests.support.calls import CallHost
from tests.support.calls import calling


class SeenHost(CallHost):
    """A host whose spans and metrics can be read."""

    exporter: InMemorySpanExporter
    reader: InMemoryMetricReader
    tracer_provider: TracerProvider

    def spans(self) -> list[ReadableSpan]:
        """Give the spans that have ended, the outermost last."""
        return list(self.exporter.get_finished_spans())

    @property
    def span(self) -> ReadableSpan:
        """Give the one span of a call."""
        (span,) = [s for s in self.spans() if not s.name.startswith("attempt ")]
        return span

    def attempts_seen(self) -> list[ReadableSpan]:
        """Give the spans of attempts."""
        return [s for s in self.spans() if s.name.startswith("attempt ")]

    def points(self, name: str) -> list[t.Any]:
        """Give the data points of a metric."""
        return list(self.metrics().get(name, ()))

    def metrics(self) -> dict[str, list[t.Any]]:
        """Give the data points of all metrics by name."""
        data = self.reader.get_metrics_data()

        if data is None:
            return {}

        return {
            metric.name: list(metric.data.data_points)
            for resource in data.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }


@contextlib.contextmanager
def seeing(
    url: str, simulator: Simulator, *, company_ids: t.Any = "plain", **config: t.Any
) -> cabc.Iterator[SeenHost]:
    """Make an instrumented host."""
    with calling(url, simulator, **config) as made:
        host = SeenHost(made.app, made.db, made.byok, simulator)
        host.signals = made.signals
        made.byok.company_loader(lambda: host.company)
        host.exporter = InMemorySpanExporter()
        host.reader = InMemoryMetricReader()
        host.tracer_provider = TracerProvider(shutdown_on_exit=False)
        host.tracer_provider.add_span_processor(SimpleSpanProcessor(host.exporter))
        meters = MeterProvider([host.reader], shutdown_on_exit=False)
        instrument(
            host.app,
            tracer_provider=host.tracer_provider,
            meter_provider=meters,
            company_ids=company_ids,
        )
        yield host
        host.tracer_provider.shutdown()
        meters.shutdown()


@pytest.fixture
def host(sqlite_url: str, byok_simulator: Simulator) -> cabc.Iterator[SeenHost]:
    """An instrumented host with company ids in plain."""
    with seeing(sqlite_url, byok_simulator) as made:
        yield made

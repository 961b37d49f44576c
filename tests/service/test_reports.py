"""Reports on their way into a column and back."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import socket
import typing as t

from flask_byok.providers.http import Sender
from flask_byok.providers.openai import OpenAIProvider
from flask_byok.secret import Secret
from flask_byok.service.check import Checker
from flask_byok.service.reports import MOST_TEXT
from flask_byok.service.reports import parse_report
from flask_byok.service.reports import render_report
from flask_byok.service.types import ConnectionReport
from flask_byok.service.types import ListedModel
from tests.providers.replay import build_answer
from tests.providers.replay import Request
from tests.providers.replay import Server

REPORT: t.Final = ConnectionReport(
    provider="OPENAI",
    verdict="working",
    key="pass",
    latency="pass",
    list="pass",
    generate="pass",
    limit_ms=5000,
    model="m-1",
    tested_at=dt.datetime(2026, 11, 23, 12, tzinfo=dt.timezone.utc),
    models=("m-1", "m-2"),
    model_facts=(
        ListedModel(
            id="m-1",
            can=("tools", "vision"),
            shuts_down_on=dt.date(2027, 1, 14),
            input_limit=9,
        ),
        ListedModel(id="m-2", kinds=("embed",)),
    ),
    model_shuts_down_on=dt.date(2027, 1, 14),
    list_asked=False,
)


def test_a_report_comes_back_as_it_was() -> None:
    """What is known of models included; what is usual takes no room."""
    text = render_report(REPORT)

    assert parse_report(text) == REPORT
    assert json.loads(text)["model_facts"][1] == {"id": "m-2", "kinds": ["embed"]}


def test_a_report_of_an_older_version_is_read() -> None:
    """It knows nothing of models beside their ids; one with odd facts is none."""
    values = json.loads(render_report(REPORT))

    for name in ("model_facts", "model_shuts_down_on", "list_asked"):
        del values[name]

    older = parse_report(json.dumps(values))
    assert older == dataclasses.replace(
        REPORT, model_facts=(), model_shuts_down_on=None, list_asked=True
    )

    for odd in ("x", [1], [{"id": "m", "shuts_down_on": "soon"}], [{"new": 1}]):
        assert parse_report(json.dumps({**values, "model_facts": odd})) is None


def test_a_long_list_is_cut_to_what_a_column_holds() -> None:
    """500 ids of 200 characters do not fit into one text of every database."""
    models = tuple(f"{number:03}-{'m' * 196}" for number in range(500))
    facts = tuple(ListedModel(id=model, can=("tools",)) for model in models)
    long = dataclasses.replace(REPORT, models=models, model_facts=facts)
    text = render_report(long)
    kept = parse_report(text)

    assert len(text) <= MOST_TEXT and kept is not None
    assert kept.models == models[: len(kept.models)] and len(kept.models) > 100
    assert [fact.id for fact in kept.model_facts] == list(kept.models)


def test_a_date_makes_no_other_model() -> None:
    """A name answers as its newest dated model: that is the model asked for."""
    answers = iter(["gpt-6-sol-2026-05-01", "gpt-7-sol"])

    def behave(conn: socket.socket, request: Request) -> None:
        body = {"data": []}

        if request.method == "POST":
            part = {"type": "output_text", "text": "OK"}
            message = {"type": "message", "content": [part]}
            body = {"model": next(answers), "status": "completed", "output": [message]}

        conn.sendall(build_answer(200, json.dumps(body).encode()))

    server, sender = Server(behave), Sender(5.0)
    provider = OpenAIProvider().with_base_url(server.url)
    checker = Checker(sender, timeout=5.0, latency_limit=5.0)

    try:
        reports = [
            checker.check(provider, Secret("not-a-real-key-0001"), model="gpt-6-sol")
            for _ in range(2)
        ]
    finally:
        sender.close()
        server.close()

    assert [report.verdict for report in reports] == ["working", "working"]
    assert [report.answered_model for report in reports] == [None, "gpt-7-sol"]

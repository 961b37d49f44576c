"""Records about events: fields for machines beside the sentence for people."""

from __future__ import annotations

import json
import logging
import pathlib

import pytest

from flask_byok.testing import Simulator
from flask_byok.testing.fixtures import _byok_simulator_server as _byok_simulator_server
from flask_byok.testing.fixtures import byok_simulator as byok_simulator
from tests.support.calls import calling
from tests.support.host import GOOD
from tests.support.log_events import find_events
from tests.support.log_events import find_unknown_names
from tests.support.log_events import HOUSE
from tests.support.log_events import write_table

PAGE = pathlib.Path(__file__).parents[2] / "docs" / "operations.md"


class JsonFormatter(logging.Formatter):
    """Writes what a usual JSON formatter does: the message and every extra field."""

    def format(self, record: logging.LogRecord) -> str:
        own = {k: v for k, v in vars(record).items() if k.startswith("byok_")}
        return json.dumps({"message": record.getMessage(), **own})


def test_a_record_has_fields(
    sqlite_url: str, byok_simulator: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    """A rejected key, told as JSON: names, ids and times, and nothing of the key."""
    with calling(sqlite_url, byok_simulator) as host, caplog.at_level(logging.INFO):
        host.store()
        host.fail("revoked")
        host.chat()
        until = host.circuit().open_until

    ours = [r for r in caplog.records if r.name.startswith("flask_byok")]
    lines = [json.loads(JsonFormatter().format(record)) for record in ours]
    assert [line["byok_event"] for line in lines] == [
        "circuit_opened",
        "notice_due",
        "fallback_used",
    ]
    assert until is not None
    assert {**lines[0], "message": ""} == {
        "message": "",
        "byok_event": "circuit_opened",
        "byok_source": "company",
        "byok_provider": "OPENAI",
        "byok_company": "i:1",
        "byok_reason": "auth",
        "byok_until": until.isoformat(),
    }
    assert lines[0]["message"].startswith(
        "The company key of OPENAI is out: auth, until "
    )
    assert GOOD[-4:] not in json.dumps(lines)


def test_the_page_lists_every_event() -> None:
    """With its level and its fields, as they stand in the source."""
    assert write_table() in PAGE.read_text("utf-8")


def test_every_line_of_the_log_is_an_event() -> None:
    """Nobody writes to the log past the one function, so none is without fields."""
    past = [
        f"{path.name}: {line.strip()}"
        for path in sorted(HOUSE.rglob("*.py"))
        if "testing" not in path.parts and path.name != "events.py"
        for line in path.read_text("utf-8").splitlines()
        if line.strip().startswith(("_log.", "logger."))
    ]
    assert past == []


def test_sentences_name_fields_they_have() -> None:
    """Logging would swallow the error and print it beside the log."""
    assert find_unknown_names() == []
    assert {"circuit_opened", "notice_due", "records_lost"} <= set(find_events())

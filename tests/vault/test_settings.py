"""Settings that are refused, and threads that meet the garbage collector."""

from __future__ import annotations

import decimal
import gc
import threading
import traceback
import typing as t

import pytest

from flask_byok.config import Settings
from flask_byok.errors import ConfigError
from flask_byok.failover.overlay import Overlay
from flask_byok.masterkeys import generate
from flask_byok.vault.buffer import Buffer
from flask_byok.vault.buffer import Record

SYSTEM_KEY = "not-a-real-system-key-0001-AbCd"


@pytest.mark.case("C4")
@pytest.mark.parametrize(
    "wrong",
    [
        {"BYOK_TIMEOUTT": 3},
        {"BYOK_MASTER_KEYS": {"k001": "short"}},
        {"BYOK_SYSTEM_KEYS": {"OPENAI": SYSTEM_KEY, "GEMINI": "x y"}},
        {"BYOK_SYSTEM_KEYS": '{"OPENAI": "' + SYSTEM_KEY},
    ],
)
def test_no_frame_of_a_refusal_holds_the_settings(wrong: dict[str, t.Any]) -> None:
    """An error reporter sends the locals of every frame: none of them has a key."""
    master_key = generate()
    config = {
        "BYOK_MASTER_KEYS": {"k001": master_key},
        "BYOK_SYSTEM_KEYS": {"OPENAI": SYSTEM_KEY},
        **wrong,
    }

    with pytest.raises(ConfigError) as caught:
        Settings.from_config(config)

    assert caught.value.__context__ is None
    frames = caught.value.__traceback__
    ours = t.cast("t.Any", frames).tb_next
    told = "".join(
        str(frame.locals)
        for frame in traceback.StackSummary.extract(
            traceback.walk_tb(ours), capture_locals=True
        )
    )
    assert told and SYSTEM_KEY not in told and master_key not in told


@pytest.mark.case("C1", "C20")
def test_the_limiters_password_is_not_shown() -> None:
    """The URL of the counter may hold a password."""
    settings = Settings(ring=None, rate_limit_storage="redis://:hidden@localhost")
    assert "hidden" not in repr(settings)


@pytest.mark.parametrize("kept", [Buffer(10), Overlay()])
def test_the_collector_may_come_in_between(kept: t.Any) -> None:
    """A stream that is collected while the lock is held writes, and nobody hangs."""

    class Stream:
        def __del__(self) -> None:
            if isinstance(kept, Buffer):
                kept.add(Record(write=lambda connections: None, weight="attempt"))
            else:
                kept.remove(t.cast("t.Any", None))

    def collect() -> None:
        stream: t.Any = Stream()
        stream.itself = stream
        del stream

        with kept._lock:
            gc.collect()

    thread = threading.Thread(target=collect, daemon=True)
    thread.start()
    thread.join(10)
    assert not thread.is_alive()


@pytest.mark.parametrize(
    ("given", "micros"),
    [
        ("25.00", 25_000_000),
        (25, 25_000_000),
        (decimal.Decimal("0.000001"), 1),
        ("0", 0),
    ],
)
def test_money_is_read_exactly(given: t.Any, micros: int) -> None:
    """A text, a whole number or a Decimal of US dollars, kept in millionths."""
    config = {"BYOK_MASTER_KEYS": False, "BYOK_SYSTEM_BUDGET": {"money": given}}
    assert Settings.from_config(config).system_budget == {"money": micros}


def test_money_stands_beside_other_units() -> None:
    """As a JSON text, too: the form of the environment."""
    text = '{"requests": 5, "money": "1.50"}'
    config = {"BYOK_MASTER_KEYS": False, "BYOK_SYSTEM_BUDGET": text}
    found = Settings.from_config(config).system_budget
    assert found == {"requests": 5, "money": 1_500_000}


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (25.5, "must not be a float, which cannot hold cents exactly"),
        ("1.0000001", "at most six digits"),
        ("-1", "an amount of US dollars"),
        ("NaN", "an amount of US dollars"),
        ("1e400", "an amount of US dollars"),
        ("25 EUR", "an amount of US dollars"),
        (True, "an amount of US dollars"),
        ([], "an amount of US dollars"),
    ],
)
def test_other_money_is_refused(given: t.Any, sentence: str) -> None:
    """Each with a sentence that names the setting and not what it holds."""
    config = {"BYOK_MASTER_KEYS": False, "BYOK_SYSTEM_BUDGET": {"money": given}}

    with pytest.raises(ConfigError, match=sentence) as caught:
        Settings.from_config(config)

    assert 'BYOK_SYSTEM_BUDGET["money"]' in str(caught.value)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("BYOK_BASE_TEMPLTE", " Did you mean 'BYOK_BASE_TEMPLATE'?"),
        ("BYOK_KEYS", ""),
        ("BYOK_POLICY", ""),
    ],
)
def test_an_unknown_setting_is_refused(name: str, hint: str) -> None:
    """With the name that was meant, where one is alike beyond its beginning."""
    with pytest.raises(ConfigError) as caught:
        Settings.from_config({"BYOK_MASTER_KEYS": False, name: 1})

    assert str(caught.value) == f"'{name}' is not a setting of flask-byok.{hint}"

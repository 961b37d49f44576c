"""A real gunicorn that would kill its workers in the midst of a call."""

from __future__ import annotations

import pathlib

import pytest

from tests.support.gunicorn_log import start

SENTENCE = "gunicorn kills a sync worker after {} s, and an AI call may take 60 s"


@pytest.mark.parametrize("more", [(), ("--preload",)])
def test_sync_workers_that_die_first_are_told_of(more: tuple[str, ...]) -> None:
    """With the settings of the command line, the app loaded early or late."""
    assert SENTENCE.format(30) in start(*more)


def test_settings_of_a_file_count(tmp_path: pathlib.Path) -> None:
    """Wherever gunicorn has its time from."""
    settings = tmp_path / "gunicorn.conf.py"
    settings.write_text("timeout = 45\n", "utf-8")
    assert SENTENCE.format(45) in start("--config", str(settings))


@pytest.mark.parametrize(
    "more",
    [("--timeout", "61"), ("--timeout", "0"), ("--threads", "4")],
    ids=["patient", "for-ever", "threads"],
)
def test_nothing_is_said_of_workers_that_wait(more: tuple[str, ...]) -> None:
    """More time than a call may take, no limit, or threads, which are not killed."""
    assert "gunicorn kills" not in start(*more)


def test_nothing_is_said_of_calls_that_are_short() -> None:
    """Nor where the host gives its calls less time than gunicorn."""
    assert "gunicorn kills" not in start(factory="create_app(timeout=20.0)")

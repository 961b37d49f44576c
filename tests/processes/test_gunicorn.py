"""A real gunicorn that would kill its workers in the midst of a call."""

from __future__ import annotations

import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[2]
SENTENCE = "gunicorn kills a sync worker after {} s, and an AI call may take 60 s"


def start(*arguments: str, factory: str = "create_app()") -> str:
    """Start gunicorn with one worker; give what it wrote until the app was ready."""
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "gunicorn", "--workers", "1"),
            *("--bind", "127.0.0.1:0", "--no-control-socket", *arguments),
            f"tests.support.gunicorn_app:{factory}",
        ],
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    lines: list[str] = []

    try:
        assert process.stderr is not None

        for line in process.stderr:
            lines.append(line)

            if "the app is ready" in line:
                break
        else:
            raise AssertionError("".join(lines))
    finally:
        process.terminate()
        process.communicate(timeout=30)

    return "".join(lines)


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

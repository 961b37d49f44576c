"""What a real gunicorn writes until it has loaded an app."""

from __future__ import annotations

import subprocess
import sys

from tests.support.examples import ROOT


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

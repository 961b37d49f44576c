"""Whatever a provider sends: it ends, in time and within so much memory."""

from __future__ import annotations

import json
import subprocess
import sys
import typing as t

import pytest

from flask_byok.providers.http import ANSWER_CAP
from tests.hostile import attacks
from tests.hostile import shapes
from tests.hostile.siege import SECONDS
from tests.hostile.siege import tried
from tests.support.worker import ROOT

#: Memory a whole siege may take: decoded JSON is several times its text.
MOST_BYTES = 16 * ANSWER_CAP


def besiege(kind: str) -> list[dict[str, t.Any]]:
    """Let a process of its own be attacked, and give what it told of each attack."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.hostile.siege", kind],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


def expected(kind: str) -> dict[str, attacks.Attack]:
    """Give every attack on a wire by its name."""
    made = {**attacks.ATTACKS, **attacks.stream_attacks(kind)}
    return {name: make() for name, make in made.items()}


@pytest.mark.nightly
@pytest.mark.case("D8", "D9", "D10")
@pytest.mark.parametrize("kind", shapes.PROVIDERS)
def test_every_attack_ends_within_bounds(kind: str) -> None:
    """Chat, list, stream and key check: a failure of ours, in time, in little memory.

    What never ends by itself is cut by the deadline. A check catches every failure and
    gives its report.
    """
    named = expected(kind)
    told = besiege(kind)
    assert [(one["attack"], one["action"]) for one in told] == tried(kind)

    for one in told:
        attack, end = named[one["attack"]], one["end"]

        if one["action"] == "check":
            assert end == "an answer", one
        elif attack.endless:
            assert end == "timeout", one
        elif one["action"] == "chat" or one["attack"] not in attacks.ATTACKS:
            assert end in attack.ends, one
        else:
            # A list has a lower cap, and a stream that breaks off a word of its own.
            assert end in attack.ends | attacks.TOO_LARGE | attacks.NONSENSE, one

        if attack.endless:
            assert one["seconds"] < 10 * SECONDS, one

    assert sum(one["grown"] for one in told) < MOST_BYTES

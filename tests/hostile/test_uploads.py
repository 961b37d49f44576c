"""A file that an app's own user uploads, on its way through an SDK."""

from __future__ import annotations

import time

import pytest

from flask_byok.providers.openai import OpenAIProvider
from flask_byok.sdk.outgoing import Incoming
from flask_byok.sdk.outgoing import Outgoing

FORM = "multipart/form-data; boundary=b"


def reading_time(lines: int) -> float:
    """Time the reading of a form whose file looks like the heads of many parts."""
    head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    incoming = Incoming(
        method="POST",
        path="/files",
        headers={"content-type": FORM},
        body=head + b'name="model"\r\n' * lines,
    )
    found = []

    for _ in range(5):
        began = time.perf_counter()
        assert Outgoing(incoming, OpenAIProvider()).model is None
        found.append(time.perf_counter() - began)

    return min(found)


@pytest.mark.case("D10")
def test_a_file_of_part_heads_takes_time_by_its_size() -> None:
    """Four times the bytes take about four times as long, not sixteen times."""
    assert reading_time(4000) < 9 * reading_time(1000)

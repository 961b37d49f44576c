"""Key services on loopback, and rings on them."""

from __future__ import annotations

import collections.abc as cabc
import pathlib

import pytest

from tests.support.transit import run_transit
from tests.support.transit import Transit


@pytest.fixture
def transit() -> cabc.Iterator[Transit]:
    """Run a transit engine with one key."""
    with run_transit() as server:
        yield server


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    """Take away what this machine says of services; credentials look like nothing."""
    for name in ("VAULT_TOKEN", "VAULT_CACERT", "AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)

    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "not-a-real-id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-a-real-aws-secret")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")

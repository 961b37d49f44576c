"""Errors that are raised in another process, and read in this one."""

from __future__ import annotations

import copy
import datetime as dt
import pickle
import typing as t

import pytest

from flask_byok import errors
from flask_byok.errors import BYOKError

PROVIDER: t.Final = {"provider": "OPENAI", "source": "company", "reason": "auth"}
MADE: t.Final[list[BYOKError]] = [
    errors.NoCompany("Nobody.", type_name="bool"),
    errors.ApiKeyFormatError("short", "Too short."),
    errors.CheckLimited("Wait.", 3.5),
    errors.CompanyKeyUnavailable("Out.", reason="auth", until=None),
    errors.StoredKeyUnreadable("tampered", record_id="r", key_id="k001"),
    errors.KeyServiceUnavailable(key_id="k001"),
    errors.SystemBudgetExceeded(
        "Spent.", resets_on=dt.date(2030, 1, 1), first=errors.CallError("Before.")
    ),
    errors.UnsupportedByProvider("No.", provider="CLAUDE", feature="embeddings"),
    errors.KeyRejected("Refused.", **PROVIDER, status=401),
    errors.StreamInterrupted("Broken.", partial="Hel", usage=None, **PROVIDER),
]


@pytest.mark.parametrize("take", [lambda e: pickle.loads(pickle.dumps(e)), copy.copy])
@pytest.mark.parametrize("error", MADE, ids=lambda error: type(error).__name__)
def test_an_error_arrives_as_it_left(
    error: BYOKError, take: t.Callable[[BYOKError], BYOKError]
) -> None:
    """One that cannot be read breaks a pool of processes, and every call in it."""
    came = take(error)

    assert type(came) is type(error) and str(came) == str(error)
    assert repr(vars(came)) == repr(vars(error))

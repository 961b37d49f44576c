"""What prints by accident: statements of the database, form objects."""

from __future__ import annotations

import datetime as dt
import logging

import pytest
import werkzeug

from flask_byok.web import forms
from tests.web.conftest import GOOD_KEY
from tests.web.conftest import Host
from tests.web.conftest import MakeHost

#: Pieces of the key that no log may hold.
PIECES = [GOOD_KEY[start : start + 8] for start in range(len(GOOD_KEY) - 7)]


@pytest.mark.case("C12")
def test_printed_statements_show_ciphertext_alone(
    make_host: MakeHost, caplog: pytest.LogCaptureFixture
) -> None:
    """With SQLAlchemy told to log every statement and row, the key is in none."""
    caplog.set_level(logging.DEBUG, "sqlalchemy")
    host = make_host()
    host.client().save()
    host.chat()
    host.client().get()
    host.client().post("/remove/OPENAI")
    printed = [record for record in caplog.records if "sqlalchemy" in record.name]
    shown = "\n".join(f"{record.getMessage()} {vars(record)}" for record in printed)

    assert "INSERT INTO byok_credential" in shown
    assert "DELETE FROM byok_credential" in shown
    assert not [piece for piece in PIECES if piece in shown]


@pytest.mark.case("C19")
def test_a_form_object_shows_a_mask(host: Host) -> None:
    """Whoever prints or dumps what a form was sent with sees no key."""
    sent = werkzeug.datastructures.MultiDict(
        {"provider": "OPENAI", "api_key": GOOD_KEY, "activate": "1"}
    )
    byok = host.byok

    with host.app.app_context():
        form = forms.read_save(sent, byok.settings, byok.registry, dt.date.today())

    for shown in (repr(form), str(form), f"{form.api_key}", repr(form.typed)):
        assert not [piece for piece in PIECES if piece in shown]

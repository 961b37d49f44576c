"""A newcomer's mistakes: each is told in a sentence, and the page has it."""

from __future__ import annotations

import contextlib
import logging
import pathlib

import flask_sqlalchemy
import jinja2
import pytest
from werkzeug.middleware.proxy_fix import ProxyFix

from flask_byok import BYOK
from flask_byok.testing import Simulator
from tests.support import mistakes
from tests.support.host import GOOD
from tests.support.mistakes import MISTAKES
from tests.support.mistakes import Newcomer


def test_the_page_has_what_is_said(
    byok_simulator: Simulator, tmp_path: pathlib.Path
) -> None:
    """If this fails: ``python -m tests.support.mistakes``, and read what changed."""
    written = mistakes.table(mistakes.PAGE.read_text("utf-8"))
    assert mistakes.rows(tmp_path, byok_simulator) == written
    assert GOOD not in str(written) and len(written) == len(MISTAKES)


def test_the_doctor_finds_what_can_be_found(
    byok_simulator: Simulator, tmp_path: pathlib.Path
) -> None:
    """Each mistake by the check the page names, and no other error beside it."""
    ready = mistakes.newcomers(tmp_path, byok_simulator)

    for mistake, newcomer in zip(MISTAKES, ready, strict=False):
        # The doctor does not see the server that will load the app.
        if mistake.gunicorn:
            continue

        found = mistakes.examine(mistake, newcomer)
        # A key under another ring does not open either.
        found.pop("stored-keys", None)

        if mistake.check is not None or mistake.where == "in the log":
            assert [*found] == [mistake.check] * (mistake.check is not None), found


def test_what_is_right_is_not_told_of(
    byok_simulator: Simulator, tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Proxies the app knows, a layout in two parts, and one of the host's own."""
    url = f"sqlite:///{tmp_path / 'well.sqlite3'}"
    headers = {"X-Forwarded-For": "203.0.113.7", "X-Forwarded-Prefix": "/app"}
    templates = {
        "part.html": "{% extends 'base.html' %}",
        "base.html": "<main>{% block content %}{% endblock %}</main>",
    }

    with contextlib.closing(Newcomer(url, byok_simulator)) as newcomer:
        app = newcomer.app(BYOK_BASE_TEMPLATE="part.html")
        app.jinja_loader = jinja2.DictLoader(templates)
        newcomer.finish(app)
        app.wsgi_app = ProxyFix(app.wsgi_app, x_prefix=1)  # type: ignore[method-assign]
        page = app.test_client().get("/settings/ai/", headers=headers)
        result = app.test_cli_runner().invoke(args=["byok", "doctor"])

    assert "<main>" in page.text and 'href="/app/settings/ai/static' in page.text
    assert not [r for r in caplog.records if r.levelno >= logging.WARNING]
    assert result.exit_code == 0 and "stands in part.html" in result.output


def test_the_order_of_the_extensions_is_free(
    byok_simulator: Simulator, tmp_path: pathlib.Path
) -> None:
    """``byok.init_app`` before ``db.init_app``: the database is looked for later."""
    newcomer = Newcomer(f"sqlite:///{tmp_path / 'order.sqlite3'}", byok_simulator)
    app, db = newcomer.app(), flask_sqlalchemy.SQLAlchemy()
    byok = BYOK(db=db)
    byok.init_app(app)
    db.init_app(app)
    newcomer.made.append((app, db))

    with contextlib.closing(newcomer), app.app_context():
        db.create_all()
        assert byok.save_key(1, "OPENAI", GOOD).saved
        assert byok.check_health().is_healthy


def test_only_true_opens_the_page(
    byok_simulator: Simulator, tmp_path: pathlib.Path
) -> None:
    """A row of a table, say, is a yes nobody gave."""
    ready = mistakes.newcomers(tmp_path, byok_simulator)
    newcomer = next(ready)
    said = {"yes": True, "one": 1, "row": object(), "none": None, "no": False}
    codes = {}

    for name, answer in said.items():
        app = newcomer.finish(newcomer.app(), check=lambda answer=answer: answer)
        codes[name] = app.test_client().get("/settings/ai/").status_code

    ready.close()
    assert codes == {"yes": 200, "one": 403, "row": 403, "none": 403, "no": 403}

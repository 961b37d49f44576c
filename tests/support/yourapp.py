"""The host app that ``docs/deployment`` is tried with, there under the name yourapp."""

from __future__ import annotations

import typing as t

from flask import Flask
from flask import request
from flask import Response
from flask import url_for
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from flask_wtf import CSRFProtect
from health import health  # type: ignore[import-not-found]
from streaming import streaming  # type: ignore[import-not-found]

from flask_byok import BYOK

db = SQLAlchemy()
migrate = Migrate()
csrf = CSRFProtect()
byok = BYOK(db=db)
byok.company_loader(lambda: 7)
byok.access_check(lambda: True)


def create_app() -> Flask:
    """Make the app; its settings stand in the environment, as in ``app.env``."""
    app = Flask("yourapp")
    app.config.from_prefixed_env()
    db.init_app(app)
    migrate.init_app(app, db)
    csrf.init_app(app)
    byok.init_app(app)
    app.register_blueprint(health)
    app.register_blueprint(streaming)
    csrf.exempt(streaming)
    app.add_url_rule("/seen", view_func=seen)
    app.after_request(leave_it_to_nginx)
    return app


def seen() -> dict[str, t.Any]:
    """Tell what the app takes for the caller's address, and for its own."""
    return {"caller": request.remote_addr, "page": url_for("byok.page", _external=True)}


def leave_it_to_nginx(response: Response) -> Response:
    """Say nothing of buffers below a path: the settings of nginx are enough there."""
    if request.script_root:
        response.headers.pop("X-Accel-Buffering", None)

    return response

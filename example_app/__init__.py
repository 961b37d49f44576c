"""Content Studio: a small product with several companies, to try flask-byok in.

``make demo`` runs it with a provider simulator behind it; see :mod:`example_app.demo`.
The lines a host app needs for flask-byok stand in :mod:`example_app.extensions` and
:mod:`example_app.settings`; the calls to the AI in :mod:`example_app.studio`.
"""

from __future__ import annotations

import collections.abc as cabc
import typing as t

from flask import Flask

from . import accounts
from . import breaker
from . import commands
from . import languages
from . import layouts
from . import pages
from . import security
from . import settings
from . import studio
from .extensions import byok
from .extensions import csrf
from .extensions import db
from .extensions import login_manager


def create_app(
    config: cabc.Mapping[str, t.Any] | None = None,
    *,
    instance_path: str | None = None,
    layout: str | None = None,
) -> Flask:
    """Make the app.

    :param config: settings on top of the defaults. ``None``: those of the demo, which
        keeps its secrets and its database in the instance folder.
    :param instance_path: an absolute path, to keep the instance folder elsewhere.
    :param layout: of the settings page; see :mod:`example_app.layouts`.
    """
    app = Flask(__name__, instance_path=instance_path)
    app.config.from_mapping(settings.DEFAULTS)

    if config is None:
        settings.load_demo(app)
    else:
        app.config.from_mapping(config)

    if layout is not None:
        app.config["STUDIO_LAYOUT"] = layout

    layouts.set_up_layout(app)
    languages.set_up_languages(app)
    db.init_app(app)
    csrf.init_app(app)
    login_manager.init_app(app)
    byok.init_app(app)

    for blueprint in (
        accounts.blueprint,
        pages.blueprint,
        studio.blueprint,
        breaker.blueprint,
        languages.blueprint,
    ):
        app.register_blueprint(blueprint)

    security.protect(app)
    app.cli.add_command(commands.init_db)
    return app

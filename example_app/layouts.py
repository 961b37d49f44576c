"""Other layouts to see the settings page in: a Bootstrap app's, and a bare one.

``make demo LAYOUT=bootstrap`` and ``make demo LAYOUT=bare`` show them. The tools keep
the studio's own layout; the settings page is the one that must fit anywhere.
"""

from __future__ import annotations

import collections.abc as cabc
import typing as t

from flask import Flask

#: By name: the settings a layout needs.
LAYOUTS: t.Final[cabc.Mapping[str, cabc.Mapping[str, t.Any]]] = {
    "studio": {},
    "bootstrap": {
        "BYOK_BASE_TEMPLATE": "layouts/bootstrap.html",
        "BYOK_UI": "bootstrap5",
        # Style sheets from this app, not from elsewhere.
        "BOOTSTRAP_SERVE_LOCAL": True,
    },
    "bare": {"BYOK_BASE_TEMPLATE": "layouts/bare.html"},
}


def set_up_layout(app: Flask) -> None:
    """Give the settings page the layout that ``STUDIO_LAYOUT`` names."""
    layout = app.config["STUDIO_LAYOUT"]
    app.config.from_mapping(LAYOUTS[layout])

    if layout == "bootstrap":
        # The other layouts run without it.
        from flask_bootstrap import Bootstrap5

        Bootstrap5(app)

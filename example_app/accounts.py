"""Signing in and out."""

from __future__ import annotations

import re
import typing as t

import sqlalchemy as sa
from flask import Blueprint
from flask import current_app
from flask import redirect
from flask import render_template
from flask import request
from flask import session
from flask import url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from flask_login import login_user
from werkzeug.security import check_password_hash

from . import demo_keys
from .extensions import db
from .extensions import login_manager
from .models import User
from .people import ACCOUNTS
from .people import COMPANIES
from .people import PASSWORD

blueprint = Blueprint("accounts", __name__)

#: A path of this app: never the address of another site.
# Browsers read "/\\" as "//", and drop tabs and line breaks before they look.
OWN_PATH = re.compile(r"/(?![/\\])[!-~]*")

# Flask-Login has no types: a checker takes the None it starts with for all it may be.
login_manager.login_view = "accounts.sign_in"  # pyright: ignore
login_manager.login_message = "Sign in to go on."
login_manager.login_message_category = "info"


def require_sign_in() -> ResponseReturnValue | None:
    """Send visitors to the sign-in page first; for ``before_request``."""
    if current_user.is_authenticated:
        return None

    return t.cast("ResponseReturnValue", login_manager.unauthorized())


@blueprint.get("/sign-in")
def sign_in() -> ResponseReturnValue:
    """Show the form and the demo accounts."""
    if current_user.is_authenticated:
        return redirect(url_for("pages.dashboard"))

    return _page()


@blueprint.post("/sign-in")
def enter() -> ResponseReturnValue:
    """Sign somebody in."""
    email = request.form.get("email", "").strip().lower()
    user = db.session.scalar(sa.select(User).where(User.email == email))

    if user is None or not check_password_hash(
        user.password_hash, request.form.get("password", "")
    ):
        return _page(trouble="E-mail address and password do not fit together."), 422

    session.clear()
    login_user(user)
    return redirect(_goal(), 303)


@blueprint.post("/sign-out")
def leave() -> ResponseReturnValue:
    """Sign out and forget the session."""
    session.clear()
    return redirect(url_for("accounts.sign_in"), 303)


def _page(trouble: str | None = None) -> str:
    return render_template(
        "studio/sign_in.html",
        accounts=ACCOUNTS,
        companies=COMPANIES,
        password=PASSWORD,
        keys=_shown_keys(),
        email=request.form.get("email", ""),
        goal=request.values.get("next", ""),
        trouble=trouble,
    )


def _shown_keys() -> dict[str, dict[str, str]]:
    """The demo keys by company; none where the real providers answer."""
    if current_app.config["STUDIO_SIMULATOR_URL"] is None:
        return {}

    return {slug: demo_keys.company_keys(slug) for slug in COMPANIES}


def _goal() -> str:
    """Where to go on: a page of this app, never another site."""
    goal = request.form.get("next", "")
    return goal if OWN_PATH.fullmatch(goal) else url_for("pages.dashboard")

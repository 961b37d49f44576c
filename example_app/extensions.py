"""The extensions, made once and bound to each app by ``create_app``."""

from __future__ import annotations

from flask import abort
from flask_login import current_user
from flask_login import LoginManager
from flask_sqlalchemy import SQLAlchemy
from flask_wtf import CSRFProtect
from sqlalchemy import orm

from flask_byok import BYOK


class Base(orm.DeclarativeBase):
    """The base of the studio's models."""


db = SQLAlchemy(model_class=Base)
csrf = CSRFProtect()
login_manager = LoginManager()
byok = BYOK(db=db)


@byok.company_loader
def load_company() -> int | None:
    """Tell which company the visitor works for."""
    return current_user.company_id if current_user.is_authenticated else None


@byok.access_check
def may_manage() -> bool:
    """Let administrators in; ask everybody else to sign in first."""
    if not current_user.is_authenticated:
        abort(login_manager.unauthorized())

    return bool(current_user.is_admin)


@byok.actor_loader
def load_actor() -> str | None:
    """Name the visitor, for the history."""
    return current_user.name if current_user.is_authenticated else None

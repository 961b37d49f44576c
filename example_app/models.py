"""Companies, the people in them, and what they let the studio write."""

from __future__ import annotations

import datetime as dt
import typing as t

import sqlalchemy as sa
from flask_login import UserMixin
from sqlalchemy import orm

from .extensions import Base
from .extensions import db
from .extensions import login_manager

if t.TYPE_CHECKING:
    # Flask-SQLAlchemy makes its Model at run time; to a type checker it is the base.
    Model = Base
else:
    Model = db.Model


class Company(Model):
    """A customer of the studio."""

    __tablename__ = "company"

    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    slug: orm.Mapped[str] = orm.mapped_column(sa.String(40), unique=True)
    name: orm.Mapped[str] = orm.mapped_column(sa.String(80))
    users: orm.Mapped[list[User]] = orm.relationship(
        back_populates="company", order_by="User.id"
    )


class User(UserMixin, Model):  # type: ignore[misc]  # Flask-Login has no types
    """Somebody who works for a company."""

    __tablename__ = "user_account"

    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    company_id: orm.Mapped[int] = orm.mapped_column(sa.ForeignKey("company.id"))
    email: orm.Mapped[str] = orm.mapped_column(sa.String(120), unique=True)
    name: orm.Mapped[str] = orm.mapped_column(sa.String(80))
    password_hash: orm.Mapped[str] = orm.mapped_column(sa.String(255))
    is_admin: orm.Mapped[bool] = orm.mapped_column(default=False)
    company: orm.Mapped[Company] = orm.relationship(
        back_populates="users", lazy="joined"
    )


class Piece(Model):
    """A text the AI made, with who paid for it.

    ``attempts`` is JSON: the attempts of the call in order, see ``receipts``.
    """

    __tablename__ = "piece"

    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    company_id: orm.Mapped[int] = orm.mapped_column(
        sa.ForeignKey("company.id"), index=True
    )
    user_id: orm.Mapped[int] = orm.mapped_column(sa.ForeignKey("user_account.id"))
    label: orm.Mapped[str] = orm.mapped_column(sa.String(20))
    title: orm.Mapped[str] = orm.mapped_column(sa.String(80))
    text: orm.Mapped[str] = orm.mapped_column(sa.Text)
    source: orm.Mapped[str] = orm.mapped_column(sa.String(10))
    provider: orm.Mapped[str] = orm.mapped_column(sa.String(20))
    model: orm.Mapped[str] = orm.mapped_column(sa.String(200))
    latency_ms: orm.Mapped[int]
    input_tokens: orm.Mapped[int | None]
    output_tokens: orm.Mapped[int | None]
    attempts: orm.Mapped[str] = orm.mapped_column(sa.Text)
    made_at: orm.Mapped[dt.datetime] = orm.mapped_column(sa.DateTime(timezone=True))
    user: orm.Mapped[User] = orm.relationship(lazy="joined")


@login_manager.user_loader  # type: ignore[untyped-decorator]
def load_user(user_id: str) -> User | None:
    """Find the visitor of a session."""
    return db.session.get(User, int(user_id)) if user_id.isdecimal() else None

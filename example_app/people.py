"""The companies and people of the demo."""

from __future__ import annotations

import dataclasses
import typing as t

import sqlalchemy as sa
from werkzeug.security import generate_password_hash

from .extensions import db
from .models import Company
from .models import User

#: The password of every demo account; it is shown on the sign-in page.
PASSWORD: t.Final = "studio-demo"


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Account:
    """A demo account."""

    name: str
    email: str
    slug: str
    is_admin: bool

    @property
    def role(self) -> str:
        """Say what the account may do, in a word."""
        return "admin" if self.is_admin else "member"


#: Names by slug.
COMPANIES: t.Final = {
    "northwind": "Northwind Studio",
    "blueharbor": "Blue Harbor Press",
}

ACCOUNTS: t.Final = (
    Account(
        name="Ada Winter",
        email="ada@northwind.example",
        slug="northwind",
        is_admin=True,
    ),
    Account(
        name="Max Feld",
        email="max@northwind.example",
        slug="northwind",
        is_admin=False,
    ),
    Account(
        name="Grace Okoro",
        email="grace@blueharbor.example",
        slug="blueharbor",
        is_admin=True,
    ),
    Account(
        name="Tim Sato",
        email="tim@blueharbor.example",
        slug="blueharbor",
        is_admin=False,
    ),
)


def prepare_database() -> None:
    """Make the tables, and the companies and people if there are none yet."""
    db.create_all()

    if db.session.scalar(sa.select(sa.func.count(Company.id))):
        return

    companies = {
        slug: Company(slug=slug, name=name) for slug, name in COMPANIES.items()
    }
    db.session.add_all(companies.values())
    password_hash = generate_password_hash(PASSWORD)

    for account in ACCOUNTS:
        user = User(
            name=account.name,
            email=account.email,
            is_admin=account.is_admin,
            password_hash=password_hash,
            company=companies[account.slug],
        )
        db.session.add(user)

    db.session.commit()

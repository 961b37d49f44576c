"""Flask-Admin deletes a company and its keys with it, as the page shows it."""

from __future__ import annotations

import types

from sqlalchemy import orm

from tests.support.host import GOOD
from tests.works.conftest import Host


def test_flask_admin(host: Host) -> None:
    """One by one and by the list's own action: no key outlives its company."""

    class Company(host.db.Model):  # type: ignore[misc,name-defined]
        id: orm.Mapped[int] = orm.mapped_column(primary_key=True)

    host.names["Company"] = Company
    host.names["current_user"] = types.SimpleNamespace(is_admin=True)
    host.let_everybody_in()
    host.wire("Flask-Admin")
    client = host.app.test_client()

    with host.app.app_context():
        for number in (1, 2, 3):
            host.db.session.add(Company(id=number))
            assert host.byok.save_key(number, "OPENAI", GOOD).saved

        host.db.session.commit()

    listed = client.get("/admin/company/")
    assert 'href="/settings/ai/"' in listed.text and "AI keys" in listed.text

    client.post("/admin/company/delete/", data={"id": "1"})
    chosen = {"action": "delete", "rowid": ["2"]}
    client.post("/admin/company/action/", data=chosen)

    with host.app.app_context():
        left = {number: host.byok.credentials(number) for number in (1, 2, 3)}

    assert [number for number, keys in left.items() if keys] == [3]

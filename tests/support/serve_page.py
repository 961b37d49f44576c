"""A host of a few lines: ask an installed flask-byok for its page and print the find.

Run with a Python that has the package; the checkout is not on its path. Prints JSON
and ends with 1 when the page or one of its static files does not come.
"""

from __future__ import annotations

import json
import pathlib
import re
import sys
import tempfile

import flask
import flask_sqlalchemy

import flask_byok


def build_host(folder: pathlib.Path) -> flask.Flask:
    """Build an app with the page and its tables, and nobody but managers."""
    host = flask.Flask("host", instance_path=str(folder))
    host.config.update(
        SECRET_KEY="for this test alone",
        SQLALCHEMY_DATABASE_URI=f"sqlite:///{folder / 'host.sqlite3'}",
        BYOK_MASTER_KEYS=False,
    )
    db = flask_sqlalchemy.SQLAlchemy(host)
    byok = flask_byok.BYOK(host, db=db)
    byok.company_loader(lambda: 1)
    byok.access_check(lambda: True)

    with host.app_context():
        db.create_all()
        db.engine.dispose()

    return host


def look(host: flask.Flask) -> dict[str, object]:
    """Ask for the page and for every static file it names."""
    client = host.test_client()
    page = client.get("/settings/ai/")
    links = re.findall(r'(?:href|src)="(/[^"#?]*/static/[^"?]*)', page.text)
    return {
        "module": flask_byok.__file__,
        "status": page.status_code,
        "titled": "AI Configuration" in page.text,
        "static": {link: read_status(client, link) for link in links},
    }


def read_status(client: flask.testing.FlaskClient, link: str) -> int:
    """Ask for a static file, and close it."""
    with client.get(link) as answer:
        return answer.status_code


def main() -> int:
    """Print what was found; 0 when all of it came."""
    with tempfile.TemporaryDirectory() as name:
        found = look(build_host(pathlib.Path(name)))

    print(json.dumps(found))
    static = found["static"]
    whole = found["status"] == 200 and found["titled"] and len(static) >= 2
    return 0 if whole and set(static.values()) == {200} else 1


if __name__ == "__main__":
    sys.exit(main())

"""The pictures of the documentation: takes them of the example app as it is.

``make pictures`` runs this. Beside the pictures stands a sum of all that draws the
pages; a test compares it, so that no picture outlives the page it shows.
"""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import dataclasses
import hashlib
import pathlib
import tempfile
import typing as t

import flask
import playwright.sync_api

import example_app
from example_app import demo_keys
from example_app import settings
from example_app.extensions import byok
from example_app.extensions import db
from example_app.people import ACCOUNTS
from example_app.people import PASSWORD
from example_app.people import prepare_database
from flask_byok.masterkeys import generate
from flask_byok.testing import Simulator
from tests.support import web
from tests.support.tree import ROOT

FOLDER: t.Final = ROOT / "docs" / "pictures"
SUM: t.Final = FOLDER / "made-of.txt"

#: Bytes a picture may have: the pages load many.
LARGEST: t.Final = 90_000

#: What draws the pages, below the folder of the project.
SOURCES: t.Final = (
    "flask_byok/templates/**/*.html",
    "flask_byok/static/**/*.*",
    "example_app/templates/**/*.html",
    "example_app/static/*.*",
)


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class View:
    """What a picture shows.

    :param top: a selector: the picture begins above this element.
    :param bottom: a selector: it ends below this one.
    """

    path: str
    top: str
    bottom: str


#: By the first part of the pictures' names.
VIEWS: t.Final[cabc.Mapping[str, View]] = {
    "page": View(path="/settings/ai/", top="#byok-keys-title", bottom=".byok-key"),
    "failing": View(path="/", top="header", bottom="main section"),
}
_WIDTH: t.Final = 880
#: Pixels above and below what is shown.
_EDGE: t.Final = 24


def names() -> list[str]:
    """Name the files of all pictures."""
    schemes = ("dark", "light")
    return sorted(f"{name}-{scheme}.png" for name in VIEWS for scheme in schemes)


def add_up() -> str:
    """Add up all that draws the pages, to one line."""
    whole = hashlib.sha256()

    for pattern in SOURCES:
        for path in sorted(ROOT.glob(pattern)):
            whole.update(path.relative_to(ROOT).as_posix().encode() + b"\0")
            whole.update(path.read_bytes())

    return f"{whole.hexdigest()}\n"


@contextlib.contextmanager
def running_studio() -> cabc.Iterator[tuple[flask.Flask, Simulator]]:
    """Run the example app's parts: a database, a simulator, a company with a key."""
    with tempfile.TemporaryDirectory() as folder, Simulator() as simulator:
        app = example_app.create_app(
            {
                "SECRET_KEY": "for pictures alone",
                "SQLALCHEMY_DATABASE_URI": f"sqlite:///{folder}/studio.sqlite3",
                "BYOK_MASTER_KEYS": {"k001": generate()},
                **settings.simulated(simulator.address),
            }
        )

        with app.app_context():
            prepare_database()
            api_key = demo_keys.company_keys("northwind")["OPENAI"]
            assert byok.save_key(1, "OPENAI", api_key, actor="Ada Winter").saved
            call(5)

        yield app, simulator

        with app.app_context():
            byok.state.database.close()
            byok.state.sender.close()
            db.engine.dispose()


def call(times: int) -> None:
    """Let company 1 ask for texts."""
    for _ in range(times):
        byok.client_for(1).chat("Summarise: a long text about keys.", label="summarise")


def take(browser: playwright.sync_api.Browser, folder: pathlib.Path) -> None:
    """Take every picture."""
    folder.mkdir(parents=True, exist_ok=True)

    with running_studio() as (app, simulator), web.serving(app) as address:
        page = browser.new_page(viewport={"width": _WIDTH, "height": 900})
        sign_in(page, address)
        take_both(page, address, "page", folder)

        simulator.set_fault("OPENAI", "expired", keys=demo_keys.mark("northwind"))

        with app.app_context():
            call(2)

        take_both(page, address, "failing", folder)
        page.close()


def sign_in(page: playwright.sync_api.Page, address: str) -> None:
    """Sign in as the administrator of company 1."""
    page.goto(f"{address}/sign-in")
    page.fill("input[name=email]:visible", ACCOUNTS[0].email)
    page.fill("input[name=password]:visible", PASSWORD)
    page.press("input[name=password]:visible", "Enter")
    page.wait_for_url(f"{address}/")


def take_both(
    page: playwright.sync_api.Page, address: str, name: str, folder: pathlib.Path
) -> None:
    """Take a picture of a page in light and in dark."""
    view = VIEWS[name]

    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=t.cast("t.Any", scheme))
        page.goto(f"{address}{view.path}")
        top = _box(page, view.top)["y"]
        last = _box(page, view.bottom)
        file = folder / f"{name}-{scheme}.png"
        page.screenshot(
            path=file,
            animations="disabled",
            full_page=True,
            clip={
                "x": 0,
                "y": max(top - _EDGE, 0),
                "width": _WIDTH,
                "height": last["y"] + last["height"] + _EDGE - max(top - _EDGE, 0),
            },
        )


def _box(
    page: playwright.sync_api.Page, selector: str
) -> playwright.sync_api.FloatRect:
    box = page.locator(selector).first.bounding_box()
    assert box is not None, selector
    return box


def main() -> None:
    """Take the pictures anew and say what they were made of."""
    with playwright.sync_api.sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=web.find_chromium(),
            # Letters with coloured edges make a picture half as large again.
            args=[*web.CHROMIUM_OPTIONS, "--disable-lcd-text"],
        )
        take(browser, FOLDER)
        browser.close()

    SUM.write_text(add_up(), "utf-8")


if __name__ == "__main__":
    main()

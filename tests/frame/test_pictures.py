"""The pictures of the documentation show the pages as they are."""

from __future__ import annotations

import pathlib
import re

import playwright.sync_api

from tests.support import pictures
from tests.support.tree import ROOT

_PNG = b"\x89PNG\r\n\x1a\n"


def test_every_picture_is_there_small_and_shown() -> None:
    """What is taken is kept, loads quickly, and stands on a page."""
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    written = "\n".join(page.read_text("utf-8") for page in pages)
    shown = set(re.findall(r"pictures/([\w-]+\.png)", written))
    kept = {path.name: path for path in pictures.FOLDER.glob("*.png")}

    assert sorted(kept) == pictures.names() == sorted(shown)

    for path in kept.values():
        content = path.read_bytes()
        assert content.startswith(_PNG)
        assert 5_000 < len(content) < pictures.LARGEST, path.name


def test_no_picture_is_older_than_what_it_shows() -> None:
    """Templates, style sheets and scripts are those the pictures were taken with."""
    assert pictures.SUM.read_text("utf-8") == pictures.add_up(), (
        "The pages have changed since their pictures were taken: run 'make pictures'."
    )


def test_the_pictures_can_be_taken(
    browser: playwright.sync_api.Browser, tmp_path: pathlib.Path
) -> None:
    """The command that takes them finds its way through the example app."""
    pictures.take(browser, tmp_path)

    assert sorted(path.name for path in tmp_path.iterdir()) == pictures.names()

"""Every link of the README and the documentation leads somewhere.

Links to other sites are not followed: a test stays on this machine.
"""

from __future__ import annotations

import collections.abc as cabc
import functools
import pathlib
import re

import pytest
from mdit_py_plugins.anchors.index import slugify

from tests.support import examples

OUTSIDE = ("https://", "http://", "mailto:")


def links(page: str) -> cabc.Iterator[str]:
    """List the targets of links and pictures."""
    for token in examples.tokens(page):
        for child in token.children or ():
            target = child.attrs.get("href") or child.attrs.get("src")

            if isinstance(target, str):
                yield target


@functools.cache
def anchors(path: pathlib.Path) -> set[str]:
    """List the anchors of a page, as GitHub and Sphinx make them of headings."""
    headings = re.findall(r"^#{1,6} +(.+?) *$", path.read_text("utf-8"), re.M)
    return {slugify(re.sub(r"[`*]", "", heading)) for heading in headings}


def is_dead(page: str, target: str) -> bool:
    """Tell whether a link of a page leads nowhere."""
    name, _, anchor = target.partition("#")
    here = examples.path_of(page)
    there = (here.parent / name).resolve() if name else here

    if not there.exists():
        return True

    return bool(anchor) and anchor not in anchors(there)


@pytest.mark.parametrize("page", examples.pages())
def test_every_link_leads_somewhere(page: str) -> None:
    """Files and their headings; the README is read on other sites, too."""
    inside = {each for each in links(page) if not each.startswith(OUTSIDE)}

    assert sorted(each for each in inside if is_dead(page, each)) == []


@pytest.mark.parametrize("page", examples.pages())
def test_links_to_other_sites_are_encrypted(page: str) -> None:
    """None is plain http, and each names a host."""
    outside = [each for each in links(page) if each.startswith(OUTSIDE)]

    assert [each for each in outside if not re.match(r"https://[\w.-]+\w", each)] == []


@pytest.mark.parametrize(
    "planted", ["docs/nowhere.md", "docs/failover.md#no-such-heading", "#nothing"]
)
def test_a_planted_dead_link_is_found(planted: str) -> None:
    """A missing file, a missing heading of another page and of this one."""
    assert is_dead("README.md", planted)


def test_every_page_is_in_the_contents() -> None:
    """No page of the documentation can be missed by who reads the index."""
    index = (examples.DOCS / "index.md").read_text("utf-8")
    listed = re.findall(r"^[a-z-]+(?:/[a-z-]+)?$", index, re.M)
    written = {page.removesuffix(".md") for page in examples.pages()}

    assert sorted(listed) == sorted(written - {"README", "index"})

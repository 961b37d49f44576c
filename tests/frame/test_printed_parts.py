"""The short examples of several pages do what the text around them says."""

from __future__ import annotations

import collections.abc as cabc
import io
import logging
import pathlib
import re
import shlex
import subprocess
import sys
import typing as t

import flask
import jinja2
import pytest

from flask_byok.testing import Simulator
from tests.support import deployed
from tests.support import examples
from tests.support.calls import CallHost
from tests.support.calls import calling


@pytest.fixture
def host(sqlite_url: str) -> cabc.Iterator[CallHost]:
    """Give a host whose company has keys of two providers."""
    with Simulator() as simulator, calling(sqlite_url, simulator) as made:
        made.store("OPENAI", "CLAUDE")
        yield made


def read(page: str, language: str, beginning: str) -> str:
    """Copy the one block of a page that begins so."""
    (found,) = (b for b in examples.blocks(page, language) if b.startswith(beginning))
    return found


@pytest.mark.parametrize("page", ["quickstart.md", "page.md"])
def test_the_banner_stands_in_a_layout(page: str, host: CallHost) -> None:
    """Two lines in a base template tell a manager of a broken key."""
    layout = read(page, "jinja", "{% from")
    host.app.jinja_loader = jinja2.DictLoader({"base.html": layout})
    host.app.add_url_rule("/", "home", lambda: flask.render_template("base.html"))
    host.fail("revoked")
    host.chat()

    assert "byok-banner" in host.app.test_client().get("/").text


def test_the_colours_are_properties_that_the_page_has() -> None:
    """Each property that the style sheet of the example sets is one ours reads."""
    printed = read("customizing.md", "css", ".byok, .byok-banner {")
    selector, _, rest = printed.partition("{")
    names = re.findall(r"^\s*(--[\w-]+):", rest, re.M)
    style = (examples.ROOT / "flask_byok/static/byok/byok.css").read_text("utf-8")

    assert selector.strip() == ".byok, .byok-banner"
    assert names and [name for name in names if f"var({name}" not in style] == []


def test_the_sdks_answer_in_views(host: CallHost) -> None:
    """The views of the page, plain and async, answer on the company's key."""
    plain, view, _ = examples.blocks("sdks.md")
    names: dict[str, t.Any] = {"__name__": "sdks", "app": host.app}
    names |= {"request": flask.request}
    names["turns"] = [{"role": "user", "content": "Say hello."}]
    examples.run(plain, names)
    examples.run(view, names)
    client = host.app.test_client()

    assert client.post("/answer", data={"question": "Why?"}).text
    assert client.post("/stream").text
    assert {("system" in api_key) for api_key in host.who_paid()} == {False}


def test_our_error_is_found_behind_that_of_an_sdk(
    host: CallHost, capsys: pytest.CaptureFixture[str]
) -> None:
    """The handler of the page names our class, and what was tried."""
    *_, handler = examples.blocks("sdks.md")
    host.fail("revoked", keys=None)
    examples.run(handler, {"client": host.client.sdk("openai")})

    assert capsys.readouterr().out.startswith("KeyRejected (Attempt(")


def test_the_filter_masks_what_other_loggers_write(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """After the lines of the page, no handler of the root shows a key."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    monkeypatch.setattr(logging.getLogger(), "handlers", [handler])
    (lines,) = examples.blocks("security.md")
    examples.run(lines, {})
    canary = "sk-" + "x7Qp9" * 5
    logging.getLogger("somebody.else").error("refused: %s", canary)

    assert "refused" in written.getvalue()
    assert canary not in written.getvalue()


def test_gevent_patches_in_a_configuration_file() -> None:
    """What stands first in gunicorn's file makes sockets that yield."""
    lines = read("operations.md", "python", "from gevent")
    look = "import socket; print(socket.socket.__module__)"
    done = subprocess.run(
        [sys.executable, "-c", f"{lines}\n{look}"],
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.startswith("gevent.")


def test_a_language_is_added_as_printed(tmp_path: pathlib.Path) -> None:
    """The commands of the page start a catalogue and compile it."""
    compiles, starts = (
        block for block in examples.blocks("languages.md", "") if "pybabel" in block
    )
    package = str(examples.ROOT / "flask_byok")

    for block in (starts, compiles):
        words = shlex.split(block.replace("PATH/TO/flask_byok", package))
        command = [sys.executable, "-m", "babel.messages.frontend", *words[1:]]
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)

    assert words[0] == "pybabel"
    assert (tmp_path / "translations/it/LC_MESSAGES/byok.po").is_file()
    assert (tmp_path / "translations/it/LC_MESSAGES/byok.mo").is_file()


def test_the_servers_are_started_as_printed() -> None:
    """The tests of deployment type the commands of the page."""
    printed = "".join(examples.blocks("deployment.md", "text"))
    started = [shlex.join(deployed.COMMANDS[kind]) for kind in ("gthread", "gevent")]

    assert re.findall(r"^gunicorn .*$", printed, re.M) == started

"""A browser that knows the login of this app does not put it into the key field."""

from __future__ import annotations

import collections.abc as cabc
import hashlib
import pathlib
import sqlite3
import typing as t

import flask
import playwright.sync_api
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

from tests.support import web
from tests.web.conftest import Host
from tests.web.conftest import MakeHost

PASSWORD: t.Final = "the-login-password"

#: What stands around the key field.
FIELD: t.Final = '<div class="byok-key-input">'

LOGIN: t.Final = """<!doctype html><title>Log in</title>
<form method="post"><input name="username" autocomplete="username">
<input type="password" name="password" autocomplete="current-password"></form>"""


@pytest.fixture
def host(make_host: MakeHost) -> Host:
    """A host with a page to log in on."""

    def prepare(app: flask.Flask) -> None:
        @app.get("/login")
        def login() -> str:
            flask.session.update(user="ada", company=1)
            return LOGIN

        @app.after_request
        def add_field(response: flask.Response) -> flask.Response:
            # In front of a password, any field of text looks like a name to log in.
            if "note" in flask.request.args:
                html = response.get_data(as_text=True)
                assert FIELD in html
                response.set_data(html.replace(FIELD, f'<input name="note">{FIELD}'))

            return response

    return make_host(prepare=prepare)


def remember_login(profile: pathlib.Path, address: str) -> None:
    """Write a login into a profile's store, as Chromium does without a keyring.

    Source: Chromium's ``components/os_crypt``, ``v10`` on Linux.
    """
    wrapping = hashlib.pbkdf2_hmac("sha1", b"peanuts", b"saltysalt", 1, 16)
    padding = 16 - len(PASSWORD) % 16
    encryptor = Cipher(AES(wrapping), CBC(b" " * 16)).encryptor()
    sealed = encryptor.update(PASSWORD.encode() + bytes([padding]) * padding)
    row: dict[str, object] = {
        "origin_url": f"{address}/login",
        "username_element": "username",
        "username_value": "ada@example.com",
        "password_element": "password",
        "password_value": b"v10" + sealed + encryptor.finalize(),
        "signon_realm": f"{address}/",
        "date_created": 13_400_000_000_000_000,
    }
    store = sqlite3.connect(profile / "Default" / "Login Data")

    for _, name, kind, is_needed, *_ in store.execute("PRAGMA table_info(logins)"):
        if is_needed:
            row.setdefault(name, 0 if kind == "INTEGER" else "")

    names, marks = ", ".join(row), ", ".join("?" * len(row))
    store.execute(f"INSERT INTO logins ({names}) VALUES ({marks})", [*row.values()])
    store.commit()
    store.close()


def open_profile(
    browser: playwright.sync_api.Browser, profile: pathlib.Path
) -> playwright.sync_api.BrowserContext:
    """Start a browser of its own on a profile, with its password manager."""
    return browser.browser_type.launch_persistent_context(
        profile,
        executable_path=web.find_chromium(),
        args=[*web.CHROMIUM_OPTIONS, "--password-store=basic"],
        ignore_default_args=["--enable-automation"],
    )


@pytest.mark.parametrize("query", ["", "?note"])
def test_a_saved_login_stays_out_of_the_key_field(
    query: str,
    host: Host,
    serve: cabc.Callable[[t.Any], str],
    browser: playwright.sync_api.Browser,
    tmp_path: pathlib.Path,
) -> None:
    """The login page is filled in; ours is not, nor with a host's field in the form."""
    address = serve(host.app)

    # The first run makes the store.
    open_profile(browser, tmp_path).close()
    remember_login(tmp_path, address)
    context = open_profile(browser, tmp_path)
    page, login = context.new_page(), context.new_page()
    login.goto(f"{address}/login")
    page.goto(f"{address}/settings/ai/{query}")
    # Opened later and filled in: then the other had its time, too.
    login.reload()
    login.wait_for_function(f"document.forms[0].password.value == '{PASSWORD}'")
    page.bring_to_front()
    page.locator("h1").click()
    filled = page.locator(".byok :is(input, select):autofill").count()
    assert (page.input_value("#byok-api-key"), filled) == ("", 0)
    assert page.input_value("#byok-model") == ""
    context.close()

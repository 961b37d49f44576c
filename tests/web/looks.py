"""Looks at pages the way the acceptance asks: axe, widths, policy, pictures."""

from __future__ import annotations

import dataclasses
import pathlib
import typing as t

import flask
import jinja2
import playwright.sync_api
from axe_playwright_python.base import AXE_SCRIPT
from flask_bootstrap import Bootstrap5

ROOT = pathlib.Path(__file__).parents[2]
PICTURES = ROOT / "tests" / "artifacts" / "states"

#: What the page must work under; the pictures in Bootstrap's style sheet are data.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "form-action 'self'; connect-src 'self'"
)

BOOTSTRAP_BASE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{% block title %}{% endblock %}</title>
<link rel="icon" type="image/svg+xml" href="/settings/ai/static/icon.svg">
{{ bootstrap.load_css() }}<script src="/theme.js"></script></head>
<body><main class="container py-4">{% block content %}{% endblock %}</main></body>
</html>"""

# Contrast costs more than all other rules of axe together.
_AXE = """([without, options]) => axe.run(
  { include: ["html"], exclude: without.map((part) => [part]) },
  { resultTypes: ["violations"], ...options },
).then((found) => found.violations.map((each) => [
  each.id, ...each.nodes.map((node) => node.target.join(" ") + ": "
    + (node.any[0] || node.all[0] || node.none[0] || {}).message)]))"""

_STRUCTURE: dict[str, t.Any] = {"rules": {"color-contrast": {"enabled": False}}}
_COLOURS: dict[str, t.Any] = {
    "runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}
}

_SIDEWAYS = """() => [
  document.documentElement.scrollWidth - document.documentElement.clientWidth,
  ...[...document.querySelectorAll(".byok *")].filter((node) =>
    !node.closest(".byok-scroll, .byok-hidden, datalist, .byok-chart")
    && node.getBoundingClientRect().right > innerWidth + 1
  ).map((node) => node.outerHTML.slice(0, 90))]"""

_TWO_FRAMES = """() => new Promise((done) =>
  requestAnimationFrame(() => requestAnimationFrame(done)))"""

_WATCH = """document.addEventListener("securitypolicyviolation", (event) =>
  console.error("CSP:", event.violatedDirective, event.blockedURI));"""

# Chromium's advice to put a user name beside a password is not followed on purpose.
_ADVICE = "Password forms should have"


def add_bootstrap(app: flask.Flask) -> None:
    """Make an app a Bootstrap one, with a layout ``bootstrap.html``."""
    app.config["BOOTSTRAP_SERVE_LOCAL"] = True
    app.jinja_loader = jinja2.DictLoader({"bootstrap.html": BOOTSTRAP_BASE})
    Bootstrap5(app)

    @app.get("/theme.js")
    def theme() -> flask.Response:
        source = ROOT / "example_app" / "static" / "theme.js"
        return flask.Response(source.read_text(), mimetype="text/javascript")


@dataclasses.dataclass
class Stall:
    """Serves the app of the moment, and pages that were made before."""

    app: flask.Flask | None = None
    html: bytes = b""

    def __call__(self, environ: t.Any, start_response: t.Any) -> t.Any:
        """Answer: the page under ``/shown``, all else from the app."""
        assert self.app is not None

        if environ["PATH_INFO"] != "/shown":
            return self.app.wsgi_app(environ, start_response)

        headers = [
            ("Content-Type", "text/html; charset=utf-8"),
            ("Content-Security-Policy", POLICY),
        ]
        start_response("200 OK", headers)
        return [self.html]


class Eye:
    """One browser page that looks at many pages of ours."""

    def __init__(self, browser: playwright.sync_api.Browser, url: str) -> None:
        # Colours in the middle of a transition are nobody's colours.
        context = browser.new_context(
            viewport={"width": 1100, "height": 900}, reduced_motion="reduce"
        )
        context.set_default_timeout(20_000)
        self.page = context.new_page()
        self.page.add_init_script(_WATCH)
        self.page.on("console", lambda message: self._note(message.text))
        self.page.on("pageerror", lambda error: self._note(str(error)))
        self.url = url
        self.complaints: list[str] = []

    def _note(self, text: str) -> None:
        if _ADVICE not in text:
            self.complaints.append(text)

    def open(self, path: str = "/shown") -> None:
        """Open a page, of itself what the stall shows, in light colours."""
        self.complaints.clear()
        self.page.set_viewport_size({"width": 1100, "height": 900})
        self.page.emulate_media(color_scheme="light", forced_colors="none")
        self.page.goto(f"{self.url}{path}")

    def narrow(self) -> list[t.Any]:
        """Open what the stall shows at 320 px; tell what makes it scroll sideways."""
        self.complaints.clear()
        self.page.set_viewport_size({"width": 320, "height": 900})
        self.page.goto(f"{self.url}/shown")
        wider, *nodes = self.page.evaluate(_SIDEWAYS)
        return nodes or ([f"{wider} px too wide"] if wider else [])

    def media(self, scheme: t.Any, forced: t.Any = "none") -> None:
        """Change the colours, and wait until the page has followed."""
        self.page.emulate_media(color_scheme=scheme, forced_colors=forced)
        self.page.evaluate(_TWO_FRAMES)

    def check(self) -> list[t.Any]:
        """Run every rule of axe but contrast; give what it found."""
        return self._axe([], _STRUCTURE)

    def check_colours(self, without: t.Sequence[str] = ()) -> list[t.Any]:
        """Run the rules of axe that colours can break.

        :param without: parts, as selectors, that are looked at elsewhere.
        """
        return self._axe(list(without), _COLOURS)

    def _axe(self, without: list[str], options: dict[str, t.Any]) -> list[t.Any]:
        if not self.page.evaluate("'axe' in window"):
            self.page.evaluate(AXE_SCRIPT)

        found = self.page.evaluate(_AXE, [without, options])
        return t.cast("list[t.Any]", found)

    def sideways(self, width: int, text: int = 100) -> list[t.Any]:
        """Tell what sticks out at a width and a size of text, in percent."""
        self.page.set_viewport_size({"width": width, "height": 900})
        self.page.evaluate(f"document.documentElement.style.fontSize = '{text}%'")
        found: list[t.Any] = self.page.evaluate(_SIDEWAYS)
        self.page.evaluate("document.documentElement.style.fontSize = ''")
        return found

    def picture(self, name: str) -> None:
        """Keep a picture of the whole page."""
        PICTURES.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(
            path=PICTURES / f"{name}.jpg", type="jpeg", quality=70, full_page=True
        )

"""What stands before and behind every view: size, access, CSRF, headers."""

from __future__ import annotations

import collections.abc as cabc
import logging
import typing as t

from flask import current_app
from flask import request
from flask import Response
from flask import session
from flask.sessions import NullSession
from flask_wtf.csrf import generate_csrf
from flask_wtf.csrf import validate_csrf
from werkzeug.wsgi import LimitedStream
from wtforms import ValidationError

from ..errors import SetupError
from ..events import log_event
from ..proxies import current_byok

if t.TYPE_CHECKING:
    from ..vault.company import CompanyId

#: Bytes a request may carry; a key, a model and a token need a tenth of it.
LARGEST_BODY: t.Final = 64 * 1024

#: Methods that change nothing.
SAFE_METHODS: t.Final = frozenset({"GET", "HEAD"})

_FRAMES: t.Final = "frame-ancestors 'none'"

_log = logging.getLogger(__name__)


class Refused(Exception):
    """A request is refused before anything was read from it or written.

    :param slug: ``denied``, ``no-company``, ``stale-form``, ``bad-request``,
        ``not-found``, ``unknown-provider``, ``not-allowed``, ``too-large``,
        ``wrong-type``, ``unavailable``.
    """

    def __init__(self, slug: str, *, detail: str | None = None) -> None:
        super().__init__(slug)
        #: Which answer it gets.
        self.slug = slug
        #: A sentence of ours that says more; never what was sent.
        self.detail = detail


def refuse_large(endpoint: str | None, values: dict[str, t.Any] | None) -> None:
    """Refuse a body that is too large, and let nobody read more of one.

    Runs as a URL value preprocessor: the host's own ``before_request`` functions come
    later, and one of them may parse the form.
    """
    length = request.content_length
    is_chunked = length is None and "Transfer-Encoding" in request.headers

    if is_chunked or (length or 0) > LARGEST_BODY:
        raise Refused("too-large")

    environ = request.environ

    if environ.get("wsgi.input_terminated"):
        # The server ends the body, at a length that HTTP/2 need not state.
        environ["wsgi.input"] = _Capped(environ["wsgi.input"])


class _Capped(LimitedStream):
    """A body that is refused once more than it may have was read.

    Werkzeug's own limit cuts such a body in silence.
    """

    def __init__(self, stream: t.IO[bytes]) -> None:
        super().__init__(stream, LARGEST_BODY + 1, is_max=True)

    def readinto(self, b: t.Any) -> int | None:
        size = super().readinto(b)

        if self.is_exhausted:
            # One byte too many.
            self.on_exhausted()

        return size


def admit() -> CompanyId:
    """Let a manager in and tell of which company.

    :raises Refused: when the caller may not manage keys.
    :raises NoCompany: when nobody knows the company.
    """
    if not current_byok.has_access_check:
        log_event(
            _log,
            logging.ERROR,
            "no_access_check",
            "Nobody may open the page of flask-byok: no access check is registered. "
            "Decorate a function that tells who may manage keys with "
            "'@byok.access_check'.",
        )
        raise Refused("denied")

    if not current_byok.may_manage():
        raise Refused("denied")

    current_byok.state.proxy_watch.look()
    return current_byok.load_company()


def require_session() -> None:
    """Stop where the app has no session to protect forms with.

    :raises SetupError: when ``SECRET_KEY`` is not set.
    """
    if isinstance(session._get_current_object(), NullSession):  # type: ignore[attr-defined]
        raise SetupError(
            "The settings page needs a session: set SECRET_KEY of this app."
        )


def check_csrf() -> None:
    """Refuse a change that does not come from a page of this session.

    Done here even when the host has no CSRFProtect, or switched it off.

    :raises Refused: for a token that is missing, wrong, old or of another session.
    """
    token = request.headers.get("X-CSRFToken") or request.headers.get("X-CSRF-Token")

    if request.mimetype != "application/json":
        token = request.form.get(csrf_field()) or token

    is_good = False

    try:
        validate_csrf(token)
        is_good = True
    except ValidationError:
        pass

    if not is_good:
        raise Refused("stale-form")


def count_address() -> None:
    """Count a check of a key for the address it came from, as the server sees it.

    :raises CheckLimited: after too many checks from one address in a minute.
    """
    current_byok.state.desk.limiter.hit(address=request.remote_addr)


def csrf_field() -> str:
    """Name the form field that carries the token, as the host's CSRFProtect does."""
    return str(current_app.config.get("WTF_CSRF_FIELD_NAME", "csrf_token"))


def csrf_token() -> str:
    """Make the token for the forms of this page."""
    return str(generate_csrf())


def add_headers(response: Response) -> Response:
    """Keep the page out of caches, frames and other sites' sight."""
    headers = response.headers
    headers["X-Content-Type-Options"] = "nosniff"

    if is_static():
        return response

    headers["Cache-Control"] = "no-store"
    # Not "no-referrer": a host's CSRFProtect wants to see this site's own address.
    headers["Referrer-Policy"] = "same-origin"
    headers["X-Frame-Options"] = "DENY"
    headers["Cross-Origin-Opener-Policy"] = "same-origin"
    return response


def forbid_frames(sender: t.Any, response: Response, **details: t.Any) -> None:
    """Add ``frame-ancestors`` beside whatever policy the host has set by now.

    A receiver of ``request_finished``: a policy of ours that came before the host's
    own ``after_request`` functions could keep the host from setting its stricter one.
    """
    if request.blueprint != "byok" or is_static():
        return

    policies = response.headers.getlist("Content-Security-Policy")

    if not any("frame-ancestors" in policy for policy in policies):
        response.headers.add("Content-Security-Policy", _FRAMES)


def is_static() -> bool:
    """Tell whether this request asks for the style sheet, the script or the icon."""
    return request.endpoint == "byok.static"


def is_api() -> bool:
    """Tell whether this request came in on the JSON API."""
    return (request.endpoint or "").startswith("byok.api_")


def guarded(view: cabc.Callable[..., t.Any]) -> cabc.Callable[..., t.Any]:
    """Ask who it is, on every request, before the view sees it.

    The view gets the company's id as its first argument.
    """

    def run(**values: t.Any) -> t.Any:
        company_id = admit()
        require_session()

        if request.method not in SAFE_METHODS:
            check_csrf()

        return view(company_id, **values)

    return run

"""Fixtures for every room of tests.

Databases
    ``database_url``
        A database for this test, with the package's tables and no row in them: the
        test runs on SQLite (a file), PostgreSQL and MariaDB, as far as the servers
        answer. To choose:
        ``@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)``.
    ``sqlite_url``, ``postgresql_url``, ``mariadb_url``
        The same on one of them; skipped when that server does not answer.
    ``bare_database_url``, ``bare_sqlite_url``
        Without tables: for a test that makes them, or that misses them.
    ``make_database``
        Of the session: ``make_database("postgresql")`` gives the URL of one more
        database. ``tests.support.servers.empty_database(url)`` removes its tables.
    ``redis_url``
        An empty Redis database that no other test process uses.

Dispose of every engine you make: a connection left to the garbage collector is a
warning, and warnings are errors.

Web
    ``serve``
        ``serve(app)`` runs a WSGI app on a free loopback port until the test ends
        and gives its address.
    ``page``
        A Playwright page in a fresh browser context. ``browser`` makes further
        contexts: ``browser.new_context(java_script_enabled=False)``. When a test
        that uses ``page`` fails, a screenshot stands in ``tests/artifacts``.
    ``shared_folder``
        The recorded provider exchanges beside this checkout; skipped when absent.

Never name a fixture ``app``: pytest-flask pushes a request context around each test
that asks for one. Environment variables: see ``tests/support/servers.py``;
``TEST_BROWSER`` and ``TEST_FRAMEWORKS`` take the same words as ``TEST_SERVERS``.
"""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import ipaddress
import pathlib
import re
import sys
import tempfile
import typing as t

import flask
import jinja2
import playwright.sync_api
import pytest

from tests.support import frameworks
from tests.support import servers
from tests.support import web
from tests.support.prepared import PreparedDatabases
from tests.support.redis_claim import RedisClaim

ROOT = pathlib.Path(__file__).parent.parent
ARTIFACTS = ROOT / "tests" / "artifacts"
_failed = pytest.StashKey[bool]()

#: What needs "google-genai" or "schemathesis": Python 3.10 has none that is new enough.
_OF_NEWER_PYTHONS: t.Final = (
    "leaks/test_sdk.py",
    "sdk",
    "telemetry/test_sdk.py",
    "testing/test_sdk_gemini.py",
    "web/test_document.py",
)

#: The files that take longest. Begun last, one would run alone at the end.
_LONGEST: t.Final = (
    "web/test_every_look.py",
    "web/test_languages_look.py",
    "web/test_browser.py",
    "faults/test_troubles.py",
    "served/test_workers.py",
    "example/test_walk.py",
    "faults/test_routes.py",
    "processes/test_rotation.py",
    "processes/test_workers.py",
    "served/test_budget.py",
)

collect_ignore = [] if sys.version_info >= (3, 11) else list(_OF_NEWER_PYTHONS)


def pytest_configure(config: pytest.Config) -> None:
    """Refuse to start without what was demanded, and to leave this machine."""
    for variable in ("TEST_SERVERS", "TEST_BROWSER", "TEST_FRAMEWORKS"):
        try:
            servers.mode(variable)
        except ValueError as error:
            raise pytest.UsageError(str(error)) from None

    demanded = [text for text, required in _missing_parts() if required]

    if demanded:
        raise pytest.UsageError("Demanded, but missing: " + "; ".join(demanded))

    _stay_on_loopback()


def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Begin with the longest files where several processes share the work."""
    if not hasattr(config, "workerinput"):
        return

    ranks = {ROOT / "tests" / file: rank for rank, file in enumerate(_LONGEST)}
    items.sort(key=lambda item: ranks.get(item.path, len(ranks)))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what this run could not show."""
    missing = _missing_parts()

    if missing:
        terminalreporter.section("not tested here")

        for text, _ in missing:
            terminalreporter.line(text)


def _missing_parts() -> list[tuple[str, bool]]:
    """Each server, browser or framework this run lacks, and whether it was demanded."""
    required = servers.mode("TEST_SERVERS") == "require"
    missing = [
        (f"{label}: {reason}", required)
        for label, reason in servers.missing_servers().items()
    ]

    if web.find_nginx() is None:
        missing.append(("nginx: install 'nginx-light'", required))

    if _browser_trouble() is not None:
        required = servers.mode("TEST_BROWSER") == "require"
        missing.append((f"Chromium: {_browser_trouble()}", required))

    if reason := frameworks.trouble():
        required = servers.mode("TEST_FRAMEWORKS") == "require"
        missing.append((f"Frameworks: {reason}", required))

    return missing


def _browser_trouble() -> str | None:
    if servers.mode("TEST_BROWSER") == "off":
        return "TEST_BROWSER=off"

    if web.find_chromium() is None:
        return "no 'chromium' on PATH; install it or set TEST_CHROMIUM"

    return None


def _stay_on_loopback() -> None:
    """Make a connection to any other machine an error that no except swallows."""
    allowed = servers.allowed_addresses()

    def refuse_other_machines(event: str, args: tuple[t.Any, ...]) -> None:
        if event != "socket.connect" or not isinstance(args[1], tuple):
            return

        host = args[1][0]

        if host in allowed or host in ("localhost", ""):
            return

        with contextlib.suppress(ValueError):
            if ipaddress.ip_address(host).is_loopback:
                return

        raise RuntimeError("Tests talk to loopback alone; this one tried to leave.")

    sys.addaudithook(refuse_other_machines)


@pytest.fixture(scope="session", autouse=True)
def compiled_templates(tmp_path_factory: pytest.TempPathFactory) -> cabc.Iterator[None]:
    """Let the many apps of a run share their compiled templates."""
    folder = tmp_path_factory.mktemp("templates")
    cache = jinja2.FileSystemBytecodeCache(str(folder))
    before = flask.Flask.jinja_options
    flask.Flask.jinja_options = {**before, "bytecode_cache": cache}
    yield
    flask.Flask.jinja_options = before


@pytest.fixture(scope="session")
def databases() -> cabc.Iterator[servers.Databases]:
    """Keep the databases of this process and drop them at the end."""
    with tempfile.TemporaryDirectory(
        prefix="byok-tests-", dir=servers.memory_folder(), ignore_cleanup_errors=True
    ) as folder:
        databases = servers.Databases(pathlib.Path(folder))
        yield databases
        databases.drop_all()


@pytest.fixture(scope="session")
def make_database(databases: servers.Databases) -> cabc.Callable[[str], str]:
    """Make one more database on the server that is named."""

    def make(name: str) -> str:
        if name != servers.SQLITE and (reason := servers.trouble(name)):
            pytest.skip(f"{servers.SERVERS[name].label}: {reason}")

        return databases.make(name)

    return make


@pytest.fixture(scope="session")
def _prepared_databases(
    make_database: cabc.Callable[[str], str], tmp_path_factory: pytest.TempPathFactory
) -> cabc.Iterator[PreparedDatabases]:
    prepared = PreparedDatabases(make_database, tmp_path_factory.mktemp("prepared"))
    yield prepared
    prepared.close()


@pytest.fixture
def _prepared_url(
    _prepared_databases: PreparedDatabases,
) -> cabc.Iterator[cabc.Callable[[str], str]]:
    """Give prepared databases by name and empty them when the test is over."""
    yield _prepared_databases.give
    _prepared_databases.clear()


@pytest.fixture(params=servers.reachable_databases())
def database_url(
    request: pytest.FixtureRequest, _prepared_url: cabc.Callable[[str], str]
) -> str:
    """Run the test on every database that answers, each time with empty tables."""
    return _prepared_url(request.param)


@pytest.fixture
def sqlite_url(_prepared_url: cabc.Callable[[str], str]) -> str:
    """Name a SQLite file with empty tables."""
    return _prepared_url(servers.SQLITE)


@pytest.fixture
def postgresql_url(_prepared_url: cabc.Callable[[str], str]) -> str:
    """Name a PostgreSQL database with empty tables."""
    return _prepared_url(servers.POSTGRESQL)


@pytest.fixture
def mariadb_url(_prepared_url: cabc.Callable[[str], str]) -> str:
    """Name a MariaDB database with empty tables."""
    return _prepared_url(servers.MARIADB)


@pytest.fixture(scope="session")
def _bare_urls() -> dict[str, str]:
    """One database per server is made once and stripped after each test."""
    return {}


@pytest.fixture(params=servers.reachable_databases())
def bare_database_url(
    request: pytest.FixtureRequest,
    make_database: cabc.Callable[[str], str],
    _bare_urls: dict[str, str],
) -> cabc.Iterator[str]:
    """Run the test on every database that answers, without any table in it."""
    name = request.param

    if name == servers.SQLITE:
        yield make_database(name)
        return

    if name not in _bare_urls:
        _bare_urls[name] = make_database(name)

    yield _bare_urls[name]
    servers.empty_database(_bare_urls[name])


@pytest.fixture
def bare_sqlite_url(make_database: cabc.Callable[[str], str]) -> str:
    """Name a SQLite file that is not there yet."""
    return make_database(servers.SQLITE)


@pytest.fixture(scope="session")
def _redis_claim() -> cabc.Iterator[RedisClaim]:
    if reason := servers.trouble(servers.REDIS):
        pytest.skip(f"Redis: {reason}")

    claim = RedisClaim(servers.SERVERS[servers.REDIS].url)
    yield claim
    claim.release()


@pytest.fixture
def redis_url(_redis_claim: RedisClaim) -> cabc.Iterator[str]:
    """Name an empty Redis database of this process."""
    yield _redis_claim.url
    _redis_claim.clear()


@pytest.fixture
def shared_folder() -> pathlib.Path:
    """Find the recorded provider exchanges, which are no part of this repository."""
    folder = ROOT.parent / "shared"

    if not (folder / "fixtures").is_dir():
        pytest.skip("The recorded exchanges are not beside this checkout.")

    return folder


@pytest.fixture
def serve() -> cabc.Iterator[cabc.Callable[[t.Any], str]]:
    """Serve WSGI apps on free loopback ports until the test ends."""
    with contextlib.ExitStack() as stack:
        yield lambda app: stack.enter_context(web.serving(app))


@pytest.fixture(scope="module")
def browser() -> cabc.Iterator[playwright.sync_api.Browser]:
    """Start Chromium for one module: Playwright's loop must not outlive it."""
    if reason := _browser_trouble():
        pytest.skip(f"Chromium: {reason}")

    with playwright.sync_api.sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=web.find_chromium(), args=list(web.CHROMIUM_OPTIONS)
        )
        yield browser
        browser.close()


@pytest.fixture
def page(
    request: pytest.FixtureRequest, browser: playwright.sync_api.Browser
) -> cabc.Iterator[playwright.sync_api.Page]:
    """Open a page in a fresh context; a failing test leaves a screenshot."""
    context = browser.new_context()
    context.set_default_timeout(10_000)
    page = context.new_page()
    yield page

    if request.node.stash.get(_failed, False):
        ARTIFACTS.mkdir(exist_ok=True)
        name = re.sub(r"[^\w.-]+", "_", request.node.nodeid)
        page.screenshot(path=ARTIFACTS / f"{name}.png", full_page=True)

    context.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> cabc.Generator[None, pytest.TestReport, pytest.TestReport]:
    """Remember a failure, for the screenshot."""
    report = yield

    if report.failed:
        item.stash[_failed] = True

    return report

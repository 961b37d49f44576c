"""The pytest plugin of flask-byok: fixtures for the tests of host apps.

pytest loads this module in every run of an environment that has flask-byok. It stands
beside the package and imports nothing of it until a fixture is asked for: who does not
use it does not pay for it. ``-p no:flask_byok`` leaves it out altogether.
"""

from __future__ import annotations

import collections.abc as cabc
import pathlib
import typing as t

import pytest

if t.TYPE_CHECKING:
    from flask import Flask

    from flask_byok.testing import CapturedSignals
    from flask_byok.testing import CompanyKeys
    from flask_byok.testing import FailingKey
    from flask_byok.testing import LeakGuard
    from flask_byok.testing import Simulator
    from flask_byok.testing import StoredKey
    from flask_byok.vault.company import CompanyId

_guard: pytest.StashKey[LeakGuard] = pytest.StashKey()
#: Vendors of connected apps, which may live as long as the session.
_vendors: pytest.StashKey[set[str]] = pytest.StashKey()


@pytest.fixture(scope="session")
def _byok_simulator_server() -> cabc.Iterator[Simulator]:
    from flask_byok.testing.server import Simulator

    with Simulator() as simulator:
        yield simulator


@pytest.fixture
def byok_simulator(
    _byok_simulator_server: Simulator, pytestconfig: pytest.Config
) -> cabc.Iterator[Simulator]:
    """Give the providers' simulator, without faults and without requests."""
    _byok_simulator_server.clear()
    _byok_simulator_server.clear_faults()
    yield _byok_simulator_server
    _byok_simulator_server.clear_faults()
    _byok_simulator_server.clear_vendors()

    for vendor in pytestconfig.stash.get(_vendors, ()):
        _byok_simulator_server.add_vendor(vendor)


@pytest.fixture(scope="session")
def byok_settings(_byok_simulator_server: Simulator) -> cabc.Mapping[str, t.Any]:
    """Give the settings of an app under test: simulator, master key, system keys."""
    from flask_byok.testing.apps import settings_for

    return settings_for(_byok_simulator_server)


@pytest.fixture(scope="session")
def byok_connect(
    _byok_simulator_server: Simulator, pytestconfig: pytest.Config
) -> cabc.Callable[[Flask], Flask]:
    """Give a function that sends a finished app's AI calls to the simulator.

    It returns the app: ``return byok_connect(create_app())``.
    """
    from flask_byok.testing.apps import connect_app

    kept = pytestconfig.stash.setdefault(_vendors, set())

    def connect(app: Flask) -> Flask:
        kept.update(connect_app(app, _byok_simulator_server))
        return app

    return connect


@pytest.fixture
def byok_app(request: pytest.FixtureRequest) -> Flask:
    """Give the app that keys are stored in: your fixture ``app``.

    Define a fixture of this name if yours is called otherwise.
    """
    try:
        return t.cast("Flask", request.getfixturevalue("app"))
    except pytest.FixtureLookupError as error:
        # A fixture of that name that lacks another one tells so itself.
        if error.argname != "app":
            raise

    pytest.fail(
        "Which app is under test? Define a fixture 'app', or one called 'byok_app' "
        "that returns your own.",
        pytrace=False,
    )


@pytest.fixture
def byok_company_id() -> CompanyId:
    """Give the company that keys are stored for: 1. Define your own to change it."""
    return 1


@pytest.fixture
def _byok_company_keys(
    byok_app: Flask, byok_simulator: Simulator, byok_company_id: CompanyId
) -> CompanyKeys:
    from flask_byok.testing.companies import CompanyKeys

    return CompanyKeys(byok_app, byok_simulator, byok_company_id)


@pytest.fixture
def company_key(_byok_company_keys: CompanyKeys) -> StoredKey:
    """Give a function that stores a working API key of a company and returns it."""
    return _byok_company_keys.store


@pytest.fixture
def failing_key(_byok_company_keys: CompanyKeys) -> FailingKey:
    """Give a function that stores an API key which fails from then on."""
    return _byok_company_keys.store_failing


@pytest.fixture
def byok_signals() -> cabc.Iterator[CapturedSignals]:
    """Give the signals that any app sends during this test, as they come."""
    from flask_byok.testing.captured import CapturedSignals

    captured = CapturedSignals()

    with captured.listening():
        yield captured


@pytest.fixture
def leak_guard(request: pytest.FixtureRequest) -> cabc.Iterator[LeakGuard]:
    """Give a guard with a canary key of this test's own, listening already.

    Attach your app, send ``leak_guard.canary`` through it as an API key, and the test
    fails when a piece of it comes to light anywhere. Verifies at the end of the test,
    unless the test did so itself.
    """
    from flask_byok.testing.leaks import LeakGuard
    from flask_byok.testing.leaks import make_canary
    from flask_byok.testing.leaks.sinks import USUAL

    guard = LeakGuard(make_canary(request.node.nodeid), own_code=[_own_code(request)])
    guard.require(*USUAL)
    request.node.stash[_guard] = guard

    with guard.listening():
        yield guard

    if not guard.is_verified:
        guard.verify()


def _own_code(request: pytest.FixtureRequest) -> pathlib.Path:
    """Find the folder of all tests: their frames hold the key, and nobody sees them."""
    root, path = request.config.rootpath, request.path

    if root not in path.parents:
        return path

    return root / path.relative_to(root).parts[0]


# The older of the two ways to wrap: the plugin is loaded by whatever pytest there is.
@pytest.hookimpl(hookwrapper=True, trylast=True)
def pytest_runtest_call(item: pytest.Item) -> cabc.Generator[None, object, None]:
    """Read along with the streams of the test itself, ``capsys`` and its like."""
    guard = item.stash.get(_guard, None)

    if guard is None:
        yield
        return

    with guard.reading_output():
        yield

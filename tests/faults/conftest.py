"""Hosts under a fault, on each database; the marker of a test is held against it.

``make``
    ``make(BYOK_FALLBACK="never")`` gives a host with settings of its own.
``host``
    One with the usual settings.

``@pytest.mark.fault(1, got="answer", served="c1 s1", seen="flash banner")`` says which
faults of ``docs/faults.md`` a test runs and what comes of them, from the moment a key
was stored or ``host.watch.begin()`` was called. Every word is compared at the end:

``got``
    what the calls got, in order: ``answer``, or the class of the error. The same again
    is told once.
``served``
    how many requests ran on company keys and on system keys: ``c2 s1``.
``seen``
    words of ``tests.support.fault_list.WORDS``, ``×2`` behind what came twice;
    ``banner`` when it stands at the end; ``nothing``.
``when``
    which variant this is, in a few words. Not compared.

Put it onto the test or, where the variants differ, onto its parameters. Besides, every
test sees that no call made more than three requests and that no key came to light.
"""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import logging
import typing as t

import pytest

from flask_byok.testing import LeakGuard
from flask_byok.testing import Simulator
from flask_byok.testing.fixtures import _byok_simulator_server as _byok_simulator_server
from flask_byok.testing.fixtures import byok_simulator as byok_simulator
from flask_byok.testing.fixtures import leak_guard as made_guard
from flask_byok.testing.fixtures import pytest_runtest_call as pytest_runtest_call
from tests.support.fault_room import fault_host
from tests.support.fault_room import FaultHost
from tests.support.watch import Watch

leak_guard = made_guard

Make = cabc.Callable[..., FaultHost]

_HOSTS = pytest.StashKey[list[FaultHost]]()


@pytest.fixture
def watch(byok_simulator: Simulator) -> cabc.Iterator[Watch]:
    """Watch what happens in this test."""
    watch = Watch(byok_simulator)

    with watch.open():
        yield watch


@pytest.fixture
def make(
    request: pytest.FixtureRequest,
    database_url: str,
    byok_simulator: Simulator,
    watch: Watch,
    leak_guard: LeakGuard,
) -> cabc.Iterator[Make]:
    """Make hosts; at the end no key has come to light in them."""
    hosts = request.node.stash[_HOSTS] = []
    leak_guard.attach_simulator(byok_simulator)

    with contextlib.ExitStack() as stack:
        stack.enter_context(_quiet_sqlalchemy())

        def made(**config: t.Any) -> FaultHost:
            host = stack.enter_context(
                fault_host(database_url, byok_simulator, watch, leak_guard, **config)
            )

            hosts.append(host)
            return host

        yield made
        leak_guard.verify()


@contextlib.contextmanager
def _quiet_sqlalchemy() -> cabc.Iterator[None]:
    """Spare the guard hundreds of statements: it reads the tables themselves."""
    loggers = [
        logging.getLogger(name)
        for name in logging.getLogger().manager.loggerDict
        if name.startswith("sqlalchemy")
    ]
    before = [logger.level for logger in loggers]

    for logger in loggers:
        logger.setLevel(logging.WARNING)

    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(
    pyfuncitem: pytest.Function,
) -> cabc.Generator[None, object, object]:
    """Hold a test that passed against its marker, while its hosts are still there."""
    result = yield
    watch = pyfuncitem.funcargs.get("watch")

    if watch is not None:
        hosts = pyfuncitem.stash.get(_HOSTS, [])

        if hosts and hosts[-1].has_banner:
            watch.see("banner")

        marker = pyfuncitem.get_closest_marker("fault")
        assert marker is not None, "Say with 'pytest.mark.fault' what comes of it."
        watch.hold_against(marker.kwargs)

    return result


@pytest.fixture
def host(make: Make) -> FaultHost:
    """Give a host with the usual settings."""
    return make()

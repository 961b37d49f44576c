"""What ``docs/deployment.md`` prints, run as it stands there, with nginx before it."""

from __future__ import annotations

import collections.abc as cabc
import http.client
import re
import typing as t

import pytest
import sqlalchemy as sa

from flask_byok import Settings
from flask_byok.vault.models import build_tables
from tests.served.conftest import wait_until
from tests.support import servers
from tests.support.deployed import COMMANDS
from tests.support.deployed import deployed
from tests.support.deployed import FILES
from tests.support.deployed import NAME
from tests.support.deployed import Site
from tests.support.host import GOOD
from tests.support.redis_claim import RedisClaim
from tests.support.stepping import SteppedSimulator
from tests.support.web import find_nginx

#: The site at its root, and below a path.
PLACES: t.Final = ("", "/studio")
#: A piece of the simulator's has three words.
PIECES: t.Final = ("one two three", "four five six", "seven eight nine", "ten")


@pytest.fixture(scope="module")
def stepped() -> cabc.Iterator[SteppedSimulator]:
    simulator = SteppedSimulator()

    with simulator:
        yield simulator


@pytest.fixture(scope="module")
def database(make_database: cabc.Callable[[str], str]) -> cabc.Iterator[sa.Engine]:
    """A database with tables: PostgreSQL, as the page says."""
    metadata = sa.MetaData()
    build_tables(metadata)
    engine = sa.create_engine(make_database(servers.POSTGRESQL))
    metadata.create_all(engine)
    yield engine
    engine.dispose()


@pytest.fixture(scope="module", params=COMMANDS)
def site(
    request: pytest.FixtureRequest,
    database: sa.Engine,
    stepped: SteppedSimulator,
    _redis_claim: RedisClaim,
) -> cabc.Iterator[Site]:
    """Each server of the page, on PostgreSQL and Redis, behind nginx."""
    if find_nginx() is None:
        pytest.skip("There is no nginx here.")

    url = database.url.render_as_string(hide_password=False)

    with deployed(
        request.param,
        stepped,
        SQLALCHEMY_DATABASE_URI=url,
        BYOK_RATE_LIMIT_STORAGE=_redis_claim.url,
    ) as running:
        yield running


def read_seconds(file: str, name: str) -> int:
    """Read a number of seconds out of a file of the page."""
    text = (FILES / file).read_text("utf-8")
    (found,) = re.findall(rf"^[ -]*{name}[ =]+(\d+)", text, re.M)
    return int(found)


def test_everybody_waits_longer_than_a_call_takes() -> None:
    """And nginx lets go of a connection before a server closes it."""
    takes = Settings.from_config({"BYOK_MASTER_KEYS": False}).timeout
    waits = [read_seconds("proxy.conf", "proxy_read_timeout")]
    keeps = []

    for file in ("gunicorn.conf.py", "gunicorn_gevent.conf.py"):
        waits += [read_seconds(file, "timeout"), read_seconds(file, "graceful_timeout")]
        keeps.append(read_seconds(file, "keepalive"))

    assert min(waits) > takes
    assert min(keeps) > read_seconds("nginx.conf", "keepalive_timeout")


def read_up_to(answer: http.client.HTTPResponse, end: str) -> str:
    """Read until a piece has come; what comes after it is not waited for."""
    came = b""

    while not came.decode().rstrip().endswith(end):
        piece = answer.read1()
        assert piece, came
        came += piece

    return came.decode()


@pytest.mark.parametrize("place", PLACES)
def test_each_piece_arrives_before_the_next_is_made(site: Site, place: str) -> None:
    """The provider waits with a piece until the reader has the one before."""
    form = {"prompt": f"Reply with: {' '.join(PIECES)}"}

    with site.simulator.stepping():
        site.simulator.let_go()

        with site.open("POST", f"{place}/answer", form) as answer:
            came = read_up_to(answer, PIECES[0])

            for piece in PIECES[1:]:
                site.simulator.let_go()
                came += read_up_to(answer, piece)

            assert answer.read() == b""

    assert came.rstrip() == " ".join(PIECES)


@pytest.mark.parametrize("place", PLACES)
def test_who_leaves_ends_the_call_at_the_provider(
    site: Site, place: str, database: sa.Engine
) -> None:
    """The browser goes; the next piece that cannot be passed on ends it all."""
    form = {"prompt": f"Reply with: {' '.join(['word'] * 50_000)}"}
    before = count_cancelled(database)

    with site.simulator.stepping():
        site.simulator.let_go()

        with site.open("POST", f"{place}/answer", form) as answer:
            read_up_to(answer, "word")

        def is_over() -> bool:
            site.simulator.let_go()
            return site.simulator.in_flight == 0

        wait_until(is_over, "the provider is left alone")

    wait_until(lambda: count_cancelled(database) == before + 1, "it is written")


def count_cancelled(database: sa.Engine) -> int:
    with database.connect() as connection:
        query = "SELECT count(*) FROM byok_attempt WHERE state = 'cancelled'"
        return int(connection.exec_driver_sql(query).scalar_one())


@pytest.mark.parametrize("place", PLACES)
def test_the_page_saves_a_key(site: Site, place: str, database: sa.Engine) -> None:
    """Links, forms and redirects stay where the site is; the cookie asks for https."""
    status, text = site.get(f"{place}/settings/ai/")
    links = re.findall(r'(?:href|src|action)="(/[^"]*settings/ai[^"]*)"', text)
    assert status == 200 and links
    assert {link.partition("/settings/ai")[0] for link in links} == {place}
    assert {site.get(link)[0] for link in links if "/static/" in link} == {200}
    assert "; Secure;" in site.set_cookie

    status, there = site.save(f"{place}/settings/ai/", GOOD)
    assert status == 303 and there.startswith(f"{place}/settings/ai/")
    assert "...AbCd" in site.get(there)[1]
    assert site.simulator.api_keys_seen()[-1] == GOOD

    with database.begin() as connection:
        connection.exec_driver_sql("DELETE FROM byok_credential")


@pytest.mark.parametrize("place", PLACES)
def test_the_app_knows_who_calls_and_how(site: Site, place: str) -> None:
    """The address, the scheme and the path are the proxy's word, not the client's."""
    made_up = {
        "X-Forwarded-For": "203.0.113.7",
        "X-Forwarded-Proto": "http",
        "X-Forwarded-Prefix": "/elsewhere",
    }

    for headers in ({}, made_up):
        assert site.get_json(f"{place}/seen", **headers) == {
            "caller": "127.0.0.1",
            "page": f"https://{NAME}{place}/settings/ai/",
        }


def test_http_leads_to_https(site: Site) -> None:
    """Nothing is answered in the open."""
    client = http.client.HTTPConnection("127.0.0.1", site.http_port, timeout=30)
    client.request("GET", "/settings/ai/", headers={"Host": NAME})

    with client.getresponse() as answer:
        assert answer.status == 301
        assert answer.headers["Location"] == f"https://{NAME}/settings/ai/"

    client.close()


def test_the_site_is_healthy(site: Site) -> None:
    """Who asks is told of tables and master keys, and nothing else."""
    assert site.get("/healthz")[0] == 200
    assert site.get_json("/healthz") == {"database": True, "master_keys": True}

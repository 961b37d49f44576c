"""The Containerfile of ``docs/deployment``: its steps, run without an image."""

from __future__ import annotations

import collections.abc as cabc
import importlib.metadata
import json
import os
import pathlib
import socket
import subprocess
import sys

import packaging.requirements
import pytest
import sqlalchemy as sa

from flask_byok.testing import Simulator
from tests.served.conftest import wait_until
from tests.support import servers
from tests.support import tree
from tests.support.deployed import copy_project
from tests.support.deployed import FILES
from tests.support.deployed import put_in
from tests.support.deployed import read_environment
from tests.support.deployed import running

Step = tuple[str, str]


def read_steps() -> list[Step]:
    """Read the instructions in their order."""
    lines = (FILES / "Containerfile").read_text("utf-8").splitlines()
    kept = (line for line in lines if line and not line.startswith("#"))
    return [(line.split(" ", 1)[0], line.split(" ", 1)[1]) for line in kept]


def arguments(name: str) -> list[str]:
    """List what stands behind an instruction, each time it is used."""
    return [argument for instruction, argument in read_steps() if instruction == name]


def environment_of_image() -> dict[str, str]:
    pairs = (argument.split("=", 1) for argument in arguments("ENV"))
    return {name: value.strip('"') for name, value in pairs}


def test_the_image_is_small_and_its_user_is_nobody() -> None:
    """Whoever runs the app owns no file of it, and no secret is built in."""
    names = [name for name, _ in read_steps()]
    (base,), (user,) = arguments("FROM"), arguments("USER")

    assert base.endswith("-slim")
    assert all(part.isdigit() and int(part) > 0 for part in user.split(":"))
    assert names.index("USER") > max(
        at for at, name in enumerate(names) if name in ("COPY", "RUN")
    )
    assert not [name for name in environment_of_image() if "BYOK" in name]
    assert arguments("COPY") == ["requirements.txt ./", ". ./"]


class Container:
    """What the image would hold: a project and an environment of its own."""

    def __init__(
        self, folder: pathlib.Path, environment: cabc.Mapping[str, str]
    ) -> None:
        self.folder = folder
        self.project = folder / "app"
        tools = f"{folder / 'venv' / 'bin'}{os.pathsep}/usr/bin{os.pathsep}/bin"
        self.environment = {
            **environment_of_image(),
            **environment,
            "PATH": tools,
            # As in an image, where the files belong to somebody else.
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            command,
            cwd=self.project,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def enter(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run the entry point with these words."""
        (entry,) = arguments("ENTRYPOINT")
        return self.run(*json.loads(entry), *words)


def distributions() -> cabc.Iterator[str]:
    """Name what ``requirements.txt`` asks for, and what its extras do."""
    for line in (FILES / "requirements.txt").read_text("utf-8").splitlines():
        yield from named_by(packaging.requirements.Requirement(line))


def named_by(wanted: packaging.requirements.Requirement) -> cabc.Iterator[str]:
    # The wheel is installed; what it requires is found by itself.
    if wanted.name != "flask-byok":
        yield wanted.name

    for text in importlib.metadata.requires(wanted.name) or ():
        one = packaging.requirements.Requirement(text)

        if one.marker and any(one.marker.evaluate({"extra": e}) for e in wanted.extras):
            yield from named_by(one)


def write_scripts(python: pathlib.Path, *names: str) -> None:
    """Write the commands that pip would have written."""
    found = importlib.metadata.entry_points(group="console_scripts")

    for name in names:
        path = python.with_name(name)
        module, function = found[name].value.split(":")
        path.write_text(
            f"#!{python}\nimport sys\nfrom {module} import {function}\n"
            f"sys.exit({function}())\n",
            "utf-8",
        )
        path.chmod(0o755)


@pytest.fixture(scope="module")
def container(
    tmp_path_factory: pytest.TempPathFactory,
    make_database: cabc.Callable[[str], str],
) -> cabc.Iterator[Container]:
    """Do what the file says up to its USER; nothing is downloaded."""
    folder = tmp_path_factory.mktemp("container")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir"]
    source = tree.copy_tree(folder / "source")
    subprocess.run([*build, folder, source], check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    python = tree.make_environment(folder / "venv", wheel, *distributions())
    write_scripts(python, "flask", "gunicorn")
    copy_project(folder / "app")

    with Simulator() as simulator:
        environment = read_environment(
            SQLALCHEMY_DATABASE_URI=make_database(servers.POSTGRESQL),
            BYOK_RATE_LIMIT_STORAGE=servers.SERVERS[servers.REDIS].url,
        )
        environment["FLASK_BYOK_PROVIDER_URLS"] = json.dumps(dict(simulator.urls))
        made = Container(folder, environment)
        let_developer_write_migrations(made, make_database)
        yield made


def let_developer_write_migrations(
    made: Container, make_database: cabc.Callable[[str], str]
) -> None:
    """Beside an empty database of his own; the files go into the image."""
    usual = made.environment
    url = make_database(servers.SQLITE)
    made.environment = {**usual, "FLASK_SQLALCHEMY_DATABASE_URI": url}

    for command in (("init",), ("migrate",)):
        done = made.run("flask", "db", *command)
        assert done.returncode == 0, done.stdout + done.stderr

    made.environment = usual


def files_of(folder: pathlib.Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


@pytest.mark.nightly
def test_release_serve_and_sweep(container: Container) -> None:
    """The tables come, the doctor is content, the container serves and is healthy.

    Any other command runs, too, for an operator who must look at something.
    """
    before = files_of(container.project)
    released = container.enter("release")
    assert released.returncode == 0, released.stdout + released.stderr
    assert "ok      tables: All tables are there." in released.stdout
    assert "warning" not in released.stdout
    url = container.environment["FLASK_SQLALCHEMY_DATABASE_URI"]
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    assert "byok_credential" in sa.inspect(engine).get_table_names()
    see_it_serve(container)
    swept = container.enter("sweep")
    assert swept.returncode == 0, swept.stderr
    told = container.enter("flask", "byok", "credentials", "--json")
    assert (told.returncode, json.loads(told.stdout)) == (0, []), told.stderr
    assert files_of(container.project) == before


def see_it_serve(container: Container) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        # Not 8000, which may be taken on the machine of a test.
        port = listener.getsockname()[1]
        check = container.folder / "healthcheck.py"
        text = (FILES / "healthcheck.py").read_text("utf-8")
        check.write_text(put_in(text, (":8000/", f":{port}/")), "utf-8")
        bind = ("--bind=0.0.0.0:8000", f"--bind=fd://{listener.fileno()}")
        options = put_in(container.environment["GUNICORN_CMD_ARGS"], bind)
        (entry,), (word,) = arguments("ENTRYPOINT"), arguments("CMD")
        (health,) = arguments("HEALTHCHECK")
        *python, name = json.loads(health.removeprefix("CMD "))
        assert name == check.name

        with (container.folder / "log").open("w+b") as log:
            with running(
                [*json.loads(entry), *json.loads(word)],
                log,
                cwd=container.project,
                env={**container.environment, "GUNICORN_CMD_ARGS": options},
                pass_fds=[listener.fileno()],
            ) as process:
                wait_until(
                    lambda: container.run(*python, str(check)).returncode == 0,
                    "the container is healthy",
                )
                assert process.poll() is None

    assert container.run(*python, str(check)).returncode == 1


@pytest.mark.nightly
def test_a_release_that_must_not_go_on(container: Container) -> None:
    """A key the provider refuses ends it with 1, and the old containers stay."""
    usual = container.environment
    refused = json.dumps({"OPENAI": "not-a-real-revoked-key"})
    container.environment = {**usual, "FLASK_BYOK_SYSTEM_KEYS": refused}
    released = container.enter("release")
    container.environment = usual

    assert released.returncode == 1
    assert "OPENAI rejects the system key" in released.stdout

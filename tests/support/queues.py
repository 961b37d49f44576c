"""Workers of Celery and RQ: real processes that run the recipes as they are printed."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import dataclasses
import json
import os
import pathlib
import signal
import subprocess
import sys
import typing as t

from tests.support import examples

ROOT = pathlib.Path(__file__).parents[2]
PAGE: t.Final = "background-jobs.md"

#: The Python blocks of the page, in their order.
CELERY, CELERY_TASK, RQ, RQ_JOB, THREAD, POOL, SCHEDULED = range(7)

#: The host app of a worker, and what else its tasks do in these tests.
HOST = """
import json
import os
import pathlib

import flask
import flask_sqlalchemy
import sqlalchemy as sa

from flask_byok import BYOK
from flask_byok import current_ai_client
from flask_byok import signals

given = json.loads(pathlib.Path(os.environ["SHOP"]).read_text("utf-8"))
app = flask.Flask("shop")
app.config.update(given["config"])
db = flask_sqlalchemy.SQLAlchemy(app)
byok = BYOK(app, db=db)


def note(name):
    def receive(sender, **payload):
        with open(given["told"], "a") as file:
            file.write(json.dumps([name, os.getpid(), payload["company_id"]]) + "\\n")

    return receive


receivers = {name: note(name) for name in ("circuit_opened", "fallback_used")}

for name, receiver in receivers.items():
    getattr(signals, name).connect(receiver, app)


def connection_id():
    with byok.state.database.read() as conn:
        return conn.execute(sa.text(given["connection_id"])).scalar_one()


with app.app_context():
    parent = {"pid": os.getpid(), "connection": connection_id()}


def whose(expected):
    answer = current_ai_client.chat(f"I am {expected}.")
    return [expected, current_ai_client.company_id, answer.source]


def where():
    current_ai_client.chat("Where am I?")
    return parent, {"pid": os.getpid(), "connection": connection_id()}
"""

CELERY_EXTRAS = """
@celery.task
def whose(expected):
    return shop.whose(expected)


@celery.task
def where():
    return shop.where()


@celery.task(bind=True)
def twice(self, expected):
    answer = shop.whose(expected)

    if not self.request.retries:
        raise self.retry(countdown=0)

    return answer


@celery.task
def once_more(answer):
    return [answer, shop.whose(answer[0])]
"""


@dataclasses.dataclass(frozen=True)
class Shop:
    """A folder with the modules a worker imports, and what its signals told."""

    folder: pathlib.Path

    def write(self, name: str, *texts: str) -> None:
        """Write a module."""
        (self.folder / f"{name}.py").write_text("\n".join(texts), "utf-8")

    def told(self, name: str) -> list[dict[str, t.Any]]:
        """List who sent a signal, for which company."""
        path = self.folder / "told.jsonl"
        lines = path.read_text("utf-8").splitlines() if path.exists() else []
        rows = [json.loads(line) for line in lines]
        return [{"pid": p, "company_id": c} for n, p, c in rows if n == name]

    @contextlib.contextmanager
    def running(self, *command: str) -> cabc.Iterator[subprocess.Popen[str]]:
        """Run ``python -m command`` in the folder, and end it with the block."""
        log = self.folder / f"{command[0]}.log"

        with log.open("a") as file:
            process = subprocess.Popen(
                [sys.executable, "-m", *command],
                cwd=self.folder,
                env={**os.environ, **self.environment},
                stdout=file,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )

        try:
            yield process
        finally:
            end(process)

    @property
    def environment(self) -> dict[str, str]:
        """Say where the modules and the settings are."""
        return {
            "PYTHONPATH": os.pathsep.join([str(self.folder), str(ROOT)]),
            "SHOP": str(self.folder / "shop.json"),
        }

    def log(self, name: str) -> str:
        """Read what a worker wrote."""
        return (self.folder / f"{name}.log").read_text("utf-8")


def make_shop(
    folder: pathlib.Path, config: cabc.Mapping[str, t.Any], connection_id: str
) -> Shop:
    """Write the host app and the recipes of the page as modules."""
    shop = Shop(folder)
    given = {
        "config": dict(config),
        "told": str(folder / "told.jsonl"),
        "connection_id": connection_id,
    }
    (folder / "shop.json").write_text(json.dumps(given), "utf-8")
    printed = examples.blocks(PAGE)
    host = "import shop\nfrom shop import app\nfrom shop import byok"
    shop.write("shop", HOST)
    shop.write(
        "celery_tasks", host, printed[CELERY], printed[CELERY_TASK], CELERY_EXTRAS
    )
    shop.write("rq_jobs", host, printed[RQ], printed[RQ_JOB])
    return shop


def end(process: subprocess.Popen[str]) -> None:
    """End a worker and its children, which have nothing left to do."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)

    process.wait(30)


def children(pid: int) -> list[int]:
    """List the child processes of a worker."""
    found = []

    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # pid (name) state parent …; a name may hold spaces.
            if int(stat.read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(stat.parent.name))

    return found

"""What it costs to import and to start, in fresh processes; what stays in memory."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys

from shared.timing import interleave

from .processes import Client
from .processes import environment
from .processes import take_first_core
from .setting import Results
from .setting import Setting

BASE = "import flask, flask_sqlalchemy"
_HOST = """
import flask, flask_sqlalchemy
db = flask_sqlalchemy.SQLAlchemy()
app = flask.Flask("host")
app.config.update(SQLALCHEMY_DATABASE_URI="sqlite://")
"""
_BARE_APP = _HOST + "db.init_app(app)\n"
_OUR_APP = f"""{_HOST}
from flask_byok import BYOK
from flask_byok.masterkeys import generate
app.config.update(BYOK_MASTER_KEYS={{"k001": generate()}})
db.init_app(app)
BYOK(app, db=db)
"""
_MODULES = "\nimport json, sys; print(json.dumps([*sys.modules]))"
_MEMORY = """
import contextlib, importlib, json, sys
import work
for name in json.load(sys.stdin):
    with contextlib.suppress(ImportError):  # some are made, not found
        importlib.import_module(name)
import flask, flask_sqlalchemy
before = work.memory()
exec(sys.argv[1])
print(work.memory() - before)
"""


def measure_start(setting: Setting) -> Results:
    """Measure imports, starts and memory."""
    jobs = {
        "base": (sys.executable, BASE),
        "ours": (
            sys.executable,
            f"{BASE}\nfrom flask_byok import BYOK, current_ai_client",
        ),
        "bare app": (sys.executable, _BARE_APP),
        "our app": (sys.executable, _OUR_APP),
        "openai": (sys.executable, "import openai"),
    }

    for peer, module in (("litellm", "litellm"), ("any-llm", "any_llm")):
        python = setting.find_python(peer)

        if python is not None:
            jobs[peer] = (python, f"import {module}")

    took = interleave(
        {name: functools.partial(_run, *job) for name, job in jobs.items()},
        setting.pick(11, 2),
    )
    base = took["base"]
    found: Results = {
        "import": (took["ours"] / base,),
        "start": (took["our app"] / took["bare app"],),
    }

    for peer in ("openai", "litellm", "any-llm"):
        if peer in took:
            found[f"import, {peer}"] = (took[peer] / base,)

    return found | _memory(setting)


def _run(python: str, code: str) -> float:
    """Give the CPU seconds of a fresh process."""
    process = subprocess.Popen(
        [python, "-c", code],
        env=environment(LITELLM_LOCAL_MODEL_COST_MAP="True"),
        preexec_fn=take_first_core,
        stderr=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)

    if process.returncode:
        sys.exit(f"A process failed that runs:\n{code}")

    return usage.ru_utime + usage.ru_stime


def _memory(setting: Setting) -> Results:
    told = _ask_python(_OUR_APP + _MODULES, "")
    needed = [name for name in json.loads(told) if _is_dependency(name)]
    library = float(_ask_python(_MEMORY, json.dumps(needed), _OUR_APP))
    bare = float(_ask_python(_MEMORY, json.dumps(needed), _BARE_APP))
    number = setting.pick(50, 10)
    ours = setting.ours()
    kept = Client("official", setting.url, sys.executable)

    try:
        return {
            "memory": ((library - bare) / 1024,),
            # In whole KiB: a page more or less, shared by all of them, is no growth.
            "memory, company": (round(ours.ask("grow", number)),),
            "memory, SDK kept": (round(kept.ask("grow", number)),),
        }
    finally:
        ours.close()
        kept.close()


def _is_dependency(name: str) -> bool:
    return name.partition(".")[0] not in {"__main__", "flask_byok"}


def _ask_python(code: str, given: str, *arguments: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        input=given,
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    ).stdout

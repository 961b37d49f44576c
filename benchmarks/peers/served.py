"""The same view under gunicorn with each client: calls per second, streams at once."""

from __future__ import annotations

import contextlib
import functools
import json
import pathlib
import socket
import subprocess
import sys
import tempfile
import time
import typing as t
import urllib.error
import urllib.request

from shared.provider import Pace
from shared.replies import PACED
from shared.timing import interleave

from . import load
from .processes import environment
from .processes import OTHERS
from .processes import take_first_core
from .setting import Results
from .setting import Setting

#: Threads of the worker, and as many callers.
THREADS: t.Final = 8
#: So many streams are tried at once, from few to many.
LADDER: t.Final = (25, 50, 100, 200, 300, 400, 500, 600)
#: On time is what comes whole within so many times the time it takes by itself.
LATE: t.Final = 1.2
#: The proxy's own key; it asks for one.
PROXY_KEY: t.Final = "sk-not-a-real-proxy"


class Server:
    """A server process of the comparison."""

    def __init__(
        self, command: list[str], port: int, path: str, measured: bool, **env: str
    ) -> None:
        self.port = port
        self._told = tempfile.TemporaryFile()
        self._process = subprocess.Popen(
            command,
            stdout=self._told,
            stderr=subprocess.STDOUT,
            env=environment(**env),
            preexec_fn=take_first_core if measured else None,
        )
        self._wait_for(f"http://127.0.0.1:{port}{path}")

    def _wait_for(self, url: str) -> None:
        until = time.monotonic() + 180

        while self._process.poll() is None and time.monotonic() < until:
            with contextlib.suppress(OSError, urllib.error.URLError):
                urllib.request.urlopen(url, timeout=10).close()
                return

            time.sleep(0.2)

        self.close()
        self._told.seek(0)
        sys.exit(f"A server failed:\n{self._told.read().decode()[-4000:]}")

    def close(self) -> None:
        """End it."""
        self._process.terminate()

        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _serve(python: str, client: str, url: str, worker: list[str], **env: str) -> Server:
    port = _free_port()
    command = [python, "-m", "gunicorn", "--workers=1", *worker, "view:app"]
    command += [f"--bind=127.0.0.1:{port}", "--backlog=2048", "--keep-alive=30"]
    command += ["--timeout=120", "--no-control-socket"]
    return Server(
        command,
        port,
        "/ready",
        True,
        BENCH_CLIENT=client,
        BENCH_URL=url,
        LITELLM_LOCAL_MODEL_COST_MAP="True",
        **env,
    )


def _choose(setting: Setting) -> dict[str, tuple[str, str, dict[str, str]]]:
    """Give each client's Python, script and environment."""
    database = setting.databases.make(setting.databases.kinds[-1])
    chosen = {
        "ours": (sys.executable, "ours", {"BENCH_DATABASE": database}),
        "requests": (sys.executable, "plain", {}),
        "SDK": (sys.executable, "official", {}),
    }
    python = setting.find_python("litellm")

    if python is not None:
        chosen["litellm"] = (python, "litellm_library", {})

    return chosen


def measure_served(setting: Setting) -> Results:
    """Count the calls per second of one worker with threads."""
    worker = ["--worker-class=gthread", f"--threads={THREADS}"]

    with contextlib.ExitStack() as stack:
        servers: dict[str, Server] = {}

        for name, (python, client, env) in _choose(setting).items():
            servers[name] = _serve(python, client, setting.url, worker, **env)
            stack.callback(servers[name].close)

        proxy = _start_proxy(setting, stack)

        if proxy is not None:
            env = {"BENCH_KEY": PROXY_KEY, "BENCH_WIRE": "chat"}
            through = f"http://127.0.0.1:{proxy.port}"
            server = _serve(sys.executable, "plain", through, worker, **env)
            servers["litellm proxy"] = server
            stack.callback(server.close)

        seconds = setting.pick(3.0, 0.5)
        # The quiet round is the one with the most answers.
        slow = interleave(
            {
                name: functools.partial(_call, server, seconds)
                for name, server in servers.items()
            },
            setting.pick(5, 1),
        )

    return {
        f"served, {name}": (took / slow["ours"],)
        for name, took in slow.items()
        if name != "ours"
    }


def _call(server: Server, seconds: float) -> float:
    return 1 / load.call_for(server.port, seconds, THREADS)


def _start_proxy(setting: Setting, stack: contextlib.ExitStack) -> Server | None:
    """Start litellm's proxy with one worker, beside the provider."""
    python = setting.find_python("litellm-proxy")

    if python is None:
        return None

    folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
    config = folder / "proxy.json"  # JSON is YAML as well
    model = {
        "model": "openai/gpt-4o",
        "api_base": f"{setting.url}/v1",
        "api_key": "not-a-real-benchmark-key-0001",
    }
    config.write_text(
        json.dumps(
            {
                "model_list": [{"model_name": "m", "litellm_params": model}],
                "general_settings": {"master_key": PROXY_KEY},
                "litellm_settings": {"telemetry": False, "num_retries": 0},
            }
        )
    )
    port = _free_port()
    cores = ",".join(map(str, sorted(OTHERS)))
    command = ["taskset", "-c", cores, str(pathlib.Path(python).parent / "litellm")]
    command += ["--config", str(config), "--host", "127.0.0.1", "--port", str(port)]
    server = Server(
        [*command, "--num_workers", "1"],
        port,
        "/health/liveliness",
        False,
        LITELLM_LOCAL_MODEL_COST_MAP="True",
        LITELLM_LOG="ERROR",
        LITELLM_MODE="PRODUCTION",
        DISABLE_ADMIN_UI="True",
    )
    stack.callback(server.close)
    return server


def measure_streams(setting: Setting, pace: Pace) -> Results:
    """Find how many streams one gevent worker keeps on time."""
    worker = ["--worker-class=gevent", "--worker-connections=4000"]
    found: Results = {}

    for name, (python, client, env) in _choose(setting).items():
        server = _serve(python, client, setting.url, worker, **env, BENCH_KEY=PACED)

        try:
            found[f"streams, {name}"] = (_climb(server, pace, setting.quick),)
        finally:
            server.close()

    return found


def _climb(server: Server, pace: Pace, quick: bool) -> float:
    """Try more and more streams, until some are late twice."""
    kept = 0
    load.stream_from(server.port, 5, pace.pieces, pace.seconds * LATE)

    for number in LADDER[:2] if quick else LADDER:
        tries = (
            load.stream_from(server.port, number, pace.pieces, pace.seconds * LATE)
            for _ in range(2)
        )

        if not any(whole == number for whole in tries):
            break

        kept = number

    return float(kept)

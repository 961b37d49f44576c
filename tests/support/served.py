"""Host apps under gunicorn: real workers, and clients that ask them over HTTP."""

from __future__ import annotations

import collections
import collections.abc as cabc
import concurrent.futures
import contextlib
import http.client
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import typing as t

from tests.support.gate import Gate
from tests.support.gate import open_gate
from tests.support.served_order import ORDER

ROOT = pathlib.Path(__file__).parent.parent.parent

Told = dict[str, t.Any]


class Served:
    """One gunicorn with its workers."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        port: int,
        crowd: int,
        clock: pathlib.Path,
        gate: Gate,
    ) -> None:
        self.process = process
        self.gate = gate
        #: So many requests keep every thread of every worker busy.
        self.crowd = crowd
        #: What each call got: ``answer``, or the name of its error.
        self.heard: list[str] = []
        self._port = port
        self._clock = clock

    def ask(self, what: str, *, timeout: float = 60.0, **order: t.Any) -> Told:
        """Let any worker do something and give what it tells."""
        with self._post(what, order, timeout) as answer:
            told: Told = json.loads(answer.read())

        if what == "chat":
            self.heard.append(told.get("error", "answer"))

        return told

    def read_stream(self, *, timeout: float = 60.0, **order: t.Any) -> list[Told]:
        """Read a stream to its end: its pieces, and how it ended."""
        with self._post("stream", order, timeout) as answer:
            return [json.loads(line) for line in answer]

    @contextlib.contextmanager
    def streaming(self, **order: t.Any) -> cabc.Iterator[http.client.HTTPResponse]:
        """Open a stream and leave it at the end of the block, read or not."""
        with self._post("stream", order, 60.0) as answer:
            yield answer

    @contextlib.contextmanager
    def _post(
        self, what: str, order: cabc.Mapping[str, t.Any], timeout: float
    ) -> cabc.Iterator[http.client.HTTPResponse]:
        client = http.client.HTTPConnection("127.0.0.1", self._port, timeout=timeout)
        headers = {"content-type": "application/json"}

        with contextlib.closing(client):
            client.request("POST", f"/{what}", json.dumps(order), headers)

            with client.getresponse() as answer:
                if answer.status != 200:
                    raise ServerFailed(f"{what}: {answer.status}")

                yield answer

    def ask_often(self, orders: cabc.Sequence[Told]) -> list[Told]:
        """Make calls, as many at once as there are threads; in their order."""
        with concurrent.futures.ThreadPoolExecutor(self.crowd) as pool:
            return list(pool.map(lambda order: self.ask("chat", **order), orders))

    def meet(self, order: Told, what: str = "chat") -> list[Told]:
        """Let every thread of every worker do the same at the same moment.

        A worker takes no more connections than it has threads, so that all of them,
        in all workers, are there when the gate opens.
        """
        self.gate.expect(self.crowd)
        met = {**order, "meet": self.gate.url}

        with concurrent.futures.ThreadPoolExecutor(self.crowd) as pool:
            asked = [pool.submit(self.ask, what, **met) for _ in range(self.crowd)]
            return [one.result(90) for one in asked]

    def move_clock(self, seconds: float) -> None:
        """Let the database's clock be so far ahead, in every worker's next request."""
        replacement = self._clock.with_suffix(".new")
        replacement.write_text(str(seconds))
        replacement.replace(self._clock)

    def workers(self) -> list[int]:
        """List the processes of the workers."""
        pid = self.process.pid
        return list(
            map(
                int,
                pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split(),
            )
        )

    def stop(self) -> None:
        """Stop gracefully, as a deployment does."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)


def ends(told: cabc.Iterable[Told]) -> dict[str, int]:
    """Count whose key served each call, or which error came."""
    return dict(
        collections.Counter(one.get("source", one.get("error")) for one in told)
    )


class ServerFailed(Exception):
    """A worker answered with an error of its own."""


@contextlib.contextmanager
def serving(
    url: str,
    config: cabc.Mapping[str, t.Any],
    *,
    kind: str,
    workers: int = 4,
    threads: int = 10,
    preload: bool = False,
    of_worker: cabc.Mapping[str, t.Any] | None = None,
) -> cabc.Iterator[Served]:
    """Run gunicorn on a free port until the block ends.

    :param kind: ``gthread`` or ``gevent``.
    :param threads: of each worker; of greenlets, as many.
    :param of_worker: by the number of a worker, from ``"1"`` on: ``config`` that it
        alone has, and ``clock_ahead``, seconds its own clock is wrong.
    """
    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
        gate = stack.enter_context(open_gate())
        listener = stack.enter_context(
            socket.create_server(("127.0.0.1", 0), backlog=512)
        )
        clock = folder / "clock"
        clock.write_text("0")
        order = {
            "url": url,
            "config": dict(config),
            "kind": kind,
            "workers": workers,
            "threads": threads,
            "preload": preload,
            "of_worker": dict(of_worker or {}),
            "socket": listener.fileno(),
            "clock": str(clock),
        }
        log = stack.enter_context((folder / "log").open("w+b"))
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "gunicorn", "--no-control-socket"),
                *("--config", "python:tests.support.gunicorn_conf"),
                "tests.support.served_app:create_app()",
            ],
            env={**os.environ, ORDER: json.dumps(order)},
            stdout=log,
            stderr=log,
            cwd=ROOT,
            pass_fds=[listener.fileno()],
        )
        port = listener.getsockname()[1]
        served = Served(process, port, workers * threads, clock, gate)

        try:
            yield served
        except BaseException:
            log.seek(0)
            print(log.read()[-20_000:].decode("utf-8", "replace"))
            raise
        finally:
            served.stop()

"""The HTTP side: read a request, ask for a plan, write what it says."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import email.utils
import http.server
import json
import select
import socket
import time
import typing as t
import urllib.parse
import uuid

from .control import answer_control
from .delivery import build_plan
from .delivery import Plan
from .exchange import Answer
from .exchange import Call
from .exchange import Stream
from .faults import wire_of
from .records import RecordedRequest
from .retry_rows import DATE_MARK

if t.TYPE_CHECKING:
    from .server import Simulator

#: The most seconds a hanging answer keeps its client waiting.
HANG_SECONDS = 60.0
#: Seconds before each byte of an answer that drips.
DRIP_SECONDS = 0.1
#: Bytes of a request's body; a larger one is not read.
MAX_BODY = 64 * 1024 * 1024

_Method = cabc.Callable[..., None]


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves one connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    simulator: Simulator
    close_connection: bool

    def setup(self) -> None:
        """Count the answers of this connection from zero."""
        super().setup()
        self._answered = 0

    def handle_one_request(self) -> None:
        """Serve one request; a client that left is no error."""
        try:
            super().handle_one_request()
        except OSError:
            self.close_connection = True

    def log_message(self, format: str, *args: t.Any) -> None:
        """Log nothing: a path may carry a key."""

    def do_GET(self) -> None:
        """Serve any method."""
        self._serve()

    do_POST: _Method = do_GET
    do_PUT: _Method = do_GET
    do_DELETE: _Method = do_GET
    do_PATCH: _Method = do_GET
    do_HEAD: _Method = do_GET

    def _serve(self) -> None:
        raw = self._read_body()
        address = urllib.parse.urlsplit(self.path)
        segments = address.path.split("/", 3)
        provider = segments[1].upper() if len(segments) == 4 else None

        if provider in self.simulator.providers:
            self._serve_provider(provider, segments[2], "/" + segments[3], raw)
            return

        if segments[1:2] == ["elsewhere"]:
            self._record("ELSEWHERE", None, 200, None)
            self._write_whole(Answer(status=200, headers={}, body=b"{}"))
            return

        headers = {name.lower(): value for name, value in self.headers.items()}
        self._write_whole(
            answer_control(self.simulator, self.command, address, headers, raw)
        )

    def _serve_provider(
        self, provider: str, version: str, path: str, raw: bytes
    ) -> None:
        wire = wire_of(provider)
        call = wire.read(self._build_call(provider, version, path, raw))
        plan = build_plan(
            call,
            wire,
            self.simulator.switchboard,
            reused=self._answered > 0,
            elsewhere=self.simulator.elsewhere,
        )
        status = plan.answer.status if plan.answer else None
        self._record(provider, call, status, plan.fault)

        with self.simulator.answering():
            if plan.slow:
                self.simulator.wait(self.simulator.slow_seconds)

            self.simulator.holds.keep(provider, call.api_key)
            self._write(plan)

    def _build_call(self, provider: str, version: str, path: str, raw: bytes) -> Call:
        address = urllib.parse.urlsplit(path)
        body: t.Any = None

        with contextlib.suppress(ValueError):
            body = json.loads(raw)

        return Call(
            provider=provider,
            version=version,
            method=self.command,
            path=urllib.parse.unquote(address.path),
            query=dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query)),
            headers={name.lower(): value for name, value in self.headers.items()},
            credentials=(),
            model="",
            operation="unknown",
            streamed=False,
            body=body if isinstance(body, dict) else None,
            request_id=f"req_{uuid.uuid4().hex}",
        )

    def _record(
        self, provider: str, call: Call | None, status: int | None, fault: str | None
    ) -> None:
        self.simulator.log.add(
            RecordedRequest(
                provider=provider,
                method=self.command,
                path=self.path,
                headers={name.lower(): value for name, value in self.headers.items()},
                api_key=call.api_key if call else "",
                model=call.model if call else "",
                body=call.body if call else None,
                status=status,
                fault=fault,
            )
        )

    def _read_body(self) -> bytes:
        length = self.headers.get("Content-Length") or "0"

        if not length.isdigit() or int(length) > MAX_BODY:
            self.close_connection = True
            return b""

        return self.rfile.read(int(length))

    def _write(self, plan: Plan) -> None:
        if plan.manner == "hang":
            self._hang()
        elif plan.manner == "reset" or plan.answer is None:
            self.close_connection = True
        elif isinstance(plan.answer, Stream):
            self._write_stream(plan.answer, plan)
        elif plan.manner in ("drip", "bytewise"):
            self._begin(plan.answer, {"transfer-encoding": "chunked"})
            self._write_bytes(plan.answer.body, plan)
            self._end_chunks()
        else:
            self._write_whole(plan.answer)
            self.close_connection |= plan.manner == "short"

    def _write_whole(self, answer: Answer) -> None:
        length = {"content-length": str(len(answer.body))}
        self._begin(answer, {} if "content-length" in answer.headers else length)

        if self.command != "HEAD":
            self.wfile.write(answer.body)

        self.wfile.flush()
        self._answered += 1

    def _write_stream(self, stream: Stream, plan: Plan) -> None:
        self._begin(stream, {"transfer-encoding": "chunked"})
        self.wfile.flush()

        for piece in stream.pieces:
            if piece.kind == "content":
                self.simulator.wait(self.simulator.pace)

            self._write_bytes(piece.data, plan)

        if plan.manner == "cut":
            self.close_connection = True  # and no last chunk
        else:
            self._end_chunks()

    def _write_bytes(self, data: bytes, plan: Plan) -> None:
        size = 1 if plan.manner in ("drip", "bytewise") else max(1, len(data))

        for at in range(0, len(data), size):
            part = data[at : at + size]

            if plan.manner == "drip" and self.simulator.wait(DRIP_SECONDS):
                return

            self.wfile.write(b"%x\r\n%b\r\n" % (len(part), part))
            self.wfile.flush()

    def _end_chunks(self) -> None:
        self.wfile.write(b"0\r\n\r\n")
        self.wfile.flush()
        self._answered += 1

    def _begin(self, answer: Answer | Stream, more: dict[str, str]) -> None:
        self.send_response_only(answer.status)
        self.send_header("date", email.utils.formatdate(usegmt=True))

        for name, value in {**answer.headers, **more}.items():
            if value == DATE_MARK:
                value = email.utils.formatdate(time.time() + 38, usegmt=True)

            self.send_header(name, value)

        self.end_headers()

    def _hang(self) -> None:
        """Wait until the client leaves, the simulator stops, or the time is up."""
        self.close_connection = True
        end = time.monotonic() + HANG_SECONDS

        while time.monotonic() < end and not self.simulator.wait(0):
            readable, _, _ = select.select([self.connection], [], [], 0.1)

            if readable and not self.connection.recv(1, socket.MSG_PEEK):
                return

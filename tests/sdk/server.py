"""A provider with files, sounds and batches: as much as a forward must carry."""

from __future__ import annotations

import contextlib
import dataclasses
import http.server
import json
import threading
import typing as t

#: A file that fits into no buffer on its way.
FILE: t.Final = bytes(range(256)) * 4096
#: A large picture as it stands in one event of a stream.
PICTURE: t.Final = "QUJD" * (9 * 256 * 1024)


@dataclasses.dataclass
class Seen:
    """One request as it came."""

    method: str
    path: str
    api_key: str
    headers: dict[str, str]
    body: bytes


class FileServer(http.server.ThreadingHTTPServer):
    """Answers on loopback and keeps what came."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.seen: list[Seen] = []
        #: A text in the keys that are refused.
        self.refused = ""
        #: What they are told: status, code, words.
        self.refusal: tuple[int, str | None, str] = (401, "invalid_api_key", "no")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"

    def paid(self) -> str:
        """Who paid since the last look, ``c`` or ``s``."""
        keys = [one.api_key for one in self.seen]
        self.seen.clear()
        return "".join("s" if "system" in key else "c" for key in keys)


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FileServer

    def log_message(self, *args: t.Any) -> None:
        pass

    def _serve(self) -> None:
        size = int(self.headers.get("content-length") or 0)
        seen = Seen(
            self.command,
            self.path,
            self.headers.get("authorization", "").removeprefix("Bearer "),
            {name.lower(): value for name, value in self.headers.items()},
            self.rfile.read(size),
        )
        self.server.seen.append(seen)

        if self.server.refused and self.server.refused in seen.api_key:
            status, code, words = self.server.refusal
            error = {"message": words, "type": "x", "code": code}
            self._send(status, json.dumps({"error": error}).encode())
        elif self.path.endswith("/content"):
            self._send(200, FILE, "application/octet-stream")
        elif self.path.endswith("/short"):
            self._send(200, FILE[:70_000], length=len(FILE))
        elif self.path.endswith("/speech"):
            self._send(200, FILE[:5000], "audio/mpeg")
        elif b'"stream":true' in seen.body.replace(b" ", b""):
            self._send(200, self._stream(), "text/event-stream")
        elif self.command == "DELETE":
            self._send(200, b'{"id": "file-1", "object": "file", "deleted": true}')
        else:
            self._send(200, json.dumps(self._answer()).encode())

    def _answer(self) -> dict[str, t.Any]:
        return {
            "id": "it-1",
            "object": "response",
            "status": "completed",
            "text": "heard",
            "data": [{"id": "gpt-6-sol"}],
            "output": [],
            "usage": {"input_tokens": 1, "output_tokens": 1},
        }

    def _stream(self) -> bytes:
        picture = {
            "type": "response.image_generation_call.partial_image",
            "item_id": "ig-1",
            "output_index": 0,
            "partial_image_index": 0,
            "partial_image_b64": PICTURE,
        }
        end = {"type": "response.completed", "response": self._answer()}
        lines = [f"data: {json.dumps(one)}\n\n" for one in (*[picture] * 4, end)]
        return "".join(lines).encode()

    def _send(
        self,
        status: int,
        body: bytes,
        kind: str = "application/json",
        length: int | None = None,
    ) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(length or len(body)))
        self.send_header("set-cookie", "a=b")
        self.send_header("openai-version", "2020-10-01")
        # A hostile one: the key where numbers belong, and in a name.
        api_key = self.headers.get("authorization", "")
        self.send_header("x-ratelimit-limit-requests", api_key)
        self.send_header(f"x-ratelimit-{api_key[7:40]}", "1")
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = length is not None

    do_GET = do_POST = do_DELETE = _serve


@contextlib.contextmanager
def serving() -> t.Iterator[FileServer]:
    """Serve inside the ``with`` block."""
    with FileServer() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()

        try:
            yield server
        finally:
            server.shutdown()
            thread.join()

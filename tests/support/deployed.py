"""The files of ``docs/deployment``, run as they are: a server, and nginx before it.

Addresses and paths that no test can have are put into a copy; each must stand in the
file, so that the files and this page cannot drift apart.
"""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import datetime as dt
import http.client
import ipaddress
import json
import os
import pathlib
import re
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import typing as t
import urllib.parse

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.support.examples import ROOT
from tests.support.host import MASTER_KEYS
from tests.support.stepping import SteppedSimulator
from tests.support.web import find_nginx

FILES: t.Final = ROOT / "docs" / "deployment"

#: The name under which nginx serves the app.
NAME: t.Final = "app.example.com"

#: The commands of the page, by the name of the server.
COMMANDS: t.Final = {
    "gthread": ("gunicorn", "--config", "gunicorn.conf.py", "wsgi:app"),
    "gevent": ("gunicorn", "--config", "gunicorn_gevent.conf.py", "wsgi:app"),
    "granian": ("sh", "granian.sh"),
}


def copy_project(folder: pathlib.Path) -> pathlib.Path:
    """Copy the files of the page into a folder, and an app that goes with them."""
    shutil.copytree(FILES, folder)
    shutil.copy(ROOT / "tests" / "support" / "yourapp.py", folder / "yourapp.py")
    return folder


def read_environment(**values: str) -> dict[str, str]:
    """Read ``app.env``, with a value of the test for each that nobody can know.

    :param values: by the name of the variable, without ``FLASK_``.
    """
    lines = (FILES / "app.env").read_text("utf-8").splitlines()
    read = dict(line.split("=", 1) for line in lines)
    usual = {
        "SECRET_KEY": "not-a-real-secret-for-this-test-alone",
        "BYOK_MASTER_KEYS": f"k001:{MASTER_KEYS['k001']}",
        "BYOK_SYSTEM_KEYS": '{"OPENAI": "not-a-real-system-key-openai"}',
    }

    for name, value in {**usual, **values}.items():
        assert f"FLASK_{name}" in read, name
        read[f"FLASK_{name}"] = value

    assert not [name for name, value in read.items() if re.search(r"<|internal", value)]
    return read


def put_in(text: str, *pairs: tuple[str, str]) -> str:
    """Replace what stands in a file once, and fail where it does not."""
    for old, new in pairs:
        assert text.count(old) == 1, old
        text = text.replace(old, new)

    return text


class Site:
    """An app as the internet sees it: over https, by its name."""

    def __init__(
        self,
        simulator: SteppedSimulator,
        ports: tuple[int, int],
        certificate: pathlib.Path,
    ) -> None:
        self.simulator = simulator
        self.http_port, self.https_port = ports
        # The name is not that of this machine; who signed it is checked all the same.
        self._trust = ssl.create_default_context(cafile=str(certificate))
        self._trust.check_hostname = False
        #: How the app last set the cookie of its session.
        self.set_cookie = ""

    @contextlib.contextmanager
    def open(
        self,
        method: str,
        path: str,
        form: cabc.Mapping[str, str] | None = None,
        **headers: str,
    ) -> cabc.Iterator[http.client.HTTPResponse]:
        """Ask for something and leave at the end of the block, read or not."""
        client = http.client.HTTPSConnection(
            "127.0.0.1", self.https_port, timeout=30, context=self._trust
        )
        usual = {"Host": NAME, "Referer": f"https://{NAME}/"}
        usual["Cookie"] = self.set_cookie.partition(";")[0]
        usual["Content-Type"] = "application/x-www-form-urlencoded"

        with contextlib.closing(client):
            body = urllib.parse.urlencode(form or {})
            client.request(method, path, body, {**usual, **headers})

            with client.getresponse() as answer:
                self.set_cookie = answer.headers.get("Set-Cookie", self.set_cookie)
                yield answer

    def get(self, path: str, **headers: str) -> tuple[int, str]:
        """Ask for a page; give its status and its text."""
        with self.open("GET", path, **headers) as answer:
            return answer.status, answer.read().decode("utf-8")

    def get_json(self, path: str, **headers: str) -> t.Any:
        """Ask for JSON."""
        return json.loads(self.get(path, **headers)[1])

    def save(self, path: str, api_key: str) -> tuple[int, str]:
        """Save a key by the form of the page; give the status and the next address."""
        page = self.get(path)[1]
        token = re.search(r'name="csrf_token"\s+value="([^"]+)"', page)
        action = re.search(r'action="([^"]+/key)"', page)
        assert token and action, page
        form = {"csrf_token": token[1], "action": "save", "provider": "OPENAI"}
        form["api_key"] = api_key

        with self.open("POST", action[1], form) as answer:
            return answer.status, answer.headers.get("Location", "")


@contextlib.contextmanager
def deployed(
    server: str, simulator: SteppedSimulator, **values: str
) -> cabc.Iterator[Site]:
    """Run a server of the page with nginx before it, until the block ends.

    :param server: one of :data:`COMMANDS`.
    :param values: of the environment; see :func:`read_environment`.
    """
    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
        project = copy_project(folder / "app")
        environment = read_environment(**values)
        environment["FLASK_BYOK_PROVIDER_URLS"] = json.dumps(dict(simulator.urls))
        behind = folder / "app.sock"
        environment["GUNICORN_CMD_ARGS"] = f"--bind=unix:{behind}"
        environment["GRANIAN_UDS"] = str(behind)
        certificate = make_certificate(folder)
        sockets = [
            stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            for _ in range(2)
        ]
        http_port, https_port = (each.getsockname()[1] for each in sockets)
        log = stack.enter_context((folder / "log").open("w+b"))
        site = Site(simulator, (http_port, https_port), certificate)
        processes = [
            stack.enter_context(
                running(COMMANDS[server], log, cwd=project, env=in_project(environment))
            ),
            stack.enter_context(
                running(
                    nginx_command(folder, certificate, behind, http_port, https_port),
                    log,
                    cwd=folder,
                    # What an nginx that is replaced by a newer one hands to it: so
                    # nobody else can take a port meanwhile.
                    env={"NGINX": "".join(f"{each.fileno()};" for each in sockets)},
                    pass_fds=[each.fileno() for each in sockets],
                )
            ),
        ]

        try:
            _wait_until_healthy(site, processes)
            yield site
        except BaseException:
            log.seek(0)
            print(log.read()[-20_000:].decode("utf-8", "replace"))
            raise


def in_project(environment: cabc.Mapping[str, str]) -> dict[str, str]:
    """Add what commands need that run in a project of their own."""
    path = os.pathsep.join(
        (str(pathlib.Path(sys.executable).parent), os.environ["PATH"])
    )
    return {**environment, "PATH": path, "PYTHONPATH": str(ROOT)}


@contextlib.contextmanager
def running(
    command: cabc.Sequence[str], log: t.IO[bytes], **options: t.Any
) -> cabc.Iterator[subprocess.Popen[bytes]]:
    """Run a server until the block ends."""
    process = subprocess.Popen(command, stdout=log, stderr=log, **options)

    try:
        yield process
    finally:
        process.terminate()
        process.wait(90)


def nginx_command(
    folder: pathlib.Path,
    certificate: pathlib.Path,
    behind: pathlib.Path,
    http_port: int,
    https_port: int,
) -> tuple[str, ...]:
    """Lay the files where nginx looks for them; give the command that starts it."""
    conf = folder / "nginx"
    (conf / "yourapp").mkdir(parents=True)
    shutil.copy(FILES / "proxy.conf", conf / "yourapp" / "proxy.conf")
    shutil.copy(FILES / "nginx_path.conf", conf / "yourapp" / "nginx_path.conf")
    server = put_in(
        (FILES / "nginx.conf").read_text("utf-8"),
        ("server 127.0.0.1:8000;", f"server unix:{behind};"),
        ("listen 80;", f"listen 127.0.0.1:{http_port};"),
        ("listen 443 ssl;", f"listen 127.0.0.1:{https_port} ssl;"),
        ("/etc/ssl/yourapp/fullchain.pem", str(certificate)),
        ("/etc/ssl/yourapp/privkey.pem", str(certificate)),
        (
            "    location / {",
            "    include yourapp/nginx_path.conf;\n\n    location / {",
        ),
    )
    (conf / "yourapp.conf").write_text(server, "utf-8")
    places = "".join(
        f"    {name}_temp_path {folder / name};\n"
        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "user root;\n" if os.geteuid() == 0 else ""
    (conf / "nginx.conf").write_text(
        f"{user}daemon off;\npid {folder}/nginx.pid;\nerror_log stderr;\n"
        f"events {{}}\nhttp {{\n    access_log off;\n{places}"
        "    include yourapp.conf;\n}\n",
        "utf-8",
    )
    nginx = find_nginx()
    assert nginx is not None
    return (nginx, "-p", str(folder), "-c", str(conf / "nginx.conf"), "-e", "stderr")


def make_certificate(folder: pathlib.Path) -> pathlib.Path:
    """Write a certificate that signs itself, for an hour; with its key."""
    signer = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, NAME)])
    now = dt.datetime.now(dt.timezone.utc)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    names = x509.SubjectAlternativeName([x509.DNSName(NAME), address])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(signer.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(names, critical=False)
        .sign(signer, hashes.SHA256())
    )
    private = signer.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path = folder / "certificate.pem"
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM) + private)
    return path


def _wait_until_healthy(
    site: Site, processes: cabc.Sequence[subprocess.Popen[bytes]]
) -> None:
    until = time.monotonic() + 60

    while True:
        with contextlib.suppress(ConnectionError):
            if site.get("/healthz")[0] == 200:
                return

        assert time.monotonic() < until, "In vain: the site is healthy."
        assert all(process.poll() is None for process in processes), "A server ended."
        time.sleep(0.05)

"""Mail as the page about notices sends it, and a server that gets it."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import email
import email.message
import queue
import socket
import typing as t

from aiosmtpd.controller import Controller
from flask import Flask

from tests.support import examples

#: Who manages the keys of company 1.
MANAGERS: t.Final = ["ada@host.example", "bob@host.example"]


class MailServer:
    """A real SMTP server on loopback."""

    def __init__(self) -> None:
        self._mails: queue.Queue[email.message.Message] = queue.Queue()
        #: Where it listens: its controller asks for a port that is known before.
        self.port: int = find_free_port()
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port)

    async def handle_DATA(self, server: t.Any, session: t.Any, envelope: t.Any) -> str:
        """Take one mail."""
        mail = email.message_from_bytes(envelope.content)
        assert envelope.rcpt_tos == [mail["To"]]
        self._mails.put(mail)
        return "250 OK"

    @contextlib.contextmanager
    def running(self) -> cabc.Iterator[MailServer]:
        """Run for a while."""
        self._controller.start()

        try:
            yield self
        finally:
            self._controller.stop()

    def receive(self, number: int) -> list[email.message.Message]:
        """Wait for so many mails."""
        return [self._mails.get(timeout=30) for _ in range(number)]

    @property
    def is_empty(self) -> bool:
        """Whether no mail is left."""
        return self._mails.empty()


def find_free_port() -> int:
    """Find a port nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def run_recipe(
    app: Flask, addresses: cabc.Callable[[t.Any], list[str]]
) -> dict[str, t.Any]:
    """Run the recipe of the page as it is printed, and give its names."""
    notices, reminders = examples.blocks("notices.md")
    names: dict[str, t.Any] = {"__name__": "recipe"}
    names["addresses_of_managers"] = addresses
    examples.run(notices, names)
    examples.run(reminders, names)
    names["mail"].init_app(app)
    return names


def prepare(app: Flask) -> dict[str, t.Any]:
    """Let a worker's app send mail."""
    return run_recipe(app, lambda company_id: MANAGERS if company_id == 1 else [])

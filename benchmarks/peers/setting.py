"""What all measurements are made with."""

from __future__ import annotations

import dataclasses
import sys
import typing as t

from .databases import Databases
from .environments import NotThere
from .environments import python_of
from .processes import Client

PROVIDERS: t.Final = ("OPENAI", "CLAUDE", "GEMINI")

#: By the name of a row of the table: its numbers, one or one for each provider.
Results = dict[str, tuple[float, ...]]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Setting:
    """One run of the comparison.

    :param url: of the provider.
    :param quick: show that everything works; the numbers are worth little.
    :param peers: the peers to install.
    """

    url: str
    databases: Databases
    quick: bool
    peers: frozenset[str]

    def pick(self, usual: t.Any, quick: t.Any) -> t.Any:
        """Give one value or the other."""
        return quick if self.quick else usual

    def find_python(self, peer: str) -> str | None:
        """Give the Python of a peer; ``None`` where it is left out."""
        if peer not in self.peers:
            return None

        try:
            return python_of(peer)
        except NotThere as reason:
            print(f"{peer} is left out. {reason}", file=sys.stderr)
            return None

    def ours(self, kind: str = "", database: str | None = None) -> Client:
        """Start this package's own client."""
        return Client(
            "ours",
            self.url,
            sys.executable,
            BENCH_DATABASE=database or self.databases.make("SQLite"),
            BENCH_KIND=kind,
        )

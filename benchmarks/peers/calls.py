"""What a call costs: whole, streamed, refused, and beside a key known to be dead."""

from __future__ import annotations

import collections.abc as cabc
import functools
import sys

from shared.replies import PIECES
from shared.timing import interleave
from shared.timing import Spend

from .processes import Client
from .processes import closing_all
from .setting import PROVIDERS
from .setting import Results
from .setting import Setting

#: Dear things are done less often in a round.
_SHARES = {"call anew": 0.05, "stream": 0.1, "fallback": 0.25, "first": 0.5}


def measure_calls(setting: Setting) -> Results:
    """Measure everything that is counted in CPU time of a call."""
    with closing_all(_start(setting)) as clients:
        found = _merge(
            {
                provider: _whole(clients, provider, setting)
                | _chunks(clients, provider, setting)
                for provider in PROVIDERS
            }
        )
        return found | _circuit(clients["circuit"], setting)


def _start(setting: Setting) -> dict[str, Client]:
    clients = {
        "requests": Client("plain", setting.url, sys.executable),
        "no row": setting.ours("no row", setting.databases.make(_last(setting))),
        "SDK": Client("official", setting.url, sys.executable),
        "refused": setting.ours("refused"),
        "circuit": setting.ours("circuit"),
    }

    for kind in setting.databases.kinds:
        clients[kind] = setting.ours(database=setting.databases.make(kind))

    for peer, script in (("litellm", "litellm_library"), ("any-llm", "anyllm_library")):
        python = setting.find_python(peer)

        if python is not None:
            clients[peer] = Client(script, setting.url, python)

    return clients


def _last(setting: Setting) -> str:
    return setting.databases.kinds[-1]


def _whole(
    clients: cabc.Mapping[str, Client], provider: str, setting: Setting
) -> dict[str, float]:
    works = {
        "requests": ("requests", "call"),
        "no row": ("no row", "call"),
        "SQLite": ("SQLite", "call"),
        "PostgreSQL": ("PostgreSQL", "call"),
        "SDK": ("SDK", "call"),
        "SDK anew": ("SDK", "call anew"),
        "litellm": ("litellm", "call"),
        "any-llm": ("any-llm", "call"),
        "requests first": ("requests", "first"),
        "first": ("no row", "first"),
        "fallback": ("refused", "fallback"),
        "litellm fallback": ("litellm", "fallback"),
    }
    took = interleave(
        {
            name: _spend(clients[client], what, provider, setting)
            for name, (client, what) in works.items()
            if client in clients and (client != "any-llm" or provider == "OPENAI")
        },
        setting.pick(21, 2),
    )
    bare, whole = took["requests"], took[_last(setting)]
    ratios = {
        "call, no row": took["no row"] / bare,
        **{f"call, {kind}": took[kind] / bare for kind in setting.databases.kinds},
        "SDK kept": took["SDK"] / bare,
        "call, SDK kept": whole / took["SDK"],
        "call, SDK anew": whole / took["SDK anew"],
        "first chunk": took["first"] / took["requests first"],
        "fallback": took["fallback"] / bare,
    }

    for peer in ("litellm", "any-llm"):
        if peer in took:
            ratios[peer] = took[peer] / bare
            ratios[f"call, {peer}"] = whole / took[peer]

    if "litellm fallback" in took:
        ratios["fallback, litellm"] = took["fallback"] / took["litellm fallback"]

    return ratios


def _chunks(
    clients: cabc.Mapping[str, Client], provider: str, setting: Setting
) -> dict[str, float]:
    """Measure one more chunk: a stream, less a call."""
    names = [
        name for name in ("requests", "no row", "SDK", "litellm") if name in clients
    ]
    took = interleave(
        {
            f"{name} {what}": _spend(clients[name], what, provider, setting)
            for name in names
            for what in ("call", "stream")
        },
        setting.pick(15, 2),
    )
    each = {
        name: (took[f"{name} stream"] - took[f"{name} call"]) / PIECES for name in names
    }
    return {
        "chunk" if name == "requests" else f"chunk, {name}": each["no row"] / each[name]
        for name in names
        if name != "no row"
    }


def _circuit(client: Client, setting: Setting) -> Results:
    before = client.ask("count")
    took = interleave(
        {
            what: _spend(client, what, "OPENAI", setting)
            for what in ("without a key", "circuit open")
        },
        setting.pick(21, 2),
    )
    return {
        "circuit open": (took["circuit open"] / took["without a key"],),
        "circuit open, attempts": (client.ask("count") - before,),
    }


def _spend(client: Client, what: str, provider: str, setting: Setting) -> Spend:
    times = max(1, int(setting.pick(40, 8) * _SHARES.get(what, 1.0)))
    return functools.partial(client.ask, what, provider, times)


def _merge(by_provider: cabc.Mapping[str, cabc.Mapping[str, float]]) -> Results:
    """Give each row its number of every provider that has one."""
    names = {name: None for found in by_provider.values() for name in found}
    return {
        name: tuple(found[name] for found in by_provider.values() if name in found)
        for name in names
    }

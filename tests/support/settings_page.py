"""What the page about configuration says of each setting in a table, and of mistakes.

``make tables`` writes it below each heading of ``docs/configuration.md``: what the
setting holds, its default as ``Settings`` has it, how it is written in the environment,
and the sentence that refuses a wrong value, as it is said.
"""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import re
import typing as t

from flask_byok.config import Settings
from flask_byok.errors import ConfigError
from flask_byok.masterkeys import generate
from tests.support.examples import DOCS

PAGE: t.Final = DOCS / "configuration.md"
HEAD: t.Final = "| holds | default | in the environment |\n|---|---|---|\n"


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Fact:
    """One setting.

    :param holds: what it may be, and its bounds.
    :param wrong: a value that is refused.
    :param shown: what stands in the environment; ``None`` where that cannot be said
        there. ``…`` stands for a key.
    :param below: what follows the name there, of one entry.
    :param default: the default in words; that of ``Settings`` where it says nothing.
    """

    name: str
    holds: str
    wrong: t.Any
    shown: str | None
    below: str = ""
    default: str = ""

    @property
    def variable(self) -> str:
        """The name in the environment."""
        return f"FLASK_{self.name}{self.below}"


FACTS: t.Final = (
    Fact(
        name="BYOK_MASTER_KEYS",
        holds="a mapping of ids (four of `a-z0-9`) to 32 bytes as base64url or to key "
        "services; a text of `id:key` with commas; or `False`",
        wrong={"k001": "c2hvcnQ"},
        shown="k001:…",
        default="none; an app without it does not start",
    ),
    Fact(
        name="BYOK_PRIMARY_KEY_ID",
        holds="an id of `BYOK_MASTER_KEYS`",
        wrong="k009",
        shown="k002",
        default="the one master key there is",
    ),
    Fact(
        name="BYOK_NAMESPACE",
        holds="1 to 64 of `a-z`, `0-9`, `.`, `_`, `-`; a letter or digit first",
        wrong="Our App",
        shown="staging",
    ),
    Fact(
        name="BYOK_SYSTEM_KEYS",
        holds="a mapping of providers to API keys: 8 to 2048 printable characters "
        "without spaces; an empty entry is left out",
        wrong={"OPENAI": "short"},
        shown="…",
        below="__OPENAI",
        default="none",
    ),
    Fact(
        name="BYOK_SYSTEM_ORDER",
        holds="a list of providers that have a system key, or a text with commas",
        wrong="OPENAI,OPENAI",
        shown="CLAUDE,OPENAI",
        default="those with a key: `OPENAI`, `GEMINI`, `CLAUDE`, then registered ones",
    ),
    Fact(
        name="BYOK_MODELS",
        holds="a mapping of providers to mappings of names to model ids: 1 to 200 "
        "printable characters without spaces",
        wrong={"OPENAI": {"default": "a model"}},
        shown='{"OPENAI": {"fast": "gpt-6-luna"}}',
        default="each provider's own `default` and `fast`",
    ),
    Fact(
        name="BYOK_FALLBACK",
        holds="`auto`, `outage_only` or `never`",
        wrong="sometimes",
        shown="outage_only",
    ),
    Fact(
        name="BYOK_FALLBACK_LOCKED",
        holds="`True` or `False`; `yes`, `no`, `on`, `off`, `1` and `0` are taken, too",
        wrong="maybe",
        shown="true",
    ),
    Fact(
        name="BYOK_FALLBACK_SCOPE",
        holds="`any` or `same_provider`",
        wrong="all",
        shown="same_provider",
    ),
    Fact(
        name="BYOK_SYSTEM_BUDGET",
        holds="a mapping of `requests`, `tokens` (whole numbers of at least 0) and "
        "`money` (US dollars, at most six digits after the point)",
        wrong={"money": 25.0},
        shown='{"requests": 500, "money": "25.00"}',
        default="no limit",
    ),
    Fact(
        name="BYOK_TIMEOUT",
        holds="seconds, above 0, at most 3600",
        wrong=0,
        shown="45",
    ),
    Fact(
        name="BYOK_CONNECT_TIMEOUT",
        holds="seconds, above 0, at most 3600",
        wrong="soon",
        shown="3",
    ),
    Fact(
        name="BYOK_LATENCY_LIMIT",
        holds="seconds, above 0, at most 3600",
        wrong=7200,
        shown="2.5",
    ),
    Fact(
        name="BYOK_PROVIDER_URLS",
        holds="a mapping of providers to https URLs with their version segment; http "
        "for this machine; no user name, query or fragment",
        wrong={"OPENAI": "http://gateway.example/v1"},
        shown="https://eu.api.openai.com/v1",
        below="__OPENAI",
        default="the providers' own",
    ),
    Fact(
        name="BYOK_URL_PREFIX",
        holds="a path with a slash at its beginning and none at its end",
        wrong="settings/ai",
        shown="/account/ai",
    ),
    Fact(
        name="BYOK_BASE_TEMPLATE",
        holds="the name of a template of yours",
        wrong="",
        shown="base.html",
        default="a plain page of its own",
    ),
    Fact(
        name="BYOK_APP_NAME",
        holds="a text",
        wrong=" ",
        shown="Studio",
        default='"this app"',
    ),
    Fact(
        name="BYOK_UI",
        holds="`plain` or `bootstrap5`",
        wrong="bootstrap4",
        shown="bootstrap5",
    ),
    Fact(
        name="BYOK_CSP_NONCE",
        holds="a function without arguments that returns a text",
        wrong="abc",
        shown=None,
        default="none",
    ),
    Fact(
        name="BYOK_RATE_LIMIT",
        holds="a mapping of `user`, `company`, `address`, `all` to whole numbers of at "
        "least 1, per minute; what is left out has no limit",
        wrong={"company": 0},
        shown='{"company": 12, "all": 60}',
    ),
    Fact(
        name="BYOK_RATE_LIMIT_STORAGE",
        holds="`memory://`, or a URL of the library `limits`",
        wrong="",
        shown="redis://localhost:6379/0",
    ),
    Fact(
        name="BYOK_BIND_KEY",
        holds="a key of `SQLALCHEMY_BINDS`",
        wrong="",
        shown="ai",
        default="the app's default database",
    ),
)


def default(fact: Fact) -> str:
    """Write the default: in the fact's words, else the value that ``Settings`` has."""
    if fact.default:
        return fact.default

    name = fact.name.removeprefix("BYOK_").lower()
    (field,) = (each for each in dataclasses.fields(Settings) if each.name == name)
    factory = field.default_factory
    value = field.default if factory is dataclasses.MISSING else factory()
    text = str(value).removesuffix(".0").replace("'", '"')
    return f"`{text}`"


def refusal(fact: Fact) -> str:
    """Set the wrong value and give what is said."""
    config = {"BYOK_MASTER_KEYS": {"k001": generate()}, fact.name: fact.wrong}

    try:
        Settings.from_config(config)
    except ConfigError as refused:
        return str(refused)

    raise AssertionError(f"{fact.name} takes the wrong value.")


def written(fact: Fact) -> str:
    """Write what stands below the heading of one setting."""
    shown = "not there" if fact.shown is None else f"`{fact.variable}={fact.shown}`"
    row = f"| {fact.holds} | {default(fact)} | {shown} |"
    return f"{HEAD}{row}\n\nA mistake: *{refusal(fact)}*\n"


_BELOW = re.compile(r"(?:\| holds \|.*\n(?:\|.*\n)+\nA mistake: .*\n)?")


def page() -> str:
    """Give the page with the facts as they are now."""
    text = PAGE.read_text("utf-8")

    for fact in FACTS:
        before, heading, rest = text.partition(f"### `{fact.name}`\n\n")
        assert heading, f"{fact.name} has no heading."
        old = t.cast("re.Match[str]", _BELOW.match(rest))
        rest = rest[old.end() :].removeprefix("\n")
        text = f"{before}{heading}{written(fact)}\n{rest}"

    return text


def as_environment(fact: Fact, api_key: str) -> cabc.Mapping[str, str]:
    """Give the variable that the page shows, with a key where it has none."""
    assert fact.shown is not None
    return {fact.variable: fact.shown.replace("…", api_key)}


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")

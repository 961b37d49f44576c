"""From what people paste to an API key, or to the reason why it cannot be one.

Copies of keys come with quotes, variable names, invisible characters and cut ends.
What is plainly around a key is taken off; what is inside is never mended. No sentence
repeats what was pasted.
"""

from __future__ import annotations

import collections.abc as cabc
import re
import typing as t

from ..errors import ApiKeyFormatError
from ..providers.base import Provider
from ..secret import Secret

#: Characters of an API key.
SHORTEST: t.Final = 8
LONGEST: t.Final = 2048

_SENTENCES: t.Final[cabc.Mapping[str, str]] = {
    "empty": "Enter an API key.",
    "masked": "This is the hidden form of a saved key. Paste the key itself.",
    "space": "The key has a space or a line break in it. Copy it again in one piece.",
    "character": "The key has a character that API keys do not have, often a dash "
    "changed by a text editor. Copy it from {vendor} again.",
    "short": "This is too short to be an API key.",
    "long": "This is too long to be an API key.",
}

# White space of every script, then what has no width: soft hyphen, joiners, marks of
# direction, byte order mark.
_SPACES: t.Final = "".join(chr(n) for n in range(0x3001) if chr(n).isspace())
_INVISIBLE: t.Final = (
    "\u00ad\u180e\u200b\u200c\u200d\u200e\u200f\u2060\u2061\u2062\u2063\u2064\ufeff"
)
_AROUND: t.Final = _SPACES + _INVISIBLE
_QUOTES: t.Final = "\"'`"

_NAME: t.Final = re.compile(r"(?:export[ \t]+)?([A-Za-z0-9_]+)[ \t]*=")
_BEARER: t.Final = re.compile(r"bearer\s+", re.IGNORECASE)
_PLAIN: t.Final = re.compile(r"[\x21-\x7e]*")

#: What masks are drawn with; the last one alone is three dots.
_MASK: t.Final = "*•·.…"
_MOST_AFTER_MASK: t.Final = 8

#: A prefix so common that it speaks only against these two.
_COMMON_HINT: t.Final = "sk-"
_COMMON_SPEAKS_AGAINST: t.Final = frozenset({"GEMINI", "CLAUDE"})
_BUILT_IN: t.Final = frozenset({"OPENAI", "GEMINI", "CLAUDE"})

_ADMIN_PREFIXES: t.Final = ("sk-ant-admin", "sk-admin-")


def clean_api_key(
    pasted: Secret,
    provider: Provider,
    providers: cabc.Iterable[Provider],
    stored_masks: cabc.Collection[str] = (),
) -> Secret:
    """Take off what is around a pasted key; refuse what cannot be one.

    :param pasted: the text as it came, of any length.
    :param provider: the one the key is meant for; named when to copy it again.
    :param providers: all of the app, whose prefixes may begin a mask.
    :param stored_masks: masked forms the page shows, which come back as keys.
    :raises ApiKeyFormatError: with a fixed sentence, which is also fit for people.
    """
    api_key, is_wrapped_twice = _take_off(pasted.reveal())
    prefixes = {p for one in providers for p in (*one.mask_prefixes, *one.prefix_hints)}
    code = _judge(api_key, is_wrapped_twice, prefixes, stored_masks)

    if code is not None:
        sentence = _SENTENCES[code].format(vendor=provider.vendor)
        raise ApiKeyFormatError(code, sentence)

    return Secret(api_key)


def looks_like_other(
    api_key: Secret, provider: Provider, providers: cabc.Iterable[Provider]
) -> Provider | None:
    """Tell whose key this is by its prefix, if not that of ``provider``.

    A reason to ask, never to refuse: prefixes change. The longest prefix decides, and
    only the built-in providers' own are known well enough to ask about.

    :return: ``None`` when nothing speaks against ``provider``.
    """
    others = [one for one in providers if one.id in _BUILT_IN and one.id != provider.id]
    found = max(others, key=lambda one: len(_hint(api_key, one)), default=None)
    hint = "" if found is None else _hint(api_key, found)

    if len(hint) <= len(_hint(api_key, provider)):
        return None

    if hint == _COMMON_HINT and provider.id not in _COMMON_SPEAKS_AGAINST:
        return None

    return found


def looks_like_admin_key(api_key: Secret) -> bool:
    """Tell whether this is a key for managing an account, which cannot generate."""
    return any(api_key.starts_with(prefix) for prefix in _ADMIN_PREFIXES)


def _hint(api_key: Secret, provider: Provider) -> str:
    """Give the longest hint of ``provider`` that fits; empty when none does."""
    fitting = (hint for hint in provider.prefix_hints if api_key.starts_with(hint))
    return max(fitting, key=len, default="")


def _take_off(api_key: str) -> tuple[str, bool]:
    """Take off one wrapper and what is around it; tell whether another one is left."""
    api_key = _strip(api_key)
    inner = _unwrap(api_key)

    if inner is None:
        return api_key, False

    inner = _strip(inner)
    return inner, _unwrap(inner) is not None


def _strip(api_key: str) -> str:
    """Take off white space and one comma or semicolon, as lists of keys have them."""
    api_key = api_key.strip(_AROUND)

    if api_key[-1:] in (",", ";"):
        return api_key[:-1].rstrip(_AROUND)

    return api_key[1:].lstrip(_AROUND) if api_key[:1] in (",", ";") else api_key


def _unwrap(api_key: str) -> str | None:
    """Take off one wrapper; ``None`` when there is none."""
    quoted = _unquote(api_key)

    if quoted is not None:
        return quoted

    bearer = _BEARER.match(api_key)

    if bearer is not None:
        return api_key[bearer.end() :]

    name = _NAME.match(api_key)

    if name is None or not _is_name(name[1], api_key[name.end() :]):
        return None

    inner = api_key[name.end() :].strip(_AROUND)
    unquoted = _unquote(inner)
    return inner if unquoted is None else unquoted


def _unquote(api_key: str) -> str | None:
    is_pair = len(api_key) > 1 and api_key[0] == api_key[-1] and api_key[0] in _QUOTES
    return api_key[1:-1] if is_pair else None


def _is_name(name: str, inner: str) -> bool:
    """Tell a variable from a key in base64, which may end in ``=``."""
    if "_" not in name or name[0].isdigit():
        return False

    return bool(inner.strip("=")) or (not inner and name.isupper())


def _judge(
    api_key: str,
    is_wrapped_twice: bool,
    prefixes: cabc.Collection[str],
    stored_masks: cabc.Collection[str],
) -> str | None:
    """Find the first rule that refuses the text."""
    if not api_key:
        return "empty"

    if api_key in stored_masks or _is_mask(api_key, prefixes):
        return "masked"

    if len(api_key.split(None, 1)) > 1:
        return "space"

    if is_wrapped_twice or not _PLAIN.fullmatch(api_key):
        return "character"

    if len(api_key) < SHORTEST:
        return "short"

    return "long" if len(api_key) > LONGEST else None


def _is_mask(api_key: str, prefixes: cabc.Collection[str]) -> bool:
    """Tell a mask by the whole text: dots inside a key are nothing unusual."""
    return any(
        _is_drawn(api_key[len(prefix) :])
        for prefix in ("", *prefixes)
        if api_key.startswith(prefix)
    )


def _is_drawn(api_key: str) -> bool:
    rest = api_key.lstrip(_MASK)
    drawn = api_key[: len(api_key) - len(rest)]
    return len(rest) <= _MOST_AFTER_MASK and (len(drawn) >= 3 or "…" in drawn)

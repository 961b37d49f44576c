"""What betrays a key, and the one compiled search for all of it.

A leak is any run of six characters of the key, as it is or encoded, and any usual hash
of the whole. Every such run holds a shorter piece that begins at a fixed place, so the
search looks for these few pieces first, and compares all runs only around a hit.
"""

from __future__ import annotations

import base64
import collections.abc as cabc
import hashlib
import re
import typing as t

#: Characters of a key that count as a leak. The last four can never fill a run.
WINDOW: t.Final = 6

#: A key shorter than this has no last four that may be shown anywhere.
SHORTEST_MASKED: t.Final = 20

_HASHES: t.Final = ("md5", "sha1", "sha256")

# Around a hit lies all of the longest run: six characters as hex take twelve bytes.
_AROUND: t.Final = 16

# Escapes of what a key is made of, and of NUL, which stands between the characters of
# UTF-16. They may have been escaped again: "%2541", "\\\\u0041", "&amp;#65;".
_ESCAPE: t.Final = re.compile(
    rb"%(?:25)*([2-7][0-9A-Fa-f])"
    rb"|\\+(?:u00|x)(00|[2-7][0-9A-Fa-f])"
    rb"|&(?:amp;)*#[xX]0*([2-7][0-9A-Fa-f]);?"
    rb"|&(?:amp;)*#0*(3[2-9]|[4-9][0-9]|1[01][0-9]|12[0-6]);?"
    rb"|\\{2,}"
)

#: Where one of these stands, something may be escaped.
_MARKS: t.Final = (b"\0", b"\\", b"%", b"#")


class Needles:
    """All that betrays one secret.

    :param secret: a key, or bytes such as those of a master key.
    :param prefix: a public beginning; runs that lie inside it are no leak.
    """

    def __init__(self, secret: str | bytes, prefix: str = "") -> None:
        plain = secret.encode() if isinstance(secret, str) else secret

        if len(plain) < WINDOW:
            raise ValueError(f"A secret to look for has at least {WINDOW} characters.")

        public = len(prefix.encode())
        last = len(plain) - WINDOW
        windows = [plain[at : at + WINDOW] for at in range(last + 1)]
        secrets = [run for at, run in enumerate(windows) if at + WINDOW > public]
        self._hashes = _hashes(plain)
        self._runs = _encode_all(secrets)
        self._pieces = re.compile(
            b"|".join(map(re.escape, sorted({*_pieces(plain), *self._hashes})))
        )
        self._last_four = _last_four(plain)

    def find(self, data: bytes, *, last_four: bool = False) -> str | None:
        """Tell what of the secret stands in ``data``, and where; ``None``: nothing.

        :param last_four: the last four characters as a word of their own count, too.
        """
        found = self._find_plain(data)

        if found is None and any(mark in data for mark in _MARKS):
            found = self._find_plain(undo_escapes(data))

        if found is None and last_four and self._last_four is not None:
            match = self._last_four.search(data)
            return None if match is None else _say("the last four", data, match)

        return found

    def _find_plain(self, data: bytes) -> str | None:
        for match in self._pieces.finditer(data):
            if match[0] in self._hashes:
                return _say("a hash", data, match)

            near = data[max(0, match.start() - _AROUND) : match.end() + _AROUND]

            for name, runs in self._runs.items():
                if any(run in near for run in runs):
                    return _say(name, data, match)

        return None


def undo_escapes(data: bytes) -> bytes:
    """Write escaped characters as themselves, and two-byte characters as one."""
    return _ESCAPE.sub(_unescape, data).replace(b"\0", b"")


def _unescape(match: re.Match[bytes]) -> bytes:
    group = match.lastindex

    if group is None:
        return b"\\"

    return bytes([int(match[group], 10 if group == 4 else 16)])


def _encode_all(windows: cabc.Sequence[bytes]) -> dict[str, frozenset[bytes]]:
    """List the runs, by the name of what they were written in."""
    return {
        "plain": frozenset(windows),
        "hex": frozenset(
            spelling
            for window in windows
            for spelling in (window.hex().encode(), window.hex().upper().encode())
        ),
        "base64": frozenset(
            spelling
            for window in windows
            for at in range(3)
            for spelling in _spellings(_base64(window, at))
        ),
    }


def _pieces(plain: bytes) -> cabc.Iterator[bytes]:
    """List what every run holds one of.

    Six in a row hold three that begin at a multiple of four; so do the hex digits of
    them. A run in base64 has seven characters that hang on it alone, and holds four
    that begin at a multiple of four.
    """
    for at in range(0, len(plain) - 2, 4):
        piece = plain[at : at + 3]
        yield piece
        yield piece.hex().encode()
        yield piece.hex().upper().encode()

    for shift in range(3):
        text = _base64(plain, shift)

        for at in range(0, len(text) - 3, 4):
            yield from _spellings(text[at : at + 4])


def _base64(data: bytes, shift: int) -> bytes:
    """Give the characters that hang on ``data`` alone, ``shift`` bytes into a text."""
    whole = base64.b64encode(b"\0" * shift + data)
    return whole[-(-shift * 8 // 6) : (shift + len(data)) * 8 // 6]


def _spellings(text: bytes) -> set[bytes]:
    """Give a piece of base64 in its two alphabets."""
    return {text, text.replace(b"+", b"-").replace(b"/", b"_")}


def _hashes(whole: bytes) -> frozenset[bytes]:
    found: set[bytes] = set()

    for name in _HASHES:
        digest = hashlib.new(name, whole, usedforsecurity=False).digest()
        text = base64.b64encode(digest).rstrip(b"=")
        found |= {digest, digest.hex().encode(), digest.hex().upper().encode()}
        # Inside a repr; without the quotes, of which there are two kinds.
        printed = repr(digest)[2:-1].encode()
        found |= {printed, undo_escapes(printed), *_spellings(text)}

    return frozenset(found)


def _last_four(plain: bytes) -> re.Pattern[bytes] | None:
    if len(plain) < SHORTEST_MASKED:
        return None

    end = re.escape(plain[-4:])
    return re.compile(rb"(?<![A-Za-z0-9])" + end + rb"(?![A-Za-z0-9])")


def _say(what: str, data: bytes, match: re.Match[bytes]) -> str:
    near = data[max(0, match.start() - 60) : match.end() + 30]
    return f"{what}, near {near!r}"

"""A made-up language: every letter of ours accented, and longer by two fifths.

What a page still says in plain letters never went through a catalogue.
"""

from __future__ import annotations

import pathlib
import re
import typing as t

from tests.support import messages

#: Where the made-up sentences are put: a language that has no catalogue of ours, whose
#: dates and figures are known, and that counts as English does.
LOCALE: t.Final = "eo"

_PLAIN: t.Final = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_ACCENTED: t.Final = "áƀçđéƒğĥíĵķĺɱñóþɋřşťúṽŵẋýžÁƁÇĐÉƑĞĤÍĴĶĹṀÑÓÞɊŘŞŤÚṼŴẊÝŽ"
_ACCENTS: t.Final = str.maketrans(_PLAIN, _ACCENTED)
_HELD: t.Final = re.compile(r"(\{\w+\})")


def disguise(text: str) -> str:
    """Accent a sentence and make it longer; its placeholders stay."""
    parts = _HELD.split(text)
    said = "".join(
        part if place % 2 else part.translate(_ACCENTS)
        for place, part in enumerate(parts)
    )
    extra = len(text) * 2 // 5
    return said + " ýéé" * (extra // 4) + "ó" * (extra % 4)


def write_pseudo(folder: pathlib.Path) -> pathlib.Path:
    """Write the catalogue of the made-up language into a folder of translations."""
    catalog = messages.make_catalog(LOCALE)

    for key in messages.collect():
        is_one = isinstance(key, str)
        forms = (disguise(key),) if is_one else tuple(disguise(form) for form in key)
        catalog.add(key, string=forms[0] if is_one else forms)

    path = folder / LOCALE / "LC_MESSAGES" / f"{messages.DOMAIN}.mo"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(messages.compile_catalog(catalog))
    return folder

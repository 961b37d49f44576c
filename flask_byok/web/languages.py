"""The reader's language: which one it is, its sentences, and how it writes figures.

Flask-Babel decides, where the app uses it; without it all is English. Our sentences
are a gettext domain of their own, ``byok``: the app's own translations and ours never
meet. An app that has a ``byok`` catalogue among its own translations puts its
sentences in front of ours.
"""

from __future__ import annotations

import dataclasses
import functools
import gettext
import pathlib
import typing as t

from flask import current_app
from flask import has_app_context

from .formats import BabelFormats
from .formats import IsoFormats

if t.TYPE_CHECKING:
    from babel import Locale

    from .formats import Formats

#: The gettext domain, and so the name of each catalogue: ``byok.mo``.
DOMAIN: t.Final = "byok"

#: The folder of our own catalogues.
FOLDER: t.Final = pathlib.Path(__file__).parent.parent / "translations"

#: The language the sentences are written in.
SOURCE: t.Final = "en"

_COMMAS: t.Final = {"ar": "، ", "ja": "、"}

Direction: t.TypeAlias = t.Literal["ltr", "rtl"]

# These put no space between two sentences.
_UNSPACED: t.Final = frozenset({"ja"})


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Catalog:
    """The sentences of one language.

    :param tag: of the language, for ``lang``: ``de``, ``pt-BR``.
    :param direction: for ``dir``.
    """

    tag: str
    direction: Direction
    sentences: gettext.NullTranslations


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Language:
    """What a reader reads.

    :param tag: for ``lang``: the language our sentences come in.
    :param direction: for ``dir``.
    :param space: between two sentences; ``comma`` between the parts of a list.
    """

    tag: str
    direction: Direction
    sentences: gettext.NullTranslations
    formats: Formats
    space: str = " "
    comma: str = ", "


_ENGLISH: t.Final = Language(
    tag=SOURCE,
    direction="ltr",
    sentences=gettext.NullTranslations(),
    formats=IsoFormats(),
)


def current_language() -> Language:
    """Find the reader's language; English without Flask-Babel or outside an app.

    A language without a catalogue is English altogether: no sentence mixes two.
    """
    if not has_app_context() or "babel" not in current_app.extensions:
        return _ENGLISH

    try:
        import flask_babel
    except ImportError:
        # Another package uses that name; its languages are not known here.
        return _ENGLISH

    locale = flask_babel.get_locale()

    if locale is None:
        return _ENGLISH

    folders = tuple(flask_babel.get_babel().translation_directories)
    catalog = find_catalog(folders, *_codes(locale))
    formats = locale if catalog.tag.partition("-")[0] == locale.language else SOURCE
    return Language(
        tag=catalog.tag,
        direction=catalog.direction,
        sentences=catalog.sentences,
        formats=BabelFormats(locale=formats, zone=flask_babel.get_timezone()),
        space="" if catalog.tag in _UNSPACED else " ",
        comma=_COMMAS.get(catalog.tag, ", "),
    )


def _codes(locale: Locale) -> tuple[str, ...]:
    """Name the catalogues that suit, the best first; each a folder's name."""
    language, script, territory = locale.language, locale.script, locale.territory
    parts = [
        (language, script, territory),
        (language, territory),
        (language, script),
        (language,),
    ]
    codes = ["_".join(filter(None, part)) for part in parts]
    return tuple(dict.fromkeys(codes))


@functools.lru_cache(maxsize=256)
def find_catalog(folders: tuple[str, ...], *codes: str) -> Catalog:
    """Read the sentences of a language; English when there are none.

    :param folders: the app's own, which win over ours.
    :param codes: as catalogues are named, the best first. Where none of them is there,
        another variant of the same language is: ``pt_BR`` for ``pt``.
    """
    language = codes[-1]
    found: list[tuple[str, gettext.NullTranslations]] = []

    for folder in [*map(pathlib.Path, folders), FOLDER]:
        for code in [*codes, *_variants(folder, language)]:
            path = folder / code / "LC_MESSAGES" / f"{DOMAIN}.mo"

            if path.is_file():
                found.append((code, _read(path)))
                break

    if not found:
        code = codes[0] if language == SOURCE else SOURCE
        return _make_catalog(code, _ENGLISH.sentences)

    (code, first), *others = found

    for _, sentences in others:
        first.add_fallback(sentences)

    return _make_catalog(code, first)


def _make_catalog(code: str, sentences: gettext.NullTranslations) -> Catalog:
    from babel import Locale

    is_rtl = Locale.parse(code).text_direction == "rtl"
    return Catalog(
        tag=code.replace("_", "-"),
        direction="rtl" if is_rtl else "ltr",
        sentences=sentences,
    )


def _read(path: pathlib.Path) -> gettext.NullTranslations:
    with path.open("rb") as file:
        return gettext.GNUTranslations(file)


def _variants(folder: pathlib.Path, language: str) -> list[str]:
    return sorted(path.name for path in folder.glob(f"{language}_*") if path.is_dir())

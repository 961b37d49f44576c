"""The catalogues: brings them in line with the sentences, and finds what they lack.

``make messages`` runs this. It leaves a translation alone as long as its sentence is
the same; a changed sentence is a new one, and untranslated.
"""

from __future__ import annotations

import collections.abc as cabc
import functools
import io
import pathlib
import re
import sys
import typing as t

from babel.messages.catalog import Catalog
from babel.messages.catalog import Message
from babel.messages.mofile import read_mo
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.messages.pofile import write_po

from tests.support.sentences import find_sentences
from tests.support.sentences import PACKAGE
from tests.support.sentences import placeholders
from tests.support.sentences import Sentence

FOLDER: t.Final = PACKAGE / "translations"
DOMAIN: t.Final = "byok"

#: The languages that come with the package, and how each counts.
LOCALES: t.Final[cabc.Mapping[str, str]] = {
    "ar": "nplurals=6; plural=(n==0 ? 0 : n==1 ? 1 : n==2 ? 2 : "
    "n%100>=3 && n%100<=10 ? 3 : n%100>=11 ? 4 : 5);",
    "de": "nplurals=2; plural=(n != 1);",
    "es": "nplurals=2; plural=(n != 1);",
    "fr": "nplurals=2; plural=(n > 1);",
    "ja": "nplurals=1; plural=0;",
    "pt_BR": "nplurals=2; plural=(n > 1);",
}

_HEADER: t.Final = "# The sentences of flask-byok in the language of this folder."

# Lines that change with the day and the tool, and say nothing of a translation.
_NOISE: t.Final = re.compile(
    r'^"(POT-Creation-Date|PO-Revision-Date|Generated-By|Project-Id-Version|'
    r"Report-Msgid-Bugs-To|Last-Translator|Language-Team):.*\n",
    re.MULTILINE,
)


def po_path(locale: str) -> pathlib.Path:
    """Tell where the translations of a language are written."""
    return FOLDER / locale / "LC_MESSAGES" / f"{DOMAIN}.po"


@functools.cache
def collect() -> cabc.Mapping[str | tuple[str, str], list[Sentence]]:
    """Collect every sentence once, with the places it stands at."""
    found: dict[str | tuple[str, str], list[Sentence]] = {}

    for sentence in find_sentences():
        found.setdefault(sentence.key, []).append(sentence)

    return found


def read_catalog(locale: str) -> Catalog:
    """Read the translations of a language; none yet is an empty catalogue."""
    path = po_path(locale)

    if not path.exists():
        return make_catalog(locale)

    with path.open("rb") as file:
        return read_po(file, locale=locale, domain=DOMAIN)


def make_catalog(locale: str) -> Catalog:
    """Make an empty catalogue of a language."""
    catalog = Catalog(locale=locale, domain=DOMAIN, header_comment=_HEADER, fuzzy=False)
    catalog.mime_headers = [
        ("Content-Type", "text/plain; charset=utf-8"),
        ("Plural-Forms", LOCALES.get(locale, catalog.plural_forms)),
    ]
    return catalog


def merge(old: Catalog, locale: str) -> Catalog:
    """Give the catalogue of today's sentences, with the translations there are."""
    new = make_catalog(locale)

    for key, places in collect().items():
        known = old.get(key if isinstance(key, str) else key[0])
        kept = known.string if known is not None and known.id == key else None
        message = new.add(
            key,
            string=kept,
            locations=[(file, None) for file in sorted({each.file for each in places})],
        )

        if known is not None and known.fuzzy:
            new[message.id].flags.add("fuzzy")

        # "80% of" is a sentence with a sign in it, no format.
        new[message.id].flags.discard("python-format")

    return new


def write_catalog(catalog: Catalog, path: pathlib.Path) -> None:
    """Write the sentences for translators, the same bytes on every day."""
    buffer = io.BytesIO()
    write_po(buffer, catalog, width=88, include_lineno=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(_NOISE.sub("", buffer.getvalue().decode("utf-8")), "utf-8")


def compile_catalog(catalog: Catalog) -> bytes:
    """Give what the package reads at run time."""
    buffer = io.BytesIO()
    write_mo(buffer, catalog)
    return buffer.getvalue()


def sentences_of(compiled: bytes) -> dict[tuple[str, ...], tuple[str, ...]]:
    """Read a compiled catalogue, without the header that names its day and tool.

    A sentence that counts has several forms, in both languages.
    """
    catalog = read_mo(io.BytesIO(compiled))
    return {_texts(each.id): _texts(each.string) for each in catalog if each.id}


def _texts(text: str | cabc.Sequence[str]) -> tuple[str, ...]:
    return (text,) if isinstance(text, str) else tuple(text)


def find_faults(catalog: Catalog) -> list[str]:
    """Tell what a catalogue lacks or has wrong; empty when it is complete."""
    faults: list[str] = []
    missing = set(collect()) - {_key(message) for message in catalog if message.id}
    spare = {_key(message) for message in catalog if message.id} - set(collect())
    faults += [f"not there: {key!r}" for key in sorted(missing, key=str)]
    faults += [f"no sentence of ours: {key!r}" for key in sorted(spare, key=str)]

    for message in catalog:
        if message.id:
            faults += _faults_of(message, catalog.num_plurals)

    return faults


def _key(message: Message) -> str | tuple[str, str]:
    key = message.id
    return key if isinstance(key, str) else (key[0], key[1])


def _faults_of(message: Message, plurals: int) -> cabc.Iterator[str]:
    key = _key(message)
    forms = _texts(message.string)
    expected = 1 if isinstance(key, str) else plurals

    if message.fuzzy:
        yield f"fuzzy: {key!r}"

    if len(forms) != expected or not all(forms):
        yield f"untranslated: {key!r}"
        return

    source = key if isinstance(key, str) else key[1]

    for form in forms:
        if not _fits(placeholders(form), placeholders(source), isinstance(key, tuple)):
            yield f"other placeholders: {form!r} for {source!r}"

        if re.search("[<>]", form):
            yield f"markup: {form!r}"

        if form.count("{") != len(re.findall(r"\{\w+\}", form)) != form.count("}"):
            yield f"broken braces: {form!r}"


def _fits(got: set[str], wanted: set[str], counts: bool) -> bool:
    """Compare placeholders; a form for one or two may say the number in a word.

    "This app" may stand where a language begins a sentence with it, and the other way.
    """
    app = {"app", "app_first"}
    both = bool(got & app) == bool(wanted & app)
    spare = {"n"} if counts else set()
    return both and got - app <= wanted - app <= (got - app) | spare


def update(locale: str) -> list[str]:
    """Bring one catalogue in line, compiled form included; tell its faults."""
    catalog = merge(read_catalog(locale), locale)
    write_catalog(catalog, po_path(locale))
    compiled = compile_catalog(read_catalog(locale))
    target = po_path(locale).with_suffix(".mo")

    if not target.exists() or sentences_of(target.read_bytes()) != sentences_of(
        compiled
    ):
        target.write_bytes(compiled)

    return find_faults(read_catalog(locale))


def main() -> int:
    """Bring all catalogues in line; 1 when one of them lacks something."""
    faults = {locale: update(locale) for locale in LOCALES}
    template = make_catalog("en")

    for message in merge(template, "en"):
        template[message.id] = message

    write_catalog(template, FOLDER / f"{DOMAIN}.pot")

    for locale, found in faults.items():
        print(f"{locale}: {len(found) or 'nothing'} to do", *found, sep="\n    ")

    return int(any(faults.values()))


if __name__ == "__main__":
    sys.exit(main())

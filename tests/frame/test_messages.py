"""The catalogues: whole, true to their sentences, and compiled as they are written."""

from __future__ import annotations

import gettext
import re

import pytest
from babel.messages import catalog

from tests.support import messages
from tests.support.sentences import find_unnamed

#: Words no sentence of ours says, by language: they blame, beg or boast.
NEVER = {
    "en": r"(in)?valid|please|sorry|oops|successfully|credential|fallback|system key",
    "de": r"(un)?gültig\w*|bitte|leider|erfolgreich\w*|Entschuldigung",
    "es": r"(in)?válid[ao]s?|por favor|lo sentimos|con éxito|correctamente",
    "fr": r"(in)?valides?|veuillez|s[’']il vous plaît|désolé\w*|avec succès",
    "ja": r"無効|申し訳|すみません|成功しました",
    "pt_BR": r"(in)?válid[ao]s?|por favor|desculpe|com sucesso|infelizmente",
    "ar": r"غير صالح|غير صحيح|من فضلك|يرجى|عذرًا|بنجاح",
}


@pytest.mark.parametrize("locale", messages.LOCALES)
def test_a_catalogue_is_whole(locale: str) -> None:
    """Nothing is missing or in doubt, no placeholder is another than its sentence's."""
    assert messages.find_faults(messages.read_catalog(locale)) == []


@pytest.mark.parametrize("locale", messages.LOCALES)
def test_what_is_read_is_what_is_written(locale: str) -> None:
    """The compiled catalogue says what the written one says, and counts like it."""
    written = messages.read_catalog(locale)
    compiled = messages.po_path(locale).with_suffix(".mo").read_bytes()
    again = messages.compile_catalog(written)
    assert messages.sentences_of(compiled) == messages.sentences_of(again)
    assert f"Plural-Forms: {messages.LOCALES[locale]}".encode() in compiled


@pytest.mark.skipif(
    not hasattr(catalog.Message, "python_brace_format"),
    reason="An older Babel writes files without some of the remarks.",
)
def test_nothing_is_left_to_collect(tmp_path) -> None:
    """``make messages`` would write what is there already: the files are up to date."""
    for locale in messages.LOCALES:
        path = messages.po_path(locale)
        fresh = messages.merge(messages.read_catalog(locale), locale)
        messages.write_catalog(fresh, tmp_path / path.name)
        assert (tmp_path / path.name).read_text("utf-8") == path.read_text("utf-8")


def test_every_fault_is_found() -> None:
    """A sentence that is gone, new, untranslated, in doubt or filled in wrongly."""
    faulty = messages.read_catalog("de")
    faulty.delete("History")
    faulty.add("A sentence of nobody", string="Ein Satz von niemand")
    faulty["Usage"].string = ""
    faulty["Settings"].flags.add("fuzzy")
    faulty["Reason: {reason}."].string = "Grund: {raeson}."
    faulty["Model: {model}."].string = "Modell: <b>{model}</b>."
    faulty["{n} day"].string = ("{n} Tag",)
    told = "\n".join(messages.find_faults(faulty))

    for fault in (
        "not there: 'History'",
        "no sentence of ours: 'A sentence of nobody'",
        "untranslated: 'Usage'",
        "fuzzy: 'Settings'",
        "other placeholders: 'Grund: {raeson}.'",
        "markup: 'Modell: <b>{model}</b>.'",
        "untranslated: ('{n} day', '{n} days')",
    ):
        assert fault in told


def test_each_language_counts_as_it_does() -> None:
    """Arabic has six forms, Japanese one, French counts nought with one."""
    forms = {
        locale: [days(locale, n) for n in (0, 1, 2, 3, 11, 100)]
        for locale in ("ar", "fr", "ja")
    }
    assert forms["ar"] == [
        "{n} يوم",
        "يوم واحد",
        "يومان",
        "{n} أيام",
        "{n} يومًا",
        "{n} يوم",
    ]
    assert forms["fr"] == ["{n} jour"] * 2 + ["{n} jours"] * 4
    assert forms["ja"] == ["{n} 日間"] * 6


def days(locale: str, number: int) -> str:
    """Give the form of "{n} days" for a number."""
    with messages.po_path(locale).with_suffix(".mo").open("rb") as file:
        return gettext.GNUTranslations(file).ngettext("{n} day", "{n} days", number)


@pytest.mark.parametrize("locale", NEVER)
def test_no_sentence_blames_begs_or_boasts(locale: str) -> None:
    """The words that are never in texts are in no language's texts."""
    forms = [
        form
        for key in messages.collect()
        for form in (key if isinstance(key, tuple) else (key,))
    ]

    if locale != "en":
        compiled = messages.compile_catalog(messages.read_catalog(locale))
        found = messages.sentences_of(compiled).values()
        forms = [form for several in found for form in several]

    pattern = NEVER[locale] if locale in ("ja", "ar") else rf"\b({NEVER[locale]})\b"
    assert [form for form in forms if re.search(pattern, form, re.I)] == []


def test_no_sentence_is_put_together() -> None:
    """Whoever says something says a whole sentence, never a sum or an f-string."""
    assert find_unnamed() == []

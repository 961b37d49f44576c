"""The page in other languages: no sentence escapes, no host is disturbed."""

from __future__ import annotations

import collections.abc as cabc
import datetime as dt
import html.parser
import io
import logging
import pathlib
import re
import typing as t

import flask
import flask_babel
import pytest
from babel.messages.pofile import read_po
from markupsafe import Markup

from flask_byok.testing.states import STATES
from flask_byok.web import texts
from tests.support import examples
from tests.support import messages
from tests.support import pseudo
from tests.web.conftest import Host
from tests.web.conftest import MakeHost
from tests.web.conftest import state_of
from tests.web.conftest import text_of
from tests.web.seeding import add_month
from tests.web.test_every_state import visit_state
from tests.web.test_states import check_sound
from tests.web.test_states import fault

#: By language: the title, *Save*, *Test Connection*, *Remove Key*, what members read.
NAMES: dict[str, tuple[str, ...]] = {
    "ar": ("إعدادات الذكاء الاصطناعي", "حفظ", "اختبار الاتصال", "إزالة المفتاح"),
    "de": ("KI-Konfiguration", "Speichern", "Verbindung testen", "Schlüssel entfernen"),
    "es": ("Configuración de IA", "Guardar", "Probar la conexión", "Eliminar clave"),
    "fr": (
        "Configuration de l’IA",
        "Enregistrer",
        "Tester la connexion",
        "Supprimer la clé",
    ),
    "ja": ("AI 設定", "保存", "接続をテスト", "キーを削除"),
    "pt_BR": ("Configuração de IA", "Salvar", "Testar conexão", "Remover chave"),
}

#: What members read, by language.
DENIED: dict[str, str] = {
    "ar": "مسؤولو شركتك وحدهم يمكنهم تغيير إعدادات الذكاء الاصطناعي.",
    "de": "Nur Administratoren Ihrer Firma können die KI-Einstellungen ändern.",
    "es": "Solo los administradores de su empresa pueden cambiar los ajustes de IA.",
    "fr": "Seuls les administrateurs de votre entreprise peuvent modifier les réglages "
    "de l’IA.",
    "ja": "AI の設定を変更できるのは、御社の管理者だけです。",
    "pt_BR": "Somente administradores da sua empresa podem alterar as configurações de "
    "IA.",
}

#: What no language changes: names of providers, of the host and its people, of its AI
#: features, of a zone and a currency.
PROPER = {
    *("OpenAI", "Gemini", "Google", "Claude", "Anthropic", "Studio", "Ada", "ada"),
    *("greeting", "write", "translate", "UTC", "US"),
}

# Names of models, and dates of the made-up language outside ``<time>``: "7 Nov 2026",
# which Babel 2.12 writes "2026-nov-07".
_UNCHANGED = re.compile(
    r"\b(gpt|gemini|claude|no-such)-[\w.-]+"
    r"|\b\d{1,2} [A-Z][a-z]{2} \d{4}\b|\b\d{4}-[a-z]{3}-\d{2}\b"
)

# Around lists of models' names.
_MODELS: t.Final = [("class", "byok-models")]

# A person reads these attributes, or has them read out.
_SPOKEN = ("aria-label", "title", "alt", "placeholder")


class _Words(html.parser.HTMLParser):
    """Collects what a person may read or hear: not times, codes, names of models."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text: list[str] = []
        self._silent: list[str] = []
        self._parts: list[t.Any] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        # Above each list of models its words are to be translated.
        is_name = tag == "ul" and self._parts[-1:] == [_MODELS]
        self._parts += [attrs] if tag in ("div", "ul") else []

        if tag in ("time", "code", "script", "style") or is_name:
            self._silent.append(tag)

        for name, value in attrs:
            if name in _SPOKEN or (name.startswith("data-byok") and " " in str(value)):
                self.text.append(value or "")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("div", "ul"):
            self._parts.pop()

        if self._silent and self._silent[-1] == tag:
            self._silent.pop()

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.text.append(data)


def plain_words(page: str) -> set[str]:
    """Find what still stands in plain letters on a page in the made-up language."""
    text = _UNCHANGED.sub("", " ".join(_Words(page).text))
    return set(re.findall(r"(?<![\w.])[A-Za-z]{2,}(?![\w])", text)) - PROPER


@pytest.fixture
def translated(make_host: MakeHost, tmp_path: pathlib.Path) -> cabc.Callable[..., Host]:
    """Make hosts that use Flask-Babel; ``app.config["LANG"]`` is the reader's."""

    def make(language: str = "de", **settings: t.Any) -> Host:
        def prepare(app: flask.Flask) -> None:
            app.config["LANG"] = language
            flask_babel.Babel(
                app,
                default_translation_directories=str(tmp_path),
                default_timezone="Europe/Berlin",
                locale_selector=lambda: app.config["LANG"],
            )

        return make_host(prepare=prepare, **settings)

    return make


def html_tag(page: t.Any) -> tuple[str, str]:
    """Read the language and the direction of a document."""
    found = re.search(r'<html lang="([^"]+)" dir="([^"]+)">', page.text)
    assert found is not None
    return found[1], found[2]


@pytest.mark.parametrize("slug", STATES)
def test_no_sentence_escapes(
    slug: str, translated: cabc.Callable[..., Host], tmp_path: pathlib.Path
) -> None:
    """In a language of accented letters no state shows a word in plain ones."""
    pseudo.write_pseudo(tmp_path)
    host, answer = visit_state(
        slug, lambda **settings: translated(pseudo.LOCALE, **settings)
    )
    assert state_of(answer) == STATES[slug].shows
    assert html_tag(answer) == (pseudo.LOCALE, "ltr")
    assert plain_words(answer.text) == set()
    check_sound(answer)

    # The same rows, to readers of two other languages.
    user = "max" if STATES[slug].visitor == "member" else "ada"

    for language, direction in (("de", "ltr"), ("ar", "rtl")):
        host.app.config["LANG"] = language
        page = host.client(user).get()
        assert html_tag(page) == (language, direction)
        check_sound(page)


def test_usage_and_history_escape_neither(
    translated: cabc.Callable[..., Host], tmp_path: pathlib.Path
) -> None:
    """Nor does a month of use, with an allowance, a past episode and all events."""
    pseudo.write_pseudo(tmp_path)
    host = translated(pseudo.LOCALE, BYOK_SYSTEM_BUDGET={"requests": 500, "tokens": 9})
    host.save(actor="Ada")
    add_month(host)
    day = host.status().now.date()
    page = host.client().get(f"/?since={day.replace(day=1)}&until={day}")
    assert "byok-chart-own" in page.text
    assert plain_words(page.text) == set()
    check_sound(page)


def test_a_plain_word_is_found(
    translated: cabc.Callable[..., Host], tmp_path: pathlib.Path
) -> None:
    """The search above finds the one sentence that has no translation."""
    pseudo.write_pseudo(tmp_path)
    host = translated("fi")
    assert {"Usage", "History", "Save"} <= plain_words(host.client().get().text)


@pytest.mark.parametrize("locale", messages.LOCALES)
def test_each_language_shows(locale: str, translated: cabc.Callable[..., Host]) -> None:
    """Title, buttons, members' page and banner speak it; names stay as they are."""
    host = translated(locale)
    host.save()
    ada = host.client()
    page, text = ada.get(), text_of(ada.get())
    tag = locale.replace("_", "-")
    assert html_tag(page) == (tag, "rtl" if locale == "ar" else "ltr")
    assert all(name in text for name in NAMES[locale])
    assert f"<title>{NAMES[locale][0]} - Studio</title>" in re.sub(
        r"\s*\n\s*", "", page.text
    )
    assert "OpenAI" in text
    assert DENIED[locale] in text_of(host.client("max").get())
    assert NAMES[locale][3] in text_of(ada.get("/remove/OPENAI"))

    # The JSON API is read by programs: its sentences stay English.
    problem = ada.call("PUT", "/credentials/NOPE", {"api_key": "not-a-real-key"})
    assert problem.status_code == 404
    assert re.search(r"\b(key|provider)\b", problem.text)


def test_dates_and_figures_are_the_readers(
    translated: cabc.Callable[..., Host],
) -> None:
    """Times stand in the reader's zone, named; the machine's form stays UTC."""
    host = translated("de", BYOK_SYSTEM_BUDGET={"requests": 12_500, "money": "25.00"})
    host.save(expires_on=dt.date(2099, 1, 31))
    page = host.client().get()
    assert '<time datetime="2099-01-31">31.01.2099</time>' in page.text
    stamp = re.search(r'<time datetime="([^"]+Z)">([^<]+)</time>', page.text)
    assert stamp is not None
    assert re.fullmatch(r"\d\d\.\d\d\.\d{4}, \d\d:\d\d (MEZ|MESZ)", stamp[2])
    assert "12.500 Anfragen" in text_of(page)
    assert "25,00\xa0$" in page.text

    host.app.config["LANG"] = "en_GB"
    page = host.client().get()
    assert html_tag(page) == ("en-GB", "ltr")
    assert "31 Jan 2099" in text_of(page)


@pytest.mark.parametrize(
    ("asked", "shown", "date"),
    [
        ("pt", "pt-BR", "31 de jan. de 2099"),
        ("pt_PT", "pt-BR", "31/01/2099"),
        ("de_AT", "de", "31.01.2099"),
        ("fi", "en", "Jan 31, 2099"),
    ],
)
def test_the_nearest_language(
    asked: str, shown: str, date: str, translated: cabc.Callable[..., Host]
) -> None:
    """Another variant of a language is better than none; no page mixes two."""
    host = translated(asked)
    host.save(expires_on=dt.date(2099, 1, 31))
    page = host.client().get()
    assert html_tag(page)[0] == shown
    assert ("Settings" in text_of(page)) == (shown == "en")
    assert date in page.text


def test_two_apps_of_one_process(
    make_host: MakeHost,
    translated: cabc.Callable[..., Host],
    make_database: cabc.Callable[[str], str],
) -> None:
    """One speaks German, the other knows nothing of languages: neither minds."""
    with_babel = translated("de")
    without = make_host(SQLALCHEMY_DATABASE_URI=make_database("sqlite"))
    without.save(expires_on=dt.date(2099, 1, 31))

    for _ in range(2):
        assert html_tag(with_babel.client().get()) == ("de", "ltr")
        page = without.client().get()
        assert html_tag(page) == ("en", "ltr")
        assert '<time datetime="2099-01-31">2099-01-31</time>' in page.text


def write_host_catalogue(
    folder: pathlib.Path, domain: str, said: dict[str, str]
) -> None:
    """Write a German catalogue of the host's."""
    catalog = messages.make_catalog("de")

    for sentence, translation in said.items():
        catalog.add(sentence, string=translation)

    path = folder / "de" / "LC_MESSAGES" / f"{domain}.mo"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(messages.compile_catalog(catalog))


def test_the_hosts_own_sentences(
    translated: cabc.Callable[..., Host], tmp_path: pathlib.Path
) -> None:
    """Its ``messages`` stay its own; its ``byok`` catalogue wins, one by one."""
    write_host_catalogue(tmp_path, "messages", {"Save": "Ablegen"})
    write_host_catalogue(tmp_path, "byok", {"Usage": "Was die KI kostet"})
    host = translated("de")

    @host.app.get("/own")
    def own() -> str:
        return flask_babel.gettext("Save")

    text = text_of(host.client().get())
    assert host.app.test_client().get("/own").text == "Ablegen"
    assert "Was die KI kostet" in text
    assert "Ablegen" not in text
    assert "Speichern" in text


def test_a_broken_translation_stays_english(
    translated: cabc.Callable[..., Host],
    tmp_path: pathlib.Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A host's sentence with a wrong placeholder costs that sentence, not the page."""
    broken = {"Key provided by {app}": "Schlüssel von {ap}", "Usage": "Nutzung {"}
    write_host_catalogue(tmp_path, "byok", broken)
    host = translated("de")

    with caplog.at_level(logging.WARNING, "flask_byok"):
        text = text_of(host.client().get())

    assert "Key provided by Studio" in text
    assert "Verlauf" in text
    events = [getattr(record, "byok_event", "") for record in caplog.records]
    assert "translation_broken" in events


def test_banner_and_warning_speak_it_too(translated: cabc.Callable[..., Host]) -> None:
    """In the host's own pages: the banner with its direction, the flashed warning."""
    host = translated("ar")

    @host.app.get("/home")
    def home() -> str:
        return flask.render_template_string(
            '{% from "byok/banner.html" import byok_banner, byok_nav_link '
            "with context %}{{ byok_nav_link() }}{{ byok_banner() }}"
        )

    @host.app.get("/write")
    def write() -> str:
        host.byok.client_for(1).chat("hello")
        return " ".join(flask.get_flashed_messages())

    host.save()
    fault(host, "revoked")
    ada = host.client()
    page = ada.client.get("/home").text
    assert re.search(rf'lang="ar"\s+>{NAMES["ar"][0]}</a>', page)
    assert re.search(r'lang="ar"\s+dir="rtl"\s+aria-label="إعدادات', page)
    assert "مفتاح \u2068OpenAI\u2069 لا يعمل" in page

    host.app.config["LANG"] = "de"
    told = ada.client.get("/write", headers={"Accept": "text/html"}).text
    assert "Der OpenAI-Schlüssel Ihrer Firma funktioniert nicht" in told
    assert "Funktionen nutzen vorerst den von Studio bereitgestellten" in told


@pytest.mark.parametrize(
    ("language", "sentences", "parts"),
    [
        ("de", "Gespeichert. Funktioniert.", "a, b"),
        ("ja", "保存しました。動作しています。", "a、b"),
        ("ar", "تم الحفظ. يعمل.", "a، b"),
    ],
)
def test_sentences_and_lists_are_joined_as_the_language_does(
    language: str, sentences: str, parts: str, translated: cabc.Callable[..., Host]
) -> None:
    """No space after a Japanese full stop, an Arabic comma between Arabic words."""
    with translated(language).app.test_request_context():
        assert texts.join(texts.say("Saved."), texts.say("Working.")) == sentences
        assert texts.enumerate_parts([Markup("a"), Markup("b")]) == parts


def test_an_app_without_a_name_reads_well(translated: cabc.Callable[..., Host]) -> None:
    """Where the app has no name, each language has its own words in each place."""
    text = text_of(translated("de", BYOK_APP_NAME=None).client().get())
    assert "Die KI-Funktionen nutzen den von dieser App bereitgestellten" in text
    assert "this app" not in text.lower()


def test_the_page_about_languages_runs(
    make_host: MakeHost, tmp_path: pathlib.Path
) -> None:
    """Its set-up works as printed, and so does the catalogue of an own sentence."""
    (set_up,) = examples.blocks("languages.md")
    (source,) = examples.blocks("languages.md", "po")
    catalog = read_po(io.StringIO(source), locale="de")
    assert catalog.plural_forms == messages.LOCALES["de"]
    write_host_catalogue(
        tmp_path,
        "byok",
        {
            t.cast("str", each.id): t.cast("str", each.string)
            for each in catalog
            if each.id
        },
    )

    def prepare(app: flask.Flask) -> None:
        app.config["BABEL_TRANSLATION_DIRECTORIES"] = str(tmp_path)
        examples.run(set_up, {"app": app})

    page = make_host(prepare=prepare).client().get(headers={"Accept-Language": "de"})
    assert "Was die KI kostet" in text_of(page)
    assert html_tag(page) == ("de", "ltr")

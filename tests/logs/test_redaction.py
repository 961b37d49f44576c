"""The second net: what looks like an API key is masked in logs, words are not."""

from __future__ import annotations

import io
import logging
import logging.config
import random
import string
import typing as t

import hypothesis
import hypothesis.strategies as st
import pytest

from flask_byok import ApiKeyFilter
from flask_byok.providers.openai import OpenAIProvider

BASE64URL: t.Final = string.ascii_letters + string.digits + "-_"

#: Prefixes in use, with what is shown of them.
PREFIXES: t.Final = {
    "sk-": "sk-...",
    "sk-proj-": "sk-proj-...",
    "sk-svcacct-": "sk-svcacct-...",
    "sk-ant-api03-": "sk-ant-api03-...",
    "sk-ant-admin01-": "sk-ant-...",
    "AI" + "za": "AIza...",
    "A" + "Q.": "AQ....",
}


def make_key(prefix: str, seed: int, length: int = 48) -> str:
    """Draw what looks like a key of a provider."""
    return prefix + "".join(random.Random(seed).choices(BASE64URL, k=length))


def written(write: t.Callable[[logging.Logger], object], *filters: t.Any) -> str:
    """Give what a handler with the filter writes."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.addFilter(ApiKeyFilter(*filters))
    log = logging.Logger("host")
    log.addHandler(handler)
    write(log)
    return stream.getvalue()


AROUND: t.Final = (
    "{}",
    "key={}",
    "Bearer {}",
    "{{'api_key': '{}'}}",
    "a%3D{}%26b",
    "line\\n{}\\n",
    "({})",
    "https://host/v1?key={}&alt=sse",
    "OPENAI_{}",
    "The key {}, which was refused.",
)


@pytest.mark.case("C25")
@hypothesis.given(
    st.sampled_from(sorted(PREFIXES)),
    st.integers(0, 10**9),
    st.integers(32, 160),
    st.sampled_from(AROUND),
)
def test_a_key_is_masked(prefix: str, seed: int, length: int, around: str) -> None:
    """Of any provider, wherever it stands; nothing but a public prefix is left."""
    api_key = make_key(prefix, seed, length)
    shown = ApiKeyFilter().mask(around.format(api_key))

    assert api_key[len(prefix) :][:20] not in shown
    assert "..." in shown


@pytest.mark.parametrize("prefix", PREFIXES)
def test_the_longest_public_prefix_is_left(prefix: str) -> None:
    """As in the masked form of the page, and without the last four."""
    assert ApiKeyFilter().mask(make_key(prefix, 1)) == PREFIXES[prefix]


@pytest.mark.parametrize(
    "spelling", ["0123456789abcdef", string.hexdigits[:16].upper()]
)
def test_a_key_in_hex_is_masked(spelling: str) -> None:
    """Vendors that speak OpenAI's wire draw 32 hex digits behind ``sk-``."""
    key = "sk-" + "".join(random.Random(3).choices(spelling, k=32))

    assert ApiKeyFilter().mask(f"key {key}.") == "key sk-...."


ORDINARY: t.Final = (
    "task-4f9a1c70-8d21-4c0e-9b1f-2a7c5d3e6f80",
    "The risk-assessment-of-the-whole-quarter-2026 is late.",
    "sketch, desk-lamp-with-a-very-long-name-42, disk-usage-of-node-17-in-rack-9",
    'keys begin with "sk-", "sk-ant-", "AIza" or "AQ."',
    "sk-...AbCd sk-ant-...wXyZ AIza...9aB_",
    "class sk-circle-fade-dot-animation-delay-12 of the spinner",
    "sk-learn-pipeline-experimental-version-2",
    "sk-SomethingInCapitalsAndWords",
    "FAQ.2026-questions-and-answers-1a2b3c4d5e6f7a8b",
    "ask-3c9f2a1b7d5e4f6a8b0c2d4e6f8a0b1c",
    "sk-ant-colony-optimisation-in-practice",
)


@pytest.mark.case("C25")
@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_words_are_spared(text: str) -> None:
    """Words and ids that end in a prefix, prefixes in prose, masked forms."""
    assert ApiKeyFilter().mask(text) == text


_WORD: t.Final = st.text(string.ascii_lowercase, min_size=1, max_size=12)
_NAME: t.Final = st.one_of(_WORD, _WORD.map(str.capitalize), _WORD.map(str.upper))


@pytest.mark.case("C25")
@hypothesis.given(st.lists(_NAME, min_size=1, max_size=12), st.sampled_from("-_"))
def test_joined_words_are_spared(words: list[str], joint: str) -> None:
    """Whatever words are joined behind a prefix, in whatever case."""
    text = "sk-" + joint.join(words)
    hypothesis.assume(not any(word[:1] in "-_" for word in words))

    assert ApiKeyFilter().mask(text) == text


@hypothesis.given(st.text(string.ascii_letters, min_size=1), st.integers(0, 10**9))
def test_a_word_before_the_prefix_makes_it_a_word(word: str, seed: int) -> None:
    """``task-``, ``risk-``, ``desk-``: however random what follows."""
    text = f"{word}{make_key('sk-', seed)}"

    assert ApiKeyFilter().mask(text) == text


@hypothesis.given(st.text())
def test_any_text_is_masked_once(text: str) -> None:
    """Masking a masked text changes nothing, and no text is too odd."""
    once = ApiKeyFilter().mask(text)

    assert ApiKeyFilter().mask(once) == once


KEY: t.Final = make_key("sk-", 7)


class Unprintable:
    """An object that cannot be printed."""

    def __repr__(self) -> str:
        raise RuntimeError(KEY)


def fail() -> None:
    raise ValueError(f"Invalid header value {KEY!r}")


def log_failure(log: logging.Logger) -> None:
    try:
        fail()
    except ValueError:
        log.exception("It failed.")


WAYS: t.Final[dict[str, t.Callable[[logging.Logger], object]]] = {
    "message": lambda log: log.info(f"key {KEY}"),
    "argument": lambda log: log.info("key %s", KEY),
    "nested": lambda log: log.info("headers %s", {"authorization": f"Bearer {KEY}"}),
    "mapping": lambda log: log.info("%(key)s", {"key": KEY}),
    "exception": log_failure,
    "stack": lambda log: log.info("%s", "here", stack_info=True),
    "object": lambda log: log.info("%s", ValueError(KEY)),
    "too many arguments": lambda log: log.info("no place", KEY),
    "wrong argument": lambda log: log.info("%d", KEY),
    "unprintable": lambda log: log.info("%s", Unprintable()),
    "unprintable message": lambda log: log.info(Unprintable()),
    "unprintable with arguments": lambda log: log.info(Unprintable(), KEY),
}


@pytest.mark.case("C25")
@pytest.mark.parametrize("way", WAYS)
def test_every_part_of_a_record_is_masked(
    way: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is dropped or raised, and logging has nothing to complain of."""
    shown = written(WAYS[way])

    assert shown and KEY not in shown
    assert KEY not in capsys.readouterr().err


def test_handlers_that_read_the_parts_find_no_key() -> None:
    """JSON formatters read ``args`` and ``extra``, crash reporters the exception."""
    record = logging.makeLogRecord(
        {"msg": "%(a)s", "args": {"a": 1, "b": KEY}, "header": {"x": KEY}, "note": "n"}
    )

    try:
        fail()
    except ValueError as error:
        record.exc_info = (type(error), error, error.__traceback__)

    assert ApiKeyFilter().filter(record) is True
    assert KEY not in repr(vars(record)) and record.getMessage() == "1"
    assert record.exc_info is None and "Invalid header value" in str(record.exc_text)
    assert t.cast(t.Any, record).note == "n"


def test_a_record_without_a_key_is_left_as_it_is() -> None:
    """Arguments stay arguments, an exception stays an exception."""
    record = logging.makeLogRecord({"msg": "%s of %s", "args": (1, "two")})
    record.exc_info = (KeyError, KeyError("a"), None)
    before = dict(vars(record))
    ApiKeyFilter().filter(record)

    assert vars(record) == before


def test_a_registered_provider_brings_its_prefix() -> None:
    """Pass the registry's providers, and theirs are masked too."""
    own = OpenAIProvider(id="ACME", prefix_hints=(), mask_prefixes=("gsk_",))
    key = make_key("gsk_", 5)

    assert ApiKeyFilter([own]).mask(key) == "gsk_..."
    assert ApiKeyFilter().mask(key) == key
    assert ApiKeyFilter([]).mask(key) == key


def test_a_host_configures_it_by_name() -> None:
    """As ``logging.config.dictConfig`` makes filters."""
    stream = io.StringIO()
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "filters": {"api_keys": {"()": "flask_byok.ApiKeyFilter"}},
            "handlers": {
                "redacted": {
                    "class": "logging.StreamHandler",
                    "stream": stream,
                    "filters": ["api_keys"],
                }
            },
            "loggers": {"host.by.name": {"handlers": ["redacted"], "level": "INFO"}},
        }
    )
    log = logging.getLogger("host.by.name")
    log.info("key %s", KEY)
    log.handlers.clear()

    assert stream.getvalue() == "key sk-...\n"

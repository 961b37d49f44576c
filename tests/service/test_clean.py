"""What people paste into the key field, and what becomes of it."""

from __future__ import annotations

import dataclasses
import time
import traceback

import pytest

from flask_byok.errors import ApiKeyFormatError
from flask_byok.providers.openai import OpenAIProvider
from flask_byok.providers.registry import built_in_providers
from flask_byok.secret import Secret
from flask_byok.service.clean import clean_api_key
from flask_byok.service.clean import looks_like_admin_key
from flask_byok.service.clean import looks_like_other

PROVIDERS = built_in_providers()
OPENAI, GEMINI, CLAUDE = PROVIDERS
VENDOR = OpenAIProvider(
    id="VENDOR",
    label="Vendor",
    vendor="Vendor Inc.",
    base_url="https://vendor.example/v1",
    key_page_url="https://vendor.example/keys",
    prefix_hints=(),
    mask_prefixes=(),
    default_models={"default": "one"},
)

KEY = "sk-not-a-real-key-0001-AbCd"
DOTTED = "AQ.not.a.real-key_0001.AbCd"

EMPTY = "Enter an API key."
MASKED = "This is the hidden form of a saved key. Paste the key itself."
SPACE = "The key has a space or a line break in it. Copy it again in one piece."
CHARACTER = (
    "The key has a character that API keys do not have, often a dash changed by a text "
    "editor. Copy it from OpenAI again."
)
SHORT = "This is too short to be an API key."
LONG = "This is too long to be an API key."
CODES = {
    EMPTY: "empty",
    MASKED: "masked",
    SPACE: "space",
    CHARACTER: "character",
    SHORT: "short",
    LONG: "long",
}

ACCEPTED = [
    # as it is
    (KEY, KEY),
    (DOTTED, DOTTED),
    ("AIza-not-a-real-key...0001-AbCd", "AIza-not-a-real-key...0001-AbCd"),
    ("sk-ant-api03-not-a-real-0001-AA", "sk-ant-api03-not-a-real-0001-AA"),
    ("sk-...not-a-mask", "sk-...not-a-mask"),
    ("..12345678", "..12345678"),
    ("!~@#$%^&*()=+", "!~@#$%^&*()=+"),
    ("a" * 8, "a" * 8),
    ("a" * 2048, "a" * 2048),
    # white space and what cannot be seen
    (f"  {KEY}  ", KEY),
    (f"\t{KEY}\r\n", KEY),
    (f"\n\n{KEY}\n\n", KEY),
    (f"\u00a0{KEY}\u00a0", KEY),
    (f"\ufeff{KEY}", KEY),
    (f"\u200b{KEY}\u200b", KEY),
    (f"\u2060\u200d {KEY}\u200e\u00ad", KEY),
    (f" \u200b \ufeff\u3000{KEY}\u2029\u200b ", KEY),
    # one separator
    (f"{KEY},", KEY),
    (f"{KEY};", KEY),
    (f"{KEY} ;\n", KEY),
    (f"; {KEY}", KEY),
    (f"{KEY},,", f"{KEY},"),
    # one wrapper
    (f'"{KEY}"', KEY),
    (f"'{KEY}'", KEY),
    (f"`{KEY}`", KEY),
    (f'"{KEY}",', KEY),
    (f'" {KEY} "', KEY),
    (f'\ufeff"\u200b{KEY}\u200b"\r\n', KEY),
    (f"Bearer {KEY}", KEY),
    (f"bearer\t{KEY}", KEY),
    (f"BEARER   {KEY}", KEY),
    (f"OPENAI_API_KEY={KEY}", KEY),
    (f"OPENAI_API_KEY = {KEY}", KEY),
    (f'OPENAI_API_KEY="{KEY}"', KEY),
    (f"OPENAI_API_KEY='{KEY}';", KEY),
    (f'OPENAI_API_KEY="{KEY};"', KEY),
    (f"openai_key=`{KEY}`", KEY),
    (f"export ANTHROPIC_API_KEY={KEY}", KEY),
    (f'export  ANTHROPIC_API_KEY="{KEY}"\n', KEY),
    (f"_KEY={DOTTED}", DOTTED),
    # no wrapper
    (f'"{KEY}', f'"{KEY}'),
    (f"{KEY}'", f"{KEY}'"),
    (f"KEY={KEY}", f"KEY={KEY}"),
    (f"1_KEY={KEY}", f"1_KEY={KEY}"),
    (f"Bearer-{KEY}", f"Bearer-{KEY}"),
    ("not_a_real_base64_key==", "not_a_real_base64_key=="),
    ("not_a_real_base64_key=", "not_a_real_base64_key="),
]

REFUSED = [
    ("", EMPTY),
    ("   ", EMPTY),
    ("\u200b\ufeff\u00a0\r\n", EMPTY),
    (",", EMPTY),
    ('""', EMPTY),
    ("OPENAI_API_KEY=", EMPTY),
    ('OPENAI_API_KEY=""', EMPTY),
    # masks
    ("sk-...AbCd", MASKED),
    ("sk-ant-...AbCd", MASKED),
    ("AIza...AbCd", MASKED),
    ("AQ....AbCd", MASKED),
    ("sk-proj-...AbCd", MASKED),
    ("sk-ant-api03-...AbCd", MASKED),
    ("...AbCd", MASKED),
    ("...", MASKED),
    ("sk-…AbCd", MASKED),
    ("sk-***************AbCd", MASKED),
    ("••••••••••••", MASKED),
    ("········12345678", MASKED),
    ('"sk-...AbCd"', MASKED),
    ("OPENAI_API_KEY=sk-...AbCd", MASKED),
    ("* * *", SPACE),
    ("(hidden)", MASKED),
    # inside
    ("sk-not-a-real key-0001", SPACE),
    ("sk-not-a-real\nkey-0001", SPACE),
    ("sk-not-a-real\r\nkey-0001", SPACE),
    ("sk-not-a-real\u00a0key-0001", SPACE),
    ("sk-not-a-real\u2028key-0001", SPACE),
    (f"{KEY} # the new one", SPACE),
    (f"OPENAI_API_KEY={KEY}\nANTHROPIC_API_KEY={KEY}", SPACE),
    (f"Authorization: Bearer {KEY}", SPACE),
    (f'"Bearer {KEY}"', SPACE),
    (f"set OPENAI_API_KEY={KEY}", SPACE),
    (f'"api_key": "{KEY}"', SPACE),
    (f"{KEY}, {KEY}", SPACE),
    ("sk\u2013not-a-real-key-0001", CHARACTER),
    ("sk\u2011not-a-real-key-0001", CHARACTER),
    ("sk-not-a-real\u200bkey-0001", CHARACTER),
    ("sk-not-a-real\x00key-0001", CHARACTER),
    ("sk-not-a-real\x7fkey-0001", CHARACTER),
    ("\u201csk-not-a-real-key-0001\u201d", CHARACTER),
    ("sk-not-a-real-k\u0435y-0001", CHARACTER),
    ("sk-not-a-real-\ud800key-0001", CHARACTER),
    (f"\"'{KEY}'\"", CHARACTER),
    (f"ONE_KEY=OTHER_KEY={KEY}", CHARACTER),
    (f'Bearer "{KEY}"', CHARACTER),
    (f'"OPENAI_API_KEY={KEY}"', CHARACTER),
    # length
    ("a" * 7, SHORT),
    ("Bearer", SHORT),
    ('"sk-1"', SHORT),
    ("a" * 2049, LONG),
    (f'"{"a" * 2049}"', LONG),
    ("a" * 100_000, LONG),
]


@pytest.mark.case("D13", "D14")
@pytest.mark.parametrize(("pasted", "api_key"), ACCEPTED)
def test_accepted(pasted: str, api_key: str) -> None:
    """What is plainly around a key goes, the key itself stays as it is."""
    cleaned = clean_api_key(Secret(pasted), OPENAI, PROVIDERS)

    assert cleaned == Secret(api_key)


@pytest.mark.case("D12", "D13", "D15")
@pytest.mark.parametrize(("pasted", "sentence"), REFUSED)
def test_refused(pasted: str, sentence: str) -> None:
    """What cannot be a key is refused with the one sentence that names the cause."""
    with pytest.raises(ApiKeyFormatError) as caught:
        clean_api_key(Secret(pasted), OPENAI, PROVIDERS, {"(hidden)"})

    assert str(caught.value) == sentence
    assert caught.value.code == CODES[sentence]


@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_vendor_is_named(provider: OpenAIProvider) -> None:
    """The sentence about characters says where to copy the key again."""
    with pytest.raises(ApiKeyFormatError, match=f"from {provider.vendor} again"):
        clean_api_key(Secret("sk–not-a-real-key"), provider, PROVIDERS)


def test_a_refusal_carries_nothing_of_the_key() -> None:
    """Message, attributes, chain and traceback are free of what was pasted."""
    with pytest.raises(ApiKeyFormatError) as caught:
        clean_api_key(Secret(f"{KEY} {KEY}"), OPENAI, PROVIDERS)

    error = caught.value
    shown = traceback.TracebackException.from_exception(error, capture_locals=True)
    ours = [
        frame for frame in shown.stack if frame.filename.endswith("service/clean.py")
    ]
    held = {
        name
        for frame in ours
        for name, text in (frame.locals or {}).items()
        if KEY in text
    }

    assert ours
    assert KEY not in str(error) + repr(error.__dict__)
    assert error.__cause__ is None and error.__context__ is None
    # Error reporters hide a local of this name.
    assert held <= {"api_key"}


@pytest.mark.case("D15")
@pytest.mark.parametrize(
    "text",
    [
        "a",
        " ",
        ".",
        "\u200b",
        "a ",
        "A_",
        "=",
        "export ",
        "Bearer ",
        '"',
        ",",
        "a_=",
        "–",
        ". ",
    ],
)
def test_a_megabyte_takes_no_time(text: str) -> None:
    """Every pattern is linear: a megabyte of anything is judged in a moment."""
    pasted = text * (1_000_000 // len(text))
    began = time.process_time()

    with pytest.raises(ApiKeyFormatError):
        clean_api_key(Secret(pasted + "\x00"), OPENAI, PROVIDERS)

    assert time.process_time() - began < 2.0


@pytest.mark.case("D16", "D17")
@pytest.mark.parametrize(
    ("api_key", "chosen", "other"),
    [
        ("sk-ant-api03-x", CLAUDE, None),
        ("sk-ant-api03-x", OPENAI, CLAUDE),
        ("sk-ant-x", OPENAI, CLAUDE),
        ("sk-ant-x", GEMINI, CLAUDE),
        ("sk-ant-x", VENDOR, CLAUDE),
        ("sk-ant-admin01-x", OPENAI, CLAUDE),
        ("sk-proj-x", OPENAI, None),
        ("sk-proj-x", CLAUDE, OPENAI),
        ("sk-proj-x", GEMINI, OPENAI),
        ("sk-proj-x", VENDOR, OPENAI),
        ("sk-svcacct-x", CLAUDE, OPENAI),
        ("sk-x", OPENAI, None),
        ("sk-x", CLAUDE, OPENAI),
        ("sk-x", GEMINI, OPENAI),
        ("sk-x", VENDOR, None),
        ("AIza-x", GEMINI, None),
        ("AIza-x", OPENAI, GEMINI),
        ("AQ.x", CLAUDE, GEMINI),
        ("AQ.x", GEMINI, None),
        ("AQx", CLAUDE, None),
        ("unknown", OPENAI, None),
        ("unknown", GEMINI, None),
        ("Sk-ant-x", OPENAI, None),
    ],
)
def test_whose_key_it_looks_like(
    api_key: str, chosen: OpenAIProvider, other: OpenAIProvider | None
) -> None:
    """The longest known prefix decides; "sk-" alone speaks against two alone."""
    found = looks_like_other(Secret(api_key), chosen, (*PROVIDERS, VENDOR))

    assert found is other


def test_a_vendor_with_a_prefix_of_its_own() -> None:
    """The longer prefix wins, and a registered vendor is never asked about."""
    longer = dataclasses.replace(VENDOR, prefix_hints=("sk-ant-vendor-",))
    providers = (*PROVIDERS, longer)
    api_key = Secret("sk-ant-vendor-x")

    assert looks_like_other(api_key, longer, providers) is None
    assert looks_like_other(api_key, OPENAI, providers) is CLAUDE
    assert looks_like_other(api_key, OPENAI, (OPENAI, longer)) is None


@pytest.mark.parametrize(
    ("api_key", "is_admin"),
    [
        ("sk-ant-admin01-x", True),
        ("sk-admin-x", True),
        ("sk-administrator", False),
        ("sk-ant-api03-admin", False),
        ("x-sk-admin-", False),
    ],
)
def test_admin_keys(api_key: str, is_admin: bool) -> None:
    """Keys that manage an account are told by their prefix."""
    assert looks_like_admin_key(Secret(api_key)) is is_admin

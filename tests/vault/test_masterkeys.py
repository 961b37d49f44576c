"""The master keys: what the settings may hold, and what stops the start."""

from __future__ import annotations

import base64
import json
import pathlib
import pickle
import re
import traceback
import typing as t

import pytest

from flask_byok.errors import ConfigError
from flask_byok.masterkeys import decode
from flask_byok.masterkeys import generate
from flask_byok.masterkeys import parse_ring
from flask_byok.masterkeys import Ring
from flask_byok.secret import Secret
from tests.support import vectors

ROOT = pathlib.Path(__file__).parents[2]
# Random once; fixed, so that a failure repeats. They protect nothing.
ONE = bytes.fromhex("8fd24b07c61ae593320f7ed8815ca9f460b73e1d02c95f8ae417d36b95208cfa")
TWO = bytes.fromhex("1e93f05cb84d27ea61c80b7fd53a9642ee078cb15d24f963a01bd87e426fc531")
K1, K2 = vectors.text_of(ONE), vectors.text_of(TWO)


def ring(value: object, primary: object = None, app_secrets: t.Any = ()) -> Ring:
    """Read a ring that must be there."""
    parsed = parse_ring(value, primary, app_secrets)
    assert parsed is not None
    return parsed


def refusal(value: object, primary: object = None, app_secrets: t.Any = ()) -> str:
    """Give the sentence that stops the start; it names a setting and no value."""
    with pytest.raises(ConfigError) as caught:
        parse_ring(value, primary, app_secrets)

    sentence = str(caught.value)
    assert caught.value.__context__ is None
    assert "'BYOK_MASTER_KEYS" in sentence or "'BYOK_PRIMARY_KEY_ID'" in sentence
    assert not any(key[at : at + 6] in sentence for key in (K1, K2) for at in range(38))
    return sentence


# --- forms -------------------------------------------------------------------------


@pytest.mark.case("B2")
@pytest.mark.parametrize(
    "value",
    [
        {"k001": K1, "k002": K2},
        {"k001": Secret(K1), "k002": K2},
        {"k001": f"  {K1}\r\n", "k002": f"\t{K2}"},
        {"k001": K1 + "=", "k002": Secret(K2 + "=")},
        f"k001:{K1},k002:{K2}",
        f"k001: {K1}, k002: {K2}",
        f"\n k001:{K1} ,\tk002:{K2}=\n",
        json.dumps({"k001": K1, "k002": K2}),
    ],
)
def test_every_form_gives_the_same_ring(value: object) -> None:
    """Mapping, one text, JSON text; padding and blanks around an entry do not count."""
    parsed = ring(value, "k002")

    assert {key_id: decode(each) for key_id, each in parsed.keys.items()} == {
        "k001": ONE,
        "k002": TWO,
    }
    assert parsed.primary == "k002"
    assert parsed == ring({"k001": K1, "k002": K2}, " k002\n")


def test_one_key_needs_no_primary() -> None:
    """The only key seals, whether or not it is named."""
    assert ring({"k001": K1}).primary == "k001"
    assert ring(f"k001:{K1}", "k001").primary == "k001"


@pytest.mark.parametrize("value", [False, "off", "OFF", " Off\n", "false", "False"])
def test_the_vault_is_closed_on_purpose(value: object) -> None:
    """``False`` and the words for it give no ring, whatever else is set."""
    assert parse_ring(value, None, []) is None
    assert parse_ring(value, "k001", ["x"]) is None


@pytest.mark.case("B1")
@pytest.mark.parametrize("value", [None, "", "  \n", {}, "{}"])
def test_a_missing_ring_stops_the_start(value: object) -> None:
    """A lost environment variable fails the deploy; the sentence tells both ways."""
    sentence = refusal(value)

    assert "flask byok generate-key" in sentence
    assert "BYOK_MASTER_KEYS = False" in sentence


@pytest.mark.case("B6")
@pytest.mark.parametrize(
    "value",
    [0, 1, True, 1.5, [K1], (("k001", K1),), K1.encode(), Secret(K1), "on", "no", "0"],
)
def test_a_ring_of_the_wrong_type_stops_the_start(value: object) -> None:
    """Nothing but ``False`` and its words closes the vault."""
    refusal(value)


@pytest.mark.case("B5", "B6")
@pytest.mark.parametrize(
    "value",
    [
        "{",
        '{"k001": ',
        json.dumps({"k001": {"key": K1}}),
        json.dumps({"k001": None}),
        "{" + f'"k001": "{K1}", "k001": "{K2}"' + "}",
    ],
)
def test_bad_json_stops_the_start(value: str) -> None:
    """Broken text, other types and an id given twice."""
    refusal(value, "k001")


# --- ids ---------------------------------------------------------------------------


@pytest.mark.case("B5")
@pytest.mark.parametrize(
    "key_id",
    [
        "",
        "k01",
        "k0001",
        "K001",
        "k-01",
        "k001 ",
        "ключ",
        "k00\n",
        "k00١",
        1001,
        None,
        K1,
    ],
)
def test_an_id_of_the_wrong_shape_stops_the_start(key_id: t.Any) -> None:
    """Four characters of a-z and 0-9; a wrong one is not repeated: it may be a key."""
    assert "four characters" in refusal({key_id: K1})


@pytest.mark.case("B5")
@pytest.mark.parametrize(
    "value",
    [
        K1,
        f"{K1}:k001",
        f"k001={K1}",
        f"k001:{K1},",
        f",k001:{K1}",
        f"k001:{K1};k002:{K2}",
    ],
)
def test_a_text_of_the_wrong_shape_stops_the_start(value: str) -> None:
    """A key alone, the wrong order, other separators, an empty entry."""
    refusal(value)


@pytest.mark.case("B5")
def test_an_id_given_twice_stops_the_start() -> None:
    """Even when both carry the same bytes."""
    assert "'k001' twice" in refusal(f"k001:{K1},k001:{K2}")
    assert "'k001' twice" in refusal(f"k001:{K1},k001:{K1}")


@pytest.mark.case("B5")
def test_the_same_bytes_under_two_ids_stop_the_start() -> None:
    """A rotation to itself would protect nothing."""
    sentence = refusal({"k001": K1, "k003": K2, "k002": K1 + "="}, "k001")

    assert "'k001' and 'k002'" in sentence


@pytest.mark.case("B5")
def test_several_keys_need_a_primary() -> None:
    """Nothing is guessed about which one seals."""
    sentence = refusal({"k001": K1, "k002": K2})

    assert "'BYOK_PRIMARY_KEY_ID' is missing" in sentence


@pytest.mark.case("B5")
@pytest.mark.parametrize(
    "primary", ["k009", "", "K001", 1, False, b"k001", ["k001"], K1]
)
def test_a_primary_outside_the_ring_stops_the_start(primary: object) -> None:
    """Also with one key: a name that fits none is a mistake somewhere."""
    for value in ({"k001": K1}, {"k001": K1, "k002": K2}):
        assert "BYOK_PRIMARY_KEY_ID" in refusal(value, primary)


# --- the text of a key -------------------------------------------------------------


@pytest.mark.case("B3")
@pytest.mark.parametrize("size", [1, 16, 24, 31, 33, 48, 64])
def test_a_key_of_another_size_stops_the_start(size: int) -> None:
    """The sentence tells how many bytes there are, and how to make a good key."""
    sentence = refusal({"k001": vectors.text_of(bytes(range(size)))})

    assert sentence.startswith("'BYOK_MASTER_KEYS[\"k001\"]' must hold 32 bytes")
    assert f"it holds {size}." in sentence
    assert "flask byok generate-key" in sentence


@pytest.mark.case("B3")
def test_a_key_as_hex_stops_the_start() -> None:
    """Hex of 32 bytes is not taken for base64url of 48."""
    refusal({"k001": ONE.hex()})
    refusal({"k001": ONE.hex().upper()})


@pytest.mark.case("B2", "B3")
@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        f'"{K1}"',
        f"'{K1}'",
        f"{K1}==",
        f"{K1}===",
        f"={K1}",
        f"{K1[:20]} {K1[20:]}",
        f"{K1[:20]}\n{K1[20:]}",
        f"{K1[:42]}",
        f"{K1}A",
        K1 + "\u00a0",
        "\ufeff" + K1,
        K1.replace(K1[0], "\uff21"),
        base64.b64encode(bytes(range(224, 256))).decode(),
        "correct horse battery staple",
        "base64:" + K1,
    ],
)
def test_a_text_that_is_not_plain_base64url_stops_the_start(text: str) -> None:
    """Quotes, blanks inside, ``+``, ``/``, junk, phrases: nothing is skipped over."""
    refusal({"k001": text})


@pytest.mark.case("B3")
def test_spare_bits_stop_the_start() -> None:
    """Only the text that the bytes encode to: the last character has two spare bits."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    last = alphabet.index(K1[-1])
    same_bytes = [K1[:-1] + alphabet[last - last % 4 + spare] for spare in range(4)]
    assert same_bytes[last % 4] == K1

    for text in same_bytes:
        assert base64.urlsafe_b64decode(text + "=") == ONE

        if text != K1:
            refusal({"k001": text})


@pytest.mark.case("B6")
@pytest.mark.parametrize("value", [None, 42, True, ONE, [K1], {"k": K1}])
def test_a_key_that_is_no_text_stops_the_start(value: object) -> None:
    """Raw bytes are refused, too: the setting has one spelling."""
    assert "must be a text" in refusal({"k001": value})


# --- weak keys ---------------------------------------------------------------------


@pytest.mark.case("B4")
@pytest.mark.parametrize(
    "weak",
    [
        bytes(32),
        b"\xff" * 32,
        bytes(range(16)) * 2,
        ONE[:19] + ONE[:13],
        TWO[:10] * 3 + TWO[:2],
    ],
)
def test_a_key_that_repeats_itself_stops_the_start(weak: bytes) -> None:
    """Fewer than 20 distinct byte values are not 32 random bytes."""
    assert len(set(weak)) < 20
    assert "repeats" in refusal({"k001": vectors.text_of(weak)})


@pytest.mark.case("B4")
def test_twenty_distinct_values_are_enough() -> None:
    """The border itself is good."""
    master = ONE[:20] + ONE[:12]
    assert len(set(master)) == 20

    assert ring({"k001": vectors.text_of(master)}).primary == "k001"


@pytest.mark.case("B4")
@pytest.mark.parametrize(
    "weak",
    [
        b"The quick brown fox jumps over 12",
        b"abcdefghijklmnopqrstuvwxyz012345",
        b"zyxwvutsrqponmlkjihgfedcba98765\n",
    ],
)
def test_a_key_that_spells_text_stops_the_start(weak: bytes) -> None:
    """A passphrase put through base64 is still a passphrase."""
    assert "readable" in refusal({"k001": vectors.text_of(weak[:32])})


@pytest.mark.case("B4")
@pytest.mark.parametrize("example", [vectors.K001, vectors.K002])
def test_a_published_example_stops_the_start(example: bytes) -> None:
    """The keys of the known answers are known to everybody."""
    assert "public documentation" in refusal({"k001": vectors.text_of(example)})


@pytest.mark.case("B4")
def test_every_key_in_our_texts_is_refused() -> None:
    """Whatever README, docs and example app show cannot be copied into a real app."""
    files = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    files += (ROOT / "example_app").rglob("*.py")
    word = re.compile(r"(?<![\w-])[A-Za-z0-9_-]{43}(?![\w-])")
    shown = {found for file in files for found in word.findall(file.read_text("utf-8"))}

    assert word.findall(f'"k001": "{K1}",') == [K1]

    # Lower case alone is the name of a test: no random key looks so.
    for text in {found for found in shown if not found.islower()}:
        refusal({"k001": text})


@pytest.mark.case("B5")
@pytest.mark.parametrize(
    "app_secret",
    [K1, K1 + "=", K1.encode(), K1.encode() + b"=", ONE],
)
def test_the_apps_own_secret_is_no_master_key(app_secret: str | bytes) -> None:
    """Neither its text nor its bytes, and a fallback as little as the current one."""
    for app_secrets in ([app_secret], ["another", app_secret]):
        sentence = refusal({"k002": K2, "k001": K1}, "k002", app_secrets)

        assert "SECRET_KEY" in sentence
        assert "k001" in sentence


@pytest.mark.parametrize(
    "app_secret", ["", "dev", b"", b"\xff", "schlüssel", "\ud800", K2]
)
def test_another_app_secret_does_not_matter(app_secret: str | bytes) -> None:
    """Whatever it is made of, it is compared and nothing else."""
    assert ring({"k001": K1}, None, [app_secret]).primary == "k001"


# --- making and holding ------------------------------------------------------------


@pytest.mark.case("B4")
def test_a_generated_key_passes_its_own_checks() -> None:
    """2,000 new keys: all different, all 43 characters, none called weak."""
    made = [generate() for _ in range(2_000)]

    assert len(set(made)) == len(made)
    assert {len(text) for text in made} == {43}

    for text in made:
        assert len(decode(ring({"k001": text}).keys["k001"])) == 32


@pytest.mark.case("C1", "C20")
def test_a_ring_prints_a_mask() -> None:
    """In ``repr`` and in a traceback with locals the keys are not to be seen."""
    parsed = ring({"k001": K1})

    try:
        raise LookupError(parsed)
    except LookupError as error:
        report = traceback.TracebackException.from_exception(error, capture_locals=True)

    shown = repr(parsed) + "".join(report.format())
    assert "<Secret>" in shown
    assert not any(K1[at : at + 6] in shown for at in range(38))


@pytest.mark.case("C3")
def test_a_ring_is_neither_changed_nor_pickled() -> None:
    """It stays what the checks saw, in the process that read it."""
    parsed = ring({"k001": K1})

    with pytest.raises(TypeError):
        parsed.keys["k002"] = Secret(K2)  # type: ignore[index]

    with pytest.raises(AttributeError):
        parsed.primary = "k002"  # type: ignore[misc]

    with pytest.raises(TypeError):
        pickle.dumps(parsed)


@pytest.mark.parametrize("text", ["", "x", K1 + "==", vectors.text_of(bytes(31))])
def test_decode_refuses_what_is_no_key(text: str) -> None:
    """The error repeats nothing of it."""
    with pytest.raises(
        ValueError, match="^A master key is 32 bytes as base64url text.$"
    ):
        decode(Secret(text))


@pytest.mark.case("B5")
def test_a_secret_key_of_digits_is_compared_as_text() -> None:
    """``from_prefixed_env`` turns a SECRET_KEY of digits into a number."""
    ring = parse_ring({"k001": generate()}, None, [12345])

    assert ring is not None

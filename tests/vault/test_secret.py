"""A Secret shows itself to nobody who did not ask for it."""

from __future__ import annotations

import base64
import copy
import dataclasses
import json
import logging
import marshal
import pickle
import pprint
import reprlib
import string
import traceback
import typing as t

import pytest

from flask_byok.secret import Secret

CANARY = "c4nary-not-a-real-key-Qx7Lm2Vt9RzK"
SECRET = Secret(CANARY)


@dataclasses.dataclass
class Holder:
    """A value that has a Secret in it, as hosts and we build them."""

    api_key: Secret
    name: str = "acme"


def holds_canary(shown: object) -> bool:
    """Look for six characters in a row, plain, in base64 and in hex."""
    text = shown if isinstance(shown, str) else repr(shown)
    spellings = [CANARY, CANARY.encode().hex()]
    spellings += [
        base64.b64encode(CANARY.encode()[shift:]).decode() for shift in (0, 1, 2)
    ]
    return any(
        spelling[start : start + 6] in text
        for spelling in spellings
        for start in range(len(spelling) - 5)
    )


def through_locals() -> str:
    """Give a traceback with locals of a frame that holds a Secret."""
    api_key = Secret(CANARY)
    held = {"headers": {"x-api-key": api_key}, "holder": Holder(api_key)}

    try:
        raise LookupError(f"{api_key} {held}")
    except LookupError as error:
        report = traceback.TracebackException.from_exception(error, capture_locals=True)

    return "".join(report.format())


SHOWN: dict[str, t.Callable[[], object]] = {
    "repr": lambda: repr(SECRET),
    "str": lambda: str(SECRET),
    "format": lambda: f"{SECRET} {SECRET:>40} {SECRET!r} {SECRET!s} {SECRET!a}",
    "percent": lambda: "%s %r %a" % (SECRET, SECRET, SECRET),  # noqa: UP031
    "str.format": lambda: "{0} {0!r}".format(SECRET),  # noqa: UP032
    "template": lambda: string.Template("$key").substitute(key=SECRET),
    "ascii": lambda: ascii([SECRET]),
    "pprint": lambda: pprint.pformat({"api_key": [SECRET], "holder": Holder(SECRET)}),
    "reprlib": lambda: reprlib.repr([SECRET]),
    "dataclass": lambda: repr(Holder(SECRET)),
    "vars of a holder": lambda: repr(vars(Holder(SECRET))),
    "dir": lambda: repr(dir(SECRET)),
    "exception": lambda: repr(ValueError(SECRET)) + str(ValueError(SECRET)),
    "json default": lambda: json.dumps({"api_key": SECRET}, default=str),
    "traceback": through_locals,
}

REFUSED: dict[str, t.Callable[[], object]] = {
    "json": lambda: json.dumps({"api_key": SECRET}),
    "json key": lambda: json.dumps({SECRET: 1}),
    "copy": lambda: copy.copy(SECRET),
    "deepcopy": lambda: copy.deepcopy([SECRET]),
    "asdict": lambda: dataclasses.asdict(Holder(SECRET)),
    "vars": lambda: vars(SECRET),
    "state": lambda: SECRET.__getstate__(),
    "reduce": lambda: SECRET.__reduce__(),
    "hash": lambda: hash(SECRET),
    "add": lambda: "Bearer " + SECRET,  # type: ignore[operator]
    "join": lambda: "".join([SECRET]),  # type: ignore[list-item]
    "slice": lambda: SECRET[:4],  # type: ignore[index]
    "iterate": lambda: list(SECRET),  # type: ignore[call-overload]
    "length": lambda: len(SECRET),  # type: ignore[arg-type]
    "bytes": lambda: bytes(SECRET),  # type: ignore[call-overload]
    "contains": lambda: "c4" in SECRET,  # type: ignore[operator]
    "order": lambda: SECRET < Secret("x"),  # type: ignore[operator]
    "attribute": lambda: setattr(SECRET, "note", CANARY),
}


@pytest.mark.case("C1")
@pytest.mark.parametrize("way", SHOWN)
def test_printing_shows_a_mask(way: str) -> None:
    """Whoever prints it, in whatever way, sees nothing of it, not even its length."""
    shown = SHOWN[way]()

    assert not holds_canary(shown)
    assert str(len(CANARY)) not in str(Secret(CANARY))


@pytest.mark.case("C2", "C3")
@pytest.mark.parametrize("way", REFUSED)
def test_taking_it_along_is_refused(way: str) -> None:
    """Copies, hashes and pieces are not to be had, and the refusal repeats nothing."""
    with pytest.raises((TypeError, AttributeError)) as caught:
        REFUSED[way]()

    assert not holds_canary(str(caught.value))


@pytest.mark.case("C3")
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_no_pickle_protocol_takes_it(protocol: int) -> None:
    """Neither alone nor inside another object, so no queue and no cache gets it."""
    for value in (SECRET, [SECRET], Holder(SECRET)):
        with pytest.raises(TypeError):
            pickle.dumps(value, protocol)


@pytest.mark.case("C3")
def test_marshal_refuses_it() -> None:
    """The marshal module does not know the type."""
    with pytest.raises(ValueError):
        marshal.dumps(t.cast(t.Any, SECRET))


@pytest.mark.case("C1")
def test_logging_shows_a_mask(caplog: pytest.LogCaptureFixture) -> None:
    """As an argument, in a mapping and in an extra attribute of the record."""
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("host").debug("%s %r", SECRET, [SECRET])
        logging.getLogger("host").debug("%(key)s", {"key": SECRET})

    assert not holds_canary(caplog.text)
    assert not any(holds_canary(vars(record)) for record in caplog.records)


def test_the_search_above_finds_a_leak() -> None:
    """Six characters are enough, in each of the three spellings."""
    assert holds_canary(f"a {CANARY[7:13]} b")
    assert holds_canary(CANARY.encode()[3:9].hex())
    assert holds_canary(base64.b64encode(CANARY.encode()[1:]).decode()[4:16])
    assert not holds_canary("<Secret>")


def test_reveal_gives_the_text() -> None:
    """Who asks by name gets it, unchanged."""
    assert SECRET.reveal() == CANARY


@pytest.mark.parametrize(
    ("one", "two"), [("abc", "abd"), ("abc", "abcd"), ("é", "e"), ("", "a")]
)
def test_equality_compares_the_texts(one: str, two: str) -> None:
    """Two Secrets of one text are equal; other texts and other types are not."""
    assert Secret(one) == Secret(one)
    assert Secret(one) != Secret(two)
    assert Secret(one) != one
    assert one != Secret(one)


def test_a_lone_surrogate_is_compared_too() -> None:
    """A text that is no UTF-8 raises nothing that would quote it."""
    assert Secret("\ud800") == Secret("\ud800")
    assert Secret("\ud800") != Secret("?")


def test_an_empty_secret_is_false() -> None:
    """So that "no key" can be asked without revealing one."""
    assert Secret("a")
    assert not Secret("")


@pytest.mark.parametrize(
    "value", [b"bytes", None, 42, SECRET, type("S", (str,), {})("x")]
)
def test_only_a_plain_str_is_held(value: t.Any) -> None:
    """A subclass might print itself, and bytes would need an encoding."""
    with pytest.raises(TypeError):
        Secret(value)

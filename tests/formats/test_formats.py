"""Formats of answers: schemas from classes, values held against schemas."""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import datetime as dt
import enum
import json
import typing as t
import uuid

import pydantic
import pytest

from flask_byok.formats.answer import read_format
from flask_byok.formats.checking import find_misfit
from flask_byok.formats.classes import ClassFormat
from flask_byok.providers.schemas import close_schema
from flask_byok.providers.schemas import fit_claude
from flask_byok.providers.schemas import is_strict_schema


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


@dataclasses.dataclass(frozen=True)
class Leaf:
    name: str
    size: float | None


@dataclasses.dataclass
class Tree:
    """A tree of leaves."""

    id: uuid.UUID
    planted_on: dt.date
    seen_at: dt.datetime
    colour: Colour
    kind: t.Literal["oak", "elm"]
    leaves: list[Leaf]
    tags: frozenset[str]
    names: tuple[str, ...]
    counts: dict[str, int]
    best: Leaf | str | None
    about: t.Annotated[str, "In one sentence."]
    alive: bool
    branches: cabc.Sequence[Tree]
    age: int = 0


VALUE: t.Final[dict[str, t.Any]] = {
    "id": "00000000-0000-4000-8000-000000000000",
    "planted_on": "2026-01-02",
    "seen_at": "2026-01-02T03:04:05Z",
    "colour": "blue",
    "kind": "oak",
    "leaves": [{"name": "a", "size": 1}, {"name": "b", "size": None}],
    "tags": ["x"],
    "names": ["y", "z"],
    "counts": {"w": 1},
    "best": {"name": "a", "size": 2.5},
    "about": "Tall.",
    "alive": True,
    "branches": [],
    "age": 3,
}


def test_a_dataclass_is_made_of_the_value_that_fits_its_schema() -> None:
    """Every kind of field, one class within another, and a class within itself."""
    made = ClassFormat(Tree)
    value = {**VALUE, "branches": [{**VALUE, "best": "none", "age": 1}]}

    assert find_misfit(value, made.schema) is None
    tree = made.build(value)
    assert tree.id == uuid.UUID(VALUE["id"]) and tree.planted_on == dt.date(2026, 1, 2)
    assert tree.seen_at == dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.timezone.utc)
    assert (tree.colour, tree.kind, tree.age) == (Colour.BLUE, "oak", 3)
    assert tree.leaves == [Leaf("a", 1.0), Leaf("b", None)]
    assert (tree.tags, tree.names) == (frozenset({"x"}), ("y", "z"))
    assert (tree.counts, tree.best) == ({"w": 1}, Leaf("a", 2.5))
    assert tree.branches[0].best == "none" and tree.branches[0].age == 1


def test_a_schema_of_a_class_says_what_the_class_says() -> None:
    """Descriptions, and all fields required: providers want that of a strict schema."""
    schema = ClassFormat(Tree).schema
    properties = schema["properties"]

    assert schema["description"] == "A tree of leaves."
    assert "description" not in schema["$defs"]["Leaf"]
    assert properties["about"]["description"] == "In one sentence."
    assert schema["required"] == list(VALUE) and schema["additionalProperties"] is False
    assert json.loads(json.dumps(schema)) == schema
    assert is_strict_schema(ClassFormat(Leaf).schema)
    # A dict has properties nobody names: no schema with one is strict.
    assert not is_strict_schema(schema)


class Odd:
    pass


@dataclasses.dataclass
class HasOdd:
    odd: Odd


@dataclasses.dataclass
class Even:
    number: int

    def __post_init__(self) -> None:
        if self.number % 2:
            raise ValueError("odd")


@dataclasses.dataclass
class Measured:
    count: int
    size: float


def test_a_value_is_held_against_its_schema() -> None:
    """A value that does not fit makes no object, and one that fits does."""
    leaf, plain = read_format(Leaf), read_format({"properties": {"a": {"const": 1}}})
    assert leaf is not None and plain is not None
    assert leaf._read('{"name": "a", "size": null}') == (Leaf("a", None), None)
    assert leaf._read('{"name": 1, "size": null}')[1] is not None
    assert plain._read('{"a": 1}') == ({"a": 1}, None)
    assert plain._read('{"a": 2}')[1] is not None


def test_a_class_with_a_field_that_is_no_json_is_refused() -> None:
    """Before anything is asked, with what may stand there instead."""
    with pytest.raises(TypeError, match="Fields may be texts"):
        read_format(HasOdd)


@pytest.mark.parametrize(
    "wanted",
    [{"type": "array"}, {"type": "json_object"}, pydantic.RootModel[list[int]]],
)
def test_an_answer_is_an_object(wanted: t.Any) -> None:
    """Providers want one at the top; it is said before anything is billed."""
    with pytest.raises(ValueError, match="must describe an object"):
        read_format(wanted)


def test_a_class_may_refuse_a_value_itself() -> None:
    """What ``__post_init__`` does not take does not fit."""
    found = read_format(Even)
    assert found is not None
    assert found._read('{"number": 2}') == (Even(2), None)
    assert found._read('{"number": 1}') == (None, "the class refuses a value")


@pytest.mark.parametrize(
    "text", ["", "null", "[]", "{", '{"a": NaN}', "[" * 9999, '"text"']
)
def test_what_is_no_object_does_not_parse(text: str) -> None:
    """Whatever comes, it is a misfit and no exception of another kind."""
    found = read_format({"type": "object"})
    assert found is not None
    assert found._read(text) == (None, "the answer is no JSON object")


def test_a_number_beyond_all_measure_is_a_misfit_at_most() -> None:
    """A model that writes digits without end: no exception of another kind."""
    huge = "1" + "0" * 400
    found = read_format(Measured)
    assert found is not None
    told = "the class refuses a value"
    assert found._read(f'{{"count": {huge}, "size": 1}}') == (
        Measured(10**400, 1.0),
        None,
    )
    assert found._read(f'{{"count": 1, "size": {huge}}}') == (None, told)
    words = "'size' in the answer is not of type number"
    assert found._read('{"count": 1, "size": 1e999}') == (None, words)
    assert "integer" in str(found._read('{"count": 1e999, "size": 1}')[1])
    halves = {"properties": {"n": {"type": "number", "multipleOf": 0.5}}}
    assert "'multipleOf'" in str(find_misfit({"n": 10**400}, halves))
    assert "type number" in str(find_misfit({"n": float("-inf")}, halves))


def test_a_pattern_of_another_language_is_not_checked() -> None:
    """Providers know expressions that Python does not: the paid answer is kept."""
    named = {"properties": {"name": {"type": "string", "pattern": r"^\p{L}+$"}}}
    assert find_misfit({"name": "Ana"}, named) is None


NESTED: t.Final[dict[str, t.Any]] = {
    "type": "object",
    "properties": {
        "list": {"type": "array", "items": {"$ref": "#/$defs/one"}, "minItems": 1},
        "pair": {"prefixItems": [{"type": "string"}], "items": False},
        "either": {"anyOf": [{"type": "null"}, {"enum": [1, "a"]}]},
        "both": {"allOf": [{"minimum": 1}, {"maximum": 9}]},
        "fix": {"const": True},
        "word": {"type": ["string", "null"], "pattern": "^a", "maxLength": 3},
        "step": {"type": "number", "multipleOf": 0.1, "exclusiveMinimum": 0},
        "self": {"$ref": "#"},
    },
    "additionalProperties": {"type": "integer"},
    "required": ["list"],
    "$defs": {"one": {"type": "integer"}},
}
GOOD: t.Final[dict[str, t.Any]] = {
    "list": [1, 2.0],
    "pair": ["a"],
    "either": "a",
    "both": 5,
    "fix": True,
    "word": None,
    "step": 0.3,
    "self": {"list": [1]},
    "more": 7,
}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, None),
        ({"list": []}, "'minItems'"),
        ({"list": [True]}, "item 1 in 'list' in the answer is not of type integer"),
        ({"list": "a"}, "not of type array"),
        ({"pair": ["a", "b"]}, "too many items"),
        ({"either": True}, "fits none of the choices"),
        ({"both": 0}, "'minimum'"),
        ({"both": 10}, "'maximum'"),
        ({"fix": 1}, "not the value allowed"),
        ({"word": "b"}, "'pattern'"),
        ({"word": "abcd"}, "'maxLength'"),
        ({"word": 1}, "string or null"),
        ({"step": 0.25}, "'multipleOf'"),
        ({"step": 0}, "'exclusiveMinimum'"),
        ({"self": {}}, "'self' in the answer lacks 'list'"),
        ({"secret words": "x"}, "a property in the answer is not of type integer"),
    ],
)
def test_a_misfit_is_named_by_the_schemas_words(
    change: dict[str, t.Any], words: str | None
) -> None:
    """Where and what, and nothing of the value itself."""
    misfit = find_misfit({**GOOD, **change}, NESTED)

    assert (misfit is None) is (words is None)
    assert words is None or words in str(misfit)
    assert "secret words" not in str(misfit)


def test_a_property_too_many_is_not_named() -> None:
    """A model makes names up of what it was told."""
    closed = {"properties": {"a": {}}, "additionalProperties": False}
    misfit = find_misfit({"a": 1, "secret words": 2}, closed)

    assert misfit == "the answer has a property that is not in the schema"


def test_a_schema_that_goes_round_in_circles_ends() -> None:
    """A reference to itself is followed so far and no further."""
    circle = {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}}

    assert "too deep" in str(find_misfit({}, circle))
    assert find_misfit({}, {"$ref": "#/$defs/missing"}) is None


LOOSE: t.Final[dict[str, t.Any]] = {
    "type": "object",
    "properties": {
        "n": {"type": "integer", "minimum": 1, "default": 3, "description": "How many"},
        "s": {"oneOf": [{"type": "string", "format": "color"}, {"type": "null"}]},
        "l": {"type": "array", "items": {"type": "object"}, "minItems": 2},
    },
}


def test_each_wire_is_told_a_schema_it_takes() -> None:
    """CLAUDE: closed, limits in words. OPENAI: strict only where that is allowed."""
    fitted = fit_claude(LOOSE)
    number, choice, listed = fitted["properties"].values()

    assert fitted["additionalProperties"] is False
    assert number == {"type": "integer", "description": "How many (minimum: 1)"}
    assert choice["anyOf"][0] == {"type": "string", "description": "(format: color)"}
    assert listed["items"]["additionalProperties"] is False
    assert listed["description"] == "(minItems: 2)"
    assert "minimum" in LOOSE["properties"]["n"]  # the caller's own stays as it is

    closed = close_schema(LOOSE)
    assert closed["required"] == ["n", "s", "l"]
    assert "default" not in closed["properties"]["n"]
    assert not is_strict_schema(LOOSE)
    assert not is_strict_schema({**closed, "allOf": []})
    assert is_strict_schema({**closed, "properties": {}, "required": []})

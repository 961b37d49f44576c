"""The texts react to the prompt and are always the same."""

from __future__ import annotations

import pytest

from flask_byok.testing.reply import split
from flask_byok.testing.reply import vector
from flask_byok.testing.sample import build_sample
from flask_byok.testing.text import compose


@pytest.mark.parametrize(
    ("system", "prompt", "start"),
    [
        ("", "Reply with OK.", "OK"),
        ("", "Summarise:\n\nCats sleep. Dogs bark.", "In short: Cats sleep."),
        ("You summarise texts.", "Cats sleep. Dogs bark.", "In short: Cats sleep."),
        (
            "",
            "Translate into French: Our team is good.",
            "[French] Notre équipe est bon",
        ),
        ("", "Translate this to Dutch:\n\nHello.", "[Dutch] Hello."),
        ("You analyse texts.", "Wow! Really?", "Tone: lively and direct."),
        ("", "Improve this text:\n\nit is  very good", "It is excellent."),
        (
            "",
            "Write a short post about our summer sale.",
            "Our summer sale\n\nThere is",
        ),
        ("", "Hello", "You wrote: “Hello”"),
    ],
)
def test_the_task_is_read_from_the_prompt_or_the_system_text(
    system: str, prompt: str, start: str
) -> None:
    """A demo shows what each feature is for."""
    assert compose(system, prompt).startswith(start)
    assert compose(system, prompt) == compose(system, prompt)


@pytest.mark.parametrize(
    "text", ["", "one", " one  two\n\nthree four five six ", "ü 🙂"]
)
def test_pieces_are_the_text(text: str) -> None:
    """Nothing is lost between the pieces of a stream."""
    assert "".join(split(text)) == text


@pytest.mark.parametrize(
    ("schema", "sample"),
    [
        ({"type": "string", "enum": ["a", "b"]}, "a"),
        ({"const": 7}, 7),
        ({"type": ["null", "integer"], "minimum": 3}, 3),
        ({"type": "string", "maxLength": 2}, "te"),
        ({"type": "string", "minLength": 6}, "text.."),
        ({"type": "string", "format": "date"}, "2026-11-23"),
        ({"anyOf": [{"type": "null"}, {"type": "boolean"}]}, True),
        ({"type": "array", "items": {"type": "number"}, "minItems": 2}, [1, 1]),
        ({"type": "OBJECT", "properties": {"a": {"type": "STRING"}}}, {"a": "text"}),
        (
            {
                "$defs": {"one": {"type": "integer", "maximum": -1}},
                "properties": {"a": {"$ref": "#/$defs/one"}, "b": {}},
                "required": ["a"],
            },
            {"a": -1},
        ),
    ],
)
def test_samples_fit_their_schema(schema: dict[str, object], sample: object) -> None:
    """The smallest value that a schema allows."""
    assert build_sample(schema) == sample


def test_vectors_depend_on_the_text() -> None:
    """Equal texts have equal vectors, of length one."""
    first, second = vector("a", 64), vector("b", 64)

    assert first == vector("a", 64) != second
    assert sum(number * number for number in first) == pytest.approx(1)

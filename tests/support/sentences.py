"""Finds every sentence for people in the code and the templates."""

from __future__ import annotations

import ast
import collections.abc as cabc
import dataclasses
import pathlib
import re
import typing as t

from jinja2.ext import babel_extract

from tests.support import tree

PACKAGE: t.Final = tree.ROOT / "flask_byok"

#: Functions and methods that take a sentence, and how many forms of it.
SAYERS: t.Final[cabc.Mapping[str, int]] = {
    "N_": 1,
    "gettext": 1,
    "say": 1,
    "tell": 1,
    "ngettext": 2,
    "say_count": 2,
    "tell_count": 2,
    "byok_say": 1,
    "byok_say_count": 2,
}

_PLACEHOLDER: t.Final = re.compile(r"\{(\w*)\}")


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Sentence:
    """A sentence of the source.

    :param plural: its form for many; ``None`` when no number decides.
    """

    text: str
    plural: str | None
    file: str

    @property
    def key(self) -> str | tuple[str, str]:
        """What it is called in a catalogue."""
        return self.text if self.plural is None else (self.text, self.plural)


def placeholders(text: str) -> set[str]:
    """List the names in braces."""
    return set(_PLACEHOLDER.findall(text))


def has_words(text: str) -> bool:
    """Tell a sentence from what holds one value and nothing to translate."""
    return _PLACEHOLDER.fullmatch(text) is None


def find_sentences() -> list[Sentence]:
    """Collect the sentences of the package, in the order of its files."""
    found: list[Sentence] = []

    for path in sorted((PACKAGE / "web").glob("*.py")):
        found += _in_code(path)

    for path in sorted((PACKAGE / "providers").glob("*.py")):
        found += _in_helps(path)

    for path in sorted((PACKAGE / "templates").rglob("*.html")):
        found += _in_template(path)

    return [sentence for sentence in found if has_words(sentence.text)]


def find_unnamed() -> list[str]:
    """List calls whose sentence stands nowhere: not even behind an ``N_`` there.

    A plain name or an attribute may hold one that is marked elsewhere; a call, an
    f-string or a sum cannot.
    """
    strange = (ast.JoinedStr, ast.BinOp, ast.Call)
    return [
        f"{path.name}:{call.lineno}"
        for path in sorted((PACKAGE / "web").glob("*.py"))
        for call, forms in _calls(path)
        for argument in call.args[:forms]
        if isinstance(argument, strange) and not _texts(argument)
    ]


def _in_code(path: pathlib.Path) -> cabc.Iterator[Sentence]:
    for call, forms in _calls(path):
        texts = [_texts(argument) for argument in call.args[:forms]]

        if forms == 2 and all(texts) and len(texts) == 2:
            yield _sentence(path, texts[0][0], texts[1][0])

        if forms == 1 and texts:
            yield from (_sentence(path, text, None) for text in texts[0])


def _calls(path: pathlib.Path) -> cabc.Iterator[tuple[ast.Call, int]]:
    calls = [
        node
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call)
    ]

    for call in sorted(calls, key=lambda call: (call.lineno, call.col_offset)):
        function = call.func
        name = ""

        if isinstance(function, ast.Name):
            name = function.id
        elif isinstance(function, ast.Attribute):
            name = function.attr

        if name in SAYERS and call.args:
            yield call, SAYERS[name]


def _texts(node: ast.expr) -> list[str]:
    """Read the text an argument is, or the two it may be."""
    if isinstance(node, ast.IfExp):
        return _texts(node.body) + _texts(node.orelse)

    is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
    return [t.cast("str", t.cast("ast.Constant", node).value)] if is_text else []


def _in_helps(path: pathlib.Path) -> cabc.Iterator[Sentence]:
    """Find what providers say their keys need; they know nothing of languages."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        value = None

        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            value = node.value if node.target.id == "permission_help" else None

        if isinstance(node, ast.keyword) and node.arg == "permission_help":
            value = node.value

        if value is not None:
            yield from (_sentence(path, text, None) for text in _texts(value))


def _in_template(path: pathlib.Path) -> cabc.Iterator[Sentence]:
    names = [name for name in SAYERS if name.startswith("byok_")]

    with path.open("rb") as file:
        for _, _, texts, _ in babel_extract(file, names, [], {"trimmed": "true"}):
            forms = (texts,) if isinstance(texts, str) else texts
            words = [text for text in forms if text is not None]
            plural = words[1] if len(words) > 1 else None
            yield _sentence(path, words[0], plural)


def _sentence(path: pathlib.Path, text: str, plural: str | None) -> Sentence:
    file = path.relative_to(tree.ROOT).as_posix()
    return Sentence(text=text, plural=plural, file=file)

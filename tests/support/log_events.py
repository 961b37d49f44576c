"""The events the package writes to its log, read from its source."""

from __future__ import annotations

import ast
import collections.abc as cabc
import pathlib
import re
import typing as t

HOUSE = pathlib.Path(__file__).parents[2] / "flask_byok"

#: What a call unpacks into fields, by the text of the expression.
UNPACKED: t.Final = {
    "_facts(change)": ("source", "provider", "company", "reason"),
}

#: By event: its levels and its fields.
Events = dict[str, tuple[set[str], set[str]]]


def _calls() -> cabc.Iterator[ast.Call]:
    """Find every call of ``log_event``."""
    for path in sorted(HOUSE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "log_event":
                yield node


def find_events() -> Events:
    """Give the levels and the fields of every event."""
    found: Events = {}

    for node in _calls():
        _add(found, node)

    return found


def find_unknown_names() -> list[str]:
    """List what a sentence names that its call has no field for."""
    unknown = []

    for node in _calls():
        one: Events = {}
        _add(one, node)
        ((event, (_, fields)),) = one.items()
        named = set(re.findall(r"%\((\w+)\)", ast.literal_eval(node.args[3])))
        unknown += [f"{event}: {name}" for name in sorted(named - fields)]

    return unknown


def _add(found: Events, node: ast.Call) -> None:
    _, level, event, _ = (ast.unparse(argument) for argument in node.args)
    levels, fields = found.setdefault(event.strip("'"), (set(), set()))
    levels.update({level.removeprefix("logging.")} - {"level"})

    if level == "level":
        levels.update({"INFO", "WARNING"})

    for keyword in node.keywords:
        fields.update(
            UNPACKED[ast.unparse(keyword.value)]
            if keyword.arg is None
            else (keyword.arg,)
        )


def write_table() -> str:
    """Write the table as it stands on the page about operations."""
    lines = ["| `byok_event` | level | fields |", "|---|---|---|"]

    for event, (levels, fields) in sorted(find_events().items()):
        named = ", ".join(f"`byok_{name}`" for name in sorted(fields)) or "none"
        lines.append(f"| `{event}` | {', '.join(sorted(levels))} | {named} |")

    return "\n".join(lines)

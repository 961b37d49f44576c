"""The public names with their signatures: what stands on ``docs/api.md``.

``python -m tests.support.public_names`` writes ``tests/frame/public_names.txt``. Do
that on purpose, and tell the change in ``CHANGES.md``.
"""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import functools
import importlib
import inspect
import re
import typing as t

from flask_byok.config import setting_names
from flask_byok.extension import BYOK
from tests.support.examples import DOCS
from tests.support.examples import ROOT

FILE: t.Final = ROOT / "tests" / "frame" / "public_names.txt"

_DIRECTIVE = re.compile(
    r"\.\. (currentmodule|autoclass|autofunction|automodule|py:data):: (\S+)"
)


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One directive of the page: a name, and the options below it."""

    kind: str
    name: str
    options: cabc.Mapping[str, str]


def entries() -> cabc.Iterator[Entry]:
    """Read the directives of the page, with their names in full."""
    text = (DOCS / "api.md").read_text("utf-8")
    module = "flask_byok"

    for match in _DIRECTIVE.finditer(text):
        kind, name = match.groups()

        if kind == "currentmodule":
            module = name
            continue

        below = text[match.end() :].partition("\n.. ")[0].partition("```")[0]
        options = dict(re.findall(r"^   :([\w-]+):((?:.|\n {6})*)", below, re.M))
        full = name if name.startswith("flask_byok") else f"{module}.{name}"
        yield Entry(kind=kind, name=full, options=options)


def find(name: str) -> t.Any:
    """Import what a full name names."""
    module, _, attribute = name.rpartition(".")

    try:
        return importlib.import_module(name)
    except ModuleNotFoundError:
        return getattr(importlib.import_module(module), attribute)


def lines() -> list[str]:
    """Write every public name in a line of its own, with its signature."""
    found: set[str] = {f"setting {name}" for name in setting_names()}

    for entry in entries():
        if entry.kind == "automodule":
            found.update(_of_module(entry))
        elif entry.kind == "autoclass":
            found.update(_of_class(entry.name, find(entry.name), entry.options))
        elif entry.kind == "autofunction":
            found.add(f"{entry.name}{_signature(find(entry.name))}")
        else:
            found.add(entry.name)

    return sorted(found)


def _of_module(entry: Entry) -> cabc.Iterator[str]:
    module = find(entry.name)
    left_out = set(re.findall(r"\w+", entry.options.get("exclude-members", "")))
    # What a page shows of values: those with a comment of their own.
    told = re.findall(r"^#: .*\n(?:#.*\n)*(\w+)", inspect.getsource(module), re.M)

    for name, value in vars(module).items():
        full = f"{entry.name}.{name}"
        home = str(getattr(value, "__module__", ""))
        is_shown = home == entry.name or (
            "imported-members" in entry.options and home.startswith("flask_byok")
        )

        if name.startswith("_") or name in left_out:
            continue

        if name in told:
            yield full
        elif inspect.isclass(value) and is_shown:
            yield from _of_class(full, value, entry.options)
        elif inspect.isfunction(value) and is_shown:
            yield f"{full}{_signature(value)}"


def _of_class(
    full: str, cls: type, options: cabc.Mapping[str, str]
) -> cabc.Iterator[str]:
    bases = ", ".join(base.__name__ for base in cls.__bases__ if base is not object)
    made = _signature(cls) if _is_made_by_us(cls) else ""
    yield f"{full}{made}" + (f" of {bases}" if bases else "")

    if "members" not in options:
        return

    left_out = set(re.findall(r"\w+", options.get("exclude-members", "")))
    members = inspect.classify_class_attrs(cls)

    for member in members:
        is_near = member.defining_class is cls or "inherited-members" in options
        is_ours = member.defining_class.__module__.startswith("flask_byok")

        if member.name.startswith("_") or member.name in left_out:
            continue

        if is_near and is_ours:
            yield f"{full}.{member.name}{_kind(member.object)}"


def _kind(value: t.Any) -> str:
    """Write what a member is: its signature, or that it is read."""
    if isinstance(value, (property, functools.cached_property)):
        return ""

    function = getattr(value, "__func__", value)
    return _signature(function) if callable(function) else ""


def _is_made_by_us(cls: type) -> bool:
    """Tell whether what a class is called with is ours to keep."""
    makers = (vars(each).get("__init__") for each in cls.__mro__[:-1])
    found = next((each for each in makers if each is not None), None)
    return str(getattr(found, "__module__", "")).startswith("flask_byok")


class _Bare(str):
    """An annotation that is written without quotes."""

    def __repr__(self) -> str:
        return str(self)


def _signature(value: t.Any) -> str:
    """Write a signature in the same way under every Python."""
    signature = inspect.signature(value)
    parameters = [
        each.replace(annotation=_bare(each.annotation))
        for each in signature.parameters.values()
    ]
    given = _bare(signature.return_annotation)
    return str(signature.replace(parameters=parameters, return_annotation=given))


def _bare(annotation: t.Any) -> t.Any:
    if annotation is inspect.Parameter.empty or annotation is None:
        return annotation

    text = getattr(annotation, "__forward_arg__", annotation)
    return _Bare(text) if isinstance(text, str) else annotation


def extras() -> cabc.Iterator[str]:
    """List what ``from flask_byok import …`` gives and the page does not tell of."""
    told = {entry.name.rpartition(".")[2] for entry in entries()}
    told |= {name.rpartition(".")[2] for name in vars(find("flask_byok.errors"))}
    house = importlib.import_module("flask_byok")
    return (
        name
        for name, value in vars(house).items()
        if not name.startswith("_") and not inspect.ismodule(value) and name not in told
    )


def returned() -> set[str]:
    """Name the classes of ours that public methods of the extension return."""
    written = " ".join(
        str(inspect.signature(value).return_annotation)
        for name, value in inspect.getmembers(BYOK, inspect.isfunction)
        if f"flask_byok.BYOK.{name}(" in "\n".join(lines())
    )
    return set(re.findall(r"\b[A-Z]\w+[a-z]\w*\b", written)) - {"Iterator", "None"}


if __name__ == "__main__":
    FILE.write_text("\n".join(lines()) + "\n", "utf-8")

"""JSON schemas from dataclasses, and dataclasses from the values that fit them."""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import datetime as dt
import enum
import inspect
import types
import typing as t
import uuid

from .checking import find_misfit

_PLAIN: t.Final[cabc.Mapping[t.Any, dict[str, t.Any]]] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    None: {"type": "null"},
    type(None): {"type": "null"},
    dt.datetime: {"type": "string", "format": "date-time"},
    dt.date: {"type": "string", "format": "date"},
    uuid.UUID: {"type": "string", "format": "uuid"},
}
_LISTS: t.Final = (list, tuple, set, frozenset, cabc.Sequence)


class ClassFormat:
    """One dataclass as a format: its schema, and its objects from values.

    :raises TypeError: when a field's type is none that JSON has.
    """

    def __init__(self, cls: type[t.Any]) -> None:
        self._cls = cls
        self._defs: dict[str, dict[str, t.Any]] = {}
        self._define(cls)
        defs = dict(self._defs)
        self.schema: dict[str, t.Any] = defs.pop(cls.__name__)

        if defs or self._refers_to(cls):
            self.schema = {**self.schema, "$defs": self._defs}

    def build(self, value: t.Any) -> t.Any:
        """Make an object of a value that fits the schema.

        :raises ValueError: when a text is no date or UUID, or the class refuses it.
        """
        return self._build(self._cls, value)

    def _refers_to(self, cls: type[t.Any]) -> bool:
        return f"'#/$defs/{cls.__name__}'" in repr(self._defs)

    def _define(self, cls: type[t.Any]) -> None:
        """Describe a class once; every field is required, the model says each."""
        if cls.__name__ in self._defs:
            return

        described: dict[str, t.Any] = {"type": "object"}
        self._defs[cls.__name__] = described
        about = inspect.getdoc(cls) or ""

        # Without a docstring a dataclass is given its own signature as one.
        if about and not about.startswith(f"{cls.__name__}("):
            described["description"] = about

        hints = _hints(cls)
        described["properties"] = {
            name: self._describe(hint) for name, hint in hints.items()
        }
        described["required"] = list(hints)
        described["additionalProperties"] = False

    def _describe(self, hint: t.Any) -> dict[str, t.Any]:
        origin, arguments = t.get_origin(hint), t.get_args(hint)

        if origin is t.Annotated:
            texts = [text for text in arguments[1:] if isinstance(text, str)]
            about = {"description": " ".join(texts)} if texts else {}
            return {**self._describe(arguments[0]), **about}

        if hint in _PLAIN:
            return dict(_PLAIN[hint])

        if origin is t.Literal:
            return _describe_values(arguments)

        if isinstance(hint, type) and issubclass(hint, enum.Enum):
            return _describe_values([member.value for member in hint])

        if _is_union(origin):
            return {"anyOf": [self._describe(one) for one in arguments]}

        if dataclasses.is_dataclass(hint) and isinstance(hint, type):
            self._define(hint)
            return {"$ref": f"#/$defs/{hint.__name__}"}

        return self._describe_container(hint, origin, arguments)

    def _describe_container(
        self, hint: t.Any, origin: t.Any, arguments: tuple[t.Any, ...]
    ) -> dict[str, t.Any]:
        if origin in _LISTS and len(set(arguments) - {...}) == 1:
            return {"type": "array", "items": self._describe(arguments[0])}

        if origin in (dict, cabc.Mapping) and arguments[0] is str:
            inner = self._describe(arguments[1])
            return {"type": "object", "additionalProperties": inner}

        raise TypeError(
            f"'response_format' has a field of type {hint!r}. Fields may be texts, "
            "numbers, booleans, dates, UUIDs, literals, enums, dataclasses, and lists, "
            "dicts by str and unions of those."
        )

    def _build(self, hint: t.Any, value: t.Any) -> t.Any:
        origin, arguments = t.get_origin(hint), t.get_args(hint)

        if origin is t.Annotated:
            return self._build(arguments[0], value)

        if _is_union(origin):
            return self._build(self._choose(arguments, value), value)

        if origin in _LISTS:
            made = [self._build(arguments[0], one) for one in value]
            kind: t.Any = list if origin is cabc.Sequence else origin
            return kind(made)

        if origin in (dict, cabc.Mapping):
            return {name: self._build(arguments[1], one) for name, one in value.items()}

        if origin is None and isinstance(hint, type):
            return self._build_object(hint, value)

        return value

    def _build_object(self, hint: type[t.Any], value: t.Any) -> t.Any:
        if dataclasses.is_dataclass(hint):
            hints = _hints(hint)
            return hint(
                **{name: self._build(hints[name], value[name]) for name in hints}
            )

        if hint in (dt.datetime, dt.date):
            # Python 3.10 reads no "Z".
            return hint.fromisoformat(value.replace("Z", "+00:00"))

        if hint is float:
            return float(value)

        if hint is int:
            return int(value)

        return hint(value) if issubclass(hint, enum.Enum | uuid.UUID) else value

    def _choose(self, hints: cabc.Iterable[t.Any], value: t.Any) -> t.Any:
        """Find the first choice of a union that takes a value."""
        for hint in hints:
            schema = {**self._describe(hint), "$defs": self._defs}

            if find_misfit(value, schema) is None:
                return hint

        raise ValueError("none of the choices")


def _hints(cls: type[t.Any]) -> dict[str, t.Any]:
    hints = t.get_type_hints(cls, include_extras=True)
    return {one.name: hints[one.name] for one in dataclasses.fields(cls) if one.init}


def _is_union(origin: t.Any) -> bool:
    return origin is t.Union or origin is types.UnionType


def _describe_values(values: cabc.Sequence[t.Any]) -> dict[str, t.Any]:
    kinds = {
        kind["type"]
        for value in values
        for kind in [_PLAIN.get(type(value), {})]
        if kind
    }
    named = {"type": kinds.pop()} if len(kinds) == 1 else {}
    return {**named, "enum": list(values)}

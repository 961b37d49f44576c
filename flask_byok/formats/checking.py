"""Does a value fit a JSON schema? The part of the language that providers take."""

from __future__ import annotations

import collections.abc as cabc
import math
import re
import typing as t

Schema = cabc.Mapping[str, t.Any]

#: Schemas within schemas followed at most; one may refer to itself.
_DEEPEST: t.Final = 200

_NUMBERS: t.Final[cabc.Mapping[str, cabc.Callable[[float, float], bool]]] = {
    "minimum": lambda value, limit: value >= limit,
    "maximum": lambda value, limit: value <= limit,
    "exclusiveMinimum": lambda value, limit: value > limit,
    "exclusiveMaximum": lambda value, limit: value < limit,
    "multipleOf": lambda value, step: _is_multiple(value, step),
}
_SIZES: t.Final[cabc.Mapping[str, tuple[type, bool]]] = {
    "minLength": (str, True),
    "maxLength": (str, False),
    "minItems": (list, True),
    "maxItems": (list, False),
}


def find_misfit(value: t.Any, schema: Schema) -> str | None:
    """Say what does not fit, and where; ``None`` when all of it does.

    Only names and words of the schema stand in the sentence, nothing of the value.
    """
    return _Checker(schema).check(value, schema, "the answer", 0)


class _Checker:
    """Checks against one schema, which references are looked up in."""

    def __init__(self, root: Schema) -> None:
        self._root = root

    def check(self, value: t.Any, schema: Schema, where: str, depth: int) -> str | None:
        if depth > _DEEPEST:
            return f"{where} is nested too deep"

        if isinstance(schema.get("$ref"), str):
            found = self._look_up(schema["$ref"])
            return self.check(value, found, where, depth + 1)

        misfit = _check_kind(value, schema, where)

        if misfit is None and isinstance(value, dict):
            misfit = self._check_object(value, schema, where, depth)
        elif misfit is None and isinstance(value, list):
            misfit = self._check_list(value, schema, where, depth)

        return misfit or self._check_choices(value, schema, where, depth)

    def _look_up(self, reference: str) -> Schema:
        """Find a schema within the root; what is not there takes everything."""
        found: t.Any = self._root

        for name in reference.removeprefix("#").strip("/").split("/"):
            if name:
                found = found.get(name) if isinstance(found, cabc.Mapping) else None

        return found if isinstance(found, cabc.Mapping) else {}

    def _check_object(
        self, value: dict[str, t.Any], schema: Schema, where: str, depth: int
    ) -> str | None:
        properties = schema.get("properties") or {}

        for name in schema.get("required") or ():
            if name not in value:
                return f"{where} lacks '{name}'"

        for name, one in value.items():
            inner = properties.get(name, schema.get("additionalProperties", True))

            if inner is False:
                return f"{where} has a property that is not in the schema"

            if isinstance(inner, cabc.Mapping):
                place = f"'{name}'" if name in properties else "a property"
                misfit = self.check(one, inner, f"{place} in {where}", depth + 1)

                if misfit is not None:
                    return misfit

        return None

    def _check_list(
        self, value: list[t.Any], schema: Schema, where: str, depth: int
    ) -> str | None:
        first = schema.get("prefixItems") or ()
        others = schema.get("items", True)

        for number, one in enumerate(value):
            inner = first[number] if number < len(first) else others

            if inner is False:
                return f"{where} has too many items"

            if isinstance(inner, cabc.Mapping):
                place = f"item {number + 1} in {where}"
                misfit = self.check(one, inner, place, depth + 1)

                if misfit is not None:
                    return misfit

        return None

    def _check_choices(
        self, value: t.Any, schema: Schema, where: str, depth: int
    ) -> str | None:
        for one in schema.get("allOf") or ():
            misfit = self.check(value, one, where, depth + 1)

            if misfit is not None:
                return misfit

        for name in ("anyOf", "oneOf"):
            choices = schema.get(name)

            if choices and all(
                self.check(value, one, where, depth + 1) for one in choices
            ):
                return f"{where} fits none of the choices"

        return None


def _check_kind(value: t.Any, schema: Schema, where: str) -> str | None:
    kinds = schema.get("type")

    if kinds is not None:
        named = (kinds,) if isinstance(kinds, str) else tuple(kinds)

        if not any(_is_of(value, kind) for kind in named):
            return f"{where} is not of type {' or '.join(map(str, named))}"

    if "enum" in schema and not any(_is_same(value, one) for one in schema["enum"]):
        return f"{where} is none of the values allowed"

    if "const" in schema and not _is_same(value, schema["const"]):
        return f"{where} is not the value allowed"

    return _check_limits(value, schema, where)


def _check_limits(value: t.Any, schema: Schema, where: str) -> str | None:
    if _is_of(value, "number"):
        for name, fits in _NUMBERS.items():
            if name in schema and not fits(value, schema[name]):
                return f"{where} is outside of '{name}'"

    for name, (kind, is_least) in _SIZES.items():
        if name in schema and isinstance(value, kind):
            size = len(t.cast("cabc.Sized", value))
            fits = size >= schema[name] if is_least else size <= schema[name]

            if not fits:
                return f"{where} is outside of '{name}'"

    pattern = schema.get("pattern")

    if isinstance(pattern, str) and isinstance(value, str):
        if not _matches(pattern, value):
            return f"{where} does not match 'pattern'"

    return None


def _is_multiple(value: float, step: float) -> bool:
    try:
        return math.isclose(value / step, round(value / step))
    except OverflowError:
        return False


def _matches(pattern: str, value: str) -> bool:
    try:
        return re.search(pattern, value) is not None
    except re.error:
        return True  # the schema's expressions are not Python's, and not all alike


def _is_of(value: t.Any, kind: object) -> bool:
    """Tell whether a decoded value is of one of JSON schema's types."""
    if kind in ("integer", "number"):
        if isinstance(value, float):
            return value.is_integer() if kind == "integer" else math.isfinite(value)

        return isinstance(value, int) and not isinstance(value, bool)

    kinds = {
        "string": str,
        "boolean": bool,
        "null": type(None),
        "object": dict,
        "array": list,
    }
    return isinstance(value, kinds.get(str(kind), object))


def _is_same(value: t.Any, other: t.Any) -> bool:
    """Tell whether two JSON values are equal; ``true`` is not 1."""
    return bool(value == other) and isinstance(value, bool) == isinstance(other, bool)

"""JSON schemas as each wire takes them: none takes all of the language.

Facts: OPENAI's and CLAUDE's pages about structured outputs, and what their SDKs send.
"""

from __future__ import annotations

import collections.abc as cabc
import typing as t

Schema = cabc.Mapping[str, t.Any]

#: Where schemas stand in a schema: by name, in a list, alone.
_NAMED: t.Final = ("properties", "$defs", "definitions")
_LISTED: t.Final = ("anyOf", "oneOf", "allOf", "prefixItems")
_ALONE: t.Final = ("items", "additionalProperties", "not")

#: What OPENAI refuses in a schema that is called strict.
_NOT_STRICT: t.Final = frozenset(
    "allOf default dependentRequired dependentSchemas else if maxLength maxProperties "
    "minLength minProperties not patternProperties propertyNames then "
    "unevaluatedProperties uniqueItems".split()
)

#: What CLAUDE refuses; it is told in words instead, and we check it in the answer.
_NOT_CLAUDE: t.Final = frozenset(
    "default exclusiveMaximum exclusiveMinimum maxItems maxLength maxProperties "
    "maximum minLength minProperties minimum multipleOf pattern uniqueItems".split()
)
_CLAUDE_FORMATS: t.Final = frozenset(
    "date date-time duration email hostname ipv4 ipv6 time uri uuid".split()
)


def find_subschemas(schema: Schema) -> cabc.Iterator[Schema]:
    """Give the schemas that stand directly within one."""
    for name in _NAMED:
        named = schema.get(name)

        if isinstance(named, cabc.Mapping):
            yield from (one for one in named.values() if isinstance(one, cabc.Mapping))

    for name in _LISTED:
        listed = schema.get(name)

        if isinstance(listed, list | tuple):
            yield from (one for one in listed if isinstance(one, cabc.Mapping))

    for name in _ALONE:
        if isinstance(schema.get(name), cabc.Mapping):
            yield schema[name]


def change_subschemas(
    schema: Schema, change: cabc.Callable[[Schema], Schema]
) -> dict[str, t.Any]:
    """Copy a schema with each schema directly within it changed."""
    changed = dict(schema)

    for name in _NAMED:
        if isinstance(schema.get(name), cabc.Mapping):
            changed[name] = {
                one: change(inner) if isinstance(inner, cabc.Mapping) else inner
                for one, inner in schema[name].items()
            }

    for name in _LISTED:
        if isinstance(schema.get(name), list | tuple):
            changed[name] = [
                change(inner) if isinstance(inner, cabc.Mapping) else inner
                for inner in schema[name]
            ]

    for name in _ALONE:
        if isinstance(schema.get(name), cabc.Mapping):
            changed[name] = change(schema[name])

    return changed


def is_strict_schema(schema: Schema) -> bool:
    """Tell whether OPENAI takes a schema as ``strict``.

    Every object in it is closed and names all its properties as required, and no
    keyword stands in it that the wire refuses.
    """
    if _NOT_STRICT & set(schema):
        return False

    if _is_object(schema) and not _is_closed(schema):
        return False

    return all(map(is_strict_schema, find_subschemas(schema)))


def close_schema(schema: Schema) -> dict[str, t.Any]:
    """Close every object and require all its properties; defaults go.

    For schemas made of classes: whatever fits the closed one fits the class.
    """
    closed = change_subschemas(schema, close_schema)
    closed.pop("default", None)

    if _is_object(closed) and "properties" in closed:
        closed.setdefault("additionalProperties", False)
        closed["required"] = list(closed["properties"])

    return closed


def fit_claude(schema: Schema) -> dict[str, t.Any]:
    """Write a schema as CLAUDE takes it: objects closed, limits told in words."""
    fitted = change_subschemas(schema, fit_claude)

    if _is_object(fitted):
        fitted.setdefault("properties", {})
        fitted["additionalProperties"] = False

    if "oneOf" in fitted:
        fitted["anyOf"] = fitted.pop("oneOf")

    told = {name: fitted.pop(name) for name in sorted(_NOT_CLAUDE & set(fitted))}

    if fitted.get("format", "date") not in _CLAUDE_FORMATS:
        told["format"] = fitted.pop("format")

    if fitted.get("minItems", 0) not in (0, 1):
        told["minItems"] = fitted.pop("minItems")

    told.pop("default", None)

    if told:
        words = ", ".join(f"{name}: {value}" for name, value in told.items())
        about = fitted.get("description")
        fitted["description"] = f"{about} ({words})" if about else f"({words})"

    return fitted


def has_open_objects(schema: Schema) -> bool:
    """Tell whether an object in a schema is made of properties nobody names."""
    is_named = bool(schema.get("properties"))
    is_open = schema.get("additionalProperties", not is_named) is not False

    if _is_object(schema) and is_open and not is_named:
        return True

    return any(map(has_open_objects, find_subschemas(schema)))


def _is_object(schema: Schema) -> bool:
    kind = schema.get("type")
    return kind == "object" or (isinstance(kind, list | tuple) and "object" in kind)


def _is_closed(schema: Schema) -> bool:
    properties = schema.get("properties") or {}
    required = schema.get("required") or ()
    return schema.get("additionalProperties") is False and set(required) == set(
        properties
    )

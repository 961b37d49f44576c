"""Make the smallest JSON value that fits a JSON schema."""

from __future__ import annotations

import typing as t

_FORMATS = {
    "date": "2026-11-23",
    "date-time": "2026-11-23T12:00:00Z",
    "email": "someone@example.com",
    "time": "12:00:00",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}


def build_sample(schema: t.Any, text: str = "text") -> t.Any:
    """Make a value for ``schema``; strings are taken from ``text``."""
    root = schema if isinstance(schema, dict) else {}
    return _value(root, root, text, 0)


def _value(schema: t.Any, root: dict[str, t.Any], text: str, depth: int) -> t.Any:
    if not isinstance(schema, dict) or depth > 20:
        return None

    schema = _resolve(schema, root)

    for name in ("const", "default"):
        if name in schema:
            return schema[name]

    if schema.get("enum"):
        return schema["enum"][0]

    for name in ("anyOf", "oneOf"):
        if schema.get(name):
            return _value(_first_solid(schema[name]), root, text, depth + 1)

    kind = _kind(schema)

    if kind == "object":
        return _object(schema, root, text, depth)

    if kind == "array":
        item = _value(schema.get("items", {}), root, text, depth + 1)
        return [item] * max(1, schema.get("minItems", 1))

    if kind == "string":
        return _string(schema, text)

    if kind in ("integer", "number"):
        return _number(schema)

    return True if kind == "boolean" else None


def _resolve(schema: dict[str, t.Any], root: dict[str, t.Any]) -> dict[str, t.Any]:
    reference = schema.get("$ref")

    if isinstance(reference, str) and reference.startswith("#/"):
        found: t.Any = root

        for step in reference[2:].split("/"):
            found = found.get(step, {}) if isinstance(found, dict) else {}

        return found if isinstance(found, dict) else {}

    merged = dict(schema)

    for part in schema.get("allOf", []):
        merged.update(_resolve(part, root))

    return merged


def _first_solid(options: list[t.Any]) -> t.Any:
    """Prefer an option that is not null."""
    for option in options:
        if not (isinstance(option, dict) and option.get("type") == "null"):
            return option

    return options[0]


def _kind(schema: dict[str, t.Any]) -> str:
    kind = schema.get("type", "object" if "properties" in schema else "null")

    if isinstance(kind, list):
        kind = next((one for one in kind if one != "null"), "null")

    return str(kind).lower()  # GEMINI's own schemas say STRING


def _object(
    schema: dict[str, t.Any], root: dict[str, t.Any], text: str, depth: int
) -> dict[str, t.Any]:
    properties = schema.get("properties", {})
    required = schema.get("required", [])
    return {
        name: _value(properties.get(name, {}), root, text, depth + 1)
        for name in (required or properties)
    }


def _string(schema: dict[str, t.Any], text: str) -> str:
    if schema.get("format") in _FORMATS:
        return _FORMATS[schema["format"]]

    text = text[: schema.get("maxLength", 80)].strip() or "text"
    return text.ljust(schema.get("minLength", 0), ".")


def _number(schema: dict[str, t.Any]) -> t.Any:
    if "exclusiveMinimum" in schema:
        return schema["exclusiveMinimum"] + 1

    return schema.get("minimum", min(1, schema.get("maximum", 1)))

"""The JSON schemas of the API's bodies and answers."""

from __future__ import annotations

import collections.abc as cabc
import typing as t

Schema: t.TypeAlias = "dict[str, t.Any]"

_TEXT: t.Final[Schema] = {"type": "string"}
_FLAG: t.Final[Schema] = {"type": "boolean"}
_COUNT: t.Final[Schema] = {"type": "integer", "minimum": 0}
_DOLLARS: t.Final[Schema] = {"type": "string", "pattern": r"^\d+\.\d{6}$"}
_DAY: t.Final[Schema] = {"type": "string", "format": "date"}
_TIME: t.Final[Schema] = {"type": "string", "format": "date-time"}
_POLICY: t.Final[Schema] = {"type": "string", "enum": ["auto", "outage_only", "never"]}
_GRADE: t.Final[Schema] = {
    "type": "string",
    "enum": ["pass", "remark", "fail", "unknown"],
}
_VERDICT: t.Final[Schema] = {
    "type": "string",
    "enum": ["working", "other_model", "not_usable", "rejected", "could_not_ask"],
}
_CONFIRM: t.Final[Schema] = {
    "type": "string",
    "description": "Repeats the verdict of a 409: store the key in spite of it.",
}
_MODEL: t.Final[Schema] = {
    "type": ["string", "null"],
    "maxLength": 200,
    "description": "What 'default' means with this key; null for the app's choice.",
}

_ENDS_ON: t.Final[Schema] = {
    "type": ["string", "null"],
    "format": "date",
    "description": "The day the model in use shuts down, UTC; null when none is known.",
}


def reference(name: str) -> Schema:
    """Point at a schema of the document."""
    return {"$ref": f"#/components/schemas/{name}"}


def build_schemas(providers: cabc.Sequence[str]) -> dict[str, Schema]:
    """Give every schema by name.

    :param providers: ids that can stand in ``provider``.
    """
    provider: Schema = {"type": "string", "enum": list(providers)}
    return {
        "Problem": _problem(),
        "Credential": _credential(provider),
        "Credentials": _object(
            {
                "credentials": {"type": "array", "items": reference("Credential")},
                "providers": {"type": "array", "items": reference("Provider")},
            }
        ),
        "Provider": _object(
            {
                "provider": provider,
                "label": _TEXT,
                "key_page_url": _or_null(_TEXT),
                "model_names": {
                    "type": "object",
                    "additionalProperties": _TEXT,
                    "description": "The app's own names, which 'model' takes as well.",
                },
            }
        ),
        "ModelFacts": _model_facts(),
        "CredentialChange": _change(),
        "SaveResult": _object(
            {
                "saved": _FLAG,
                "verdict": _VERDICT,
                "provider": provider,
                "created": _FLAG,
                "activated": _FLAG,
                "credential": _or_null(reference("Credential")),
                "report": _or_null(reference("Report")),
            }
        ),
        "Report": _report(provider),
        "Policy": _object(
            {
                "fallback": _POLICY,
                "locked": _FLAG,
                "active_provider": _or_null(provider),
                "use_other_keys": _FLAG,
            }
        ),
        "PolicyChange": _object(
            {
                "fallback": _POLICY,
                "active_provider": provider,
                "use_other_keys": _FLAG,
            },
            required=(),
        ),
        "Usage": _usage(),
        "Nothing": _object({}),
    }


def _object(
    properties: cabc.Mapping[str, Schema],
    required: cabc.Iterable[str] | None = None,
) -> Schema:
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties if required is None else required),
        "additionalProperties": False,
    }


def _or_null(schema: Schema) -> Schema:
    if isinstance(schema.get("type"), str) and "enum" not in schema:
        return {**schema, "type": [schema["type"], "null"]}

    return {"oneOf": [schema, {"type": "null"}]}


def _problem() -> Schema:
    """Problems may carry further members, so this one object is open."""
    return {
        "type": "object",
        "description": "RFC 9457. Fixed texts; nothing that was sent is repeated.",
        "properties": {
            "type": _TEXT,
            "title": _TEXT,
            "status": {"type": "integer"},
            "detail": _TEXT,
            "field": _TEXT,
            "code": _TEXT,
            "verdict": _TEXT,
            "other_provider": _TEXT,
            "reason": _or_null(_TEXT),
            "models": {"type": "array", "items": _TEXT},
        },
        "required": ["type", "title", "status", "detail"],
    }


def _credential(provider: Schema) -> Schema:
    return _object(
        {
            "provider": provider,
            "masked": {**_TEXT, "examples": ["sk-...abcd"]},
            "last4": {"type": "string", "maxLength": 4},
            "model": {"type": ["string", "null"]},
            "model_shuts_down_on": _ENDS_ON,
            "state": {
                "type": "string",
                "enum": ["unchecked", "working", "not_usable", "no_model"],
            },
            "state_reason": _or_null(_TEXT),
            "expires_on": _or_null(_DAY),
            "generation": {"type": "integer", "minimum": 1},
            "active": _FLAG,
            "created_at": _TIME,
            "created_by": _or_null(_TEXT),
            "updated_at": _TIME,
            "updated_by": _or_null(_TEXT),
            "last_ok_at": _or_null(_TIME),
            "circuit": {"type": "string", "enum": ["closed", "open"]},
            "reason": _or_null(_TEXT),
            "open_until": _or_null(_TIME),
            "unreadable": _FLAG,
            "unreadable_reason": {
                **_or_null(_TEXT),
                "description": "Why the stored key does not open. With "
                "key_service_unavailable it is safe and opens again by itself.",
            },
            "last_test": _or_null(reference("Report")),
        }
    )


def _change() -> Schema:
    change = _object(
        {
            "api_key": {
                "type": "string",
                "writeOnly": True,
                "description": "Left out: only model and expiry date change.",
            },
            "model": _MODEL,
            "expires_on": {
                "type": ["string", "null"],
                "format": "date",
                "description": "A date after today, in UTC.",
            },
            "activate": {
                **_FLAG,
                "default": True,
                "description": "Let AI features use this new key, if it works.",
            },
            "generation": {
                **_COUNT,
                "description": "Of the key the caller looked at; 0 for none.",
            },
            "confirm": _CONFIRM,
        },
        required=(),
    )
    wishes = ("api_key", "model", "expires_on")
    return {**change, "anyOf": [{"required": [name]} for name in wishes]}


def _report(provider: Schema) -> Schema:
    grades = ("key", "latency", "list", "generate")
    return _object(
        {
            "provider": provider,
            "verdict": _VERDICT,
            "is_valid": {
                "type": ["boolean", "null"],
                "description": "Null when the provider could not be asked.",
            },
            "checks": _object(dict.fromkeys(grades, _GRADE)),
            "latency_ms": _or_null(_COUNT),
            "limit_ms": _COUNT,
            "model": _TEXT,
            "model_shuts_down_on": _ENDS_ON,
            "answered_model": _or_null(_TEXT),
            "models": {"type": "array", "items": _TEXT, "maxItems": 500},
            "model_facts": {
                "type": "array",
                "items": reference("ModelFacts"),
                "maxItems": 500,
            },
            "missing": _or_null(_TEXT),
            "reason": _or_null(_TEXT),
            "code": _or_null(_TEXT),
            "status": {"type": ["integer", "null"]},
            "until": _or_null(_TIME),
            "request_id": _or_null(_TEXT),
            "tokens": _or_null(_COUNT),
            "tested_at": _TIME,
        }
    )


def _model_facts() -> Schema:
    kinds = ["chat", "embed", "other"]
    abilities = ["vision", "documents", "tools", "schema", "reasoning"]
    return _object(
        {
            "id": _TEXT,
            "kinds": {"type": "array", "items": {"type": "string", "enum": kinds}},
            "can": {"type": "array", "items": {"type": "string", "enum": abilities}},
            "shuts_down_on": _ENDS_ON,
            "input_limit": _or_null(_COUNT),
        }
    )


def _usage() -> Schema:
    row = _object(
        {
            "date": _DAY,
            "key_source": {"type": "string", "enum": ["company", "system"]},
            "provider": _TEXT,
            "model": _or_null(_TEXT),
            "label": _or_null(_TEXT),
            "requests": _COUNT,
            "failed": _COUNT,
            "unknown": _COUNT,
            "input_tokens": _COUNT,
            "cached_input_tokens": _COUNT,
            "output_tokens": _COUNT,
            "estimated_cost": _or_null(_DOLLARS),
            "currency": {"type": "string", "enum": ["USD"]},
            "unpriced_requests": _COUNT,
        }
    )
    allowance = _object(
        {
            "unit": {"type": "string", "enum": ["requests", "tokens", "money"]},
            "used": {"anyOf": [_COUNT, _DOLLARS]},
            "limit": {"anyOf": [_COUNT, _DOLLARS]},
            "resets_on": _DAY,
        }
    )
    return _object(
        {
            "since": _DAY,
            "until": _DAY,
            "usage": {"type": "array", "items": row},
            "allowance": {"type": "array", "items": allowance},
        }
    )

"""The OpenAPI 3.1 document of the JSON API."""

from __future__ import annotations

import collections.abc as cabc
import typing as t

from .problem import KINDS
from .schemas import build_schemas
from .schemas import reference
from .schemas import Schema

#: The access check of the host app may answer in these ways.
_HOSTS: t.Final = {
    "302": {"description": "Nobody is signed in: the host app's way to its log-in"},
    "401": {"description": "Nobody is signed in: the host app's own answer"},
}

#: Every operation may be refused so.
_ALWAYS: t.Final = (
    "bad-request",
    "denied",
    "no-company",
    "not-allowed",
    "too-large",
    "unavailable",
)

#: Every change may be refused so, too.
_CHANGES: t.Final = ("csrf", "wrong-type")

_CHECKS: t.Final = (
    "check-limit",
    "counter-down",
    "key-service",
    "not-set-up",
    "unreadable",
)

_PROVIDER: t.Final[Schema] = {"$ref": "#/components/parameters/provider"}
_TOKEN: t.Final[Schema] = {"$ref": "#/components/parameters/token"}


def build_document(prefix: str, providers: cabc.Sequence[str]) -> Schema:
    """Describe the API as it answers under ``prefix``.

    :param providers: ids that can stand in the path.
    """
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "AI Configuration",
            "version": "1",
            "description": "The AI keys of the company that is signed in. Signing in "
            "is the host app's business; whoever may open the settings page may use "
            "this API. A change carries a CSRF token of the session in the header "
            "X-CSRFToken. No answer holds more of a key than its last four characters.",
        },
        "servers": [{"url": prefix or "/"}],
        "paths": _paths(),
        "components": {
            "schemas": build_schemas(providers),
            "parameters": _parameters(providers),
            "responses": {
                f"Problem{status}": _problem(status)
                for status in sorted({kind.status for kind in KINDS.values()})
            },
        },
    }


def _paths() -> Schema:
    return {
        "/api/credentials": {
            "get": _operation("listCredentials", "List the stored keys", "Credentials")
        },
        "/api/credentials/{provider}": _credential(),
        "/api/credentials/{provider}/test": _test(),
        "/api/policy": _policy(),
        "/api/usage": _usage(),
        "/api/openapi.json": {
            "get": _operation("getDocument", "Give this document", "Document")
        },
    }


def _credential() -> Schema:
    return {
        "parameters": [_PROVIDER],
        "put": _operation(
            "putCredential",
            "Check and store a key, or change its model and date",
            "SaveResult",
            body="CredentialChange",
            parameters=[_TOKEN],
            created=True,
            problems=(
                *_CHECKS,
                "unknown-provider",
                "not-found",
                "nothing-asked",
                "changed",
                "rejected",
                "unusable-value",
            ),
        ),
        "delete": _operation(
            "deleteCredential",
            "Remove a key for good",
            None,
            parameters=[_TOKEN, _generation()],
            problems=("not-found", "changed", *_CHANGES),
        ),
    }


def _test() -> Schema:
    return {
        "parameters": [_PROVIDER],
        "post": _operation(
            "testCredential",
            "Test a stored key",
            "Report",
            body="Nothing",
            optional_body=True,
            parameters=[_TOKEN],
            problems=(*_CHECKS, "not-found"),
        ),
    }


def _policy() -> Schema:
    return {
        "get": _operation("getPolicy", "Tell the policy in force", "Policy"),
        "patch": _operation(
            "patchPolicy",
            "Change what the body holds",
            "Policy",
            body="PolicyChange",
            parameters=[_TOKEN],
            problems=("not-found", "locked", "unusable-value"),
        ),
    }


def _usage() -> Schema:
    return {
        "get": _operation(
            "getUsage",
            "Tell the usage per day, source, provider, model and label",
            "Usage",
            parameters=[_day("since"), _day("until")],
            problems=("unusable-value",),
        )
    }


def _operation(
    name: str,
    summary: str,
    answer: str | None,
    *,
    body: str | None = None,
    optional_body: bool = False,
    created: bool = False,
    parameters: cabc.Sequence[Schema] = (),
    problems: cabc.Sequence[str] = (),
) -> Schema:
    responses = {"204": {"description": "Done"}} if answer is None else {}

    if answer is not None:
        responses["200"] = _success(answer)

    if created:
        responses["201"] = _success("SaveResult", "Stored; there was none before")

    responses.update(_HOSTS)
    slugs = (*_ALWAYS, *problems, *(_CHANGES if body is not None else ()))

    for status in sorted({KINDS[slug].status for slug in slugs}):
        responses[str(status)] = {"$ref": f"#/components/responses/Problem{status}"}

    operation: Schema = {
        "operationId": name,
        "summary": summary,
        "responses": responses,
    }

    if parameters:
        operation["parameters"] = list(parameters)

    if body is not None:
        operation["requestBody"] = {
            "required": not optional_body,
            "content": {"application/json": {"schema": reference(body)}},
        }

    return operation


def _success(answer: str, description: str = "Done") -> Schema:
    schema = {"type": "object"} if answer == "Document" else reference(answer)
    return {
        "description": description,
        "content": {"application/json": {"schema": schema}},
    }


def _problem(status: int) -> Schema:
    titles = [kind.title for kind in KINDS.values() if kind.status == status]
    answer: Schema = {
        "description": "; ".join(titles),
        "content": {"application/problem+json": {"schema": reference("Problem")}},
    }

    if status == KINDS["check-limit"].status:
        answer["headers"] = {
            "Retry-After": {
                "description": "Seconds to wait",
                "schema": {"type": "integer", "minimum": 1},
            }
        }

    return answer


def _parameters(providers: cabc.Sequence[str]) -> Schema:
    return {
        "provider": {
            "name": "provider",
            "in": "path",
            "required": True,
            "schema": {"type": "string", "enum": list(providers)},
        },
        "token": {
            "name": "X-CSRFToken",
            "in": "header",
            "required": True,
            "description": "From generate_csrf() of Flask-WTF, in this session",
            "schema": {"type": "string"},
        },
    }


def _generation() -> Schema:
    return {
        "name": "generation",
        "in": "query",
        "description": "Of the key the caller looked at",
        "schema": {"type": "integer", "minimum": 0},
    }


def _day(name: str) -> Schema:
    return {
        "name": name,
        "in": "query",
        "description": "A day in UTC, included",
        "schema": {"type": "string", "format": "date"},
    }

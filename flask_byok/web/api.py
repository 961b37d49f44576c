"""The JSON API beside the page: the same service methods, exact status codes."""

from __future__ import annotations

import collections.abc as cabc
import json
import math
import typing as t

from flask import request
from flask import Response
from flask import url_for

from ..errors import ApiKeyFormatError
from ..errors import CheckLimited
from ..errors import CredentialChanged
from ..errors import CredentialNotFound
from ..errors import KeyServiceUnavailable
from ..errors import PolicyLocked
from ..errors import StoredKeyUnreadable
from ..errors import VaultClosed
from ..proxies import current_byok
from . import bodies
from . import jsonable
from .answers import find_stored
from .answers import require_stored
from .guard import count_address
from .guard import Refused
from .openapi import build_document
from .problem import problem
from .usage import MOST_DAYS
from .usage import read_range

if t.TYPE_CHECKING:
    from ..service.types import SaveResult
    from ..vault.company import CompanyId

_POLICIES: t.Final = ("auto", "outage_only", "never")


def list_credentials(company_id: CompanyId) -> Response:
    """List the stored keys, masked, and what a key may be saved for."""
    settings, registry = current_byok.settings, current_byok.registry
    found = current_byok.credentials(company_id)
    return _answer(
        {
            "credentials": [
                jsonable.credential_json(info, settings, registry) for info in found
            ],
            "providers": [jsonable.provider_json(one, settings) for one in registry],
        }
    )


def put_credential(company_id: CompanyId, provider: str) -> Response:
    """Check and store a key, or change the model and expiry date of a stored one."""
    _require_known(provider)
    body = bodies.read_body(bodies.CREDENTIAL_FIELDS)

    if not bodies.asks_for_something(body):
        return problem("nothing-asked")

    return _mapped(lambda: _put(company_id, provider, body))


def _put(
    company_id: CompanyId, provider: str, body: cabc.Mapping[str, t.Any]
) -> Response:
    byok = current_byok
    status = byok.status(company_id)
    stored = find_stored(status, provider)
    generation = bodies.read_generation(body)

    if "api_key" not in body:
        require_stored(company_id, status, provider)

    # 0 says: there was no key when the caller looked.
    if generation == 0 and stored is not None:
        raise CredentialChanged

    # Without a key, what the body leaves out stays as it is.
    kept = stored if "api_key" not in body else None
    model = body.get("model", None if kept is None else kept.model)
    expires_on = (
        kept.expires_on
        if kept is not None and "expires_on" not in body
        else bodies.read_expiry(body, status.now.date())
    )
    model = bodies.read_model(model, byok.registry)
    count_address()
    result = byok.save_key(
        company_id,
        provider,
        body.get("api_key"),
        model=model,
        expires_on=expires_on,
        actor=byok.load_actor(),
        activate=body.get("activate", True),
        generation=generation or None,
        confirm=body.get("confirm"),
    )
    return _saved(result)


def _saved(result: SaveResult) -> Response:
    if result.saved:
        byok = current_byok
        value = jsonable.save_json(result, byok.settings, byok.registry)
        return _answer(value, 201 if result.created else 200)

    members: dict[str, object] = {"verdict": result.verdict}

    # Not the whole report: it repeats the model that was asked for.
    if result.report is not None:
        members["reason"] = result.report.reason
        members["models"] = list(result.report.models)

    if result.other_provider is not None:
        members["other_provider"] = result.other_provider

    return problem(result.verdict.replace("_", "-"), members=members)


def delete_credential(company_id: CompanyId, provider: str) -> Response:
    """Remove a key for good."""
    _require_known(provider)
    bodies.read_body({}, may_be_empty=True)
    generation = _read_generation()

    def remove() -> Response:
        byok = current_byok
        require_stored(company_id, byok.status(company_id), provider)
        byok.remove_key(
            company_id, provider, actor=byok.load_actor(), generation=generation
        )
        return Response(status=204)

    return _mapped(remove)


def _read_generation() -> int | None:
    text = request.args.get("generation")

    if text is None:
        return None

    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise Refused("bad-request")

    return int(text)


def test_credential(company_id: CompanyId, provider: str) -> Response:
    """Test a stored key."""
    _require_known(provider)
    bodies.read_body({}, may_be_empty=True)

    def test() -> Response:
        byok = current_byok
        require_stored(company_id, byok.status(company_id), provider)
        count_address()
        report = byok.test_connection(company_id, provider, actor=byok.load_actor())
        return _answer(jsonable.report_json(report))

    return _mapped(test)


def get_policy(company_id: CompanyId) -> Response:
    """Tell the policy in force."""
    return _answer(jsonable.policy_json(current_byok.policy(company_id)))


def patch_policy(company_id: CompanyId) -> Response:
    """Change what the body holds; what it leaves out stays."""
    body = bodies.read_body(bodies.POLICY_FIELDS)
    return _mapped(lambda: _patch(company_id, body))


def _patch(company_id: CompanyId, body: cabc.Mapping[str, t.Any]) -> Response:
    byok = current_byok
    active = body.get("active_provider")

    if body.get("fallback", "auto") not in _POLICIES:
        raise bodies.Unusable("fallback", _one_of(_POLICIES))

    if active is not None:
        if active not in byok.registry.ids:
            raise bodies.Unusable("active_provider", _one_of(byok.registry.ids))

        require_stored(company_id, byok.status(company_id), active)

    policy = byok.set_policy(
        company_id,
        fallback=body.get("fallback"),
        active_provider=active,
        use_other_keys=body.get("use_other_keys"),
        actor=byok.load_actor(),
    )
    return _answer(jsonable.policy_json(policy))


def get_usage(company_id: CompanyId) -> Response:
    """Tell the usage of a range of days, and what is left of the allowance."""
    byok = current_byok
    days = read_range(request.args, byok.status(company_id).now.date())

    if days is None:
        return problem(
            "unusable-value",
            detail=f"Days are YYYY-MM-DD, at most {MOST_DAYS} of them.",
            members={"field": "since"},
        )

    rows = byok.usage(company_id, days.since, days.until)
    allowances = byok.allowance(company_id)
    return _answer(
        {
            "since": days.since.isoformat(),
            "until": days.until.isoformat(),
            "usage": [jsonable.usage_json(row) for row in rows],
            "allowance": [jsonable.allowance_json(item) for item in allowances],
        }
    )


def get_document(company_id: CompanyId) -> Response:
    """Give the OpenAPI document of this API."""
    prefix = url_for("byok.api_document").removesuffix("/api/openapi.json")
    return _answer(build_document(prefix, tuple(current_byok.registry.ids)))


def _require_known(provider: str) -> None:
    known = current_byok.registry.ids

    if provider not in known:
        raise Refused("unknown-provider", detail=_one_of(known))


def _one_of(words: cabc.Iterable[str]) -> str:
    return f"Send one of: {', '.join(words)}."


def _mapped(work: cabc.Callable[[], Response]) -> Response:
    """Run ``work`` and turn the errors of the service into problem details."""
    try:
        return work()
    except bodies.Unusable as error:
        return problem(
            "unusable-value", detail=error.detail, members={"field": error.field}
        )
    except ApiKeyFormatError as error:
        # Its message is a fixed sentence that never repeats the text.
        return problem(
            "unusable-value",
            detail=str(error),
            members={"field": "api_key", "code": error.code},
        )
    except CheckLimited as error:
        return _limited(error)
    except CredentialNotFound:
        return problem("not-found")
    except CredentialChanged:
        return problem("changed", members={"verdict": "changed"})
    except PolicyLocked:
        return problem("locked")
    except KeyServiceUnavailable:
        return problem("key-service")
    except StoredKeyUnreadable:
        return problem("unreadable")
    except VaultClosed:
        return problem("not-set-up")


def _limited(error: CheckLimited) -> Response:
    if error.retry_after is None:
        return problem("counter-down")

    # Rounded up: who waits so long is not refused a second time.
    wait = str(max(1, math.ceil(error.retry_after)))
    return problem("check-limit", headers={"Retry-After": wait})


def _answer(value: object, status: int = 200) -> Response:
    return Response(json.dumps(value), status=status, content_type="application/json")

"""The values of the service as JSON. This is the one place that decides what goes out.

Fields are listed one by one: a column added to a row never appears here by itself.
"""

from __future__ import annotations

import datetime as dt
import decimal
import typing as t

from ..service.endings import find_end_in_report
from ..service.reports import parse_report
from .models import model_names
from .standing import model_in_use

if t.TYPE_CHECKING:
    from ..config import Settings
    from ..ledger.usage import UsageRow
    from ..providers.base import Provider
    from ..providers.registry import Registry
    from ..service.types import Allowance
    from ..service.types import ConnectionReport
    from ..service.types import ListedModel
    from ..service.types import PolicyInfo
    from ..service.types import SaveResult
    from ..vault.types import CredentialInfo

Json: t.TypeAlias = "dict[str, t.Any]"


def credential_json(
    info: CredentialInfo, settings: Settings, registry: Registry
) -> Json:
    """Write a stored key as managers may see it.

    Without the model's end where nobody registered the provider any more.
    """
    report = parse_report(info.report)
    ends_on = None

    if info.provider in registry:
        model = model_in_use(settings, registry, info)
        provider = registry.get(info.provider)
        ends_on = find_end_in_report(provider, model, report)

    return {
        "provider": info.provider,
        "masked": info.masked,
        "last4": info.last4,
        "model": info.model,
        "model_shuts_down_on": _day(ends_on),
        "state": info.state,
        "state_reason": info.state_reason,
        "expires_on": _day(info.expires_on),
        "generation": info.generation,
        "active": info.active,
        "created_at": _time(info.created_at),
        "created_by": info.created_by,
        "updated_at": _time(info.updated_at),
        "updated_by": info.updated_by,
        "last_ok_at": _time(info.last_ok_at),
        "circuit": info.circuit,
        "reason": info.reason,
        "open_until": _time(info.open_until),
        "unreadable": info.unreadable_at is not None,
        "unreadable_reason": info.unreadable_reason,
        "last_test": None if report is None else report_json(report),
    }


def report_json(report: ConnectionReport) -> Json:
    """Write the graded result of a test."""
    return {
        "provider": report.provider,
        "verdict": report.verdict,
        "is_valid": report.is_valid,
        "checks": {
            "key": report.key,
            "latency": report.latency,
            "list": report.list,
            "generate": report.generate,
        },
        "latency_ms": report.latency_ms,
        "limit_ms": report.limit_ms,
        "model": report.model,
        "model_shuts_down_on": _day(report.model_shuts_down_on),
        "answered_model": report.answered_model,
        "models": list(report.models),
        "model_facts": [_fact_json(fact) for fact in report.model_facts],
        "missing": report.missing,
        "reason": report.reason,
        "code": report.code,
        "status": report.status,
        "until": _time(report.until),
        "request_id": report.request_id,
        "tokens": report.tokens,
        "tested_at": _time(report.tested_at),
    }


def _fact_json(fact: ListedModel) -> Json:
    return {
        "id": fact.id,
        "kinds": list(fact.kinds),
        "can": list(fact.can),
        "shuts_down_on": _day(fact.shuts_down_on),
        "input_limit": fact.input_limit,
    }


def provider_json(provider: Provider, settings: Settings) -> Json:
    """Write what a key may be saved for, and which models the app names there."""
    return {
        "provider": provider.id,
        "label": provider.label,
        "key_page_url": provider.key_page_url or None,
        "model_names": model_names(settings, provider),
    }


def save_json(result: SaveResult, settings: Settings, registry: Registry) -> Json:
    """Write what became of a save."""
    return {
        "saved": result.saved,
        "verdict": result.verdict,
        "provider": result.provider,
        "created": result.created,
        "activated": result.activated,
        "credential": None
        if result.credential is None
        else credential_json(result.credential, settings, registry),
        "report": None if result.report is None else report_json(result.report),
    }


def policy_json(policy: PolicyInfo) -> Json:
    """Write the policy in force."""
    return {
        "fallback": policy.fallback,
        "locked": policy.locked,
        "active_provider": policy.active_provider,
        "use_other_keys": policy.use_other_keys,
    }


def usage_json(row: UsageRow) -> Json:
    """Write one day of one source, provider, model and label."""
    return {
        "date": row.day.isoformat(),
        "key_source": row.source,
        "provider": row.provider,
        "model": row.model,
        "label": row.label,
        "requests": row.requests,
        "failed": row.failed,
        "unknown": row.unknown,
        "input_tokens": row.input_tokens,
        "cached_input_tokens": row.cached_tokens,
        "output_tokens": row.output_tokens,
        "estimated_cost": None if row.cost is None else str(row.cost),
        "currency": "USD",
        "unpriced_requests": row.unpriced,
    }


def allowance_json(allowance: Allowance) -> Json:
    """Write how much of a unit is used; money in US dollars, as an exact text."""
    return {
        "unit": allowance.unit,
        "used": _amount(allowance.used),
        "limit": _amount(allowance.limit),
        "resets_on": allowance.resets_on.isoformat(),
    }


def _amount(value: int | decimal.Decimal) -> int | str:
    return value if isinstance(value, int) else str(value)


def _time(moment: dt.datetime | None) -> str | None:
    if moment is None:
        return None

    return f"{moment.astimezone(dt.timezone.utc):%Y-%m-%dT%H:%M:%SZ}"


def _day(day: dt.date | None) -> str | None:
    return None if day is None else day.isoformat()

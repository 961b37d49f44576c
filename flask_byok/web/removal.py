"""The page that asks before a key is removed: it says whose key comes next."""

from __future__ import annotations

import typing as t

from flask import url_for
from markupsafe import Markup

from .page import Link
from .page import RemovePage
from .texts import masked
from .texts import Names

if t.TYPE_CHECKING:
    from ..config import Settings
    from ..providers.base import Provider
    from ..providers.registry import Registry
    from ..service.types import CompanyStatus
    from ..vault.types import CredentialInfo


def build_remove_page(
    status: CompanyStatus, provider: str, settings: Settings, registry: Registry
) -> RemovePage:
    """Build the confirmation for one stored key."""
    known = registry.get(provider)
    names = Names.of(settings, known)
    info = next(info for info in status.credentials if info.provider == provider)
    return RemovePage(
        state="remove",
        provider=provider,
        title=names.say("Remove your {provider} key?"),
        lines=(
            names.say(
                "The key {key} is deleted from {app}. It still works at {vendor} until "
                "you revoke it there.",
                key=masked(info.masked),
            ),
            _comes_next(status, info, settings, registry),
        ),
        generation=info.generation,
        keep_url=url_for("byok.page") + f"#byok-key-{provider}",
        links=revoke_links(known, names),
    )


def revoke_links(provider: Provider, names: Names) -> tuple[Link, ...]:
    """Link to where a key is revoked; to nowhere when there is no such page."""
    if not provider.key_page_url:
        return ()

    return (
        Link(
            href=provider.key_page_url,
            text=names.say("Revoke it at {vendor}"),
            external=True,
        ),
    )


def _comes_next(
    status: CompanyStatus,
    removed: CredentialInfo,
    settings: Settings,
    registry: Registry,
) -> Markup:
    others = [info for info in status.credentials if info is not removed]
    active = next((info for info in others if info.active), None)

    if active is not None:
        names = Names.of(settings, registry.get(active.provider))
        return names.say("AI features still use your {provider} key.")

    # The order of the page: the first remaining key that works, else the first.
    order = {provider_id: rank for rank, provider_id in enumerate(registry.ids)}
    others.sort(
        key=lambda info: (
            info.state != "working",
            order.get(info.provider, len(order)),
        )
    )

    if others:
        names = Names.of(settings, registry.get(others[0].provider))
        return names.say("After that, AI features use your {provider} key.")

    names = Names.of(settings)

    if settings.system_order:
        return names.say("After that, AI features use the key provided by {app}.")

    return names.say("After that, AI features are off.")

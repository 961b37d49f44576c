"""Problem details (RFC 9457): how the JSON API says no. Fixed texts, never an echo."""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import json
import typing as t

from flask import Response


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Kind:
    """One kind of problem."""

    status: int
    title: str
    detail: str


#: By the last word of ``type``: every problem there is.
KINDS: t.Final[cabc.Mapping[str, Kind]] = {
    "bad-request": Kind(
        status=400,
        title="The request is not understood",
        detail="Send one JSON object with the fields of the API document.",
    ),
    "csrf": Kind(
        status=400,
        title="The CSRF token is missing or old",
        detail="Send a fresh token of this session in the header X-CSRFToken.",
    ),
    "denied": Kind(
        status=403,
        title="Not allowed",
        detail="Only administrators of your company can change the AI settings.",
    ),
    "no-company": Kind(
        status=403,
        title="No company",
        detail="You are not in a company here, so there is nothing to set up.",
    ),
    "not-found": Kind(
        status=404,
        title="No such key",
        detail="Your company has no key of this provider.",
    ),
    "unknown-provider": Kind(
        status=404,
        title="No such provider",
        detail="The API document names the providers of this app, in capitals.",
    ),
    "not-allowed": Kind(
        status=405,
        title="Method not allowed",
        detail="The header Allow names the methods of this address.",
    ),
    "changed": Kind(
        status=409,
        title="The key was changed in between",
        detail="Somebody saved or removed this key since you looked at it. Look again.",
    ),
    "other-model": Kind(
        status=409,
        title="The model is not available",
        detail="The provider accepts the key but not with this model. "
        "The stored key stays.",
    ),
    "not-usable": Kind(
        status=409,
        title="The key is not usable yet",
        detail="The provider accepts the key but it cannot be used now. "
        "The stored key stays.",
    ),
    "could-not-ask": Kind(
        status=409,
        title="The provider could not be asked",
        detail="Nobody knows whether the key works. The stored key stays.",
    ),
    "other-provider": Kind(
        status=409,
        title="This looks like another provider's key",
        detail="Nothing was sent. Check the provider.",
    ),
    "locked": Kind(
        status=409,
        title="The policy is fixed",
        detail="The operator has set this for all companies.",
    ),
    "unreadable": Kind(
        status=409,
        title="The stored key cannot be read",
        detail="Enter the key again.",
    ),
    "too-large": Kind(
        status=413,
        title="The request is too large",
        detail="A request may carry 64 KiB and must state its length.",
    ),
    "wrong-type": Kind(
        status=415,
        title="Not JSON",
        detail="Send the content type application/json.",
    ),
    "rejected": Kind(
        status=422,
        title="The key is rejected",
        detail="The provider did not accept this key. The stored key has not changed.",
    ),
    "unusable-value": Kind(
        status=422,
        title="A value cannot be used",
        detail="See 'field'.",
    ),
    "nothing-asked": Kind(
        status=422,
        title="Nothing to store",
        detail="Send 'api_key' to store a key, or 'model' or 'expires_on' to change "
        "them for the stored one. 'active_provider' of the policy says which key is "
        "used.",
    ),
    "check-limit": Kind(
        status=429,
        title="Too many checks",
        detail="Too many keys were checked in a minute. Wait as the header "
        "Retry-After says.",
    ),
    "counter-down": Kind(
        status=503,
        title="Keys cannot be checked now",
        detail="The counter of checks is out of reach. Nothing was changed. "
        "Try again later.",
    ),
    "key-service": Kind(
        status=503,
        title="The key service does not answer",
        detail="Keys can be neither opened nor saved for the moment. Nothing was "
        "changed; try again.",
    ),
    "not-set-up": Kind(
        status=503,
        title="Keys cannot be saved yet",
        detail="The people who run this app have to finish its set-up.",
    ),
    "unavailable": Kind(
        status=503,
        title="Not available now",
        detail="Nothing was changed.",
    ),
}


def problem(
    slug: str,
    *,
    detail: str | None = None,
    headers: cabc.Mapping[str, str] | None = None,
    members: cabc.Mapping[str, object] | None = None,
) -> Response:
    """Make the answer to a request that is refused.

    :param slug: of :data:`KINDS`.
    :param detail: a sentence of ours in place of the usual one.
    :param members: further members of the object; never what was sent.
    """
    kind = KINDS[slug]
    body = {
        "type": f"urn:flask-byok:problem:{slug}",
        "title": kind.title,
        "status": kind.status,
        "detail": detail or kind.detail,
        **(members or {}),
    }
    return Response(
        json.dumps(body),
        status=kind.status,
        headers=dict(headers or {}),
        content_type="application/problem+json",
    )

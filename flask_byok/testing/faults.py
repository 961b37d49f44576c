"""The faults by name.

A name is one of

* a word of the contract, also found inside an API key: see :data:`KEY_WORDS`;
* an error of that provider: the tables ``rows_openai``, ``rows_claude``,
  ``rows_gemini``;
* a behaviour every provider can show: :data:`BEHAVIOURS`;
* a trait, which colours a good answer: :data:`TRAITS`;
* ``status_<number>``: that status with a plain error body;
* ``stream_<error>``: the error comes inside a stream, before any content;
  ``late_<error>``: behind some content; ``stream_flat_<error>`` and
  ``late_flat_<error>``: in the other of the two forms a provider has for that.

Names may be written with ``-`` or ``_``.
"""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import re
import typing as t

from .claude_wire import ClaudeWire
from .exchange import Call
from .exchange import ErrorRow
from .exchange import Wire
from .gemini_wire import GeminiWire
from .openai_wire import OpenAIWire
from .vendor_wire import VendorWire

Scope = t.Literal["all", "generate", "list"]

#: Parts of an API key that make it fail, in the order they are looked for.
KEY_WORDS = (
    "revoked",
    "expired",
    "restricted",
    "nocredit",
    "ratelimited",
    "overloaded",
    "outage",
    "slow",
    "hang",
    "cut",
)

#: What any provider can do beside answering with an error: scope and title.
BEHAVIOURS: cabc.Mapping[str, tuple[Scope, str]] = {
    "slow": ("generate", "Answers, but slowly"),
    "hang": ("all", "Never answers"),
    "cut": ("generate", "The answer breaks off in the middle"),
    "cut_before_content": ("generate", "A stream breaks off before its content"),
    "cut_body": ("generate", "The connection closes inside the body"),
    "no_end_mark": ("generate", "A stream ends without its end mark"),
    "drip": ("all", "One byte every tenth of a second"),
    "bytewise": ("all", "Every byte by itself, without delay"),
    "reset": ("all", "The connection closes before any answer"),
    "reset_reused": ("all", "Closes a connection that was used before"),
    "html": ("all", "403 with a page of HTML"),
    "html_200": ("all", "200 with a page of HTML"),
    "html_401": ("all", "401 with a page of HTML"),
    "html_502": ("all", "502 with a page of HTML"),
    "empty": ("all", "200 with nothing in it"),
    "empty_401": ("all", "401 with nothing in it"),
    "not_json": ("all", "200 with text that is no JSON"),
    "redirect": ("all", "302 to another host"),
    "redirect_307": ("all", "307 to another host"),
    "bomb": ("all", "A small gzip body that unpacks to 64 MiB"),
}

#: What colours a good answer.
TRAITS: cabc.Mapping[str, str] = {
    "thinking": "Thinks before it answers",
    "thinking_cap": "Thinks until the cap is used up",
    "refusal": "Declines to answer",
    "length": "Stops in mid-sentence",
    "cached": "Half of the input counts as cached, a quarter as written",
    "retry_after_on_200": "A good answer with Retry-After (CLAUDE)",
    "failed": "200 whose status says failed (OPENAI)",
    "blocked_prompt": "200 without candidates (GEMINI)",
    "other_model": "Another model answers, and says so (GEMINI)",
    "pup_limited": "200 that says the account is limited (GEMINI)",
}

_ALIASES = {
    "list_only": "restricted",
    "html_403": "html",
    "redirect_302": "redirect",
    "rate_limit": "ratelimited",
    "rate_limited": "ratelimited",
    "cut_json": "cut",
    "insufficient_quota": "nocredit",
    "missing_scopes": "restricted",
    "credit_balance_too_low": "nocredit",
    "error_before_content": "stream_outage",
    "error_after_content": "late_outage",
    "quota_in_stream": "stream_nocredit",
    "raw_error": "stream_outage",
}
_STATUS = re.compile(r"status_([1-9]\d\d)")
_IN_STREAM = re.compile(r"(stream|late)_(flat_)?(\w+)")


class UnknownFault(ValueError):
    """No provider that was named has such a fault."""

    def __init__(self, name: str) -> None:
        words = ", ".join(KEY_WORDS)
        super().__init__(
            f"No such fault: {name!r}. The commonest are {words}; the page on testing "
            "names them all."
        )


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """One fault of one provider.

    :param row: the error it answers with, if it is one.
    :param place: where that error stands: alone, in a stream before its content, or
        behind some of it.
    :param behaviour: a name of :data:`BEHAVIOURS`, or empty.
    :param trait: a name of :data:`TRAITS`, or empty.
    """

    name: str
    scope: Scope
    row: ErrorRow | None = None
    place: t.Literal["answer", "stream", "late"] = "answer"
    other_form: bool = False
    behaviour: str = ""
    trait: str = ""

    def strikes(self, call: Call) -> bool:
        """Tell whether this fault concerns such a request."""
        if self.row is not None and self.row.paths and call.path not in self.row.paths:
            return False

        return self.scope in ("all", call.operation)


#: The three wires and the one of all other vendors; they hold no state.
WIRES: cabc.Mapping[str, Wire] = {
    "OPENAI": OpenAIWire(),
    "CLAUDE": ClaudeWire(),
    "GEMINI": GeminiWire(),
}
VENDOR_WIRE: Wire = VendorWire()


def wire_of(provider: str) -> Wire:
    """Give the wire a provider speaks."""
    return WIRES.get(provider, VENDOR_WIRE)


def find_fault(provider: str, name: str) -> Fault | None:
    """Find a provider's fault by its name; ``None`` when it has no such fault."""
    name = name.strip().lower().replace("-", "_")
    real = _ALIASES.get(name, name)
    rows = wire_of(provider).rows

    if real in rows:
        return Fault(name=name, scope=rows[real].scope, row=rows[real])

    if real in BEHAVIOURS:
        return Fault(name=name, scope=BEHAVIOURS[real][0], behaviour=real)

    if real in TRAITS:
        return Fault(name=name, scope="generate", trait=real)

    if match := _STATUS.fullmatch(real):
        row = dataclasses.replace(rows["outage"], status=int(match.group(1)))
        return Fault(name=name, scope="all", row=row)

    if match := _IN_STREAM.fullmatch(real):
        return _in_stream(name, match, rows)

    return None


def fault_names(provider: str) -> list[str]:
    """List the names of a provider's faults, those of the contract first."""
    rows = wire_of(provider).rows
    return [*dict.fromkeys([*KEY_WORDS, *rows, *BEHAVIOURS, *TRAITS])]


def word_in_key(api_key: str) -> str | None:
    """Find the first word in an API key that makes it fail."""
    return next((word for word in KEY_WORDS if word in api_key), None)


def _in_stream(
    name: str, match: re.Match[str], rows: cabc.Mapping[str, ErrorRow]
) -> Fault | None:
    row = rows.get(_ALIASES.get(match.group(3), match.group(3)))

    if row is None:
        return None

    return Fault(
        name=name,
        scope="generate",
        row=row,
        place="stream" if match.group(1) == "stream" else "late",
        other_form=match.group(2) is not None,
    )

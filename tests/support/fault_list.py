"""The faults of the project: what may break on the way of a call.

Data alone. ``tests/support/faults.py`` joins it with the ``fault`` markers of the tests
and writes ``docs/faults.md``.
"""

from __future__ import annotations

import typing as t


class Fault(t.NamedTuple):
    """One thing that happens."""

    number: int
    title: str


class Group(t.NamedTuple):
    """Faults of one kind, under a heading."""

    title: str
    faults: tuple[Fault, ...]


GROUPS: t.Final = (
    Group(
        "A key is refused",
        (
            Fault(1, "OpenAI: the key was revoked"),
            Fault(2, "the next calls of all workers, while that key is out"),
            Fault(3, "Gemini: a wrong or expired key, told with status 400"),
            Fault(4, "the request itself is wrong, too long or filtered"),
            Fault(5, "Claude: no credit, a bill unpaid, a limit with a date"),
            Fault(6, "OpenAI: no credit, told with status 429"),
            Fault(7, "the key lacks a permission, or an API is off"),
            Fault(8, "the key does not have a model the app names"),
            Fault(9, "a model the app does not name; a model nobody has"),
            Fault(
                10, "the way to the provider is closed: firewall, proxy, TLS, region"
            ),
            Fault(11, "Gemini: a quota per minute, per day, without details"),
            Fault(12, "every recorded error; a status nobody knows"),
        ),
    ),
    Group(
        "A provider is busy",
        (
            Fault(13, "a rate limit of a second"),
            Fault(14, "a rate limit of 38 seconds"),
            Fault(15, "a delay in each form, in nonsense, and far too long"),
            Fault(16, "a rate limit of a second that forbids a retry"),
        ),
    ),
    Group(
        "A provider has trouble",
        (
            Fault(17, "one server error"),
            Fault(18, "two server errors, close together or apart"),
            Fault(19, "two server errors with another answer between them"),
            Fault(20, "overloaded; an answer that is none; a limited account"),
            Fault(21, "no connection, no such name"),
            Fault(22, "silence after the request was sent"),
            Fault(23, "the same where no other key may answer"),
            Fault(24, "an answer that drips, byte by byte"),
            Fault(25, "every provider is silent"),
            Fault(26, "a connection that died in the pool"),
        ),
    ),
    Group(
        "Which key answers next",
        (
            Fault(27, "the company has a second key and lets it answer"),
            Fault(28, "it has one that may not answer this call"),
            Fault(29, "it has three, and each is rejected"),
            Fault(30, "company key and system key of one provider are down"),
            Fault(31, "the same, and the call is bound to that provider"),
            Fault(32, "vectors, with the company key out"),
            Fault(33, "every failure under `never`"),
            Fault(34, "every failure under `outage_only`"),
            Fault(35, "`outage_only`, one key rejected and the other one down"),
            Fault(36, "the operator locks the policy"),
            Fault(37, "a company without a key"),
            Fault(38, "no key at all; nobody knows which company calls"),
            Fault(39, "a key that never worked"),
            Fault(40, "company key and system key both fail"),
        ),
    ),
    Group(
        "A key is out, and comes back",
        (
            Fault(41, "forty callers when the key may be tried again"),
            Fault(42, "the one that tries is killed"),
            Fault(43, "the try says nothing of the key, or its caller leaves"),
            Fault(44, "the try works"),
            Fault(45, "the try fails again and again"),
            Fault(46, "the key fails once more minutes later"),
            Fault(47, "the key is replaced while an old call fails"),
            Fault(48, "the key is removed in the middle of a call"),
            Fault(49, "Test Connection while the key is out, or fails it"),
            Fault(50, "a worker's clock is two hours off"),
            Fault(51, "out for an outage, and no other key may answer"),
            Fault(52, "out for a rejection, and no other key may answer"),
            Fault(53, "forty callers when a model may be tried again"),
            Fault(54, "what is noted about models is damaged"),
            Fault(55, "two companies, one key broken"),
            Fault(56, "a thousand calls on a broken key"),
            Fault(57, "the stored key does not open"),
            Fault(58, "the same where the system key may not cover it up"),
            Fault(59, "one worker lacks the new master key"),
            Fault(60, "the company's row cannot be read"),
        ),
    ),
    Group(
        "Streams",
        (
            Fault(61, "a stream fails before its first content"),
            Fault(62, "a stream breaks behind its first content"),
            Fault(63, "the reader leaves"),
            Fault(64, "the reader is slow"),
        ),
    ),
    Group(
        "Budgets and the ledger",
        (
            Fault(65, "twice as many calls at once as the budget has"),
            Fault(66, "the ledger cannot be written"),
            Fault(67, "a worker is killed between reserving and settling"),
            Fault(68, "an attempt is settled twice, or after the sweep"),
            Fault(69, "the system key fails on a reservation"),
            Fault(70, "a call over the end of a month"),
            Fault(71, "the first calls of a month, all at once"),
            Fault(72, "a budget of money and a model without a price"),
            Fault(73, "the company key fails and the budget is spent"),
            Fault(74, "a worker stops while rows wait"),
        ),
    ),
    Group(
        "The host's own business",
        (
            Fault(75, "the host rolls back what it had flushed"),
            Fault(76, "SQLite, and the host holds the write lock"),
            Fault(77, "SQLite in memory, beside the host's transaction"),
            Fault(78, "SQLite with a rollback journal, beside a busy writer"),
            Fault(79, "the host's pool or rows are taken"),
            Fault(80, "twenty threads in long calls"),
            Fault(81, "our tables are locked for a while"),
            Fault(82, "bookkeeping or a receiver raises"),
            Fault(83, "a fork after the first call"),
            Fault(84, "calls outside a request"),
        ),
    ),
    Group(
        "People and secrets",
        (
            Fault(85, "many fallbacks in a request; answers that are no page"),
            Fault(86, "the provider repeats the key in what it sends"),
            Fault(87, "a redirect to another host; a `.netrc`"),
            Fault(88, "an outage of minutes, an hour, a day"),
            Fault(89, "a company with a model of its own falls back"),
            Fault(90, "the operator's account is out of credit"),
        ),
    ),
)

#: What people may see of a fault, in the words of the markers, and of the page.
WORDS: t.Final[dict[str, str]] = {
    "flash": "flash",
    "banner": "banner",
    "log:WARNING": "WARNING in the log",
    "log:ERROR": "ERROR in the log",
    **{
        name: f"`{name}`"
        for name in (
            "circuit_opened",
            "circuit_closed",
            "fallback_used",
            "key_rejected",
            "key_unreadable",
            "notice_due",
            "system_key_failed",
            "our_side_failed",
            "budget_threshold",
        )
    },
    **{
        f"history:{action}": f"history `{action}`"
        for action in (
            "fallback_started",
            "fallback_ended",
            "key_unreadable",
            "budget_threshold",
            "key_saved",
            "key_replaced",
            "key_removed",
            "key_tested",
            "policy_changed",
        )
    },
}

#: Why a fault has no test.
UNPROVEN: t.Final[dict[int, str]] = {}

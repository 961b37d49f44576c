"""The security cases of the project: what is tried, and what must hold.

Data alone. ``tests/support/cases.py`` joins it with the ``case`` markers of the tests
and writes ``docs/security-cases.md``.
"""

from __future__ import annotations

import typing as t


class Case(t.NamedTuple):
    """One line of the table."""

    #: One id, or several that one rule settles: ``"D25 D26"``.
    ids: str
    #: What somebody tries, or what happens.
    tried: str
    #: What must hold then.
    holds: str


class Area(t.NamedTuple):
    """The cases of one letter."""

    letter: str
    title: str
    cases: tuple[Case, ...]


A: t.Final = Area(
    "A",
    "Ciphertext and context",
    (
        Case("A1", "sealed bytes copied to another company", "`wrong_key_or_context`"),
        Case("A2", "… to another provider", "`wrong_key_or_context`"),
        Case(
            "A3",
            "… to another record, purpose or namespace (staging into production)",
            "`wrong_key_or_context`",
        ),
        Case("A4", "each bit flipped", "refused, with the published reason for each"),
        Case(
            "A5",
            "each truncation; 1 to 64 bytes appended; empty, `None`, text, 5 kB",
            "refused; no error of a library escapes",
        ),
        Case(
            "A6",
            "version, suite or key id changed; column and header disagree",
            "a reason of its own for each",
        ),
        Case("A7", "a plaintext key lies in the column", "refused, not used as a key"),
        Case("A8", "a blob of version 0 or 2", "`unsupported_format`, by number"),
        Case("A9", "one key sealed many times", "every salt, nonce and blob is new"),
        Case("A10", "a caller offers salt or nonce", "no such parameter exists"),
        Case(
            "A11",
            "separators, empty parts and NUL moved between context parts",
            "different parts, different bytes",
        ),
        Case(
            "A12",
            'look-alike companies: 1, "1", `True`, full-width, case, NFC and NFD',
            "distinct or refused; nothing is normalised",
        ),
        Case(
            "A13",
            "a ciphertext whose tag fits two master keys",
            "refused by the commitment, before GCM",
        ),
        Case("A14", "other bytes under the right key id", "`wrong_key_or_context`"),
        Case("A15", "a ring of five master keys", "one derivation, no trial"),
        Case(
            "A16",
            "an older blob of the same record put back",
            "opens: a known limit, held in place by a test",
        ),
        Case(
            "A17",
            "company, provider or id of a row edited by hand",
            "does not open",
        ),
        Case(
            "A18",
            "the column cuts what it is given",
            "found out inside the transaction; nothing saved",
        ),
        Case("A19", "a driver re-codes the bytes", "found out; nothing saved"),
        Case(
            "A20",
            "random bytes opened",
            "our own error alone, in bounded time and memory",
        ),
        Case(
            "A21",
            "published vectors: ours, and Wycheproof's for AES-GCM and HKDF",
            "all as published",
        ),
        Case(
            "A22",
            "a collation that ignores case or trailing blanks",
            "the company is compared again, exactly",
        ),
    ),
)

B: t.Final = Area(
    "B",
    "Master keys, start, rotation",
    (
        Case("B1", "no ring, or an empty one", "the start is refused"),
        Case(
            "B2",
            "blanks around a key; quotes and blanks inside it",
            "trimmed around; refused inside",
        ),
        Case(
            "B3",
            "16, 24, 31, 33 or 64 bytes, hex, a passphrase",
            "the start is refused",
        ),
        Case("B4", "a weak or a published key", "the start is refused"),
        Case(
            "B5",
            "an id or a key given twice, `SECRET_KEY`, ids of another shape",
            "the start is refused",
        ),
        Case("B6", "settings of the wrong type", "the start is refused"),
        Case(
            "B7",
            "the same id with other bytes, or another namespace",
            "nothing is sealed; `doctor` exits 1; the page works",
        ),
        Case(
            "B8",
            "a row whose master key is not loaded",
            "the page lists it and asks for the key; the operator is told",
        ),
        Case(
            "B9",
            "10,000 mixed rows rotated",
            "all open with the new key alone",
        ),
        Case(
            "B10",
            "a rotation killed between and inside batches, run again",
            "it completes; no row is lost",
        ),
        Case("B11", "a key saved during a rotation", "the saved key stays"),
        Case("B12", "a key removed during a rotation", "it stays removed"),
        Case("B13", "two rotations at once", "both end, totals are right"),
        Case(
            "B14",
            "one damaged row among many",
            "the others are rotated, it is reported and left alone",
        ),
        Case(
            "B15",
            "retiring with rows left, or the primary; taking it back",
            "refused",
        ),
        Case(
            "B16",
            "a worker without the new master key reads a new row",
            "`unknown_key_id`; other workers are unaffected",
        ),
        Case("B17", "a rotation as a dry run", "nothing changes"),
        Case("B18", "what a rotation changes in a row", "blob and key id alone"),
        Case("B19", "two apps in one process, and a fork", "separate rings"),
        Case(
            "B20",
            "a key service that is down, slow or talks too much",
            "`key_service_unavailable` in time, nothing half written",
        ),
        Case("B21", "a key as an argument of a command", "no command takes one"),
        Case(
            "B22",
            "retiring races a save under the old id",
            "never a row under a retired id",
        ),
    ),
)

C: t.Final = Area(
    "C",
    "Leaks inside the process",
    (
        Case("C1", "printing any public object in any way", "a mask"),
        Case("C2", "JSON, `asdict`, `vars` of one", "a mask, or refused"),
        Case("C3", "pickle, copy, marshal of one", "a mask, or refused"),
        Case("C4", "a traceback with all its locals", "holds no key"),
        Case("C5", "Sentry with its default settings", "gets no key"),
        Case("C6", "the chain of an exception", "no cause, no context"),
        Case("C7", "errors and responses of `requests`", "never leave the sender"),
        Case("C8", "a key with a line break or a blank", "refused before a library"),
        Case("C9", "a key that is no latin-1", "refused before a library sees it"),
        Case("C10", "urllib3 logging at DEBUG", "no key in an address"),
        Case("C11", "`http.client` told to print headers", "stays silent"),
        Case("C12", "SQLAlchemy told to print statements", "ciphertext alone"),
        Case("C13", "errors of the database with parameters", "hidden, not chained"),
        Case("C14", "`vars` of a row, history plugins", "no plaintext on a model"),
        Case(
            "C15",
            "a failed save, a failing provider, an unexpected error",
            "class and code in the log, no key",
        ),
        Case("C16", "an app in debug mode", "a warning at the start"),
        Case("C17", "flash messages and the session", "no key, no provider text"),
        Case("C18", "a key in an address", "not read, not repeated"),
        Case("C19", "form objects", "hold a mask"),
        Case("C20", "`app.config` dumped, shells, toolbars", "a mask"),
        Case("C21", "warnings, output of commands, `--json`", "no key"),
        Case("C22", "rows of the history", "no key, digit, ciphertext or hash"),
        Case("C23", "a fingerprint of a key", "an HMAC under a key of the ring"),
        Case("C24", "the masked form", "a public prefix, four of a long plain key"),
        Case("C25", "the filter for logs", "a second net that spares plain words"),
        Case("C26", "wiping memory", "not claimed"),
        Case("C27", "thread and context variables after a request", "empty"),
        Case("C28", "an official SDK's client", "holds a placeholder"),
    ),
)

D: t.Final = Area(
    "D",
    "Calls to providers",
    (
        Case("D1", "a provider repeats the key or parts of it", "not shown or kept"),
        Case("D2", "a hostile server repeats it in headers", "not shown or kept"),
        Case("D3", "a redirect to another host", "a failure; that host hears nothing"),
        Case("D4", "a redirect to another port", "a failure; nobody hears of it"),
        Case("D5", "`.netrc`, proxies and CA bundles in the environment", "ignored"),
        Case("D6", "certificates of another name, maker or time", "refused"),
        Case("D7", "plain http", "to this very machine, or where its operator says so"),
        Case("D8", "a byte now and then", "the deadline holds"),
        Case("D9", "a compressed bomb", "a cap on decoded bytes"),
        Case("D10", "huge headers, endless 1xx, bad lengths, nonsense", "bounded"),
        Case("D11", "cookies and kept connections", "nothing carried to the next"),
        Case("D12", "blanks, CRLF, NUL in a pasted key", "trimmed, or refused"),
        Case("D13", "invisible and full-width characters", "trimmed, or refused"),
        Case("D14", "`Bearer …`, quotes, `NAME=…`", "one wrapper is taken off"),
        Case("D15", "a key that is too long, up to 1 MB", "refused"),
        Case("D16", "the key of another provider", "asked, not sent before a yes"),
        Case("D17", "an unknown prefix", "advice, no refusal"),
        Case("D18", "a key without a permission", "a code of its own"),
        Case(
            "D19",
            "a check meets 429, 5xx or no network",
            '"could not ask"; the stored key stays',
        ),
        Case("D20", "a key without quota", "a code of its own"),
        Case("D21", "listing works, generating does not", "says what was proven"),
        Case("D22", "what a test sends", "nothing of the company"),
        Case("D23", "script in a provider's message", "never rendered"),
        Case(
            "D25 D26 D27 D28 D29 D31",
            "a company names an address, a host or a header",
            "no field anywhere takes one",
        ),
        Case("D30", "the system key", "goes to the operator's addresses alone"),
        Case("D32", "one sender for all companies", "keys stay apart"),
        Case("D33", "`extra` with headers or addresses", "fields of the body alone"),
        Case("D34", "an image by its address", "passed on, never fetched"),
    ),
)

E: t.Final = Area(
    "E",
    "Page and JSON API",
    (
        Case("E1", "the page after a save that failed", "no key anywhere in it"),
        Case("E2", "the field of the key", "a password field; pasting allowed"),
        Case("E3", "caches", "`no-store` on every answer"),
        Case("E4", "headers, a strict content policy", "set; nothing inline"),
        Case("E5", "GET, HEAD, OPTIONS, method override", "change nothing"),
        Case("E6", "a CSRF token missing, wrong or foreign", "400, nothing changed"),
        Case("E7", "an address to go on to", "local ones alone"),
        Case("E8", "fields that were not asked for", "change nothing"),
        Case("E9", "what answers hold, by role", "an allow-list"),
        Case("E10", "the masked form sent back", "refused with a hint"),
        Case("E11", "an empty key", "keeps the stored one"),
        Case("E12", "markup in names and texts", "escaped"),
        Case("E13", "other content types, doubled fields, NUL", "400 or 415"),
        Case("E14", "large bodies", "413 before they are read"),
        Case("E15", "error pages", "repeat nothing"),
        Case(
            "E16",
            "a stolen key tried through the app",
            "no route for it; limits by user, company, address and all",
        ),
        Case("E17", "the counter is down; a forged address", "checks are refused"),
        Case("E18", "other origins, frames, openers", "kept out"),
        Case("E19", "a poisoned Host header", "relative redirects"),
        Case("E20", "the browser's storage", "holds nothing"),
        Case("E21", "saving and removing", "`access_check` asked each time"),
        Case("E22", "requests made up from the OpenAPI document", "no 5xx, no echo"),
        Case("E23", "template syntax in texts", "not evaluated"),
    ),
)

F: t.Final = Area(
    "F",
    "Companies, races, fallback",
    (
        Case("F1", "another company's provider or record", "as if there were none"),
        Case("F2", "a company's id in a request", "ignored"),
        Case("F3", "no company, or a wrong one, from the loader", "closed"),
        Case("F4", "a member who is no manager", "403; provider and status alone"),
        Case("F5", "threads, greenlets and pushed contexts", "no company's result"),
        Case("F6", "two first saves at once", "one row, no 500"),
        Case("F7", "a call under way while its key changes", "its verdict is dropped"),
        Case("F8", "a save or a removal against a rotation", "the person wins"),
        Case("F9", "removed in one worker, used in another", "refused at once"),
        Case("F10", "permission or company lost in mid-session", "refused at once"),
        Case("F11", "a broken key saved to use the app's", "budget and limits hold"),
        Case("F12", "a key that cannot be read", "told, kept, never guessed at"),
        Case("F13", "what a request on the system key carries", "nothing of a company"),
        Case("F14", "the system key fails, too", "one error, no key in it"),
        Case("F15", "what a company sees of the system key", "nothing of the key"),
        Case("F16", "which key answered", "`source`, and the ledger"),
        Case("F17", "a policy that excludes the system key", "no request on it"),
        Case("F18", "retries", "three requests at most, never back"),
        Case("F19", "a company is deleted", "no row is left"),
        Case("F20", "its id is given to another", "documented; a cascade helps"),
        Case("F21", "a check, then a load", "one query with the company in it"),
    ),
)

G: t.Final = Area(
    "G",
    "Life cycle",
    (
        Case("G1", "a key is removed", "the row is gone"),
        Case("G2", "bytes left in SQLite's files", "ciphertext alone"),
        Case("G3", "an old backup with a new ring", "reported, nothing overwritten"),
        Case("G4", "a backup older than a retirement", "needs the retired key"),
        Case("G5", "a key is replaced", "no copy of the old one"),
        Case("G6", "words about removing", "say its limits, link to revoking"),
        Case("G7", "a full dump and all logs", "no key in them"),
        Case("G8", "browsers of rows", "show opaque bytes"),
        Case("G9", "migrations", "no plaintext"),
        Case("G10", "the history cannot be written", "the change is not made"),
    ),
)

H: t.Final = Area(
    "H",
    "What is shipped",
    (
        Case("H1", "wheel, sdist and repository", "the same files, nothing else"),
        Case("H2", "canaries, docs, vectors", "look like no real key"),
        Case("H3", "dependencies", "few; lowest and highest tested"),
        Case("H4", "network in tests", "loopback alone"),
        Case("H5", "protections taken out one by one", "a test fails for each"),
    ),
)

AREAS: t.Final = (A, B, C, D, E, F, G, H)

#: Why a case has no test.
UNPROVEN: t.Final[dict[str, str]] = {
    "C28": "there is no `sdk()` yet",
}

"""What the API page promises changes on purpose, and the page leaves nothing out."""

from __future__ import annotations

import difflib

from tests.support import public_names

REMEDY = (
    "A public name changed:\n{}\n"
    "If that is meant, say so in CHANGES.md and docs/upgrading.md, then write the file "
    "anew: python -m tests.support.public_names"
)


def test_no_public_name_changes_unannounced() -> None:
    """Names, signatures, fields and settings are those of the file."""
    kept = public_names.FILE.read_text("utf-8").splitlines()
    changes = difflib.unified_diff(kept, public_names.lines(), "kept", "now", n=0)
    told = "\n".join(line for line in changes if line[:2] not in ("--", "++", "@@"))

    assert told == "", REMEDY.format(told)


def test_what_the_package_gives_is_on_the_page() -> None:
    """``from flask_byok import …`` gives nothing that is not documented."""
    assert list(public_names.extras()) == []


def test_what_methods_return_is_on_the_page() -> None:
    """Whoever reads what ``BYOK`` returns finds its fields."""
    told = {entry.name.rpartition(".")[2] for entry in public_names.entries()}

    assert public_names.returned() - told == set()


def test_a_change_would_be_seen() -> None:
    """The file holds signatures, fields, errors, signals and settings."""
    kept = "\n".join(public_names.lines())

    assert "BYOK.check_key(self, provider: str, api_key: str | Secret," in kept
    assert "ChatResponse.text\n" in kept
    assert "errors.KeyRejected" in kept
    assert "signals.fallback_used\n" in kept
    assert "setting BYOK_TIMEOUT" in kept

"""Keys for the simulator. They open nothing anywhere else."""

from __future__ import annotations

import typing as t

#: By provider: the public prefix of its keys.
_PREFIXES: t.Final = {"OPENAI": "sk-", "GEMINI": "AIza-", "CLAUDE": "sk-ant-"}


def company_keys(slug: str) -> dict[str, str]:
    """Give the demo keys of a company, one per provider."""
    return {
        provider: f"{prefix}{mark(slug)}works-{slug[0]}{number:03}"
        for number, (provider, prefix) in enumerate(_PREFIXES.items(), start=1)
    }


def mark(slug: str) -> str:
    """Give what all demo keys of a company contain, and no other key does."""
    return f"demo-{slug}-"


def system_keys() -> dict[str, str]:
    """Give the keys the studio itself pays for."""
    return {
        provider: f"{prefix}studio-pays-itself-s{number:03}"
        for number, (provider, prefix) in enumerate(_PREFIXES.items(), start=1)
    }

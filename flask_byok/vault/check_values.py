"""Check values: is a master key still the one this database was written under?

A backup restored beside the other master key looks whole, and every key saved from then
on would be lost to the rows before it. So each key id's check value is kept in the
table ``byok_keyring`` and compared before anything is sealed.
"""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import typing as t

from .keyring import Keyring

Kind = t.Literal["other_bytes", "other_namespace", "retired"]


class CheckValueRow(t.Protocol):
    """What is read of one row of ``byok_keyring``."""

    @property
    def key_id(self) -> str:
        """The id of the master key."""
        ...

    @property
    def kcv(self) -> str:
        """Its check value when it first sealed here, lower-case hex."""
        ...

    @property
    def namespace(self) -> str:
        """The namespace it sealed under."""
        ...

    @property
    def retired_at(self) -> object | None:
        """When it was retired; ``None`` while it may seal."""
        ...


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class KeyringProblem:
    """One thing that is wrong between a ring and the database it meets."""

    key_id: str
    kind: Kind
    #: Whether nothing may be sealed until it is repaired; else it is a warning.
    stops_sealing: bool

    @property
    def sentence(self) -> str:
        """What to tell the operator: what is wrong, and the next step."""
        return _SENTENCES[self.kind].format(self.key_id)


_SENTENCES: t.Final[cabc.Mapping[Kind, str]] = {
    "other_bytes": "The master key '{0}' in 'BYOK_MASTER_KEYS' has other bytes than "
    "the one this database was written under. Put the former key back under this id; "
    "give a new key an id of its own.",
    "other_namespace": "This database was written with the master key '{0}' under "
    "another 'BYOK_NAMESPACE'. Set it back: under a new one no stored key opens.",
    "retired": "The master key '{0}' was retired in this database. Take it out of "
    "'BYOK_MASTER_KEYS'; if it is the primary, name another in 'BYOK_PRIMARY_KEY_ID'.",
}


def judge(rows: cabc.Iterable[CheckValueRow], keyring: Keyring) -> list[KeyringProblem]:
    """Compare what ``byok_keyring`` holds with the ring of this process.

    Rows of ids that the ring does not have are passed over: their keys are simply not
    loaded here. An id without a row has not sealed yet and is no problem.

    :return: in the order of the rows; empty when all is well. A retired id that is
        loaded stops sealing only when it is the primary.
    """
    problems = []

    for row in rows:
        if row.key_id not in keyring.key_ids:
            continue

        kind = _find_trouble(row, keyring)

        if kind is not None:
            stops = kind != "retired" or row.key_id == keyring.primary
            problems.append(
                KeyringProblem(key_id=row.key_id, kind=kind, stops_sealing=stops)
            )

    return problems


def _find_trouble(row: CheckValueRow, keyring: Keyring) -> Kind | None:
    if row.kcv != keyring.check_value(row.key_id):
        return "other_bytes"

    if row.namespace != keyring.namespace:
        return "other_namespace"

    return "retired" if row.retired_at is not None else None

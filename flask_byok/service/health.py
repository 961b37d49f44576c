"""Whether this process can serve its companies; asked often, so cheap."""

from __future__ import annotations

import typing as t

from ..errors import SetupError
from ..errors import StateUnavailable
from ..vault.keyring import Keyring
from ..vault.store import Store
from .types import HealthReport

#: No id of a company: each of them begins with the name of its type and a colon.
_NOBODY: t.Final = "health"


class Health:
    """Looks at the tables and at the master keys of one app. Changes nothing."""

    def __init__(self, store: Store, keyring: Keyring | None) -> None:
        self._store = store
        self._keyring = keyring

    def check(self) -> HealthReport:
        """Read what each call reads, and compare the ring with the database.

        Two queries. Nothing is decrypted, and neither a provider nor a key service is
        asked. Never raises for a database that does not answer.
        """
        trouble = None

        try:
            self._store.read_state(_NOBODY)
            return self._report_ring()
        except (SetupError, StateUnavailable) as failure:
            trouble = str(failure)

        return HealthReport(database=False, master_keys=False, problems=(trouble,))

    def _report_ring(self) -> HealthReport:
        # A vault that is closed on purpose has nothing to compare.
        found = (
            () if self._keyring is None else self._store.keyring_problems(self._keyring)
        )
        problems = tuple(each.sentence for each in found if each.stops_sealing)
        return HealthReport(database=True, master_keys=not problems, problems=problems)

"""What an attempt on a system key takes from the month, before it is sent."""

from __future__ import annotations

import collections.abc as cabc
import datetime as dt
import random
import threading
import time

import sqlalchemy as sa

from ..errors import SystemBudgetExceeded
from ..errors import SystemKeyRefused
from ..providers.types import Usage
from ..vault.database import Database
from ..vault.database import Insertion
from ..vault.database import WriteBusy
from .attempts import AttemptStart
from .attempts import Reserved
from .attempts import Started
from .budget import Budget
from .budget import HOST_WAIT
from .budget import RESERVE_WAIT
from .entries import started_values
from .prices import Prices
from .rows import fit
from .rows import next_month


class Reservations:
    """Reserves the allowance of companies on the system key of one app.

    :param insertion: of the table of attempts.
    :param lengths: of the texts in that table.
    :param host_may_hold_lock: tells whether the host has a transaction open here, for
        whose lock nobody should wait long.
    """

    def __init__(
        self,
        database: Database,
        budget: Budget,
        prices: Prices,
        insertion: Insertion,
        lengths: cabc.Mapping[str, int | None],
        host_may_hold_lock: cabc.Callable[[], bool],
    ) -> None:
        self._database = database
        self._budget = budget
        self._prices = prices
        self._insertion = insertion
        self._lengths = lengths
        self._host_may_hold_lock = host_may_hold_lock
        self._turn = threading.Lock()

    def estimate(
        self, start: AttemptStart, estimate: Usage, now: dt.datetime
    ) -> Reserved:
        """Tell what an attempt takes at most, as far as can be told.

        :param estimate: input and output cap.
        :raises SystemKeyRefused: when money is limited and the model is not priced.
        """
        micros = self._prices.micros(start.provider, start.model, estimate, now)

        if micros is None and self._budget.limits_money:
            raise SystemKeyRefused(
                "BYOK_SYSTEM_BUDGET limits money, and no price is known for this "
                "model, so the app's own key was not used. 'flask byok doctor' names "
                "what is not priced."
            )

        tokens = (estimate.input_tokens or 0) + (estimate.output_tokens or 0)
        return Reserved(tokens=tokens, micros=micros)

    def reserve(self, started: Started, reserved: Reserved) -> None:
        """Take it from the month, and note the attempt in the same transaction.

        :raises SystemBudgetExceeded: when the company's month is used up.
        :raises SystemKeyRefused: when it cannot be written now.
        """
        granted = self._reserve_in_turn(started, reserved)

        if granted is None:
            raise SystemKeyRefused(
                "The use of the app's own key cannot be recorded now, so it was not "
                "used. Commit or roll back before calling AI, or give flask-byok a "
                "database of its own (BYOK_BIND_KEY)."
            )

        if not granted:
            raise SystemBudgetExceeded(
                "This company's monthly allowance on the app's own key is used up.",
                resets_on=next_month(started.started_at),
            )

    def _reserve_in_turn(self, started: Started, reserved: Reserved) -> bool | None:
        """Reserve; ``None`` when it cannot be written in time.

        The threads of a process queue here: SQLite serves many that wait badly. Who
        waited in vain goes on without the lock, which a fork may have left locked.
        """
        wait = HOST_WAIT if self._host_may_hold_lock() else RESERVE_WAIT
        until = time.monotonic() + wait
        has_turn = self._turn.acquire(timeout=wait)

        try:
            while True:
                try:
                    return self._make_and_reserve(started, reserved, wait)
                except WriteBusy as error:
                    is_busy = error.args == ("busy",)

                if not is_busy or time.monotonic() > until:
                    return None

                time.sleep(random.uniform(0.005, 0.02))
        finally:
            if has_turn:
                self._turn.release()

    def _make_and_reserve(
        self, started: Started, reserved: Reserved, wait: float
    ) -> bool | None:
        granted = self._try_reserve(started, reserved, wait)

        if granted is not None:
            return granted

        self._budget.make_month(started.start.company_id, started.period, wait)
        return self._try_reserve(started, reserved, wait)

    def _try_reserve(
        self, started: Started, reserved: Reserved, wait: float
    ) -> bool | None:
        """Reserve and note in one transaction; ``None`` when the month has no row.

        :raises WriteBusy: when it cannot be written now.
        """
        budget, company_id = self._budget, started.start.company_id
        period = started.period
        row = fit(self._lengths, started_values(started))

        def reserve(conn: sa.Connection) -> bool:
            granted = budget.reserve(conn, company_id, period, reserved.amounts)

            if granted:
                conn.execute(self._insertion.statement, row)

            return granted

        def work(conn: sa.Connection) -> bool | None:
            if reserve(conn):
                return True

            # Another may make the month's row between the first refusal and the look
            # for it: with the row there, only a second refusal means "used up".
            return reserve(conn) if budget.has_month(conn, company_id, period) else None

        return self._database.try_write(work, wait=wait)

"""What people see of the usual faults, as the markers say it."""

from __future__ import annotations

import typing as t

#: A company key's circuit opened and the system key answered: told once, everywhere.
OUT: t.Final = (
    "flash banner log:WARNING circuit_opened fallback_used history:fallback_started"
)

#: The same for a key that was rejected or forbidden.
REJECTED: t.Final = f"{OUT} key_rejected"

#: The same in a stream, whose session is gone when it ends.
REJECTED_IN_STREAM: t.Final = REJECTED.removeprefix("flash ")

#: A company key's circuit opened and nothing else answered.
OFF: t.Final = "banner log:WARNING circuit_opened"

#: The same for a key that was rejected or forbidden.
REJECTED_OFF: t.Final = f"{OFF} key_rejected"

#: One model rests for a moment and the system key answered.
BUSY: t.Final = "flash fallback_used history:fallback_started"

#: One model rests for longer, or a key was out before the system key first answered.
BUSY_LONG: t.Final = f"{BUSY} banner"

#: The way to a provider is closed: the operator's business.
CLOSED: t.Final = "log:ERROR our_side_failed"

#: A stored key does not open and the system key answered.
UNREADABLE: t.Final = "flash banner log:ERROR key_unreadable history:key_unreadable"

#: A company key was rejected in a job, where there is no page.
REJECTED_IN_JOB: t.Final = REJECTED_IN_STREAM

#: A company key was rejected, and three receivers of the host's failed at it.
REJECTED_BADLY_HEARD: t.Final = f"{REJECTED} log:ERROR×3"

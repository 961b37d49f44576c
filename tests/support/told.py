"""What people see of the usual faults, as the markers say it."""

from __future__ import annotations

import typing as t

#: A company key's circuit opened and the system key answered: told once, everywhere.
OUT: t.Final = (
    "flash banner log:WARNING circuit_opened fallback_used history:fallback_started"
)

#: The same where somebody of the company has to act.
URGENT: t.Final = f"{OUT} notice_due"

#: The same for a key that was rejected or forbidden.
REJECTED: t.Final = f"{URGENT} key_rejected"

#: The same for a day and longer: the reminder comes.
REJECTED_FOR_LONG: t.Final = f"{REJECTED} notice_due"

#: A rejected key in a stream, whose session is gone when it ends.
REJECTED_IN_STREAM: t.Final = REJECTED.removeprefix("flash ")

#: A company key's circuit opened and nothing else answered.
OFF: t.Final = "banner log:WARNING circuit_opened"

#: The same where somebody of the company has to act.
URGENT_OFF: t.Final = f"{OFF} notice_due"

#: The same for a key that was rejected or forbidden.
REJECTED_OFF: t.Final = f"{URGENT_OFF} key_rejected"

#: The same where another key of the company answered: the history alone tells that.
URGENT_TO_OWN: t.Final = f"{URGENT_OFF} history:fallback_started"
REJECTED_TO_OWN: t.Final = f"{REJECTED_OFF} history:fallback_started"

#: One model of a key rests and another key of the company answered.
BLOCKED_TO_OWN: t.Final = "banner history:fallback_started"

#: One model rests for a moment and the system key answered.
BUSY: t.Final = "flash fallback_used history:fallback_started"

#: One model rests for longer, or a key was out before the system key first answered.
BUSY_LONG: t.Final = f"{BUSY} banner"

#: The way to a provider is closed: the operator's business.
CLOSED: t.Final = "log:ERROR our_side_failed"

#: A stored key does not open and the system key answered.
UNREADABLE: t.Final = (
    "flash banner log:ERROR key_unreadable notice_due history:key_unreadable"
)

#: A key that people were told of works again.
RECOVERED: t.Final = "circuit_closed notice_due history:fallback_ended"

#: A company key was rejected in a job, where there is no page.
REJECTED_IN_JOB: t.Final = REJECTED_IN_STREAM

#: A company key was rejected, and three receivers of the host's failed at it.
REJECTED_BADLY_HEARD: t.Final = f"{REJECTED} log:ERROR×3"

#: A company key was rejected, and the budget of the system key is spent with that.
REJECTED_AND_SPENT: t.Final = f"{REJECTED} budget_threshold history:budget_threshold"

#: A system key was rejected: the operator's business.
SYSTEM_REJECTED: t.Final = "log:WARNING log:ERROR circuit_opened system_key_failed"

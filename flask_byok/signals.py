"""Signals a host may connect to. The sender is always the Flask app.

No payload holds a key, digits of one, or a provider's words. Each receiver is called
apart: one that raises is logged and the call goes on. Blinker holds receivers weakly,
so connect a function that stays alive.
"""

from __future__ import annotations

import collections.abc as cabc
import logging
import typing as t

import blinker

from .events import log_event

_signals = blinker.Namespace()
_log = logging.getLogger(__name__)

#: A circuit opened: the key is known to be out. Passes ``company_id`` (``None`` for a
#: system key), ``provider``, ``source``, ``reason``, ``code``, ``until`` (aware UTC
#: datetime) and ``episode``.
circuit_opened: blinker.Signal = _signals.signal("byok-circuit-opened")

#: A circuit closed: the key works again. Payload as :data:`circuit_opened`.
circuit_closed: blinker.Signal = _signals.signal("byok-circuit-closed")

#: Sent once per episode, when a call first ran on the system key. Passes
#: ``company_id``, ``provider``, ``reason``, ``episode`` and ``to_provider``.
fallback_used: blinker.Signal = _signals.signal("byok-fallback-used")

#: The provider rejected or forbade a company key and its circuit opened. Passes
#: ``company_id``, ``provider``, ``reason``, ``code`` and ``episode``.
key_rejected: blinker.Signal = _signals.signal("byok-key-rejected")

#: A company tried ten keys within an hour that no provider accepted or that could not
#: be used: somebody may be trying stolen keys. At most hourly per company. Passes
#: ``company_id``, ``refusals`` (how many in that hour) and ``actor`` (who tried the
#: last one; ``None`` when nobody says).
keys_refused: blinker.Signal = _signals.signal("byok-keys-refused")

#: A stored key does not open; at most hourly per credential. Passes ``company_id``,
#: ``provider``, ``credential_id`` and ``reason``.
key_unreadable: blinker.Signal = _signals.signal("byok-key-unreadable")

#: A system key was rejected, forbidden or ran out of credit. Passes ``provider``,
#: ``reason`` and ``code``.
system_key_failed: blinker.Signal = _signals.signal("byok-system-key-failed")

#: The way from this server to a provider is closed. Passes ``provider``, ``reason``
#: and ``code``.
our_side_failed: blinker.Signal = _signals.signal("byok-our-side-failed")

#: People of a company are to be told, by mail say, that its key fails or works again;
#: at most once per episode, over all workers. Passes ``company_id``, ``provider``,
#: ``kind``, ``reason``, ``since`` and ``until``. ``kind`` is ``"failing"``,
#: ``"reminder"`` (24 hours later, once) or ``"recovered"``. ``reason`` is a word of the
#: table of reasons, or ``key_service_unavailable``: the key is safe and nothing is to
#: be done. ``since``: when the trouble began, of ``recovered`` when it was over.
#: ``until``: when the key is tried again, or ``None``. Times are aware UTC.
notice_due: blinker.Signal = _signals.signal("byok-notice-due")

#: The date a company declared for its key comes near: 14, 7 or 1 days are left, once
#: each for a key and its date, over all workers; of steps that were missed only the
#: latest. Found by ``flask byok sweep`` and when somebody opens the page. Passes
#: ``company_id``, ``provider``, ``days_left`` (at most the step, at least 1) and
#: ``expires_on``, a date in UTC.
key_expiring: blinker.Signal = _signals.signal("byok-key-expiring")

#: A company reached 80 or 100 percent of its allowance. Passes ``company_id``,
#: ``percent``, ``unit`` (``requests``, ``tokens`` or ``money``), ``used``, ``limit``,
#: both of money a ``Decimal`` in US dollars, and ``period`` (``"2026-11"``).
budget_threshold: blinker.Signal = _signals.signal("byok-budget-threshold")


def send(
    signal: blinker.Signal, app: t.Any, payload: cabc.Mapping[str, object]
) -> None:
    """Send ``signal`` to each receiver apart; log a receiver that raises."""
    for receiver in signal.receivers_for(app):
        try:
            receiver(app, **payload)
        except Exception as error:
            # Its type alone: a receiver may put anything into the text.
            log_event(
                _log,
                logging.ERROR,
                "receiver_failed",
                "A receiver of the signal %(signal)s raised %(error)s.",
                signal=getattr(signal, "name", "?"),
                error=type(error).__name__,
            )

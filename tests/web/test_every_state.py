"""Every state of the page, one by one: its name, its texts, and that it is sound."""

from __future__ import annotations

import re
import typing as t

import pytest

from flask_byok.testing.states import Stage
from flask_byok.testing.states import STATES
from tests.web.conftest import Host
from tests.web.conftest import MakeHost
from tests.web.conftest import state_of
from tests.web.conftest import text_of
from tests.web.conftest import Visitor
from tests.web.test_states import check_sound

#: By state: sentences it must show. ``~`` in front: it must not.
TEXTS: t.Final[dict[str, tuple[str, ...]]] = {
    "no-key": (
        "Key provided by Studio",
        "Your company has not added a key. AI features use the key provided by Studio.",
        "~Test Connection",
    ),
    "no-key-off": ("AI is off", "Add a key to turn on AI features."),
    "working": ("Your OpenAI key", "Working. Last call"),
    "three-keys": (
        "Your OpenAI key",
        "Use this key of Gemini",
        "Use this key of Claude",
        "~Use this key of OpenAI",
    ),
    "unchecked": (
        "Saved, not checked yet. OpenAI could not be reached at",
        "The next AI request checks it.",
    ),
    "not-usable": (
        "Accepted by OpenAI, not usable yet: the account at OpenAI is out of credit",
        "Add credit or raise the limit at OpenAI, then test the key.",
    ),
    "fallback": (
        "Key provided by Studio, for now",
        "Your OpenAI key is not working",
        "OpenAI rejected it: it was revoked, or it is not complete",
        "your prompts go through the account of Studio at OpenAI",
        "Your key is tried again at",
    ),
    "rate-limited": (
        "Busy: OpenAI limits your account until",
        "The key provided by Studio is used meanwhile.",
        "~byok-notice-body",
    ),
    "rate-limited-off": (
        "Busy: OpenAI limits your account until",
        "AI is paused",
        "~AI is off",
        "AI features wait until then.",
        "~byok-notice-body",
    ),
    "other-key": (
        "Your Claude key, for now",
        "AI features use your Claude key; your prompts go to Anthropic.",
    ),
    "off-by-choice": (
        "AI is off",
        "Your settings say not to use the key provided by Studio for this.",
        "Change the setting",
    ),
    "never-worked": (
        "AI is off",
        "This key has not worked yet",
        "Replace it or remove it to turn AI features on.",
    ),
    "allowance-low": ("1 of 5 requests left on the key provided by Studio",),
    "allowance-used": (
        "AI is off",
        "The key provided by Studio is used up for this month.",
    ),
    "recovered": ("Your OpenAI key works again since",),
    "expiring": (
        "Your OpenAI key expires on",
        "in 5 days. Create a new one at OpenAI and replace it before then.",
    ),
    "past-expiry": (
        "The date you entered for your OpenAI key,",
        "has passed. If the key still works, change the date.",
        "Your OpenAI key",
    ),
    "unreadable": (
        "Studio cannot read your saved OpenAI key any more. Add it again.",
        "~Test Connection for OpenAI",
    ),
    "no-model": (
        "OpenAI accepts this key, but no-such-model is not available to it. Choose "
        "another model.",
    ),
    "locked": ("Studio has set this for all companies.", '~name="fallback"'),
    "not-set-up": (
        "Keys cannot be saved yet. The people who run Studio have to finish its "
        "set-up.",
        '~name="api_key"',
    ),
    "saved": ("Saved. OpenAI answered in", "AI features now use this key."),
    "saved-aside": ("AI features still use your OpenAI key.", "Use this key"),
    "saved-with-doubt": ("Accepted by OpenAI, not usable yet:",),
    "draft": (
        "The new key is not saved yet",
        "Accepted by OpenAI, not usable yet: the account at OpenAI is out of credit",
        "Your saved key ...AbCd stays in use.",
        "The new key is kept, encrypted, until",
        "Check again",
        "Use it anyway",
        "Discard",
    ),
    "draft-other-model": (
        "OpenAI accepts this key, but the chosen model is not available to it.",
        "Use this key",
        "Discard",
    ),
    "draft-could-not-ask": (
        "OpenAI could not be asked",
        "Check again",
        "Use without checking",
        "Discard",
    ),
    "draft-other-provider": (
        "This looks like a key for Claude. Nothing was sent.",
        "It is a key for Claude",
        "It is a key for OpenAI",
        "Discard",
    ),
    "draft-discarded": ("The key you pasted is not kept.",),
    "draft-changed": (
        "Ada changed this key at",
        "Look at it before you save yours.",
        "Replace it with the key I pasted",
        "Discard",
    ),
    "field-error": (
        "There is a problem",
        "OpenAI did not accept this key. Check that you copied all of it, or create "
        "a new one.",
        "Your saved key has not changed.",
        "Error: AI Configuration",
    ),
    "field-error-card": ("Enter a date after today, or leave it empty.",),
    "check-limit": (
        "Too many keys were checked in a minute. Try again in",
        "The new key is kept, encrypted, until",
        "Check again",
    ),
    "changed": ("Ada changed this key at",),
    "stale-form": ("This page was open too long. Nothing was saved.",),
    "testing": ("Your OpenAI key",),
    "test-ok": ("Connected", "Accepted, not expired.", "This test used about"),
    "test-remarks": ("Connected, with remarks", "It answers with"),
    "test-failed": ("Not connected", "OpenAI did not accept it."),
    "test-unknown": ("Could not test", "Your saved key has not changed."),
    "remove": (
        "Remove your OpenAI key?",
        "until you revoke it there",
        "Keep Key",
    ),
    "removed": ("OpenAI key removed", "AI features use the key provided by Studio."),
    "setting-saved": ("Setting saved.",),
    "denied": (
        "Only administrators of your company can change the AI settings.",
        "AI features use OpenAI.",
        "~AbCd",
        "~Ada",
        "~gpt",
    ),
    "no-company": ("You are not in a company here, so there is nothing to set up.",),
    "no-access-check": (
        "Only administrators of your company can change the AI settings.",
    ),
    "not-found": ("Your company has no key of this provider.",),
    "unavailable": ("This page cannot be shown now. Nothing was changed.",),
}


class _Client:
    """A test client as a visitor of states."""

    def __init__(self, visitor: Visitor) -> None:
        self._visitor = visitor

    def visit(self, path: str) -> t.Any:
        """Open a page."""
        return self._visitor.get(path)

    def post(self, path: str, **form: t.Any) -> t.Any:
        """Send a form."""
        return self._visitor.post(path, **form)


def visit_state(slug: str, make_host: MakeHost) -> tuple[Host, t.Any]:
    """Make a host in a state; give it and the answer that shows the page."""
    state = STATES[slug]
    host = make_host(**state.settings)

    if not state.has_access_check:
        host.byok._access_check = None

    user = {"manager": "ada", "member": "max", "stranger": "ada"}[state.visitor]
    visitor = host.client(user, None if state.visitor == "stranger" else 1)
    stage = Stage(app=host.app, simulator=host.simulator)
    return host, state.enter(stage, _Client(visitor))


def test_the_table_is_whole() -> None:
    """Each state has its sentences here."""
    assert set(TEXTS) == set(STATES)


@pytest.mark.parametrize("slug", STATES)
def test_each_state(slug: str, make_host: MakeHost) -> None:
    """The state has its name, its texts, at most one notice, and a sound page."""
    state = STATES[slug]
    host, answer = visit_state(slug, make_host)
    text = text_of(answer)
    assert (answer.status_code, state_of(answer)) == (state.status, state.shows)
    assert answer.headers["Cache-Control"] == "no-store"
    check_sound(answer)

    for sentence in TEXTS[slug]:
        if sentence.startswith("~"):
            assert sentence[1:] not in text + answer.text
        else:
            assert sentence in text

    words = (
        "invalid|valid|please|sorry|oops|successfully|credential|fallback|system key"
    )
    assert not re.search(rf"\b({words})\b", text, re.I)

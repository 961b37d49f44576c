"""The steps that lead to each state of the page."""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import typing as t

from .stage import COMPANY_KEY
from .stage import OTHER_KEY
from .stage import Stage


@dataclasses.dataclass(frozen=True, slots=True)
class Visit:
    """Open a page, by its path below ``BYOK_URL_PREFIX``."""

    path: str = "/"


@dataclasses.dataclass(frozen=True, slots=True)
class Post:
    """Send a form and follow where it leads."""

    path: str
    form: cabc.Mapping[str, t.Any]


#: A step is a page that is opened, a form that is sent, or work on rows and faults.
Step: t.TypeAlias = "Visit | Post | cabc.Callable[[Stage], None]"

_PAGE: t.Final = Visit()


def _saves(**more: t.Any) -> Step:
    return lambda stage: stage.save(**more)


def _saves_expiring(days: int) -> Step:
    return lambda stage: stage.save(expires_on=stage.in_days(days))


def _calls(times: int = 1) -> Step:
    return lambda stage: stage.call(times)


def _fails(fault: str) -> Step:
    return lambda stage: stage.fail(fault)


def _chooses(**chosen: t.Any) -> Step:
    return lambda stage: stage.set_policy(**chosen)


def _breaks(fault: str) -> Step:
    """Switch a fault on for the keys of companies."""
    return lambda stage: stage.simulator.set_fault("OPENAI", fault, keys="company")


def _mends(stage: Stage) -> None:
    stage.simulator.clear_faults()


def _damages(stage: Stage) -> None:
    stage.damage()


def _loses(stage: Stage) -> None:
    stage.lose_tables()


def _key_form(
    api_key: str = COMPANY_KEY, provider: str = "OPENAI", **more: str
) -> Post:
    form = {"action": "save", "provider": provider, "api_key": api_key, **more}
    return Post("/key", {"activate": "1", **form})


def _form(path: str, **form: t.Any) -> Post:
    return Post(path, form)


_TESTS: t.Final = _form("/test", provider="OPENAI")

#: States that last.
STANDING: t.Final[cabc.Mapping[str, tuple[Step, ...]]] = {
    "no-key": (_PAGE,),
    "no-key-off": (_PAGE,),
    "working": (_saves(), _calls(), _PAGE),
    "three-keys": (
        _saves(),
        _saves(provider="GEMINI", api_key=OTHER_KEY, activate=False),
        _saves(provider="CLAUDE", api_key=OTHER_KEY, activate=False),
        _chooses(use_other_keys=True),
        _calls(),
        _PAGE,
    ),
    "unchecked": (_breaks("outage"), _saves(), _mends, _PAGE),
    "not-usable": (_saves(api_key="not-a-real-company-nocredit-key-AbCd"), _PAGE),
    "fallback": (_saves(), _fails("revoked"), _PAGE),
    "rate-limited": (_saves(), _fails("ratelimited"), _PAGE),
    "rate-limited-off": (_saves(), _fails("ratelimited"), _PAGE),
    "other-key": (
        _saves(),
        _saves(provider="CLAUDE", api_key=OTHER_KEY, activate=False),
        _chooses(use_other_keys=True),
        _fails("revoked"),
        _PAGE,
    ),
    "off-by-choice": (
        _saves(),
        _calls(),
        _chooses(fallback="never"),
        _fails("revoked"),
        _PAGE,
    ),
    "never-worked": (_breaks("outage"), _saves(), _fails("revoked"), _PAGE),
    "allowance-low": (_calls(4), _PAGE),
    "allowance-used": (_calls(5), _PAGE),
    "recovered": (_saves(), _fails("revoked"), _PAGE, _mends, _TESTS, _PAGE),
    "expiring": (_saves_expiring(5), _PAGE),
    "past-expiry": (_saves_expiring(-1), _PAGE),
    "unreadable": (_saves(), _damages, _calls(), _PAGE),
    "no-model": (_saves(model="no-such-model"), _PAGE),
    "locked": (_PAGE,),
    "not-set-up": (_PAGE,),
}

#: What follows an action; shown once.
ACTING: t.Final[cabc.Mapping[str, tuple[Step, ...]]] = {
    "saved": (_key_form(),),
    "saved-aside": (_saves(), _key_form(OTHER_KEY, "CLAUDE", activate="0")),
    "saved-with-doubt": (_key_form("not-a-real-company-nocredit-key-AbCd"),),
    "draft": (_saves(), _key_form("not-a-real-company-nocredit-key-EfGh")),
    "draft-other-model": (_saves(), _key_form(OTHER_KEY, model="no-such-model")),
    "draft-could-not-ask": (_saves(), _breaks("outage"), _key_form(OTHER_KEY)),
    "draft-other-provider": (_key_form("sk-ant-not-a-real-key-0001-AbCd"),),
    "draft-changed": (_saves(), _key_form(OTHER_KEY, generation="OPENAI:7")),
    "draft-discarded": (
        _key_form("sk-ant-not-a-real-key-0001-AbCd"),
        _form("/key", action="draft_discard", provider="OPENAI"),
    ),
    "field-error": (_saves(), _key_form("not-a-real-company-revoked-key-AbCd")),
    "field-error-card": (
        _saves(),
        _form("/key", action="details", provider="OPENAI", expires_on="2001-01-01"),
    ),
    "check-limit": (_saves(), _key_form(OTHER_KEY)),
    "changed": (
        _saves(),
        _form("/key", action="details", provider="OPENAI", generation="7"),
    ),
    "stale-form": (Post("/policy", {"fallback": "never", "csrf_token": "too-old"}),),
    "testing": (_saves(), _calls(), _breaks("slow"), _PAGE),
    "test-ok": (_saves(), _TESTS),
    "test-remarks": (_saves(model="no-such-model"), _TESTS),
    "test-failed": (_saves(), _breaks("revoked"), _TESTS),
    "test-unknown": (_saves(), _breaks("outage"), _TESTS),
    "remove": (_saves(), Visit("/remove/OPENAI")),
    "removed": (_saves(), _form("/remove/OPENAI")),
    "setting-saved": (_form("/policy", fallback="outage_only"),),
}

#: Not allowed, and not there.
REFUSED: t.Final[cabc.Mapping[str, tuple[Step, ...]]] = {
    "denied": (_saves(), _calls(), _PAGE),
    "no-company": (_PAGE,),
    "no-access-check": (_PAGE,),
    "not-found": (Visit("/remove/GEMINI"),),
    "unavailable": (_saves(), _loses, _PAGE),
}

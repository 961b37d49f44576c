"""Reads the page's forms. What a form may hold is listed here and nowhere else."""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import datetime as dt
import re
import secrets
import typing as t

from .models import model_names
from .outcome import Typed

if t.TYPE_CHECKING:
    from werkzeug.datastructures import MultiDict

    from ..config import Settings
    from ..providers.registry import Registry
from ..secret import Secret

_MODEL: t.Final = re.compile(r"[\x21-\x7e]{1,200}")
_FORM_ID: t.Final = re.compile(r"[A-Za-z0-9_-]{22}")

_Form: t.TypeAlias = "MultiDict[str, str]"


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class SaveForm:
    """What *Save* was pressed with.

    :param provider: a registered id, or empty.
    :param api_key: the text as it came; the service cleans and judges it.
    :param generation: of the stored key the person looked at, 0 for none; ``None``
        when the form does not say.
    :param errors: codes of the fields that have to be mended.
    """

    provider: str
    api_key: Secret
    model: str | None
    expires_on: dt.date | None
    activate: bool
    generation: int | None
    form_id: str | None
    typed: Typed
    errors: tuple[str, ...]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class DetailsInput:
    """What the form for model and expiry date was sent with."""

    provider: str
    model: str | None
    expires_on: dt.date | None
    generation: int | None
    errors: tuple[str, ...]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class DraftForm:
    """What a button of a draft's panel was pressed with.

    :param has_model: whether a model could be chosen; an empty one is the app's choice.
    :param form_id: of the draft the person saw; ``None`` when the form does not say.
    """

    provider: str
    model: str | None
    has_model: bool
    generation: int | None
    form_id: str | None
    errors: tuple[str, ...]


def read_save(
    form: _Form, settings: Settings, registry: Registry, today: dt.date
) -> SaveForm:
    """Read ``action=save``."""
    provider = known_provider(form, registry)
    api_key = form.get("api_key", "")
    model, expires_on = form.get("model", "").strip(), form.get("expires_on", "")
    errors = [] if provider else ["no_provider"]

    # The service judges the rest; an empty field is told with the other mistakes.
    if not api_key.strip():
        errors.append("empty")

    errors.extend(_mistakes(model, expires_on, today, registry))
    return SaveForm(
        provider=provider,
        api_key=Secret(api_key),
        model=model or None,
        expires_on=_date(expires_on),
        activate=_is_ticked(form, "activate"),
        generation=_generation(form, provider),
        form_id=_form_id(form),
        typed=Typed(
            provider=provider,
            model=model if model in known_models(settings, registry) else "",
            expires_on=expires_on if _date(expires_on) else "",
            activate=_is_ticked(form, "activate"),
        ),
        errors=tuple(errors),
    )


def read_details(form: _Form, registry: Registry, today: dt.date) -> DetailsInput:
    """Read ``action=details``."""
    provider = known_provider(form, registry)
    model, expires_on = form.get("model", "").strip(), form.get("expires_on", "")
    return DetailsInput(
        provider=provider,
        model=model or None,
        expires_on=_date(expires_on),
        generation=_generation(form, provider),
        errors=tuple(_mistakes(model, expires_on, today, registry)),
    )


def read_draft(form: _Form, registry: Registry) -> DraftForm:
    """Read the actions about a draft."""
    provider, model = known_provider(form, registry), form.get("model", "").strip()
    today = dt.date.min
    return DraftForm(
        provider=provider,
        model=model or None,
        has_model="model" in form,
        generation=_generation(form, provider),
        form_id=form.get("form_id"),
        errors=tuple(_mistakes(model, "", today, registry)),
    )


def known_provider(form: _Form, registry: Registry) -> str:
    """Read the provider; empty when it is none of this app's."""
    provider = form.get("provider", "")
    return provider if provider in registry.ids else ""


def known_models(settings: Settings, registry: Registry) -> frozenset[str]:
    """List the model names this app knows by itself."""
    found: set[str] = set()

    for provider in registry:
        names = model_names(settings, provider)
        found.update(names, names.values())

    return frozenset(found)


def read_generation(form: _Form) -> int | None:
    """Read a plain ``generation``."""
    return _number(form.get("generation", ""))


def read_flag(form: _Form, name: str) -> bool | None:
    """Read a checkbox with a hidden ``0`` before it; ``None`` when it is absent."""
    values = form.getlist(name)
    return None if not values else values[-1] == "1"


def make_form_id() -> str:
    """Make the id of one rendering of the form."""
    return secrets.token_urlsafe(16)


def write_generations(stored: cabc.Iterable[tuple[str, int]]) -> str:
    """Write down what is stored: the form does not know yet which key it is for."""
    return " ".join(f"{provider}:{generation}" for provider, generation in stored)


def is_date_ahead(text: str, today: dt.date) -> bool:
    """Tell whether ``text`` is an ISO date after today."""
    date = _date(text)
    return date is not None and date > today


def is_model_name(text: str) -> bool:
    """Tell whether ``text`` can be the name of a model."""
    return _MODEL.fullmatch(text) is not None


def looks_like_key(text: str, registry: Registry) -> bool:
    """Tell whether a model's name begins as keys do: it may travel in an address."""
    hints = [hint for name in registry.ids for hint in registry.get(name).prefix_hints]
    return text.startswith(tuple(hints))


def _mistakes(
    model: str, expires_on: str, today: dt.date, registry: Registry
) -> t.Iterator[str]:
    if model and not is_model_name(model):
        yield "bad_model"
    elif looks_like_key(model, registry):
        yield "model_is_key"

    if expires_on and not is_date_ahead(expires_on, today):
        yield "bad_date"


def _is_ticked(form: _Form, name: str) -> bool:
    return form.get(name) == "1"


def _date(text: str) -> dt.date | None:
    # Python 3.11 reads more forms than 3.10; the page takes one.
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text, re.ASCII):
        return None

    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        return None


def _generation(form: _Form, provider: str) -> int | None:
    text = form.get("generation")

    if text is None:
        return None

    if ":" not in text:
        return _number(text) if text else 0

    for part in text.split():
        name, _, number = part.partition(":")

        if name == provider:
            return _number(number)

    return 0


def _number(text: str) -> int | None:
    return int(text) if re.fullmatch(r"\d{1,9}", text, re.ASCII) else None


def _form_id(form: _Form) -> str | None:
    text = form.get("form_id", "")
    return text if _FORM_ID.fullmatch(text) else None

"""The extension object: hands the host's loaders in and the service methods out."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import datetime as dt
import logging
import typing as t
import weakref

from flask import current_app
from flask import Flask
from flask import has_app_context

from .errors import NoCompany
from .errors import SetupError
from .events import log_event
from .proxies import stated_company
from .proxies import stating_company
from .secret import Secret
from .vault.company import company_text
from .vault.company import company_value
from .vault.company import CompanyId

# The rooms below are loaded by the methods that use them first: importing a module of
# the host's that names this class loads none of them.
if t.TYPE_CHECKING:
    import sqlalchemy as sa

    from .client import AIClient
    from .config import Settings
    from .ledger.audit import HistoryEntry
    from .ledger.usage import UsageRow
    from .providers.base import Provider
    from .providers.registry import Registry
    from .service.types import Allowance
    from .service.types import CompanyStatus
    from .service.types import ConnectionReport
    from .service.types import HealthReport
    from .service.types import PolicyInfo
    from .service.types import SaveResult
    from .vault.types import CredentialInfo
    from .wiring import AppState
    from .wiring import HostDb

_CompanyLoader = t.TypeVar(
    "_CompanyLoader", bound=cabc.Callable[[], "CompanyId | None"]
)
_AccessCheck = t.TypeVar("_AccessCheck", bound=cabc.Callable[[], bool])
_ActorLoader = t.TypeVar("_ActorLoader", bound=cabc.Callable[[], "str | None"])

_log = logging.getLogger(__name__)


class BYOK:
    """Bring Your Own Key for one or more Flask apps.

    Its methods serve the current app, and raise :exc:`SetupError` outside an app
    context. Those that take a company's id raise :exc:`NoCompany` for what cannot be
    one, and :exc:`StateUnavailable` while its rows cannot be read or written.

    :param app: initialised at once when given.
    :param db: the host's Flask-SQLAlchemy object. Given here, the tables stand in its
        metadata from now on, so that ``db.create_all()`` and Alembic see them.
    :param credential_class: a model of the host built on :class:`CredentialMixin`, to
        take the place of the built-in table of stored keys.
    :param metadata: where the tables stand, for a ``db`` without a metadata of its own
        (Flask-SQLAlchemy-Lite): that of the host's base class.
    """

    def __init__(
        self,
        app: Flask | None = None,
        *,
        db: HostDb | None = None,
        credential_class: type[t.Any] | None = None,
        metadata: sa.MetaData | None = None,
    ) -> None:
        from .wiring import TableMaker

        self._states: weakref.WeakKeyDictionary[Flask, AppState] = (
            weakref.WeakKeyDictionary()
        )
        self._tables = TableMaker(credential_class, metadata)
        self._db = db
        self._providers: dict[str, Provider] = {}
        self._company_loader: cabc.Callable[[], CompanyId | None] | None = None
        self._access_check: cabc.Callable[[], bool] | None = None
        self._actor_loader: cabc.Callable[[], str | None] | None = None

        if db is not None:
            self._tables.foresee(db)

        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask, db: HostDb | None = None) -> None:
        """Bind this extension to ``app``: settings, tables, page, signals.

        :raises ConfigError: for the first setting that is missing or unusable.
        :raises SetupError: without a ``db``, when the app has a BYOK already, or with
            a Flask that is too old.
        """
        from .cli import byok_cli
        from .web.blueprint import build_blueprint
        from .web.hosting import refuse_unfit
        from .wiring import build_state
        from .wiring import NO_DB

        refuse_unfit(app)
        db = db if db is not None else self._db

        if db is None:
            raise SetupError(NO_DB)

        state = build_state(app, db, self._tables, [*self._providers.values()])
        self._states[app] = state
        app.extensions["byok"] = self
        app.register_blueprint(build_blueprint(state.settings))
        app.cli.add_command(byok_cli)

    def company_loader(self, function: _CompanyLoader) -> _CompanyLoader:
        """Register who tells the id of the company that is calling (a decorator).

        The function returns an ``int``, ``str`` or ``UUID``, or ``None`` for nobody.
        """
        self._company_loader = function
        return function

    def access_check(self, function: _AccessCheck) -> _AccessCheck:
        """Register who tells whether the caller may manage keys (a decorator).

        Until this is registered nobody may: every page answers 403. The function is
        asked on every request and may ``abort()``, to ask for a fresh log-in say.
        """
        self._access_check = function
        return function

    def actor_loader(self, function: _ActorLoader) -> _ActorLoader:
        """Register who names the person that stands in the history (a decorator)."""
        self._actor_loader = function
        return function

    def load_company(self) -> CompanyId:
        """Tell which company is calling.

        :raises SetupError: when no ``company_loader`` is registered.
        :raises NoCompany: when the loader returns ``None`` or no usable id.
        """
        stated = stated_company(_current_app())

        if stated is not None:
            return stated

        if self._company_loader is None:
            raise SetupError(
                "No company_loader is registered. Decorate a function that returns "
                "the company's id with '@byok.company_loader'."
            )

        company_id = self._company_loader()

        if company_id is None:
            raise NoCompany(
                "Nobody is calling: the company_loader returned None. The system key "
                "is never used for a company that is not known."
            )

        company_text(company_id)
        return company_id

    @property
    def has_company_loader(self) -> bool:
        """Whether a ``company_loader`` is registered."""
        return self._company_loader is not None

    @property
    def has_access_check(self) -> bool:
        """Whether an ``access_check`` is registered."""
        return self._access_check is not None

    def may_manage(self) -> bool:
        """Tell whether the caller may manage keys; ``False`` until a check exists."""
        answer: object = None if self._access_check is None else self._access_check()

        if answer and answer is not True:
            log_event(
                _log,
                logging.WARNING,
                "access_check_unclear",
                "The access check returned a value of the type '%(type)s'. Nobody is "
                "let in by that: return True or False, 'bool(…)' say.",
                type=type(answer).__name__,
            )

        return answer is True

    def load_actor(self) -> str | None:
        """Name who is acting; ``None`` when nobody says."""
        return None if self._actor_loader is None else self._actor_loader()

    def register_provider(self, provider: Provider) -> None:
        """Add a provider, for every app of this extension: those to come, too.

        Settings may name it only when it is registered before ``init_app``. An
        address that differs between apps goes into ``BYOK_PROVIDER_URLS``. One with
        the id of a built-in provider takes its place.

        :raises SetupError: when another provider was registered under this id.
        :raises ConfigError: when nothing says which model ``default`` means there.
        """
        if self._providers.get(provider.id, provider) != provider:
            raise SetupError(
                f"The provider {provider.id} is registered already, and differently. "
                "Register it once; set an address per app in BYOK_PROVIDER_URLS."
            )

        from .wiring import register_provider

        for state in self._states.values():
            register_provider(state.registry, state.settings, provider)

        self._providers[provider.id] = provider

    def client_for(self, company_id: CompanyId) -> AIClient:
        """Give the AI client of a company: for jobs, threads and commands."""
        from .client import AIClient

        text = company_text(company_id)
        state = self.state
        return AIClient(state.engine, text, company_value(text), state.sdks.build)

    @contextlib.contextmanager
    def as_company(self, company_id: CompanyId) -> cabc.Iterator[AIClient]:
        """Let ``current_ai_client`` serve this company inside the ``with`` block.

        Outside an app context one is pushed, if this extension has exactly one app.
        """
        with contextlib.ExitStack() as stack:
            if not has_app_context():
                stack.enter_context(self._only_app().app_context())

            stack.enter_context(stating_company(_current_app(), company_id))
            yield self.client_for(company_id)

    def _only_app(self) -> Flask:
        apps = list(self._states)

        if len(apps) != 1:
            raise SetupError(
                "'as_company' needs an app context here: push one with "
                "'with app.app_context():'."
            )

        return apps[0]

    @property
    def state(self) -> AppState:
        """Everything of the current app. For the package's own rooms."""
        state = self._states.get(_current_app())

        if state is None:
            raise SetupError(
                "This BYOK does not know this app. Call 'byok.init_app(app)'."
            )

        return state

    @property
    def settings(self) -> Settings:
        """The settings of the current app."""
        return self.state.settings

    @property
    def registry(self) -> Registry:
        """The providers of the current app."""
        return self.state.registry

    def check_health(self) -> HealthReport:
        """Tell whether this process can serve: for a health check, asked often.

        Two queries on the tables; nothing is decrypted, and nobody is asked over the
        network. What providers and stored keys do is told by ``flask byok doctor``.
        """
        return self.state.health.check()

    def check_key(
        self, provider: str, api_key: str | Secret, model: str | None = None
    ) -> ConnectionReport:
        """Ask the provider whether a key works; nothing is stored.

        :param model: a name of ``BYOK_MODELS`` or a model id; ``None``: the default.
        :raises ApiKeyFormatError: when the text cannot be an API key.
        :raises UnknownProvider: for a provider that is not registered.
        :raises CheckLimited: after too many checks in a minute.
        :raises ValueError: for a ``model`` that cannot be one.
        """
        pasted = _secret(api_key)
        # A report of an error below, with locals, must not find the text.
        del api_key
        return self.state.connections.check(provider, pasted, model=model)

    def save_key(
        self,
        company_id: CompanyId,
        provider: str,
        api_key: str | Secret | None,
        *,
        model: str | None = None,
        expires_on: dt.date | None = None,
        actor: str | None = None,
        activate: bool = True,
        generation: int | None = None,
        confirm: str | None = None,
    ) -> SaveResult:
        """Check a key with a test request, then store it in one transaction.

        A stored key is replaced only by one that works, unless ``confirm`` repeats the
        verdict that stood in the way.

        :param api_key: ``None`` changes model and expiry date of the stored key alone.
        :param model: what ``default`` means with this key; ``None``: the app's choice.
        :param activate: let AI features use this key, if it works.
        :param generation: of the stored key the caller looked at, 0 for none; ``None``
            accepts any.
        :param confirm: a verdict to go on in spite of; ``rejected`` never is.
        :return: ``saved`` tells whether it is stored, ``verdict`` why (not).
        :raises ApiKeyFormatError: when the text cannot be an API key.
        :raises CredentialNotFound: for ``api_key=None`` without a stored key.
        :raises UnknownProvider: for a provider that is not registered.
        :raises ValueError: for a ``model`` that cannot be one.
        :raises TypeError: for an ``expires_on`` that is no :class:`datetime.date`.
        :raises CheckLimited: after too many checks in a minute.
        :raises VaultClosed: when keys cannot be saved here.
        :raises StoredKeyUnreadable: when the stored key does not open, to try a new
            model; as :exc:`KeyServiceUnavailable` when nothing can be sealed just now.
        :raises StateUnavailable: when the rows cannot be written; nothing changed.
        """
        pasted = None if api_key is None else _secret(api_key)
        del api_key  # as in check_key
        return self.state.saving.save(
            company_text(company_id),
            provider,
            pasted,
            model=model,
            expires_on=expires_on,
            actor=actor,
            activate=activate,
            generation=generation,
            confirm=confirm,
        )

    def test_connection(
        self,
        company_id: CompanyId,
        provider: str | None = None,
        *,
        actor: str | None = None,
    ) -> ConnectionReport:
        """Test a stored key: valid, fast enough, permitted. The key never changes.

        :param provider: ``None`` for the key in use.
        :raises CredentialNotFound: when no such key is stored.
        :raises UnknownProvider: for a provider that is not registered.
        :raises StoredKeyUnreadable: when the stored key does not open.
        :raises VaultClosed: when no key can be opened here.
        :raises CheckLimited: after too many checks in a minute.
        """
        return self.state.connections.test(
            company_text(company_id), provider, actor=actor
        )

    def remove_key(
        self,
        company_id: CompanyId,
        provider: str,
        *,
        actor: str | None = None,
        generation: int | None = None,
    ) -> None:
        """Delete a stored key for good; the next call obeys, in every process.

        :raises CredentialNotFound: when no such key is stored.
        :raises CredentialChanged: when ``generation`` is not the stored one.
        :raises UnknownProvider: for a provider that is neither stored nor registered.
        """
        self.state.companies.remove(
            company_text(company_id), provider, actor=actor, generation=generation
        )

    def credentials(self, company_id: CompanyId) -> list[CredentialInfo]:
        """List the stored keys of a company, masked. Nothing is decrypted."""
        return list(self.status(company_id).credentials)

    def status(self, company_id: CompanyId) -> CompanyStatus:
        """Tell whose key serves now, and why not the company's. One query."""
        return self.state.companies.status(company_text(company_id))

    def policy(self, company_id: CompanyId) -> PolicyInfo:
        """Tell the policy in force for a company."""
        return self.status(company_id).policy

    def set_policy(
        self,
        company_id: CompanyId,
        *,
        fallback: str | None = None,
        active_provider: str | None = None,
        use_other_keys: bool | None = None,
        actor: str | None = None,
    ) -> PolicyInfo:
        """Change what is given; what is ``None`` stays.

        :param fallback: ``auto``, ``outage_only`` or ``never``.
        :raises PolicyLocked: when the operator set ``fallback`` for all companies.
        :raises CredentialNotFound: for an ``active_provider`` without a stored key.
        :raises ValueError: for another word in ``fallback``.
        """
        return self.state.companies.set_policy(
            company_text(company_id),
            fallback=fallback,
            active_provider=active_provider,
            use_other_keys=use_other_keys,
            actor=actor,
        )

    def allowance(self, company_id: CompanyId) -> list[Allowance]:
        """Tell what is left of ``BYOK_SYSTEM_BUDGET``; empty without a budget."""
        return self.state.companies.allowance(company_text(company_id))

    def usage(
        self, company_id: CompanyId, since: dt.date, until: dt.date
    ) -> list[UsageRow]:
        """Count attempts, tokens and cost per day, source, provider, model and label.

        A cost is an estimate in US dollars; what is not priced is counted apart.

        :param since: first day, UTC.
        :param until: last day, UTC, included.
        :raises TypeError: when one of them is no :class:`datetime.date`.
        """
        return self.state.companies.usage(company_text(company_id), since, until)

    def history(self, company_id: CompanyId, limit: int = 20) -> list[HistoryEntry]:
        """List who changed what, newest first.

        :param limit: so many lines at most.
        """
        return self.state.companies.history(company_text(company_id), limit)

    def forget_company(self, company_id: CompanyId) -> None:
        """Delete every row of a company. Call it when the host deletes the company."""
        self.state.companies.forget(company_text(company_id))


def _current_app() -> Flask:
    if not has_app_context():
        raise SetupError(
            "There is no app here. Push one with 'with app.app_context():'."
        )

    return current_app._get_current_object()  # type: ignore[attr-defined,no-any-return]


def _secret(api_key: str | Secret) -> Secret:
    return api_key if isinstance(api_key, Secret) else Secret(api_key)

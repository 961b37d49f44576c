"""Breaks a provider for the keys of one company: the simulator's switches, by form."""

from __future__ import annotations

import dataclasses
import json
import typing as t
import urllib.request

from flask import abort
from flask import Blueprint
from flask import current_app
from flask import flash
from flask import redirect
from flask import request
from flask import url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from . import demo_keys
from .accounts import require_sign_in
from .extensions import byok
from .receipts import name_provider

blueprint = Blueprint("breaker", __name__)
blueprint.before_request(require_sign_in)

#: Messages of this category stand in the panel, where the visitor looks.
_CATEGORY: t.Final = "simulator"

#: Seconds the simulator may take to switch.
_TIMEOUT: t.Final = 3.0


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """A way to break a provider.

    :param name: as the simulator knows it.
    :param what: completes "From now on …".
    """

    name: str
    title: str
    what: str


#: The buttons, by name.
FAULTS: t.Final = {
    fault.name: fault
    for fault in (
        Fault(name="expired", title="Expired", what="says that your key has expired"),
        Fault(
            name="nocredit",
            title="No credit",
            what="says that your account is out of credit",
        ),
        Fault(
            name="outage",
            title="Outage",
            what="answers with an error; the second in a minute takes your key out",
        ),
        Fault(
            name="ratelimited",
            title="Rate limit",
            what="asks you to wait for 20 seconds",
        ),
        Fault(
            name="hang",
            title="Hang",
            what="does not answer; the other key comes after nine seconds",
        ),
    )
}


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """A provider on the panel.

    :param fault: what is switched on for this company; ``None`` when it works.
    """

    provider: str
    label: str
    fault: Fault | None


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Panel:
    """The panel of the dashboard.

    :param rows: empty when the simulator does not answer.
    """

    address: str
    rows: tuple[Row, ...]
    faults: tuple[Fault, ...] = tuple(FAULTS.values())


class Switchboard:
    """Talks to the control address of a simulator.

    :raises OSError: from each method, when the simulator does not answer.
    """

    def __init__(self, address: str) -> None:
        self._address = f"{address}/faults"
        # No proxy of the environment stands between two ports of this machine.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def read(self, keys: str) -> dict[str, str]:
        """Tell by provider which fault strikes the keys that contain a text."""
        switches = self._call("GET", None)["switches"]
        return {
            switch["provider"]: switch["fault"]
            for switch in switches
            if switch["keys"] == keys
        }

    def set(self, provider: str, fault: str | None, keys: str) -> None:
        """Switch a fault on for the keys that contain a text, or off with ``None``."""
        self._call("PUT", {"provider": provider, "fault": fault, "keys": keys})

    def _call(self, method: str, body: object) -> dict[str, t.Any]:
        asked = urllib.request.Request(
            self._address,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )

        with self._opener.open(asked, timeout=_TIMEOUT) as answer:
            return t.cast("dict[str, t.Any]", json.load(answer))


def read_panel(slug: str) -> Panel | None:
    """Read what is broken for a company; ``None`` where real providers answer."""
    address = current_app.config["STUDIO_SIMULATOR_URL"]

    if address is None:
        return None

    try:
        broken = Switchboard(address).read(demo_keys.mark(slug))
    except OSError:
        return Panel(address=address, rows=())

    rows = tuple(
        Row(
            provider=provider,
            label=name_provider(provider),
            fault=FAULTS.get(broken.get(provider, "")),
        )
        for provider in byok.registry.ids
    )
    return Panel(address=address, rows=rows)


@blueprint.post("/simulator/<provider>")
def switch(provider: str) -> ResponseReturnValue:
    """Break or repair a provider for the demo keys of the visitor's company."""
    address = current_app.config["STUDIO_SIMULATOR_URL"]

    if address is None or provider not in byok.registry.ids:
        abort(404)

    fault = FAULTS.get(request.form.get("fault", ""))
    keys = demo_keys.mark(current_user.company.slug)

    try:
        Switchboard(address).set(provider, None if fault is None else fault.name, keys)
    except OSError:
        flash("The simulator does not answer. Is it still running?", _CATEGORY)
    else:
        flash(_told(name_provider(provider), fault), _CATEGORY)

    return redirect(url_for("pages.dashboard", _anchor="simulator"), 303)


def _told(label: str, fault: Fault | None) -> str:
    if fault is None:
        return (
            f"{label} works again. Your company's key comes back with the next "
            "Test Connection, or when it is tried again."
        )

    return f"From now on {label} {fault.what}. Run a tool to see what happens."

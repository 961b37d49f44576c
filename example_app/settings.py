"""The settings of the studio and of its demo."""

from __future__ import annotations

import collections.abc as cabc
import json
import os
import pathlib
import secrets
import typing as t

from flask import Flask

from flask_byok.masterkeys import generate

from . import demo_keys

#: Set it to 1 and the studio asks the real providers.
REAL_VARIABLE: t.Final = "BYOK_DEMO_REAL"

#: Where the simulator is looked for until a demo has said where it runs.
SIMULATOR_URL: t.Final = "http://127.0.0.1:8600"

DEFAULTS: t.Final[cabc.Mapping[str, t.Any]] = {
    "APP_NAME": "Content Studio",
    "STUDIO_SIMULATOR_URL": None,
    "STUDIO_LAYOUT": "studio",
    "SESSION_COOKIE_NAME": "content_studio",
    "SESSION_COOKIE_SAMESITE": "Lax",
    "BYOK_APP_NAME": "Content Studio",
    "BYOK_BASE_TEMPLATE": "studio/base.html",
    "BYOK_SYSTEM_BUDGET": {"requests": 500},
}

_SECRETS: t.Final = "demo.json"
_SIMULATOR: t.Final = "simulator.json"


def is_real(environment: cabc.Mapping[str, str] = os.environ) -> bool:
    """Tell whether ``BYOK_DEMO_REAL`` asks for the real providers."""
    return environment.get(REAL_VARIABLE, "").lower() in ("1", "true", "yes", "on")


def load_demo(app: Flask) -> None:
    """Fill in what the demo keeps in the instance folder, and the environment.

    Environment variables are read as Flask does: ``FLASK_BYOK_SYSTEM_KEYS``, say. With
    the simulator they cannot change keys and addresses: no real key may reach it.
    """
    folder = pathlib.Path(app.instance_path)
    app.config.from_mapping(read_secrets(folder))
    app.config.from_prefixed_env()
    app.config.from_mapping(
        TRUSTED_HOSTS=["127.0.0.1", "localhost"],
        SQLALCHEMY_DATABASE_URI=f"sqlite:///{database_path(folder)}",
        BYOK_NAMESPACE="demo-real" if is_real() else "demo",
    )

    if not is_real():
        app.config.from_mapping(simulated(read_simulator_url(folder)))


def simulated(simulator_url: str) -> dict[str, t.Any]:
    """Give the settings that send every request to the simulator."""
    return {
        "STUDIO_SIMULATOR_URL": simulator_url,
        "BYOK_PROVIDER_URLS": {
            "OPENAI": f"{simulator_url}/openai/v1",
            "CLAUDE": f"{simulator_url}/claude/v1",
            "GEMINI": f"{simulator_url}/gemini/v1beta",
        },
        "BYOK_SYSTEM_KEYS": demo_keys.system_keys(),
        # A provider that hangs is given up after nine seconds instead of 45.
        "BYOK_TIMEOUT": 12,
    }


def database_path(folder: pathlib.Path) -> pathlib.Path:
    """Name the database. Real keys have one of their own: the simulator shows keys."""
    return folder / ("studio-real.sqlite3" if is_real() else "studio.sqlite3")


def read_secrets(folder: pathlib.Path) -> dict[str, t.Any]:
    """Read the secrets of this demo, or make them at the first start."""
    path = folder / _SECRETS

    if not path.exists():
        made = {
            "SECRET_KEY": secrets.token_urlsafe(32),
            "BYOK_MASTER_KEYS": {"k001": generate()},
        }
        write_private(path, made)

    return t.cast("dict[str, t.Any]", json.loads(path.read_text("utf-8")))


def read_simulator_url(folder: pathlib.Path) -> str:
    """Tell where the simulator of the last demo listened."""
    path = folder / _SIMULATOR

    if not path.exists():
        return SIMULATOR_URL

    return str(json.loads(path.read_text("utf-8"))["url"])


def write_simulator_url(folder: pathlib.Path, url: str) -> None:
    """Keep where the simulator listens, for the command line."""
    write_private(folder / _SIMULATOR, {"url": url})


def write_private(path: pathlib.Path, value: t.Any) -> None:
    """Write JSON that nobody else on this machine may read, all of it or nothing."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    unfinished = path.with_suffix(".new")
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)

    with open(descriptor, "w", encoding="utf-8") as file:
        json.dump(value, file)

    unfinished.replace(path)

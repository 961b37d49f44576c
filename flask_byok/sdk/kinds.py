"""Which SDKs there are, whose wire they speak, and whether they are installed."""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import functools
import importlib.metadata
import re
import types
import typing as t

from ..errors import SetupError
from ..providers.base import Provider

_NUMBER: t.Final = re.compile(r"\d+")


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Kind:
    """One official SDK.

    :param name: as ``sdk()`` takes it, and of the extra that installs it.
    :param package: as it is installed.
    :param least: the oldest version this package is tested with.
    :param home: the provider it is made for.
    """

    name: str
    package: str
    least: tuple[int, int]
    home: str


_TABLE: t.Final = (
    Kind(
        name="openai",
        package="openai",
        least=(3, 54),
        home="OPENAI",
    ),
    Kind(
        name="anthropic",
        package="anthropic",
        least=(2, 12),
        home="CLAUDE",
    ),
    Kind(
        name="google",
        package="google-genai",
        least=(3, 4),
        home="GEMINI",
    ),
)

#: Every kind by its name.
KINDS: t.Final[cabc.Mapping[str, Kind]] = types.MappingProxyType(
    {kind.name: kind for kind in _TABLE}
)


def kind_of(provider: Provider) -> Kind:
    """Find the SDK that speaks a provider's wire.

    :raises SetupError: when there is none.
    """
    if provider.sdk_kind is None:
        raise SetupError(f"No official SDK speaks the wire of '{provider.id}'.")

    return KINDS[provider.sdk_kind]


def need(kind: Kind) -> None:
    """See that an SDK is installed, and new enough.

    :raises SetupError: when it is not; with the line that installs it.
    """
    found = _installed(kind.package)
    least = ".".join(map(str, kind.least))
    line = f"pip install 'flask-byok[{kind.name}]'"

    if found is None:
        raise SetupError(
            f"'sdk(\"{kind.name}\")' needs the package '{kind.package}': {line}."
        )

    if read_version(found) < kind.least:
        raise SetupError(
            f"'sdk(\"{kind.name}\")' needs '{kind.package}' {least} or newer; "
            f"{found} is installed: {line}."
        )


def read_version(text: str) -> tuple[int, int]:
    """Read the first two numbers of a version; what is missing is 0."""
    major, minor, *_ = [*map(int, _NUMBER.findall(text)), 0, 0]
    return major, minor


@functools.lru_cache
def _installed(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None

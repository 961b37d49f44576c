"""An environment of its own for each peer, made once: none slows or pins another."""

from __future__ import annotations

import pathlib
import subprocess
import sys
import typing as t
import venv

ROOT: t.Final = pathlib.Path(__file__).parents[2]
FOLDER: t.Final = ROOT / ".venv-peers"

#: What the views of the comparison run in.
_SERVER: t.Final = ("flask", "gunicorn", "gevent")

#: What is installed for each.
PEERS: t.Final[dict[str, tuple[str, ...]]] = {
    "litellm": ("litellm", *_SERVER),
    "litellm-proxy": ("litellm",),
    "any-llm": ("any-llm-sdk[openai]",),
}

# The proxy's extra pins versions that exclude each other now and then; it runs with
# those of the day, and without what only its database and its paid half need.
_UNPIN: t.Final = """
import importlib.metadata
from pip._vendor.packaging.requirements import Requirement

for text in importlib.metadata.requires("litellm"):
    one = Requirement(text)
    is_extra = one.marker is not None and "extra" in str(one.marker)

    if is_extra and one.marker.evaluate({"extra": "proxy"}):
        if not one.name.startswith("litellm-"):
            print(one.name)
"""


class NotThere(Exception):
    """A peer that cannot be installed here; the comparison goes on without it."""


def python_of(peer: str) -> str:
    """Give the Python that has a peer, installed first where it is missing.

    :raises NotThere: when it cannot be.
    """
    folder = FOLDER / peer
    python, stamp = folder / "bin" / "python", folder / ".made"

    if stamp.exists():
        return str(python)

    print(f"Installing {peer} into {folder.relative_to(ROOT)} …", file=sys.stderr)
    venv.create(folder, clear=True, with_pip=True)
    _install(python, *PEERS[peer])

    if peer == "litellm-proxy":
        told = subprocess.run(
            [python, "-c", _UNPIN], capture_output=True, text=True, check=True
        )
        _install(python, *told.stdout.split())

    stamp.touch()
    return str(python)


def _install(python: pathlib.Path, *packages: str) -> None:
    done = subprocess.run(
        [python, "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
        + list(packages),
        check=False,
    )

    if done.returncode:
        raise NotThere("pip could not install it.")

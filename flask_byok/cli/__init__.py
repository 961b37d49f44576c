"""``flask byok …``: what operators do at a prompt."""

from __future__ import annotations

from . import doctor as doctor
from . import keys as keys
from . import masterkeys as masterkeys
from . import simulator as simulator
from . import sweep as sweep
from . import usage as usage
from .group import byok_cli as byok_cli

"""A host app whose companies use the official SDKs."""

from __future__ import annotations

from tests.call.conftest import _byok_simulator_server as _byok_simulator_server
from tests.call.conftest import byok_simulator as byok_simulator
from tests.call.conftest import host as host
from tests.call.conftest import make as make

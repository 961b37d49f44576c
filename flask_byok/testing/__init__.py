"""A provider simulator, a leak guard and pytest fixtures for host apps.

:class:`Simulator` is one real HTTP server with the wire formats of OPENAI, CLAUDE and
GEMINI, and with their faults. :class:`LeakGuard` looks for a planted key wherever it
might come to light. :class:`FakeKeyService` takes the place of a key service. The
fixtures stand in :mod:`flask_byok.testing.fixtures`, which alone imports pytest.
"""

from .holding import Hold as Hold
from .keyservice import FakeKeyService as FakeKeyService
from .keyservice import ServiceRequest as ServiceRequest
from .leaks import LeakGuard as LeakGuard
from .leaks import make_canary as make_canary
from .records import RecordedRequest as RecordedRequest
from .server import Simulator as Simulator

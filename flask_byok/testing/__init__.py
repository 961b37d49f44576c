"""A provider simulator, a leak guard and pytest fixtures for host apps.

:class:`Simulator` is one real HTTP server with the wire formats of OPENAI, CLAUDE and
GEMINI, and with their faults. :class:`LeakGuard` looks for a planted key wherever it
might come to light. :class:`CapturedSignals` keeps what was told, and
:class:`CompanyKeys` stores keys that work or fail. :class:`FakeKeyService` takes the
place of a key service. The pytest plugin gives all of them as fixtures; nothing here
imports pytest but :mod:`flask_byok.testing.fixtures`.
"""

from .apps import connect_app as connect_app
from .apps import settings_for as settings_for
from .captured import CapturedSignals as CapturedSignals
from .captured import SentSignal as SentSignal
from .companies import CompanyKeys as CompanyKeys
from .companies import FailingKey as FailingKey
from .companies import StoredKey as StoredKey
from .holding import Hold as Hold
from .keyservice import FakeKeyService as FakeKeyService
from .keyservice import ServiceRequest as ServiceRequest
from .leaks import LeakGuard as LeakGuard
from .leaks import make_canary as make_canary
from .records import RecordedRequest as RecordedRequest
from .server import Simulator as Simulator

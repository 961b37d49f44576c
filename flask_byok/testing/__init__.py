"""A provider simulator and pytest fixtures for host apps.

:class:`Simulator` is one real HTTP server with the wire formats of OPENAI, CLAUDE and
GEMINI, and with their faults. :class:`FakeKeyService` takes the place of a key service.
The fixtures stand in
:mod:`flask_byok.testing.fixtures`, which alone imports pytest.
"""

from .holding import Hold as Hold
from .keyservice import FakeKeyService as FakeKeyService
from .keyservice import ServiceRequest as ServiceRequest
from .records import RecordedRequest as RecordedRequest
from .server import Simulator as Simulator

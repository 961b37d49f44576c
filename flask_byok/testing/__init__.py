"""A provider simulator and pytest fixtures for host apps.

:class:`Simulator` is one real HTTP server with the wire formats of OPENAI, CLAUDE and
GEMINI, and with their faults. The fixtures stand in
:mod:`flask_byok.testing.fixtures`, which alone imports pytest.
"""

from .holding import Hold as Hold
from .records import RecordedRequest as RecordedRequest
from .server import Simulator as Simulator

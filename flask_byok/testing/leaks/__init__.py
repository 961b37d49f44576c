"""The leak guard: plants a key that looks like nothing and looks for it everywhere.

:class:`LeakGuard` is what the pytest fixture ``leak_guard`` gives. It needs no pytest.
"""

from .canary import make_canary as make_canary
from .guard import LeakGuard as LeakGuard
from .sinks import SINKS as SINKS

"""Puts together what one app needs, once, at ``init_app``."""

from .hostdb import HostDb as HostDb
from .hostdb import NO_DB as NO_DB
from .providers import register_provider as register_provider
from .state import AppState as AppState
from .state import build_state as build_state
from .tablemaker import TableMaker as TableMaker

"""A provider that means harm, on raw sockets: the providers' own server serves it."""

from __future__ import annotations

from tests.providers.conftest import sender as sender
from tests.providers.conftest import serve as serve

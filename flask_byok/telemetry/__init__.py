"""OpenTelemetry spans and metrics for AI calls, where a host asks for them.

Needs the extra: ``pip install "flask-byok[otel]"``.
"""

from .instrumenting import instrument as instrument

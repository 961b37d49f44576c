"""``/healthz``: whether this process can serve its companies."""

from flask import Blueprint
from flask import current_app

health = Blueprint("health", __name__)


@health.get("/healthz")
def healthz():
    """Answer 200, or 503 with what is the matter in the log."""
    report = current_app.extensions["byok"].check_health()

    for problem in report.problems:
        current_app.logger.error(problem)

    told = {"database": report.database, "master_keys": report.master_keys}
    return told, 200 if report.is_healthy else 503

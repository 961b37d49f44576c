"""Many streams at once on one gevent worker of gunicorn: none lost, memory per stream.

Run it from the repository: ``python benchmarks/bench_streams.py [--streams 200]``.
"""

from __future__ import annotations

import argparse
import pathlib
import sys
import tempfile

# Run as a script, it finds the repository's tests only after this; hence the imports
# below it.
sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))

from flask_byok.testing import Simulator  # noqa: E402
from tests.support.host import close_host  # noqa: E402
from tests.support.host import make_host  # noqa: E402
from tests.support.host import MASTER_KEYS  # noqa: E402
from tests.support.many_streams import stream_all  # noqa: E402
from tests.support.served import serving  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", help="the database; else a SQLite file")
    parser.add_argument("--streams", type=int, default=200)
    options = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder, Simulator(pace=0.02) as simulator:
        url = options.url or f"sqlite:///{pathlib.Path(folder) / 'benchmark.db'}"
        host = make_host(url, simulator)
        close_host(host)
        config = {
            "BYOK_MASTER_KEYS": dict(MASTER_KEYS),
            "BYOK_PROVIDER_URLS": dict(simulator.urls),
            "BYOK_SYSTEM_KEYS": {"OPENAI": "not-a-real-system-key-openai"},
        }

        with serving(
            url, config, kind="gevent", workers=1, threads=options.streams
        ) as served:
            found = stream_all(served, simulator, options.streams)

    print(f"{found.whole} of {options.streams} streams came whole")
    print(f"{found.bytes_each / 1024:.0f} KiB of memory for each while all were open")
    return 0 if found.whole == options.streams else 1


if __name__ == "__main__":
    sys.exit(main())

"""One numbered Redis database for each test process, so that none sees another's."""

from __future__ import annotations

import uuid

import redis

#: Redis has 16 by default; 0 holds the claims.
NUMBERS = range(1, 16)
#: A claim outlives a killed process by this long.
CLAIM_SECONDS = 1800


class RedisClaim:
    """A Redis database held by this process: ``url``, ``clear()``, ``release()``."""

    def __init__(self, server_url: str) -> None:
        self._server = redis.Redis.from_url(server_url)
        self._token = uuid.uuid4().hex
        self._number = self._claim()
        self.url = f"{server_url.rpartition('/')[0]}/{self._number}"
        self.clear()

    def _claim(self) -> int:
        for number in NUMBERS:
            name = f"byok-test-claim-{number}"

            if self._server.set(name, self._token, nx=True, ex=CLAIM_SECONDS):
                return number

        raise RuntimeError("Every numbered Redis database is claimed by a test run.")

    def clear(self) -> None:
        """Empty the claimed database."""
        with redis.Redis.from_url(self.url) as client:
            client.flushdb()

    def release(self) -> None:
        """Empty it and give it back."""
        self.clear()
        self._server.delete(f"byok-test-claim-{self._number}")
        self._server.close()

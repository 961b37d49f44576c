"""Keys that look like nothing real, so that a hit is a leak and never an accident."""

from __future__ import annotations

import random
import re
import string
import typing as t

#: Characters of a canary behind its prefix.
LENGTH: t.Final = 40

_ALPHABET: t.Final = string.ascii_letters + string.digits

# An upper and a lower case letter that no hex number has: the last four of a canary
# are looked for as a word, among ids and digests.
_TELLING_END: t.Final = re.compile(r"(?=.*[G-Z])(?=.*[g-z])")


def make_canary(seed: str, prefix: str = "") -> str:
    """Draw a key of 40 letters and digits; the same one for the same seed.

    :param seed: the id of the test, so that a hit repeats in the next run.
    :param prefix: a provider's public prefix, where a test needs one.
    """
    draw = random.Random(seed)

    while True:
        drawn = "".join(draw.choices(_ALPHABET, k=LENGTH))

        if _TELLING_END.match(drawn[-4:]):
            return prefix + drawn

"""Key services: an outage is an outage, and a wrong answer is no key."""

from __future__ import annotations

import typing as t

from tests.mutants.mutant import Edit
from tests.mutants.mutant import Mutant

ENTRY: t.Final = "vault/entry.py"
SUITE: t.Final = "tests/vault/test_service_suite.py"

MUTANTS: t.Final = (
    Mutant(
        name="outage-called-another-key",
        cases="B20",
        takes_out="the difference between a service that is down and another key",
        edits=(
            Edit(
                ENTRY,
                "            _note_failure(error)\n"
                '            return "key_service_unavailable"\n',
                "            _note_failure(error)\n"
                '            return "wrong_key_or_context"\n',
            ),
        ),
        tests=(f"{SUITE}::test_whatever_a_provider_raises_is_one_error",),
    ),
    Mutant(
        name="any-wrap-taken",
        cases="B20",
        takes_out="the limits of what a service hands over to be stored",
        edits=(
            Edit(
                ENTRY,
                "if not _is_bytes(wrap, 1, LONGEST_WRAP) or not _is_okm(okm):",
                "if not _is_okm(okm):",
            ),
        ),
        tests=("tests/vault/test_wraps.py",),
    ),
    Mutant(
        name="any-derived-key-taken",
        cases="B20",
        takes_out="the check that a service derived 64 bytes",
        edits=(
            Edit(
                ENTRY,
                "    return isinstance(value, bytes) and len(value) == _OKM_LENGTH\n",
                "    return isinstance(value, bytes)\n",
            ),
        ),
        tests=(f"{SUITE}::test_a_provider_that_answers_wrongly_is_unavailable",),
    ),
    Mutant(
        name="service-answers-kept-in-the-error",
        cases="B20 C6",
        takes_out="the silence about what a key provider raised",
        edits=(
            Edit(
                ENTRY,
                "error=type(error).__name__,",
                "error=error,",
            ),
        ),
        tests=(f"{SUITE}::test_whatever_a_provider_raises_is_one_error",),
    ),
    Mutant(
        name="master-key-in-the-place-of-a-service",
        cases="A14",
        takes_out="the comparison of a blob's suite with what stands under its id",
        edits=(
            Edit(
                "vault/keyring.py",
                "if encoded is None or not blob.startswith(entry.header):",
                "if encoded is None:",
            ),
        ),
        tests=(SUITE,),
    ),
)

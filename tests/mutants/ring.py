"""Master keys as the settings give them, and their check values."""

from __future__ import annotations

import typing as t

from tests.mutants.mutant import Edit
from tests.mutants.mutant import Mutant

MASTERKEYS: t.Final = "masterkeys.py"
BOOT: t.Final = "tests/vault/test_masterkeys.py"


def _boot(
    name: str, cases: str, takes_out: str, old: str, new: str, test: str
) -> Mutant:
    return Mutant(
        name=name,
        cases=cases,
        takes_out=takes_out,
        edits=(Edit(MASTERKEYS, old, new),),
        tests=(f"{BOOT}::test_{test}",),
    )


MASTER_KEYS: t.Final = (
    _boot(
        "weak-key-taken",
        "B4",
        "the refusal of keys that repeat few bytes",
        "if len(set(master_bytes)) < _FEWEST_DISTINCT:",
        "if not master_bytes:",
        "a_key_that_repeats_itself_stops_the_start",
    ),
    _boot(
        "passphrase-taken",
        "B3 B4",
        "the refusal of keys that spell text",
        "if _PRINTABLE.issuperset(master_bytes):",
        "if not master_bytes:",
        "a_key_that_spells_text_stops_the_start",
    ),
    _boot(
        "published-key-taken",
        "B4",
        "the refusal of keys that stand in the documentation",
        "if hashlib.sha256(master_bytes).hexdigest() in _PUBLISHED:",
        "if not hashlib.sha256(master_bytes).hexdigest():",
        "a_published_example_stops_the_start",
    ),
    _boot(
        "app-secret-taken",
        "B5",
        "the refusal of SECRET_KEY as a master key",
        "if any(_is_same(master_key, app_secret) for app_secret in app_secrets):",
        "if app_secrets is None:",
        "the_apps_own_secret_is_no_master_key",
    ),
    _boot(
        "length-of-master-key-not-checked",
        "B3",
        "the check that a master key has 32 bytes",
        "    if length != LENGTH:\n        raise ConfigError(",
        "    if length > 64:\n        raise ConfigError(",
        "a_key_of_another_size_stops_the_start",
    ),
    _boot(
        "spare-bits-taken",
        "B3",
        "the check that a text is the one its bytes encode to",
        "return decoded if text in (padded, _encode(decoded)) else None",
        "return decoded if padded else None",
        "spare_bits_stop_the_start",
    ),
    Mutant(
        name="junk-in-base64-taken",
        cases="B2 B3",
        takes_out="both checks of a key's text: its characters and its spelling",
        edits=(
            Edit(MASTERKEYS, "if not _BASE64URL.fullmatch(text):", "if not text:"),
            Edit(
                MASTERKEYS,
                "return decoded if text in (padded, _encode(decoded)) else None",
                "return decoded if padded else None",
            ),
        ),
        tests=(f"{BOOT}::test_a_text_that_is_not_plain_base64url_stops_the_start",),
    ),
    _boot(
        "same-bytes-twice-taken",
        "B5",
        "the refusal of one key under two ids",
        "for first, second in itertools.combinations(keys, 2):",
        "for first, second in itertools.combinations((), 2):",
        "the_same_bytes_under_two_ids_stop_the_start",
    ),
    _boot(
        "id-twice-taken",
        "B5",
        "the refusal of an id given twice",
        "        if key_id in keys:",
        "        if key_id is keys:",
        "an_id_given_twice_stops_the_start",
    ),
    _boot(
        "any-id-taken",
        "B5",
        "the check of an id's shape",
        "if not isinstance(key_id, str) or not KEY_ID.fullmatch(key_id):",
        "if not isinstance(key_id, str):",
        "an_id_of_the_wrong_shape_stops_the_start",
    ),
    _boot(
        "primary-guessed",
        "B5",
        "the demand that the primary is named",
        "    if primary is None and len(keys) == 1:",
        "    if primary is None:",
        "several_keys_need_a_primary",
    ),
    _boot(
        "empty-ring-closes-the-vault",
        "B1",
        "the refusal of a ring that is missing",
        "    return value is False\n",
        "    return not value\n",
        "a_missing_ring_stops_the_start",
    ),
)

CHECK_VALUES: t.Final = (
    Mutant(
        name="other-bytes-not-noticed",
        cases="B7",
        takes_out="the comparison of check values",
        edits=(
            Edit(
                "vault/check_values.py",
                "if row.kcv != keyring.check_value(row.key_id):",
                "if row.kcv is None:",
            ),
        ),
        tests=("tests/vault/test_check_values.py",),
    ),
    Mutant(
        name="other-namespace-not-noticed",
        cases="B7",
        takes_out="the comparison of the namespace",
        edits=(
            Edit(
                "vault/check_values.py",
                "if row.namespace != keyring.namespace:",
                "if row.namespace is None:",
            ),
        ),
        tests=("tests/vault/test_check_values.py",),
    ),
    Mutant(
        name="retired-key-seals",
        cases="B15",
        takes_out="the refusal of a retired key",
        edits=(
            Edit(
                "vault/check_values.py",
                'return "retired" if row.retired_at is not None else None',
                "return None",
            ),
        ),
        tests=("tests/vault/test_check_values.py",),
    ),
    Mutant(
        name="check-value-not-read-back",
        cases="B7",
        takes_out="the look at the row after it was made",
        edits=(
            Edit(
                "vault/ring_rows.py",
                "    # Read back: of two workers with different bytes one is "
                "refused.\n"
                "    refuse_other_ring(connection, table, keyring)\n",
                "",
            ),
        ),
        tests=("tests/vault/test_choices.py", "tests/vault/test_rotation.py"),
    ),
    Mutant(
        name="save-without-check-value",
        cases="B7",
        takes_out="the look at the check value in a save",
        edits=(
            Edit(
                "service/saving.py",
                "            self._desk.store.ensure_check_value(conn, "
                "self._desk.open_keyring())\n",
                "",
            ),
        ),
        tests=("tests/service/test_check_value.py",),
    ),
    Mutant(
        name="doctor-silent-about-check-values",
        cases="B7",
        takes_out="the look of doctor at the check values",
        edits=(
            Edit(
                "service/doctor.py",
                "for problem in self._store.keyring_problems(self._keyring):",
                "for problem in self._store.keyring_problems(self._keyring)[:0]:",
            ),
        ),
        tests=("tests/cli/test_doctor_ring.py",),
    ),
    Mutant(
        name="doctor-opens-no-key",
        cases="B8",
        takes_out="the opening of every stored key by doctor",
        edits=(
            Edit(
                "service/doctor.py",
                "        yield from self._open_every_key(self._keyring)\n",
                "",
            ),
        ),
        tests=("tests/cli/test_cli.py::test_doctor_finds_a_key_that_does_not_open",),
    ),
)

MUTANTS: t.Final = (*MASTER_KEYS, *CHECK_VALUES)

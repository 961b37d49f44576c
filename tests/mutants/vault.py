"""The room that keeps keys: format, derivation, master keys, rows."""

from __future__ import annotations

import typing as t

from tests.mutants.mutant import Edit
from tests.mutants.mutant import Mutant

KEYRING: t.Final = "vault/keyring.py"
SEALING: t.Final = "tests/vault/test_keyring.py"
OPENING: t.Final = "tests/vault/test_opening.py"

FORMAT: t.Final = (
    Mutant(
        name="context-out-of-info",
        cases="A1 A2 A3",
        takes_out="the context from what a record's key is derived from",
        edits=(
            Edit(
                KEYRING,
                "self.hkdf(salt, self._info_start + context, _OKM_LENGTH)",
                "self.hkdf(salt, self._info_start, _OKM_LENGTH)",
            ),
        ),
        tests=("tests/vault/test_saving.py::test_a_moved_row_does_not_open",),
    ),
    Mutant(
        name="context-out-of-aad",
        cases="A21",
        takes_out="the context from what the tag covers",
        edits=(
            Edit(
                KEYRING,
                "self._aad_start + _prefixed(salt, commitment) + context",
                "self._aad_start + _prefixed(salt, commitment)",
            ),
        ),
        tests=(f"{SEALING}::test_a_published_blob_is_sealed_again_byte_for_byte",),
    ),
    Mutant(
        name="salt-and-commitment-out-of-aad",
        cases="A21",
        takes_out="salt and commitment from what the tag covers",
        edits=(
            Edit(
                KEYRING,
                "self._aad_start + _prefixed(salt, commitment) + context",
                'self._aad_start + _prefixed(b"", b"") + context',
            ),
        ),
        tests=(f"{SEALING}::test_a_published_blob_opens",),
    ),
    Mutant(
        name="header-out-of-info",
        cases="A21",
        takes_out="version, suite and key id from the derivation",
        edits=(
            Edit(
                KEYRING,
                '_prefixed(b"flask-byok/v1/derive", self.header)',
                '_prefixed(b"flask-byok/v1/derive", b"")',
            ),
        ),
        tests=(f"{SEALING}::test_a_published_blob_opens",),
    ),
    Mutant(
        name="parts-joined",
        cases="A11",
        takes_out="the lengths before the parts",
        edits=(
            Edit(
                KEYRING,
                'b"".join([len(part).to_bytes(4, "big") + part for part in parts])',
                'b"".join(parts)',
            ),
        ),
        tests=("tests/vault/test_length_prefix.py",),
    ),
    Mutant(
        name="parts-joined-by-a-separator",
        cases="A11",
        takes_out="the lengths before the parts, for a separator between them",
        edits=(
            Edit(
                KEYRING,
                'b"".join([len(part).to_bytes(4, "big") + part for part in parts])',
                'b"|".join(parts)',
            ),
        ),
        tests=("tests/vault/test_length_prefix.py",),
    ),
    Mutant(
        name="company-without-its-type",
        cases="A12",
        takes_out="the tag that keeps the number 42 and the text 42 apart",
        edits=(
            Edit(
                "vault/company.py",
                'return f"i:{company_id}"',
                'return f"s:{company_id}"',
            ),
        ),
        tests=("tests/vault/test_company.py",),
    ),
    Mutant(
        name="company-normalised",
        cases="A12",
        takes_out="the exactness of company texts",
        edits=(
            Edit(
                "vault/company.py",
                'return f"s:{company_id}"',
                "return f\"s:{unicodedata.normalize('NFKC', company_id)}\"",
            ),
        ),
        tests=("tests/vault/test_company.py",),
    ),
    Mutant(
        name="company-of-any-type",
        cases="A12 F3",
        takes_out="the refusal of True as a company",
        edits=(
            Edit(
                "vault/company.py",
                "if type(company_id) is int and",
                "if isinstance(company_id, int) and",
            ),
        ),
        tests=("tests/vault/test_company.py",),
    ),
    Mutant(
        name="namespace-ignored",
        cases="A3",
        takes_out="the namespace from the context",
        edits=(
            Edit(
                KEYRING,
                "            self._namespace_bytes,\n            context.company",
                '            b"default",\n            context.company',
            ),
        ),
        tests=(f"{SEALING}::test_a_blob_of_another_app_does_not_open",),
    ),
    Mutant(
        name="commitment-not-compared",
        cases="A13",
        takes_out="the comparison of the commitment",
        edits=(
            Edit(
                KEYRING,
                "if not hmac.compare_digest(commitment, stored):",
                "if len(commitment) != len(stored):",
            ),
        ),
        tests=("tests/vault/test_commitment.py",),
    ),
    Mutant(
        name="commitment-compared-with-equals",
        cases="A13",
        takes_out="the comparison in constant time",
        edits=(
            Edit(
                KEYRING,
                "if not hmac.compare_digest(commitment, stored):",
                "if commitment != stored:",
            ),
        ),
        tests=(f"{SEALING}::test_the_commitment_is_compared_in_constant_time",),
    ),
    Mutant(
        name="commitment-after-gcm",
        cases="A4 A13",
        takes_out="the order: commitment first, then the cipher",
        edits=(
            Edit(
                KEYRING,
                "        if not hmac.compare_digest(commitment, stored):\n"
                '            return "wrong_key_or_context"\n\n',
                "",
            ),
            Edit(
                KEYRING,
                '            return "tampered"\n',
                '            return "tampered"\n\n'
                "        if not hmac.compare_digest(commitment, stored):\n"
                '            return "wrong_key_or_context"\n',
            ),
        ),
        tests=(f"{OPENING}::test_every_turned_bit_is_refused_for_its_reason",),
    ),
    Mutant(
        name="trial-decryption",
        cases="A15",
        takes_out="the rule that one master key is used, named by the blob",
        edits=(
            Edit(
                KEYRING,
                "        return self._unseal(master_key, blob, context)\n",
                "        for each in self._master_keys.values():\n"
                "            opened = self._unseal(each, blob, context)\n\n"
                "            if isinstance(opened, Secret):\n"
                "                return opened\n\n"
                '        return "wrong_key_or_context"\n',
            ),
        ),
        tests=(f"{OPENING}::test_a_ring_of_five_derives_once",),
    ),
    Mutant(
        name="unknown-id-tries-the-primary",
        cases="A15 B16",
        takes_out="the refusal of an id that is not in the ring",
        edits=(
            Edit(
                KEYRING,
                '            return "unknown_key_id"\n',
                "            master_key = self._master_keys[self._primary]\n",
            ),
        ),
        tests=(f"{OPENING}::test_no_other_key_of_the_ring_is_tried",),
    ),
    Mutant(
        name="column-not-compared",
        cases="A6",
        takes_out="the comparison of the header's id with the column",
        edits=(
            Edit(
                KEYRING,
                'if blob[2:_SALT_AT].decode("latin-1") != key_id:',
                "if not blob[2:_SALT_AT]:",
            ),
        ),
        tests=(f"{OPENING}::test_column_and_header_must_agree",),
    ),
    Mutant(
        name="format-not-checked",
        cases="A6 A8",
        takes_out="the refusal of unknown versions and suites",
        edits=(Edit(KEYRING, "if start != _LOCAL:", "if not start:"),),
        tests=(f"{OPENING}::test_an_unknown_format_is_named_by_its_number",),
    ),
    Mutant(
        name="length-not-checked",
        cases="A5",
        takes_out="the limits of a blob's length",
        edits=(
            Edit(
                KEYRING,
                "if not _SHORTEST_BLOB <= len(blob) <= longest:",
                "if len(blob) > longest * 100:",
            ),
        ),
        tests=(
            f"{OPENING}::test_every_cut_is_refused",
            f"{OPENING}::test_what_is_not_a_sealed_key_is_malformed",
        ),
    ),
    Mutant(
        name="input-returned-on-failure",
        cases="A7",
        takes_out="the refusal: what does not open is given back as it is",
        edits=(
            Edit(
                KEYRING,
                "raise _unreadable(opened, blob, context)",
                'return Secret(bytes(blob or b"").decode("latin-1"))',
            ),
        ),
        tests=(f"{OPENING}::test_what_is_not_a_sealed_key_is_malformed",),
    ),
    Mutant(
        name="opened-text-not-checked",
        cases="A7",
        takes_out="the look at what was opened",
        edits=(
            Edit(
                KEYRING,
                "if not _PLAINTEXT.fullmatch(plaintext):",
                "if not plaintext.isascii():",
            ),
        ),
        tests=(f"{OPENING}::test_a_well_sealed_text_that_is_no_key_is_malformed",),
    ),
    Mutant(
        name="fixed-salt",
        cases="A9",
        takes_out="the fresh salt of each seal",
        edits=(Edit(KEYRING, "os.urandom(_SALT_LENGTH)", "bytes(_SALT_LENGTH)"),),
        tests=(f"{SEALING}::test_nothing_repeats_over_many_seals",),
    ),
    Mutant(
        name="fixed-nonce",
        cases="A9",
        takes_out="the fresh nonce of each seal",
        edits=(Edit(KEYRING, "os.urandom(_NONCE_LENGTH)", "bytes(_NONCE_LENGTH)"),),
        tests=(f"{SEALING}::test_nothing_repeats_over_many_seals",),
    ),
    Mutant(
        name="nonce-from-the-caller",
        cases="A10",
        takes_out="the rule that nobody hands in a nonce",
        edits=(
            Edit(
                KEYRING,
                "def seal(self, api_key: Secret, context: SealContext) -> bytes:",
                "def seal(\n        self, api_key: Secret, context: SealContext, "
                "nonce: bytes | None = None\n    ) -> bytes:",
            ),
        ),
        tests=(f"{SEALING}::test_nobody_can_hand_in_a_salt_or_a_nonce",),
    ),
    Mutant(
        name="context-not-judged",
        cases="A12",
        takes_out="the refusal to seal for a row that cannot be",
        edits=(Edit(KEYRING, "        refuse_bad_context(context)\n", ""),),
        tests=(f"{SEALING}::test_a_context_no_row_can_have_is_not_sealed",),
    ),
    Mutant(
        name="fingerprint-is-a-hash",
        cases="C23",
        takes_out="the ring's key from a fingerprint",
        edits=(
            Edit(
                KEYRING,
                'return hmac.new(mac_key, plaintext, "sha256").hexdigest()[:32]',
                "digest = hashes.Hash(hashes.SHA256())\n"
                "        digest.update(plaintext)\n"
                "        return digest.finalize().hex()[:32]",
            ),
        ),
        tests=(f"{SEALING}::test_a_fingerprint_is_no_plain_hash",),
    ),
)

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
        "        if keys[first] == keys[second]:",
        "        if first == second:",
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
                "    for problem in judge(_lock_rows(connection, table, keyring), "
                "keyring):",
                "    for problem in judge((), keyring):",
            ),
        ),
        tests=("tests/vault/test_choices.py",),
    ),
    Mutant(
        name="save-without-check-value",
        cases="B7",
        takes_out="the look at the check value in a save",
        edits=(
            Edit(
                "service/saving.py",
                "            self._desk.store.ensure_check_value"
                "(conn, self._desk.open_keyring())\n",
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

ROWS: t.Final = (
    Mutant(
        name="save-ignores-the-generation",
        cases="F7",
        takes_out="the generation from a save",
        edits=(
            Edit(
                "vault/saving.py",
                ".where(table.c.id == credential_id, "
                "table.c.generation == seen_generation)",
                ".where(table.c.id == credential_id)",
            ),
        ),
        tests=("tests/vault/test_saving.py",),
    ),
    Mutant(
        name="report-ignores-the-generation",
        cases="F7",
        takes_out="the generation from the result of a test",
        edits=(
            Edit(
                "vault/store.py",
                ".where(table.c.id == credential_id, "
                "table.c.generation == seen_generation)",
                ".where(table.c.id == credential_id)",
            ),
        ),
        tests=("tests/vault/test_saving.py::test_a_report_belongs_to_one_generation",),
    ),
    Mutant(
        name="delete-ignores-the-generation",
        cases="F7",
        takes_out="the generation from a removal",
        edits=(
            Edit(
                "vault/store.py",
                "            statement = "
                "statement.where(table.c.generation == seen_generation)\n",
                "            pass\n",
            ),
        ),
        tests=("tests/vault/test_saving.py::test_a_delete_on_an_old_view_is_refused",),
    ),
    Mutant(
        name="saved-bytes-not-read-back",
        cases="A18 A19",
        takes_out="the comparison of what was stored",
        edits=(
            Edit(
                "vault/store.py", "        read_back(connection, table, sealed)\n", ""
            ),
        ),
        tests=("tests/vault/test_saving.py",),
    ),
    Mutant(
        name="blob-not-read-back",
        cases="A18",
        takes_out="the blob from what is compared after a save",
        edits=(
            Edit(
                "vault/saving.py",
                'names = ("blob", "key_id", "company_id", "provider")',
                'names = ("key_id", "company_id", "provider")',
            ),
        ),
        tests=(
            "tests/vault/test_saving.py::test_bytes_that_were_not_kept_are_not_saved",
        ),
    ),
    Mutant(
        name="soft-delete",
        cases="G1",
        takes_out="the deletion: the row stays with a flag",
        edits=(
            Edit(
                "vault/store.py",
                "statement = sa.delete(table).where(table.c.id == credential_id)",
                "statement = sa.update(table).where(\n"
                "            table.c.id == credential_id\n"
                '        ).values(state="removed")',
            ),
        ),
        tests=("tests/vault/test_saving.py::test_a_deleted_key_leaves_nothing",),
    ),
    Mutant(
        name="forgotten-company-keeps-rows",
        cases="F19",
        takes_out="tables from what forget_company empties",
        edits=(
            Edit(
                "vault/store.py",
                'if "company_id" in table.c:',
                'if "company_id" in table.c and "details" not in table.c:',
            ),
        ),
        tests=(
            "tests/vault/test_saving.py::test_a_forgotten_company_has_no_row_anywhere",
        ),
    ),
    Mutant(
        name="blob-of-any-type",
        cases="A5 F12",
        takes_out="the care for a column that holds text",
        edits=(
            Edit(
                "vault/rows.py",
                "return bytes(value) if isinstance(value, "
                '(bytes, bytearray, memoryview)) else b""',
                "return bytes(value)",
            ),
        ),
        tests=("tests/call/test_state.py",),
    ),
    Mutant(
        name="parameters-shown",
        cases="C13",
        takes_out="hide_parameters from the engine",
        edits=(
            Edit(
                "vault/engines.py",
                '"hide_parameters": True',
                '"hide_parameters": False',
            ),
        ),
        tests=("tests/vault/test_database.py::test_parameters_are_hidden",),
    ),
)

MUTANTS: t.Final = (*FORMAT, *MASTER_KEYS, *CHECK_VALUES, *ROWS)

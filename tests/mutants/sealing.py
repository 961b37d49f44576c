"""Byte format, derivation and the order of the checks."""

from __future__ import annotations

import typing as t

from tests.mutants.mutant import Edit
from tests.mutants.mutant import Mutant

KEYRING: t.Final = "vault/keyring.py"
ENTRY: t.Final = "vault/entry.py"
FORMAT: t.Final = "vault/format.py"
LOCALKEY: t.Final = "vault/localkey.py"
PLAINTEXT: t.Final = "vault/plaintext.py"
SEALING: t.Final = "tests/vault/test_keyring.py"
OPENING: t.Final = "tests/vault/test_opening.py"

MUTANTS: t.Final = (
    Mutant(
        name="context-out-of-info",
        cases="A1 A2 A3",
        takes_out="the context from what a record's key is derived from",
        edits=(
            Edit(
                LOCALKEY,
                "info = self._info_start + context.encoded",
                "info = self._info_start",
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
                ENTRY,
                'return b"%b%b%b" % (start, bound, encoded)',
                'return b"%b%b" % (start, bound)',
            ),
        ),
        tests=(f"{SEALING}::test_a_published_blob_is_sealed_again_byte_for_byte",),
    ),
    Mutant(
        name="salt-and-commitment-out-of-aad",
        cases="A21",
        takes_out="salt and commitment from what the tag covers",
        edits=(Edit(ENTRY, "prefixed(wrap, commitment)", 'prefixed(b"", b"")'),),
        tests=(f"{SEALING}::test_a_published_blob_opens",),
    ),
    Mutant(
        name="header-out-of-info",
        cases="A21",
        takes_out="version, suite and key id from the derivation",
        edits=(
            Edit(
                LOCALKEY,
                'prefixed(b"flask-byok/v1/derive", header)',
                'prefixed(b"flask-byok/v1/derive", b"")',
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
                FORMAT,
                'b"".join([_four_bytes(len(part)) + part for part in parts])',
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
                FORMAT,
                'b"".join([_four_bytes(len(part)) + part for part in parts])',
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
                "self._namespace_part = prefixed(self._namespace_bytes)",
                'self._namespace_part = prefixed(b"default")',
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
                "    # Before GCM: its tag alone can be made to fit two keys.\n"
                "    if not hmac.compare_digest(commitment, stored):\n"
                '        return "wrong_key_or_context"\n'
                "\n",
                "",
            ),
            Edit(
                KEYRING,
                '        return "tampered"\n',
                '        return "tampered"\n'
                "\n"
                "    if not hmac.compare_digest(commitment, stored):\n"
                '        return "wrong_key_or_context"\n',
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
                "        return _unseal(entry, split(blob), keys)\n",
                "        for each in self._entries.values():\n"
                "            opened = _unseal(each, split(blob), keys)\n"
                "\n"
                "            if isinstance(opened, Secret):\n"
                "                return opened\n"
                "\n"
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
                "            entry = self._entries[self._primary]\n",
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
                FORMAT,
                'if blob[2:HEADER_LENGTH].decode("latin-1") != key_id:',
                "if not blob[2:HEADER_LENGTH]:",
            ),
        ),
        tests=(f"{OPENING}::test_column_and_header_must_agree",),
    ),
    Mutant(
        name="format-not-checked",
        cases="A6 A8",
        takes_out="the refusal of unknown versions and suites",
        edits=(
            Edit(FORMAT, "elif not blob.startswith(LOCAL):", "elif not blob:"),
            Edit(
                FORMAT,
                "    if blob.startswith(SERVICE):\n        if not",
                "    if blob.startswith(SERVICE + SERVICE):\n        if not",
            ),
        ),
        tests=(f"{OPENING}::test_an_unknown_format_is_named_by_its_number",),
    ),
    Mutant(
        name="length-not-checked",
        cases="A5",
        takes_out="the limits of a blob's length",
        edits=(
            Edit(
                FORMAT,
                "elif not _SHORTEST_LOCAL <= len(blob) <= _LONGEST_LOCAL:",
                "elif len(blob) > _LONGEST_LOCAL * 100:",
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
                "            raise unreadable(opened, blob, context)\n",
                '            return Secret(bytes(blob or b"").decode("latin-1"))\n',
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
                PLAINTEXT,
                "    if not _PLAINTEXT.fullmatch(plaintext):\n        return None\n",
                "    if not plaintext.isascii():\n        return None\n",
            ),
        ),
        tests=(f"{OPENING}::test_a_well_sealed_text_that_is_no_key_is_malformed",),
    ),
    Mutant(
        name="fixed-salt",
        cases="A9",
        takes_out="the fresh salt of each seal",
        edits=(Edit(LOCALKEY, "os.urandom(SALT_LENGTH)", "bytes(SALT_LENGTH)"),),
        tests=(f"{SEALING}::test_nothing_repeats_over_many_seals",),
    ),
    Mutant(
        name="fixed-nonce",
        cases="A9",
        takes_out="the fresh nonce of each seal",
        edits=(Edit(KEYRING, "os.urandom(NONCE_LENGTH)", "bytes(NONCE_LENGTH)"),),
        tests=(f"{SEALING}::test_nothing_repeats_over_many_seals",),
    ),
    Mutant(
        name="nonce-from-the-caller",
        cases="A10",
        takes_out="the rule that nobody hands in a nonce",
        edits=(
            Edit(
                KEYRING,
                "        self, api_key: Secret, context: SealContext, *, timeout: "
                "float | None = None\n"
                "    ) -> bytes:\n",
                "        self,\n"
                "        api_key: Secret,\n"
                "        context: SealContext,\n"
                "        *,\n"
                "        nonce: bytes | None = None,\n"
                "        timeout: float | None = None,\n"
                "    ) -> bytes:\n",
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
                "        return hmac.new(mac_key, encode(api_key), "
                '"sha256").hexdigest()[:32]\n',
                '        return hmac.new(b"", encode(api_key), '
                '"sha256").hexdigest()[:32]\n',
            ),
        ),
        tests=(
            f"{SEALING}::test_a_fingerprint_belongs_to_one_key_ring_and_app",
            f"{SEALING}::test_a_fingerprint_is_no_plain_hash",
        ),
    ),
)

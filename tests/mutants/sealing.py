"""Byte format, derivation and the order of the checks."""

from __future__ import annotations

import typing as t

from tests.mutants.mutant import Edit
from tests.mutants.mutant import Mutant

KEYRING: t.Final = "vault/keyring.py"
SEALING: t.Final = "tests/vault/test_keyring.py"
OPENING: t.Final = "tests/vault/test_opening.py"

MUTANTS: t.Final = (
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
                '            return "wrong_key_or_context"\n'
                "\n",
                "",
            ),
            Edit(
                KEYRING,
                '            return "tampered"\n',
                '            return "tampered"\n'
                "\n"
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
                "            opened = self._unseal(each, blob, context)\n"
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
                "def seal(\n"
                "        self, api_key: Secret, context: SealContext, nonce: bytes "
                "| None = None\n"
                "    ) -> bytes:",
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
        tests=(
            f"{SEALING}::test_a_fingerprint_belongs_to_one_key_ring_and_app",
            f"{SEALING}::test_a_fingerprint_is_no_plain_hash",
        ),
    ),
)

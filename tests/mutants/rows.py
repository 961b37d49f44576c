"""Rows of stored keys: saved, compared, deleted."""

from __future__ import annotations

import typing as t

from tests.mutants.mutant import Edit
from tests.mutants.mutant import Mutant

MUTANTS: t.Final = (
    Mutant(
        name="save-ignores-the-generation",
        cases="F7",
        takes_out="the generation from a save",
        edits=(
            Edit(
                "vault/saving.py",
                ".where(table.c.id == credential_id, table.c.generation == "
                "seen_generation)",
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
                ".where(table.c.id == credential_id, table.c.generation == "
                "seen_generation)",
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
                "if seen_generation not in (None, stored.generation):",
                "if seen_generation == -1:",
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
                "statement = sa.delete(table).where(table.c.id == stored.id)",
                "statement = sa.update(table).where(\n"
                "            table.c.id == stored.id\n"
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
                "return bytes(value) if isinstance(value, (bytes, bytearray, "
                'memoryview)) else b""',
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

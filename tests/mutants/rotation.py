"""Rotation and retirement: the compare-and-swap, the locks, the count."""

from __future__ import annotations

import typing as t

from tests.mutants.mutant import Edit
from tests.mutants.mutant import Mutant

SWAPPING: t.Final = "vault/swapping.py"
RING: t.Final = "vault/ring_rows.py"
ROTATING: t.Final = "tests/vault/test_rotation.py"
RETIRING: t.Final = "tests/vault/test_retire.py"

MUTANTS: t.Final = (
    Mutant(
        name="rotation-ignores-the-generation",
        cases="B11",
        takes_out="the generation from the compare-and-swap",
        edits=(
            Edit(
                SWAPPING,
                "            table.c.generation == seen.generation,\n",
                "            seen.generation == seen.generation,\n",
            ),
        ),
        tests=(ROTATING,),
    ),
    Mutant(
        name="rotation-ignores-the-key-id",
        cases="B13",
        takes_out="the key id from the compare-and-swap",
        edits=(
            Edit(
                SWAPPING,
                "            table.c.key_id == seen.key_id,\n",
                "            seen.key_id == seen.key_id,\n",
            ),
        ),
        tests=(ROTATING,),
    ),
    Mutant(
        name="rotation-ignores-both-on-mariadb",
        cases="B11 B13",
        takes_out="generation and key id where many rows are one statement",
        edits=(
            Edit(
                SWAPPING,
                "            whole.in_([sa.tuple_(*each[:3]) for each in seen]),\n",
                "            sa.or_(\n"
                "                whole.in_([sa.tuple_(*each[:3]) for each in seen]),\n"
                "                table.c.id.is_not(None),\n"
                "            ),\n",
            ),
        ),
        tests=(ROTATING,),
        servers=True,
    ),
    Mutant(
        name="rotation-counts-a-generation",
        cases="B18",
        takes_out="the rule that a rotation leaves the generation",
        edits=(
            Edit(
                SWAPPING,
                '        .values(blob=seen.blob, key_id=sa.bindparam("primary"))\n',
                "        .values(\n"
                "            blob=seen.blob,\n"
                '            key_id=sa.bindparam("primary"),\n'
                "            generation=table.c.generation + 1,\n"
                "        )\n",
            ),
        ),
        tests=(ROTATING,),
    ),
    Mutant(
        name="rotation-stops-at-a-damaged-key",
        cases="B14",
        takes_out="the passing over of a key that does not open",
        edits=(
            Edit(
                "vault/rotation.py",
                "    except (BYOKError, ValueError) as error:\n",
                "    except LookupError as error:\n",
            ),
        ),
        tests=(f"{ROTATING}::test_a_damaged_key_holds_nobody_up",),
    ),
    Mutant(
        name="retire-the-primary",
        cases="B15",
        takes_out="the refusal to retire the primary",
        edits=(
            Edit(RING, "    if key_id == keyring.primary:\n", "    if not key_id:\n"),
        ),
        tests=(f"{RETIRING}::test_the_primary_and_unknown_ids_are_refused",),
    ),
    Mutant(
        name="retire-without-a-count",
        cases="B15",
        takes_out="the count of what still needs a master key",
        edits=(
            Edit(
                RING, "    if left:\n        raise", "    if left < 0:\n        raise"
            ),
        ),
        tests=(f"{RETIRING}::test_one_row_is_enough_to_refuse",),
    ),
    Mutant(
        name="retire-counts-before-the-lock",
        cases="B22",
        takes_out="the order: first the lock, then the count",
        edits=(
            Edit(
                RING,
                "    found = "
                "connection.execute(sa.select(table).where(row).with_for_update())."
                "all()\n",
                "    left = _count_under(connection, tables, key_id)\n"
                "    found = "
                "connection.execute(sa.select(table).where(row).with_for_update())."
                "all()\n",
            ),
            Edit(
                RING,
                "    left = _count_under(connection, tables, key_id)\n\n    if left:",
                "    if left:",
            ),
        ),
        tests=(RETIRING,),
        servers=True,
    ),
    Mutant(
        name="retire-without-a-lock",
        cases="B22",
        takes_out="the lock of the ring's row by a retirement",
        edits=(
            Edit(
                RING,
                "sa.select(table).where(row).with_for_update()",
                "sa.select(table).where(row)",
            ),
        ),
        tests=(RETIRING,),
        servers=True,
    ),
    Mutant(
        name="save-without-a-lock",
        cases="B22",
        takes_out="the lock of the ring's row by a save",
        edits=(
            Edit(
                RING,
                "connection.scalar(select.with_for_update(read=True))",
                "connection.scalar(select)",
            ),
        ),
        tests=(RETIRING,),
        servers=True,
    ),
    Mutant(
        name="retired-twice",
        cases="B15",
        takes_out="the rule that there is no way back from a retirement",
        edits=(
            Edit(
                RING,
                "    if found[0].retired_at is not None:\n",
                "    if found[0].retired_at is NotImplemented:\n",
            ),
        ),
        tests=(f"{RETIRING}::test_there_is_no_way_back",),
    ),
    Mutant(
        name="retire-beside-another-ring",
        cases="B7 B15",
        takes_out="the look at the check values in a retirement",
        edits=(
            Edit(
                RING,
                "    refuse_other_ring(connection, table, keyring)\n"
                "\n"
                "    if not found:",
                "    if not found:",
            ),
        ),
        tests=(f"{RETIRING}::test_another_ring_retires_nothing",),
    ),
)

"""Companies apart: each query's filter, the comparison after it, contexts, races."""

from __future__ import annotations

import typing as t

from tests.mutants.mutant import Edit
from tests.mutants.mutant import Mutant


def _filter(name: str, file: str, old: str, new: str, *tests: str) -> Mutant:
    return Mutant(
        name=f"company-filter-dropped:{name}",
        cases="F1 F21",
        takes_out=f"the company from the query of {name}",
        edits=(Edit(file, old, new),),
        tests=tests,
    )


FILTERS: t.Final = (
    _filter(
        "keys",
        "vault/rows.py",
        "source.outerjoin(tables.credential, credential.company_id == asked)",
        "source.outerjoin(tables.credential, asked == asked)",
        "tests/vault/test_one_company.py",
    ),
    _filter(
        "choices",
        "vault/rows.py",
        "one.outerjoin(tables.company, company.company_id == asked)",
        "one.outerjoin(tables.company, asked == asked)",
        "tests/vault/test_one_company.py",
    ),
    _filter(
        "setting-choices",
        "vault/saving.py",
        "update = sa.update(table).where(table.c.company_id == company)"
        ".values(**values)",
        "update = sa.update(table).values(**values)",
        "tests/vault/test_one_company.py",
    ),
    _filter(
        "finding-a-key",
        "vault/store.py",
        "            columns.company_id == company, columns.provider == provider\n"
        "        )\n\n"
        "        if lock:\n"
        "            select = select.with_for_update()\n\n"
        "        for row in connection.execute(select):\n"
        "            if (row.company_id, row.provider) == (company, provider):\n",
        "            columns.provider == provider\n"
        "        )\n\n"
        "        if lock:\n"
        "            select = select.with_for_update()\n\n"
        "        for row in connection.execute(select):\n"
        "            if row.provider == provider:\n",
        "tests/vault/test_saving.py",
    ),
    _filter(
        "forgetting",
        "vault/store.py",
        "sa.delete(table).where(table.c.company_id == company)",
        "sa.delete(table)",
        "tests/vault/test_saving.py::test_a_forgotten_company_has_no_row_anywhere",
    ),
    _filter(
        "usage",
        "ledger/counting.py",
        "return table.c.company_id == company_id",
        "return table.c.company_id == table.c.company_id",
        "tests/ledger/test_usage.py::test_companies_are_apart",
    ),
    _filter(
        "budget",
        "ledger/budget.py",
        "        table.c.company_id == sa.bindparam(_COMPANY),\n",
        "        table.c.company_id == table.c.company_id,\n",
        "tests/ledger/test_allowances_apart.py",
    ),
    _filter(
        "history",
        "ledger/audit.py",
        "            .where(table.c.company_id == company_id)\n",
        "",
        "tests/ledger/test_audit.py::test_companies_are_apart",
    ),
    Mutant(
        name="keys-not-compared-again",
        cases="A22",
        takes_out="the exact comparison of the company of a loaded key",
        edits=(
            Edit(
                "vault/rows.py",
                "        _read_credential(row) for row in rows if "
                "row[_CREDENTIAL_AT] == company\n",
                "        _read_credential(row) for row in rows if "
                "row[_CREDENTIAL_AT] is not None\n",
            ),
        ),
        tests=("tests/vault/test_store.py",),
    ),
    Mutant(
        name="choices-not-compared-again",
        cases="A22",
        takes_out="the exact comparison of the company of loaded choices",
        edits=(
            Edit(
                "vault/rows.py",
                "known = first[1] == company",
                "known = first[1] is not None",
            ),
        ),
        tests=("tests/vault/test_store.py",),
    ),
    Mutant(
        name="page-not-compared-again",
        cases="A22",
        takes_out="the exact comparison of the company of what a page lists",
        edits=(
            Edit(
                "vault/rows.py",
                "        for row in rows\n        if row[_CREDENTIAL_AT] == company\n",
                "        for row in rows\n        if row[_CREDENTIAL_AT] is not None\n",
            ),
        ),
        tests=("tests/vault/test_store.py",),
    ),
    Mutant(
        name="found-key-not-compared-again",
        cases="A22",
        takes_out="the exact comparison before a key is changed or removed",
        edits=(
            Edit(
                "vault/store.py",
                "if (row.company_id, row.provider) == (company, provider):",
                "if row.id:",
            ),
        ),
        tests=("tests/vault/test_store.py",),
    ),
)

CONTEXTS: t.Final = (
    Mutant(
        name="one-slot-on-g",
        cases="F5",
        takes_out="the rule that nothing of a company is kept on g",
        edits=(
            Edit(
                "proxies.py",
                "    return byok.client_for(byok.load_company())\n",
                '    if not hasattr(g, "_byok_client"):\n'
                "        g._byok_client = byok.client_for(byok.load_company())\n"
                "\n"
                "    return g._byok_client\n",
            ),
            Edit(
                "proxies.py",
                "from flask import Flask\n",
                "from flask import Flask, g\n",
            ),
        ),
        tests=("tests/call/test_proxy.py",),
    ),
    Mutant(
        name="one-banner-on-g",
        cases="F5",
        takes_out="the company from where the banner is kept",
        edits=(
            Edit(
                "web/banner.py",
                "    slot = (type(company_id), company_id, current_language().tag)\n",
                "    slot = current_language().tag\n",
            ),
        ),
        tests=("tests/web/test_banner.py::test_two_companies_under_one_app_context",),
    ),
    Mutant(
        name="company-named-for-every-app",
        cases="F5 B19",
        takes_out="the app from what as_company names",
        edits=(
            Edit(
                "proxies.py",
                "    return _as_company.get().get(app)\n",
                "    return next(iter(_as_company.get().values()), None)\n",
            ),
        ),
        tests=("tests/call/test_proxy.py",),
    ),
    Mutant(
        name="company-in-a-global",
        cases="F5 C27",
        takes_out="the context variable: as_company names the company for all threads",
        edits=(
            Edit(
                "proxies.py",
                '    contextvars.ContextVar("byok_as_company", '
                "default=types.MappingProxyType({}))\n",
                '    _Shared("byok_as_company", default=types.MappingProxyType({}))\n',
            ),
            Edit(
                "proxies.py",
                "# By app: a company named",
                "class _Shared:\n"
                "    def __init__(self, name, default):\n"
                "        self.value = default\n"
                "\n"
                "    def get(self):\n"
                "        return self.value\n"
                "\n"
                "    def set(self, value):\n"
                "        before, self.value = self.value, value\n"
                "        return before\n"
                "\n"
                "    reset = set\n"
                "\n"
                "\n"
                "# By app: a company named",
            ),
        ),
        tests=("tests/call/test_proxy.py",),
    ),
    Mutant(
        name="late-verdict-accepted",
        cases="F7",
        takes_out="the generation from what a call writes about its key",
        edits=(
            Edit(
                "failover/key_writer.py",
                "            table.c.generation == target.circuit.generation,\n",
                "",
            ),
        ),
        tests=("tests/failover/test_circuit.py::test_old_generation_changes_nothing",),
    ),
    Mutant(
        name="late-opening-accepted",
        cases="F7",
        takes_out="the generation from what opens a circuit or tells a fallback",
        edits=(
            Edit(
                "failover/key_writer.py",
                "        table.c.id == sa.bindparam(ID), table.c.generation == "
                "sa.bindparam(GENERATION)\n",
                "        table.c.id == sa.bindparam(ID),\n"
                "        sa.bindparam(GENERATION) == sa.bindparam(GENERATION),\n",
            ),
        ),
        tests=("tests/failover/test_circuit.py::test_old_generation_changes_nothing",),
    ),
    Mutant(
        name="late-block-accepted",
        cases="F7",
        takes_out="the generation from what a call writes about a model",
        edits=(
            Edit(
                "failover/blocks.py",
                "        table.c.id == state.id, table.c.generation == "
                "state.generation\n",
                "        table.c.id == state.id\n",
            ),
        ),
        tests=("tests/failover/test_circuit.py::test_old_generation_changes_nothing",),
    ),
)

HISTORY: t.Final = (
    Mutant(
        name="history-apart-from-its-change",
        cases="G10",
        takes_out="the one transaction of a change and its line in the history",
        edits=(
            Edit(
                "ledger/audit.py",
                "        conn.execute(self._insert, fit(self._lengths, row))\n",
                "        with self._database.write() as own:\n"
                "            own.execute(self._insert, fit(self._lengths, row))\n",
            ),
        ),
        tests=(
            "tests/ledger/test_audit.py::test_event_goes_with_its_change[postgresql]",
        ),
        servers=True,
    ),
    Mutant(
        name="history-may-be-missing",
        cases="G10",
        takes_out="the rule that a change without its line is not made",
        edits=(
            Edit(
                "ledger/audit.py",
                "        conn.execute(self._insert, fit(self._lengths, row))\n",
                "        try:\n"
                "            conn.execute(self._insert, fit(self._lengths, row))\n"
                "        except sa.exc.SQLAlchemyError:\n"
                "            pass\n",
            ),
        ),
        tests=("tests/ledger/test_audit.py::test_change_goes_with_its_event",),
    ),
    Mutant(
        name="ciphertext-in-the-history",
        cases="C22",
        takes_out="the rule that the history holds words of ours alone",
        edits=(
            Edit(
                "service/saving.py",
                '{"verdict": report.verdict, "active": activated},',
                '{"verdict": report.verdict, "active": activated, "old": '
                "sealed.blob.hex()},",
            ),
        ),
        tests=("tests/service/test_history.py",),
    ),
    Mutant(
        name="digits-in-the-history",
        cases="C22",
        takes_out="the rule that the history holds no digit of a key",
        edits=(
            Edit(
                "service/saving.py",
                '{"verdict": report.verdict, "active": activated},',
                '{"verdict": report.verdict, "active": activated, "last4": '
                "sealed.last4},",
            ),
        ),
        tests=("tests/service/test_history.py",),
    ),
    Mutant(
        name="anything-in-the-history",
        cases="C22",
        takes_out="the check that a detail of the history is a word or a number",
        edits=(
            Edit(
                "ledger/audit.py",
                "        if not isinstance(value, (str, int, type(None))):",
                "        if value is NotImplemented:",
            ),
            Edit(
                "ledger/audit.py",
                "json.dumps(dict(details), sort_keys=True)",
                "json.dumps(dict(details), sort_keys=True, default=str)",
            ),
        ),
        tests=("tests/ledger/test_audit.py::test_details_hold_words_alone",),
    ),
)

MUTANTS: t.Final = (*FILTERS, *CONTEXTS, *HISTORY)

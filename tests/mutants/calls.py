"""Calls: when the app's own key may answer, what it may cost, and who is told."""

from __future__ import annotations

import typing as t

from tests.mutants.mutant import Edit
from tests.mutants.mutant import Mutant

POLICY: t.Final = "failover/policy.py"
TELLING: t.Final = "failover/telling.py"
STATE: t.Final = "tests/call/test_state.py"

#: Under which policies the system key may not answer for a failure of a class.
CLOSED: t.Final = {
    "never": "ABMCDEFGHIJKL",
    "outage_only": "ABMCGHIJKL",
    "auto": "GIJKL",
}


def _opened(letter: str, policy: str) -> Mutant:
    return Mutant(
        name=f"policy-ignored:{letter}-{policy}",
        cases="F17",
        takes_out=f"the policy {policy} for failures of class {letter}",
        edits=(
            Edit(
                POLICY,
                "    return policy in CLASSES[letter].policies\n",
                "    return policy in CLASSES[letter].policies or (\n"
                f'        letter == "{letter}" and policy == "{policy}"\n'
                "    )\n",
            ),
        ),
        tests=("tests/failover/test_reasons.py::test_fallback_per_policy",),
    )


POLICIES: t.Final = (
    *(_opened(letter, policy) for policy in CLOSED for letter in CLOSED[policy]),
    Mutant(
        name="policy-ignored",
        cases="F17",
        takes_out="the policy from the walk along the routes",
        edits=(
            Edit(
                "failover/limits.py",
                "        return may_use_system_key(self._notes.letters, "
                "self._policy)\n",
                '        return may_use_system_key(self._notes.letters, "auto")\n',
            ),
        ),
        tests=(
            "tests/call/test_routes.py::test_never_means_never",
            "tests/call/test_routes.py::test_outage_only_is_for_outages",
        ),
    ),
    Mutant(
        name="lock-ignored",
        cases="F17",
        takes_out="the operator's lock of the policy",
        edits=(
            Edit(
                "failover/routes.py",
                "if self._settings.fallback_locked or state.fallback is None:",
                "if state.fallback is None:",
            ),
        ),
        tests=("tests/call/test_routes.py::test_a_locked_policy_is_the_operators",),
    ),
    Mutant(
        name="lock-does-not-refuse",
        cases="F17",
        takes_out="the refusal to change a locked policy",
        edits=(
            Edit(
                "service/companies.py",
                "if fallback is not None and self._desk.settings.fallback_locked:",
                "if fallback is None and self._desk.settings.fallback_locked:",
            ),
        ),
        tests=("tests/call/test_routes.py::test_a_locked_policy_is_the_operators",),
    ),
    Mutant(
        name="fallback-false-ignored",
        cases="F17",
        takes_out="fallback=False of a call",
        edits=(
            Edit(
                "failover/routes.py",
                "return found if ask.fallback else found[:1]",
                "return found",
            ),
        ),
        tests=(f"{STATE}::test_an_unreadable_key_is_not_covered_up",),
    ),
    Mutant(
        name="no-company-is-the-system-key",
        cases="F3",
        takes_out="the error where nobody knows the company",
        edits=(
            Edit(
                "vault/company.py",
                "    if text is None:\n        raise NoCompany(",
                "    if company_id is None:\n"
                '        return "s:nobody"\n'
                "\n"
                "    if text is None:\n"
                "        raise NoCompany(",
            ),
        ),
        tests=("tests/call/test_proxy.py::test_what_is_no_company_is_nobody",),
    ),
    Mutant(
        name="four-requests",
        cases="F18",
        takes_out="the limit of requests of one call",
        edits=(
            Edit(
                "failover/limits.py",
                "MOST_REQUESTS: t.Final = 3",
                "MOST_REQUESTS: t.Final = 4",
            ),
        ),
        tests=("tests/call/test_system_key.py",),
    ),
    Mutant(
        name="rejected-key-stored",
        cases="F11",
        takes_out="the refusal to store a key the provider rejects",
        edits=(
            Edit(
                "service/desk.py",
                '    "could_not_ask": "unchecked",\n',
                '    "could_not_ask": "unchecked",\n    "rejected": "unchecked",\n',
            ),
            Edit(
                "service/saving.py",
                '    if verdict == "rejected":\n        return False\n\n',
                "",
            ),
        ),
        tests=("tests/service/test_saving.py::test_a_rejected_key_is_never_stored",),
    ),
    Mutant(
        name="budget-not-asked",
        cases="F11",
        takes_out="the reservation before the system key is used",
        edits=(
            Edit(
                "failover/settling.py",
                '        if route.source == "system":\n',
                '        if route.source == "nobody":\n',
            ),
        ),
        tests=(
            "tests/call/test_routes.py::test_without_a_key_the_system_key_simply_serves",
            "tests/call/test_routes.py"
            "::test_a_spent_budget_is_told_with_the_first_error",
        ),
    ),
    Mutant(
        name="budget-without-limit",
        cases="F11",
        takes_out="the limit from the reservation",
        edits=(
            Edit(
                "ledger/budget.py",
                '        yield taken + _named("wanted", name) <= limit\n',
                '        yield taken + _named("wanted", name) <= limit + 10**9\n',
            ),
        ),
        tests=(
            "tests/ledger/test_budget.py"
            "::test_last_request_is_granted_and_the_next_refused",
        ),
    ),
    Mutant(
        name="budget-not-written-is-granted",
        cases="F11",
        takes_out="the refusal where the reservation cannot be written",
        edits=(
            Edit(
                "ledger/reserving.py",
                "        if granted is None:\n            raise SystemKeyRefused(",
                "        if granted is None:\n"
                "            return\n"
                "\n"
                "        if granted is NotImplemented:\n"
                "            raise SystemKeyRefused(",
            ),
        ),
        tests=("tests/ledger/test_budget.py",),
    ),
    Mutant(
        name="unknown-state-serves",
        cases="F17",
        takes_out="the refusal where rows cannot be read",
        edits=(
            Edit(
                "vault/store.py",
                "            return read_company(company, rows, "
                "self._database.moved)\n"
                "        except (TypeError, ValueError):\n"
                "            pass\n",
                "            return read_company(company, rows, "
                "self._database.moved)\n"
                "        except (TypeError, ValueError):\n"
                "            return read_company(company, [\n"
                "                (rows[0][0], *[None] * (len(rows[0]) - 1))\n"
                "            ], self._database.moved)\n",
            ),
        ),
        tests=(
            "tests/vault/test_store.py::test_a_row_that_cannot_be_read_is_said_to_be",
        ),
    ),
)

UNREADABLE: t.Final = (
    Mutant(
        name="unreadable-without-log",
        cases="F12",
        takes_out="the ERROR about a key that does not open",
        edits=(
            Edit(
                TELLING,
                'logging.ERROR,\n            "key_unreadable",',
                'logging.DEBUG,\n            "key_unreadable",',
            ),
        ),
        tests=("tests/call/test_unreadable.py",),
    ),
    Mutant(
        name="unreadable-without-signal",
        cases="F12",
        takes_out="the signal about a key that does not open",
        edits=(
            Edit(
                TELLING,
                "        self._send(\n            signals.key_unreadable,",
                "        (lambda *nobody: None)(\n            signals.key_unreadable,",
            ),
        ),
        tests=(f"{STATE}::test_an_unreadable_key_falls_back_and_is_told_once",),
    ),
    Mutant(
        name="unreadable-without-history",
        cases="F12",
        takes_out="the line of the history about a key that does not open",
        edits=(
            Edit(
                TELLING,
                "        if change.company_id is not None:\n"
                "            self._note(\n"
                "                change.company_id,\n"
                '                "key_unreadable",',
                "        if change.company_id is None:\n"
                "            self._note(\n"
                '                "",\n'
                '                "key_unreadable",',
            ),
        ),
        tests=(f"{STATE}::test_an_unreadable_key_falls_back_and_is_told_once",),
    ),
    Mutant(
        name="unreadable-is-no-key",
        cases="F12",
        takes_out="the difference between no key and one that does not open",
        edits=(
            Edit(
                "failover/lessons.py",
                "        self._notes.unreadable(step, credential, reason)\n",
                "",
            ),
        ),
        tests=(f"{STATE}::test_an_unreadable_key_is_not_covered_up",),
    ),
    Mutant(
        name="unreadable-counts-as-rejected",
        cases="F12",
        takes_out="the rule that other workers are not held back",
        edits=(
            Edit(
                "failover/lessons.py",
                "        change = self._circuits.marks.unreadable(step.target, reason, "
                "now)\n",
                "        change = self._circuits.marks.unreadable(step.target, reason, "
                "now)\n"
                '        verdict = Verdict(letter="A", reason="auth")\n'
                "        self._circuits.failed(\n"
                "            step.target, verdict, now, model=step.route.model, "
                "token=None\n"
                "        )\n",
            ),
        ),
        tests=(f"{STATE}::test_a_worker_without_the_master_key_is_alone_with_it",),
    ),
    Mutant(
        name="unreadable-without-banner",
        cases="F12",
        takes_out="the banner about a key that does not open",
        edits=(
            Edit(
                "web/wording.py",
                "            notice=(line,),\n"
                "            banner=line,\n"
                "        )\n"
                "\n"
                "    def _own(",
                "            notice=(line,),\n"
                "            banner=None,\n"
                "        )\n"
                "\n"
                "    def _own(",
            ),
        ),
        tests=("tests/web/test_banner.py",),
    ),
)

MUTANTS: t.Final = (*POLICIES, *UNREADABLE)

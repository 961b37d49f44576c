"""The newer rooms: SDKs, formats of answers, drafts, notices and sums of money."""

from __future__ import annotations

import typing as t

from tests.mutants.mutant import Edit
from tests.mutants.mutant import Mutant

MUTANTS: t.Final[tuple[Mutant, ...]] = (
    Mutant(
        name="sdk-other-address",
        cases="",
        takes_out="the refusal of an SDK's request to another address",
        edits=(
            Edit(
                "sdk/transport.py",
                '    if not url.startswith(f"{base_url}/"):\n        return None\n',
                '    if not url.startswith(f"{base_url}/"):\n        return "/files"\n',
            ),
        ),
        tests=("tests/sdk/test_accounts.py::test_no_other_address_is_reached",),
    ),
    Mutant(
        name="sdk-header-that-is-none",
        cases="",
        takes_out="what makes a header of an SDK's caller one",
        edits=(
            Edit(
                "sdk/outgoing.py",
                'rb"x-stainless-[a-z0-9-]{1,68}"',
                'rb"x-stainless-.*"',
            ),
        ),
        tests=("tests/sdk/test_accounts.py::test_a_header_that_is_none_is_not_sent",),
    ),
    Mutant(
        name="sdk-account-is-moved",
        cases="",
        takes_out="the one key for what an account keeps",
        edits=(
            Edit(
                "sdk/outgoing.py",
                "may_be_bound(self._incoming.body) and is_account_bound(self._payload)",
                "False",
            ),
        ),
        tests=(
            "tests/sdk/test_accounts.py::test_only_what_belongs_to_nobody_is_sent_again",
        ),
    ),
    Mutant(
        name="sdk-unread-body-is-moved",
        cases="",
        takes_out="the one key for a body nobody can look into",
        edits=(
            Edit(
                "sdk/outgoing.py",
                "if self.purpose.is_bound or self._is_unread:",
                "if self.purpose.is_bound:",
            ),
        ),
        tests=(
            "tests/sdk/test_accounts.py::test_only_what_belongs_to_nobody_is_sent_again",
        ),
    ),
    Mutant(
        name="sdk-reads-the-environment",
        cases="C28",
        takes_out="the placeholder in place of a key of the environment",
        edits=(
            Edit(
                "sdk/builder.py",
                '        "admin_api_key": PLACEHOLDER,\n',
                "",
            ),
        ),
        tests=("tests/sdk/test_kinds.py::test_the_sdk_holds_a_placeholder",),
    ),
    Mutant(
        name="sdk-retries-itself",
        cases="",
        takes_out="the word to the SDK that it is not to try again",
        edits=(
            Edit(
                "sdk/replies.py",
                '"x-should-retry": "false"',
                '"x-should-retry": "true"',
            ),
        ),
        tests=("tests/sdk/test_errors.py::test_the_sdks_own_retries_stay_off",),
    ),
    Mutant(
        name="sdk-too-old-is-taken",
        cases="",
        takes_out="the look at the version of an SDK",
        edits=(
            Edit(
                "sdk/kinds.py",
                "if read_version(found) < kind.least:",
                "if not found:",
            ),
        ),
        tests=("tests/sdk/test_kinds.py::test_an_old_sdk_is_told_in_one_sentence",),
    ),
    Mutant(
        name="answer-is-not-checked",
        cases="",
        takes_out="the schema an answer is held against",
        edits=(
            Edit(
                "formats/answer.py",
                "find_misfit(value, self.schema) if self.is_checked else None",
                "None",
            ),
        ),
        tests=("tests/formats/test_formats.py",),
    ),
    Mutant(
        name="misfit-tells-the-answer",
        cases="",
        takes_out="words of the answer kept out of the error",
        edits=(
            Edit(
                "formats/checking.py",
                'return f"{where} has a property that is not in the schema"',
                "return f\"{where} has '{name}', which is not in the schema\"",
            ),
        ),
        tests=("tests/formats/test_formats.py",),
    ),
    Mutant(
        name="schema-in-circles",
        cases="",
        takes_out="the depth at which a schema ends",
        edits=(
            Edit(
                "formats/checking.py",
                "if depth > _DEEPEST:",
                "if depth < 0:",
            ),
        ),
        tests=(
            "tests/formats/test_formats.py::test_a_schema_that_goes_round_in_circles_ends",
        ),
    ),
    Mutant(
        name="truth-is-a-number",
        cases="",
        takes_out="true and false told from numbers",
        edits=(
            Edit(
                "formats/checking.py",
                "return isinstance(value, int) and not isinstance(value, bool)",
                "return isinstance(value, int)",
            ),
        ),
        tests=("tests/formats/test_formats.py",),
    ),
    Mutant(
        name="draft-of-another-person",
        cases="",
        takes_out="the actor a draft belongs to",
        edits=(
            Edit(
                "service/drafting.py",
                "draft is None or (draft.info.actor, draft.info.provider) != (\n"
                "            step.actor,\n"
                "            step.provider,\n"
                "        ):\n",
                "draft is None or draft.info.provider != step.provider:\n",
            ),
            Edit("service/companies.py", "draft.actor != actor or ", ""),
        ),
        tests=("tests/web/test_drafts.py::test_nobody_else_has_it",),
    ),
    Mutant(
        name="draft-of-another-company",
        cases="",
        takes_out="the company a draft is looked for in",
        edits=(
            Edit(
                "vault/drafts.py",
                ").where(columns.id == draft_id, columns.company_id == company)\n"
                "\n"
                "        with",
                ").where(columns.id == draft_id)\n\n        with",
            ),
            Edit(
                "vault/drafts.py",
                "if row is None or (row.id, row.company_id) != (draft_id, company):",
                "if row is None or row.id != draft_id:",
            ),
        ),
        tests=("tests/web/test_drafts.py::test_nobody_else_has_it",),
    ),
    Mutant(
        name="draft-has-no-end",
        cases="",
        takes_out="the quarter of an hour a draft lives",
        edits=(
            Edit(
                "vault/drafts.py",
                "        if info.ends_at <= now:\n            return None\n",
                "        if info.ends_at == now:\n            return None\n",
            ),
            Edit("service/companies.py", " or draft.ends_at <= status.now:", ":"),
        ),
        tests=(
            "tests/web/test_drafts.py::test_a_draft_whose_time_is_over_does_nothing",
        ),
    ),
    Mutant(
        name="refused-draft-stays",
        cases="",
        takes_out="the end of a draft whose key the provider refuses",
        edits=(
            Edit(
                "service/drafting.py",
                '        if result.verdict == "rejected":\n'
                "            self._delete(info)\n",
                '        if result.verdict == "rejected":\n',
            ),
        ),
        tests=("tests/web/test_drafts.py::test_the_provider_says_no",),
    ),
    Mutant(
        name="short-outage-is-told",
        cases="",
        takes_out="the patience before an outage is told",
        edits=(
            Edit(
                "failover/due.py",
                "is_lasting = _is_past(trouble.since, PATIENCE, now)",
                "is_lasting = trouble.since is not None",
            ),
        ),
        tests=("tests/call/test_notices.py::test_an_outage_is_told_once_it_lasts",),
    ),
    Mutant(
        name="untried-key-has-recovered",
        cases="",
        takes_out="the success that a recovery needs",
        edits=(
            Edit(
                "failover/due.py",
                "    if not works and not has_worked:\n"
                "        return None\n"
                "\n"
                "    since",
                "    since",
            ),
        ),
        tests=(
            "tests/call/test_notices.py::test_a_key_nobody_could_try_has_not_recovered",
        ),
    ),
    Mutant(
        name="notice-is-sent-twice",
        cases="",
        takes_out="the claim of a notice by one process",
        edits=(
            Edit(
                "failover/notices.py",
                "lambda conn: conn.execute(update).rowcount == 1",
                "lambda conn: conn.execute(update).rowcount >= 0",
            ),
        ),
        tests=(
            "tests/call/test_notices.py::test_of_those_who_saw_the_same_row_one_sends",
        ),
    ),
    Mutant(
        name="sums-lose-the-money",
        cases="",
        takes_out="the cost of attempts that move into sums",
        edits=(
            Edit(
                "ledger/rollup.py",
                '"cost_micros": row.cost_micros or 0,',
                '"cost_micros": 0,',
            ),
        ),
        tests=("tests/ledger/test_rollup.py::test_usage_stays_what_it_was",),
    ),
    Mutant(
        name="sums-price-everything",
        cases="",
        takes_out="the count of what has no price in the sums",
        edits=(
            Edit(
                "ledger/rollup.py",
                '"unpriced": int(row.cost_micros is None),',
                '"unpriced": 0,',
            ),
        ),
        tests=("tests/ledger/test_rollup.py",),
    ),
    Mutant(
        name="sums-are-written-over",
        cases="",
        takes_out="the addition to the sums of a day",
        edits=(
            Edit(
                "ledger/rollup.py",
                "added = {name: columns[name] + counts[name] for name in DAY_COUNTS}",
                "added = {name: counts[name] for name in DAY_COUNTS}",
            ),
        ),
        tests=("tests/ledger/test_rollup.py::test_a_late_row_of_an_old_day_is_added",),
    ),
    Mutant(
        name="recent-attempts-move",
        cases="",
        takes_out="the age of attempts that move into sums",
        edits=(
            Edit(
                "ledger/rollup.py",
                ".where(columns.state == state, columns.expires_at < before)",
                ".where(columns.state == state)",
            ),
        ),
        tests=("tests/ledger/test_rollup.py::test_recent_and_running_attempts_stay",),
    ),
)

"""The page and the JSON API: who may do what, and what an answer carries."""

from __future__ import annotations

import typing as t

from tests.mutants.mutant import Edit
from tests.mutants.mutant import Mutant

GUARD: t.Final = "web/guard.py"
ACCESS: t.Final = "tests/web/test_access.py"

#: Every endpoint of the blueprint, and whether it has a method that changes something.
ENDPOINTS: t.Final = {
    "page": False,
    "key": True,
    "test": True,
    "policy": True,
    "remove": True,
    "usage_csv": False,
    "api_credentials": False,
    "api_credential": True,
    "api_test": True,
    "api_policy": True,
    "api_usage": False,
    "api_document": False,
}


def _open_route(endpoint: str) -> Mutant:
    return Mutant(
        name=f"route-open-to-members:{endpoint}",
        cases="F4",
        takes_out=f"the access check of {endpoint}",
        edits=(
            Edit(
                GUARD,
                "        company_id = admit()\n",
                f'        if request.endpoint == "byok.{endpoint}":\n'
                "            company_id = current_byok.load_company()\n"
                "        else:\n"
                "            company_id = admit()\n\n",
            ),
        ),
        tests=(f"{ACCESS}::test_members_see_no_digits",),
    )


def _without_token(endpoint: str) -> Mutant:
    return Mutant(
        name=f"route-without-csrf:{endpoint}",
        cases="E6",
        takes_out=f"the CSRF check of {endpoint}",
        edits=(
            Edit(
                GUARD,
                "        if request.method not in SAFE_METHODS:\n",
                "        if (\n"
                "            request.method not in SAFE_METHODS\n"
                f'            and request.endpoint != "byok.{endpoint}"\n'
                "        ):\n",
            ),
        ),
        tests=(f"{ACCESS}::test_no_change_without_the_token",),
    )


ROUTES: t.Final = (
    *(_open_route(endpoint) for endpoint in ENDPOINTS),
    *(_without_token(endpoint) for endpoint, changes in ENDPOINTS.items() if changes),
    Mutant(
        name="open-without-an-access-check",
        cases="F4",
        takes_out="the rule that nobody gets in before there is an access check",
        edits=(
            Edit(GUARD, "if not current_byok.has_access_check:", "if False:"),
            Edit(
                GUARD,
                "if not current_byok.may_manage():",
                "if current_byok.has_access_check and not current_byok.may_manage():",
            ),
        ),
        tests=(f"{ACCESS}::test_closed_until_there_is_an_access_check",),
    ),
    Mutant(
        name="get-changes",
        cases="E5",
        takes_out="the rule that GET, HEAD and OPTIONS change nothing",
        edits=(
            Edit(
                "web/blueprint.py",
                '        method = "GET" if request.method == "HEAD" else '
                "request.method\n",
                '        method = "GET" if request.method == "HEAD" else '
                "request.method\n"
                '        method = request.headers.get("X-HTTP-Method-Override", '
                "method)\n",
            ),
        ),
        tests=(f"{ACCESS}::test_looking_changes_nothing",),
    ),
    Mutant(
        name="large-body-read",
        cases="E14",
        takes_out="the limit of a request's size",
        edits=(
            Edit(
                GUARD,
                "if is_chunked or (length or 0) > LARGEST_BODY:",
                "if is_chunked and length:",
            ),
        ),
        tests=(f"{ACCESS}::test_too_large",),
    ),
    Mutant(
        name="chunked-body-read",
        cases="E14",
        takes_out="the refusal of a body of unstated size",
        edits=(
            Edit(
                GUARD,
                "if is_chunked or (length or 0) > LARGEST_BODY:",
                "if (length or 0) > LARGEST_BODY and not is_chunked:",
            ),
        ),
        tests=(f"{ACCESS}::test_too_large",),
    ),
    Mutant(
        name="unknown-fields-taken",
        cases="E8 E13",
        takes_out="the refusal of fields a request does not have",
        edits=(
            Edit(
                "web/bodies.py",
                "        if name not in fields:\n            return False\n",
                "        if name not in fields:\n            continue\n",
            ),
        ),
        tests=("tests/web/test_api.py::test_only_strict_objects",),
    ),
    Mutant(
        name="doubled-fields-taken",
        cases="E13",
        takes_out="the refusal of a field that stands twice",
        edits=(
            Edit(
                "web/bodies.py", "    if len(found) != len(pairs):", "    if not pairs:"
            ),
        ),
        tests=("tests/web/test_api.py::test_only_strict_objects",),
    ),
    Mutant(
        name="any-content-type-taken",
        cases="E13",
        takes_out="the demand for JSON",
        edits=(
            Edit(
                "web/bodies.py",
                'if request.mimetype != "application/json":',
                'if request.mimetype == "multipart/form-data":',
            ),
        ),
        tests=("tests/web/test_api.py::test_only_json",),
    ),
    Mutant(
        name="last-four-for-members",
        cases="F4",
        takes_out="the silence about digits towards members",
        edits=(
            Edit(
                "web/refusals.py",
                "    if status.provider is not None and status.serving is not None:\n",
                "    lines += [say(info.masked) for info in status.credentials]\n"
                "\n"
                "    if status.provider is not None and status.serving is not None:\n",
            ),
        ),
        tests=(f"{ACCESS}::test_members_see_no_digits",),
    ),
    Mutant(
        name="banner-for-everybody",
        cases="F4",
        takes_out="the access check of the banner",
        edits=(
            Edit(
                "web/banner.py",
                "    if not byok.may_manage():\n        return None\n",
                "",
            ),
        ),
        tests=("tests/web/test_banner.py::test_others_are_not_told",),
    ),
)


def _without_header(name: str, cases: str, line: str) -> Mutant:
    return Mutant(
        name=f"without-{name}",
        cases=cases,
        takes_out=f"the header {name}",
        edits=(Edit(GUARD, f"    {line}\n", ""),),
        tests=(f"{ACCESS}::test_every_answer_is_kept_out_of_caches_and_frames",),
    )


HEADERS: t.Final = (
    _without_header(
        "X-Content-Type-Options", "E4", 'headers["X-Content-Type-Options"] = "nosniff"'
    ),
    _without_header("Cache-Control", "E3", 'headers["Cache-Control"] = "no-store"'),
    _without_header(
        "Referrer-Policy", "E4", 'headers["Referrer-Policy"] = "same-origin"'
    ),
    _without_header("X-Frame-Options", "E18", 'headers["X-Frame-Options"] = "DENY"'),
    _without_header(
        "Cross-Origin-Opener-Policy",
        "E18",
        'headers["Cross-Origin-Opener-Policy"] = "same-origin"',
    ),
    Mutant(
        name="frames-allowed",
        cases="E4",
        takes_out="frame-ancestors",
        edits=(
            Edit(
                GUARD,
                'if not any("frame-ancestors" in policy for policy in policies):',
                "if len(policies) > 9:",
            ),
        ),
        tests=(f"{ACCESS}::test_every_answer_is_kept_out_of_caches_and_frames",),
    ),
    Mutant(
        name="key-comes-back-on-the-form",
        cases="E1",
        takes_out="the rule that a form forgets the key",
        edits=(
            Edit(
                "web/forms.py",
                "            model=model if model in known_models(settings, "
                'registry) else "",\n',
                "            model=model or api_key,\n",
            ),
        ),
        tests=("tests/web/test_saving.py::test_nothing_typed_comes_back",),
    ),
)

LIMITS: t.Final = (
    Mutant(
        name="no-limit-by-user",
        cases="E16",
        takes_out="the limit of checks by user",
        edits=(
            Edit(
                "service/desk.py",
                "self.limiter.hit(user=user, company=company,",
                "self.limiter.hit(user=user and None, company=company,",
            ),
        ),
        tests=("tests/service/test_limits.py",),
    ),
    Mutant(
        name="no-limit-by-company",
        cases="E16",
        takes_out="the limit of checks by company",
        edits=(
            Edit(
                "service/desk.py",
                "self.limiter.hit(user=user, company=company,",
                "self.limiter.hit(user=user,",
            ),
        ),
        tests=("tests/service/test_limits.py",),
    ),
    Mutant(
        name="no-limit-for-all",
        cases="E16",
        takes_out="the limit of checks for all together",
        edits=(
            Edit("service/desk.py", 'company=company, all="all")', "company=company)"),
        ),
        tests=("tests/service/test_limits.py",),
    ),
    Mutant(
        name="no-limit-of-free-checks",
        cases="E16",
        takes_out="the limit of check_key",
        edits=(
            Edit(
                "service/connection.py",
                '        self._desk.limiter.hit(all="all")\n',
                "",
            ),
        ),
        tests=("tests/service/test_limits.py",),
    ),
    Mutant(
        name="no-limit-by-address",
        cases="E16",
        takes_out="the limit of checks by address",
        edits=(
            Edit(
                GUARD,
                "limiter.hit(address=request.remote_addr)",
                "limiter.hit(address=None)",
            ),
        ),
        tests=("tests/web/test_free_keys.py",),
    ),
    Mutant(
        name="address-from-a-header",
        cases="E17",
        takes_out="the rule that the server says where a request comes from",
        edits=(
            Edit(
                GUARD,
                "limiter.hit(address=request.remote_addr)",
                "limiter.hit(\n"
                '        address=request.headers.get("X-Forwarded-For", '
                "request.remote_addr)\n"
                "    )",
            ),
        ),
        tests=("tests/web/test_free_keys.py",),
    ),
    Mutant(
        name="limiter-fails-open",
        cases="E17",
        takes_out="the refusal of checks while the counter is down",
        edits=(
            Edit(
                "service/limits.py",
                "        except Exception:\n            wait = None\n",
                "        except Exception:\n            wait = 0.0\n",
            ),
        ),
        tests=(
            "tests/service/test_companies.py::test_a_dead_counter_stops_checks_not_calls",
        ),
    ),
    Mutant(
        name="free-key-tested-by-a-form",
        cases="E16",
        takes_out="the rule that a route tests the stored key alone",
        edits=(
            Edit(
                "web/keyviews.py",
                "        report = byok.test_connection(company_id, provider, "
                "actor=byok.load_actor())\n",
                '        if "api_key" in request.form:\n'
                "            report = byok.check_key(provider, "
                'request.form["api_key"])\n'
                "        else:\n"
                "            report = byok.test_connection(\n"
                "                company_id, provider, actor=byok.load_actor()\n"
                "            )\n",
            ),
        ),
        tests=("tests/web/test_free_keys.py",),
    ),
    Mutant(
        name="free-key-tested-by-json",
        cases="E16",
        takes_out="the rule that a route tests the stored key alone",
        edits=(
            Edit(
                "web/api.py",
                "    bodies.read_body({}, may_be_empty=True)\n\n    def test()",
                '    body = bodies.read_body({"api_key": (str,)}, may_be_empty=True)\n'
                "\n"
                "    def test()",
            ),
            Edit(
                "web/api.py",
                "        report = byok.test_connection(company_id, provider, "
                "actor=byok.load_actor())\n",
                '        if "api_key" in body:\n'
                '            report = byok.check_key(provider, body["api_key"])\n'
                "        else:\n"
                "            report = byok.test_connection(company_id, provider)\n",
            ),
        ),
        tests=("tests/web/test_free_keys.py",),
    ),
)

MUTANTS: t.Final = (*ROUTES, *HEADERS, *LIMITS)

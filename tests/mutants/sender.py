"""The room that speaks to providers: where keys go, and what comes back."""

from __future__ import annotations

import typing as t

from tests.mutants.mutant import Edit
from tests.mutants.mutant import Mutant

HTTP: t.Final = "providers/http.py"
CONNECTIONS: t.Final = "providers/connections.py"
BODY: t.Final = "providers/body.py"
SENDING: t.Final = "tests/providers/test_http.py"

WAY: t.Final = (
    Mutant(
        name="redirect-is-an-answer",
        cases="D3 D4",
        takes_out="the refusal of every 3xx",
        edits=(Edit(HTTP, "if 300 <= status < 400:", "if status == 399:"),),
        tests=(f"{SENDING}::test_no_redirect_is_followed",),
    ),
    Mutant(
        name="redirect-followed",
        cases="D3 D4",
        takes_out="the rule that a request goes to one address",
        edits=(
            Edit(
                HTTP,
                "            return response.raw, None\n",
                '            if "location" in response.raw.headers:\n'
                '                where = response.raw.headers["location"]\n'
                "                return self._exchange(parts._replace(url=where), "
                "watch)\n"
                "\n"
                "            return response.raw, None\n",
            ),
        ),
        tests=(f"{SENDING}::test_no_redirect_is_followed",),
    ),
    Mutant(
        name="proxy-of-the-environment",
        cases="D5",
        takes_out="the deafness to proxies of the environment",
        edits=(
            Edit(
                HTTP,
                "        origin = _origin(request.url)\n",
                '        origin = requests.utils.getproxies().get("http", '
                "_origin(request.url))\n",
            ),
        ),
        tests=(f"{SENDING}::test_the_environment_has_no_say",),
    ),
    Mutant(
        name="netrc-of-the-environment",
        cases="D5",
        takes_out="the deafness to .netrc",
        edits=(
            Edit(
                HTTP,
                "    if body is not None:\n        written",
                "    for login in filter(None, "
                "[requests.utils.get_netrc_auth(url)]):\n"
                '        written["Authorization"] = " ".join(login)\n'
                "\n"
                "    if body is not None:\n"
                "        written",
            ),
        ),
        tests=(f"{SENDING}::test_the_environment_has_no_say",),
    ),
    Mutant(
        name="certificate-not-checked",
        cases="D6",
        takes_out="the check of certificates",
        edits=(
            Edit(
                CONNECTIONS,
                "    context.minimum_version = ssl.TLSVersion.TLSv1_2\n",
                "    context.minimum_version = ssl.TLSVersion.TLSv1_2\n"
                "    context.check_hostname = False\n"
                "    context.verify_mode = ssl.CERT_NONE\n",
            ),
        ),
        tests=(
            f"{SENDING}::test_a_certificate_that_does_not_hold_is_refused",
            f"{SENDING}::test_the_tls_context_is_strict",
        ),
    ),
    Mutant(
        name="name-in-certificate-not-checked",
        cases="D6",
        takes_out="the check of the name in a certificate",
        edits=(
            Edit(
                CONNECTIONS,
                "    context.minimum_version = ssl.TLSVersion.TLSv1_2\n",
                "    context.minimum_version = ssl.TLSVersion.TLSv1_2\n"
                "    context.check_hostname = False\n",
            ),
        ),
        tests=(
            f"{SENDING}::test_a_certificate_that_does_not_hold_is_refused",
            f"{SENDING}::test_the_tls_context_is_strict",
        ),
    ),
    Mutant(
        name="old-tls",
        cases="D6",
        takes_out="the lowest version of TLS",
        edits=(
            Edit(
                CONNECTIONS,
                "context.minimum_version = ssl.TLSVersion.TLSv1_2",
                "context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED",
            ),
        ),
        tests=(f"{SENDING}::test_the_tls_context_is_strict",),
    ),
    Mutant(
        name="key-over-plain-http",
        cases="D7",
        takes_out="the demand for TLS beyond this machine",
        edits=(
            Edit(
                HTTP,
                'if url.startswith("https://"):',
                'if url.startswith(("https://", "http://")):',
            ),
        ),
        tests=(f"{SENDING}::test_without_tls_a_key_stays_on_this_machine",),
    ),
    Mutant(
        name="cookies-kept",
        cases="D11",
        takes_out="the refusal of a provider's cookies",
        edits=(
            Edit(
                HTTP,
                "        origin = _origin(request.url)\n",
                "        origin = _origin(request.url)\n"
                '        request.headers.update(getattr(self, "_cookie", {}))\n',
            ),
            Edit(
                HTTP,
                "        response.raw = resp\n",
                "        response.raw = resp\n"
                '        self._cookie = {"Cookie": resp.headers.get("set-cookie", '
                '"")}\n',
            ),
        ),
        tests=(f"{SENDING}::test_a_connection_is_kept_and_carries_nothing_over",),
    ),
    Mutant(
        name="printing-of-headers-not-pinned",
        cases="C11",
        takes_out="the pinned debuglevel",
        edits=(
            Edit(
                CONNECTIONS,
                "    debuglevel = 0\n    watch: Watch\n",
                "    watch: Watch\n",
            ),
        ),
        tests=(f"{SENDING}::test_printing_of_headers_stays_off",),
    ),
    Mutant(
        name="defects-logged",
        cases="C10 D2",
        takes_out="the cleaning of headers that cannot be parsed",
        edits=(
            Edit(
                CONNECTIONS,
                '        self.msg.defects = []\n        self.msg.set_payload("")\n',
                "",
            ),
        ),
        tests=(f"{SENDING}::test_a_hostile_header_does_not_reach_the_log",),
    ),
    Mutant(
        name="key-of-any-characters",
        cases="D12 C8 C9",
        takes_out="the look at a key before it becomes a header",
        edits=(
            Edit(
                HTTP,
                "if not _SENDABLE.fullmatch(api_key):",
                "if len(api_key) > 2048:",
            ),
        ),
        tests=(f"{SENDING}::test_a_key_that_is_no_header_is_not_sent",),
    ),
)

BOUNDS: t.Final = (
    Mutant(
        name="deadline-per-read",
        cases="D8",
        takes_out="the one deadline: each read gets the whole time",
        edits=(
            Edit(
                CONNECTIONS,
                "        self._watch.waited(time.monotonic() - started)\n",
                "",
            ),
            Edit(
                CONNECTIONS,
                "        left = self._watch.read_left()\n\n        if left <= 0.0:",
                "        left = 0.5\n\n        if left <= 0.0:",
            ),
        ),
        tests=(f"{SENDING}::test_a_dripping_server_is_cut_at_the_deadline",),
        hangs=True,
    ),
    Mutant(
        name="no-cap",
        cases="D9",
        takes_out="the cap on decoded bytes",
        edits=(
            Edit(BODY, "            if size > cap:\n", "            if size < 0:\n"),
            Edit(
                BODY,
                "self._read_piece(cap - size + 1)",
                "self._read_piece(128 * 1024 * 1024)",
            ),
        ),
        tests=(f"{SENDING}::test_a_bomb_is_cut_at_the_cap",),
    ),
    Mutant(
        name="cap-after-unpacking",
        cases="D9",
        takes_out="the cap while unpacking",
        edits=(
            Edit(
                BODY,
                "self._inflate.decompress(piece, limit)",
                "self._inflate.decompress(piece)",
            ),
        ),
        tests=(f"{SENDING}::test_a_bomb_takes_no_memory",),
    ),
    Mutant(
        name="errors-without-cap",
        cases="D9",
        takes_out="the small cap of error answers",
        edits=(Edit(BODY, "ERROR_CAP if is_error else cap", "cap"),),
        tests=(f"{SENDING}::test_a_large_answer_is_refused_and_a_large_error_is_cut",),
    ),
)

TROUBLE: t.Final = (
    Mutant(
        name="sender-chains",
        cases="C6 C7",
        takes_out="the rule that nothing is chained to a sender's error",
        edits=(
            Edit(
                HTTP,
                "        except BaseException as error:\n            caught = error\n",
                "        except BaseException as error:\n"
                "            raise judge(error, watch) from error\n",
            ),
            Edit(HTTP, "        return None, judge(caught, watch)\n", ""),
        ),
        tests=(f"{SENDING}::test_nobody_there_is_unreached",),
    ),
    Mutant(
        name="sender-raises-inside-except",
        cases="C6 C7",
        takes_out="the rule that a sender's error is raised after the except block",
        edits=(
            Edit(
                HTTP,
                "        except BaseException as error:\n            caught = error\n",
                "        except BaseException as error:\n"
                "            raise judge(error, watch) from None\n",
            ),
            Edit(HTTP, "        return None, judge(caught, watch)\n", ""),
        ),
        tests=(f"{SENDING}::test_nobody_there_is_unreached",),
    ),
    Mutant(
        name="interrupt-with-its-frames",
        cases="C4 C7",
        takes_out="the stripping of an interrupt's frames",
        edits=(
            Edit(
                "providers/troubles.py",
                "        return caught.with_traceback(None)\n",
                "        return caught\n",
            ),
        ),
        tests=(
            f"{SENDING}::test_an_interrupt_passes_without_the_frames_that_hold_the_key",
        ),
    ),
    Mutant(
        name="mistake-with-its-text",
        cases="C7 C15",
        takes_out="the silence about an unexpected exception's text",
        edits=(
            Edit(
                "providers/troubles.py",
                'f"The sender failed with {type(caught).__name__}."',
                'f"The sender failed: {caught!r}."',
            ),
        ),
        tests=("tests/providers/test_answer_repr.py",),
    ),
    Mutant(
        name="provider-text-in-a-message",
        cases="D1",
        takes_out="the rule that a message holds our words alone",
        edits=(
            Edit(
                "failover/classify.py",
                "code = rule.code or known_code(facts, table)",
                "code = rule.code or known_code(facts, table) or failure.text[:60]",
            ),
        ),
        tests=("tests/failover/test_classify.py::test_no_word_of_the_provider_leaves",),
    ),
    Mutant(
        name="body-shown-in-repr",
        cases="D1",
        takes_out="the hiding of an answer's body in repr",
        edits=(
            Edit(
                HTTP,
                "    body: bytes = dataclasses.field(repr=False)\n",
                "    body: bytes\n",
            ),
        ),
        tests=("tests/providers/test_answer_repr.py",),
    ),
    Mutant(
        name="any-request-id",
        cases="D1 D2",
        takes_out="the look for the key in what a provider calls its request id",
        edits=(
            Edit(
                "providers/wire.py",
                "return None if self._api_key.appears_in(value) else value",
                "return value",
            ),
        ),
        tests=("tests/providers/test_failures.py",),
    ),
    Mutant(
        name="all-headers-kept",
        cases="D2",
        takes_out="the short list of headers that are kept of an error",
        edits=(
            Edit(
                "providers/failures.py",
                "{name: headers[name] for name in KEPT_HEADERS if name in headers}",
                "dict(headers)",
            ),
        ),
        tests=(
            "tests/providers/test_failures.py"
            "::test_only_headers_a_verdict_needs_are_kept",
        ),
    ),
    Mutant(
        name="last-four-of-short-keys",
        cases="C24",
        takes_out="the length a key must have before four of it are shown",
        edits=(Edit("providers/base.py", '[A-Za-z0-9_-]{20,}"', '[A-Za-z0-9_-]{4,}"'),),
        tests=(
            "tests/providers/test_providers.py"
            "::test_the_mask_shows_what_is_public_and_four",
        ),
    ),
)

MUTANTS: t.Final = (*WAY, *BOUNDS, *TROUBLE)

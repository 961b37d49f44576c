"""Rules that hold for every line: read from the source, not from its behaviour."""

from __future__ import annotations

import ast
import collections.abc as cabc
import pathlib
import re

import pytest

from tests.support import tree

HOUSE = tree.ROOT / "flask_byok"

#: Who may look into a Secret: the header writer, the reader of plaintexts to seal, the
#: maker of masked forms, and the reader of master keys.
MAY_REVEAL = {
    "masterkeys.py",
    "providers/base.py",
    "providers/http.py",
    "service/clean.py",
    "vault/plaintext.py",
}

#: Below the sender, which reads the cause of a broken connection and drops it.
MAY_CHAIN = {"providers/connections.py"}

#: What a real key, or another secret that must never be committed, looks like. The
#: parts are put together here so that this file does not match itself.
SECRET_SHAPES = [
    "sk-" + r"proj-[A-Za-z0-9_-]{40,}",
    "sk-" + r"svcacct-[A-Za-z0-9_-]{40,}",
    "sk-" + r"ant-(?:api|admin)\d\d-[A-Za-z0-9_-]{40,}",
    r"\bsk-" + r"[A-Za-z0-9]{32,}",
    r"\bAIza" + r"[A-Za-z0-9_-]{35}",
    r"\bAQ\." + r"[A-Za-z0-9_-]{30,}",
    r"\bAKIA" + r"[A-Z0-9]{16}\b",
    r"\bgh[pousr]_" + r"[A-Za-z0-9]{36}",
    "-----BEGIN " + r"(?:[A-Z]+ )?PRIVATE KEY-----",
]

#: Folders of one machine and hosts of package registries are no part of a project.
MACHINE_SHAPES = [
    r"(?<![\w.~})/-])/(?:work|farm|root)/",
    r"(?<![\w.~})/-])/home/\w",
    r"\bpypi\." + "org",
    "python" + r"hosted\.",
    r"registry\." + "npmjs",
    r"\bdeb\." + "debian",
]


def sources() -> list[pathlib.Path]:
    """List the modules of the package."""
    return sorted(HOUSE.rglob("*.py"))


def calls(path: pathlib.Path) -> cabc.Iterator[tuple[int, str]]:
    """Name what a module calls, with the line."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call):
            function = node.func

            if isinstance(function, ast.Attribute):
                yield node.lineno, function.attr
            elif isinstance(function, ast.Name):
                yield node.lineno, function.id


def callers_of(name: str) -> set[str]:
    """List the modules that call a function or method of that name."""
    return {
        path.relative_to(HOUSE).as_posix()
        for path in sources()
        if any(called == name for _, called in calls(path))
    }


def texts() -> cabc.Iterator[tuple[pathlib.Path, str]]:
    """Read every text file of the project."""
    for path in tree.project_files():
        try:
            yield path, path.read_text("utf-8")
        except UnicodeDecodeError:
            continue


def find_shapes(text: str, shapes: list[str]) -> list[str]:
    """List what in a text has one of the shapes."""
    return [match[0] for shape in shapes for match in re.finditer(shape, text)]


def test_few_places_look_into_a_secret() -> None:
    """Only the places on the list call ``reveal()``; sdk/ may, for one attempt."""
    callers = callers_of("reveal")
    unlisted = {name for name in callers if not name.startswith("sdk/")} - MAY_REVEAL

    assert unlisted == set()


#: What holds a secret, by the names of this house.
SECRET_NAMES = {"api_key", "commitment", "master_key", "okm", "pasted", "plain"}
SECRET_NAMES |= {"plaintext", "secret", "system_key"}


def secrets_in(node: ast.AST) -> set[str]:
    """Name the secrets that an expression takes as they are, or reveals."""
    direct = {name.id for name in ast.walk(node) if isinstance(name, ast.Name)}
    revealed = {
        "reveal()"
        for call in ast.walk(node)
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and call.func.attr == "reveal"
    }
    return (direct & SECRET_NAMES) | revealed


def shown_secrets(tree_: ast.AST) -> list[str]:
    """List secrets that are put into an f-string, an error or a log line."""
    shown = []

    for node in ast.walk(tree_):
        inner: list[ast.AST] = []

        if isinstance(node, ast.FormattedValue):
            inner = [node.value]
        elif isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            inner = [*node.exc.args]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner = node.func.value
            is_log = isinstance(owner, ast.Name) and owner.id in ("_log", "logging")
            inner = [*node.args] if is_log or node.func.attr == "format" else []
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "log_event":
            inner = [*node.args, *(keyword.value for keyword in node.keywords)]

        shown += [f"{node.lineno}: {name}" for i in inner for name in secrets_in(i)]  # type: ignore[attr-defined]

    return shown


def compared_secrets(tree_: ast.AST) -> list[str]:
    """List secrets that ``==`` or ``!=`` compares, which stops where they differ."""
    return [
        f"{node.lineno}: {name.id}"
        for node in ast.walk(tree_)
        if isinstance(node, ast.Compare)
        and any(isinstance(operator, ast.Eq | ast.NotEq) for operator in node.ops)
        # "Is there any?" tells nothing about what it is.
        and ast.dump(node.comparators[0]) != ast.dump(ast.Constant(""))
        for name in (node.left, *node.comparators)
        if isinstance(name, ast.Name) and name.id in SECRET_NAMES
    ]


@pytest.mark.case("A13", "C15")
@pytest.mark.parametrize("rule", [shown_secrets, compared_secrets])
def test_no_secret_is_shown_or_compared_by_its_text(
    rule: cabc.Callable[[ast.AST], list[str]],
) -> None:
    """None in an f-string, an error or a log; ``hmac.compare_digest`` compares."""
    found = {
        path.relative_to(HOUSE).as_posix(): hits
        for path in sources()
        if (hits := rule(ast.parse(path.read_text("utf-8"))))
    }

    assert found == {}


def test_the_commitment_is_compared_in_constant_time() -> None:
    """The places that compare secrets, all of them."""
    assert callers_of("compare_digest") == {
        "masterkeys.py",
        "secret.py",
        "vault/entry.py",
        "vault/keyring.py",
    }


@pytest.mark.parametrize(
    ("planted", "rule"),
    [
        ("f'{api_key}'", shown_secrets),
        ("f'{x.reveal()!r}'", shown_secrets),
        ("raise ValueError(plaintext)", shown_secrets),
        ("_log.error('%s', secret)", shown_secrets),
        ("log_event(_log, 40, 'x', '%(key)s', key=api_key)", shown_secrets),
        ("'{}'.format(pasted)", shown_secrets),
        ("commitment == stored", compared_secrets),
        ("x if b != plaintext else y", compared_secrets),
    ],
)
def test_a_planted_slip_is_found(
    planted: str, rule: cabc.Callable[[ast.AST], list[str]]
) -> None:
    """The rules above do find what they look for."""
    assert rule(ast.parse(planted))


def test_no_import_hides_from_the_layer_check() -> None:
    """``importlib.import_module`` is invisible to the contracts: no room uses it.

    The package itself stands in no room; it loads the public names it lists.
    """
    callers = callers_of("import_module") | callers_of("__import__")

    assert callers == {"__init__.py"}


@pytest.mark.case("C6")
def test_no_exception_is_chained() -> None:
    """``raise … from error`` would carry a request, and its headers, along."""
    chained = {
        path.relative_to(HOUSE).as_posix()
        for path in sources()
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Raise)
        and node.cause is not None
        and not (isinstance(node.cause, ast.Constant) and node.cause.value is None)
    }

    assert chained - MAY_CHAIN == set()


def test_no_function_rebinds_a_global() -> None:
    """Nothing about an app is kept in a module: two apps share the process."""
    found = [
        f"{path.relative_to(HOUSE)}:{node.lineno}"
        for path in sources()
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Global)
    ]

    assert found == []


def test_no_public_signature_takes_anything() -> None:
    """A public function of the surface has no ``**kwargs``: a typo must not pass."""
    surface = ["extension.py", "client.py", "proxies.py"]
    found = [
        f"{name}:{node.name}"
        for name in surface
        for node in ast.walk(ast.parse((HOUSE / name).read_text("utf-8")))
        if isinstance(node, ast.FunctionDef)
        and node.args.kwarg is not None
        and not node.name.startswith("_")
    ]

    assert found == []


@pytest.mark.case("H2")
def test_no_real_looking_secret_is_committed() -> None:
    """No file holds what looks like a key that works somewhere."""
    found = {
        str(path.relative_to(tree.ROOT)): find_shapes(text, SECRET_SHAPES)
        for path, text in texts()
    }

    assert {name: hits for name, hits in found.items() if hits} == {}


def test_no_machine_and_no_registry_is_named() -> None:
    """No file holds a path of one machine or the address of a package registry."""
    found = {
        str(path.relative_to(tree.ROOT)): find_shapes(text, MACHINE_SHAPES)
        for path, text in texts()
    }

    assert {name: hits for name, hits in found.items() if hits} == {}


@pytest.mark.case("H2")
@pytest.mark.parametrize(
    "planted",
    [
        "sk-" + "proj-" + "a1B2" * 12,
        "sk-" + "ant-" + "api03-" + "a1B2" * 12,
        "sk-" + "a1B2" * 10,
        "AI" + "za" + "a1B2c" * 7,
        "A" + "Q." + "a1B2" * 10,
        "-----BEGIN " + "RSA PRIVATE KEY-----",
    ],
)
def test_a_planted_secret_is_found(planted: str) -> None:
    """The shapes above do find what they look for."""
    assert find_shapes(f"key = '{planted}'", SECRET_SHAPES)


@pytest.mark.parametrize(
    "planted",
    ["cd /wo" + "rk/main", "'/ro" + "ot/x'", "https://py" + "pi.org/simple"],
)
def test_a_planted_path_is_found(planted: str) -> None:
    """The shapes above do find what they look for."""
    assert find_shapes(planted, MACHINE_SHAPES)

"""The wheel and the sdist hold what they should, and the wheel works alone."""

from __future__ import annotations

import collections.abc as cabc
import json
import pathlib
import subprocess
import sys
import tarfile
import zipfile

import pytest

from tests.frame.test_static_rules import find_shapes
from tests.frame.test_static_rules import SECRET_SHAPES
from tests.support import tree

PAGE_SCRIPT = tree.ROOT / "tests" / "support" / "serve_page.py"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Build sdist and, from it, the wheel; give the folder that holds them."""
    folder = tmp_path_factory.mktemp("built")
    source = tree.copy_tree(folder / "source")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir"]
    subprocess.run([*command, folder, source], check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def wheel(built: pathlib.Path) -> pathlib.Path:
    """Give the one wheel that was built."""
    (wheel,) = built.glob("*.whl")
    return wheel


def package_files() -> set[str]:
    """List what a wheel must hold: code, templates, translations, the pytest plugin."""
    house = tree.ROOT / "flask_byok"
    patterns = ["**/*.py", "py.typed", "templates/**/*.html", "static/**/*"]
    patterns.append("translations/**/*")
    found = (path for pattern in patterns for path in house.glob(pattern))
    names = {path.relative_to(tree.ROOT).as_posix() for path in found if path.is_file()}
    return names | {"_flask_byok_pytest.py"}


@pytest.mark.case("H1")
def test_the_wheel_holds_the_package_and_nothing_else(wheel: pathlib.Path) -> None:
    """Templates, static files and py.typed are there; tests and data are not."""
    names = zipfile.ZipFile(wheel).namelist()
    metadata = {name for name in names if ".dist-info/" in name}

    assert set(names) - metadata == package_files()
    assert not [name for name in metadata if name.endswith((".pth", ".db"))]


@pytest.mark.case("H1")
def test_no_file_of_the_package_is_left_behind() -> None:
    """Every tracked file below flask_byok reaches the wheel."""
    house = tree.ROOT / "flask_byok"
    tracked = {path for path in tree.project_files() if house in path.parents}

    assert {path.relative_to(tree.ROOT).as_posix() for path in tracked} <= (
        package_files()
    )


@pytest.mark.case("H1")
@pytest.mark.parametrize(
    "name",
    [
        "CHANGES.md",
        "LICENSE",
        "Makefile",
        "README.md",
        "docs/conf.py",
        "example_app/demo.py",
        "pyproject.toml",
        "setup.cfg",
        "tests/conftest.py",
        "tests/frame/test_packaging.py",
    ],
)
def test_the_sdist_holds_what_its_tests_need(built: pathlib.Path, name: str) -> None:
    """Who unpacks the sdist can run the tests, the docs and the example."""
    (sdist,) = built.glob("*.tar.gz")
    names = tarfile.open(sdist).getnames()

    assert f"{sdist.name.removesuffix('.tar.gz')}/{name}" in names
    assert not [name for name in names if "__pycache__" in name or "/.venv" in name]


def shipped(built: pathlib.Path) -> dict[str, bytes]:
    """Read every file of the wheel and of the sdist."""
    found: dict[str, bytes] = {}

    for wheel in built.glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            found |= {
                f"wheel/{name}": archive.read(name) for name in archive.namelist()
            }

    for sdist in built.glob("*.tar.gz"):
        with tarfile.open(sdist) as archive:
            files = [(each.name, archive.extractfile(each)) for each in archive]
            found |= {f"sdist/{name}": file.read() for name, file in files if file}

    return found


@pytest.mark.case("H1")
def test_the_sdist_holds_files_of_the_repository_alone(built: pathlib.Path) -> None:
    """Beside what setuptools writes of the package: nothing git does not know."""
    known = {path.relative_to(tree.ROOT).as_posix() for path in tree.project_files()}
    names = [name.split("/", 2)[2] for name in shipped(built) if name[:5] == "sdist"]
    unknown = {
        name
        for name in set(names) - known
        if not name.startswith("flask_byok.egg-info/")
    }

    assert unknown <= {"PKG-INFO"}


@pytest.mark.case("H1")
def test_nothing_shipped_runs_at_the_start_of_python(built: pathlib.Path) -> None:
    """No ``.pth``, no ``sitecustomize``, no compiled file, no database."""
    endings = (".pth", ".pyc", ".so", ".sqlite3", ".db", ".pem", ".key")
    names = [name.rpartition("/")[2] for name in shipped(built)]

    assert not [name for name in names if name.endswith(endings)]
    assert not {"sitecustomize.py", "usercustomize.py", ".env"} & set(names)


@pytest.mark.case("H1", "H2")
def test_nothing_shipped_looks_like_a_real_key(built: pathlib.Path) -> None:
    """The shapes that no committed file may have, in wheel and sdist."""
    found = {
        name: find_shapes(content.decode("utf-8", "replace"), SECRET_SHAPES)
        for name, content in shipped(built).items()
    }

    assert len(found) > 300
    assert {name: hits for name, hits in found.items() if hits} == {}


@pytest.fixture(scope="module")
def alone(
    wheel: pathlib.Path, tmp_path_factory: pytest.TempPathFactory
) -> cabc.Callable[[str], str]:
    """Run code where the wheel is installed with its requirements and nothing else."""
    folder = tmp_path_factory.mktemp("alone")
    python = tree.make_environment(folder / "venv", wheel)
    return lambda code: tree.ask(python, code, folder=folder)


def test_the_wheel_alone_serves_the_page(alone: cabc.Callable[[str], str]) -> None:
    """Without the checkout, the page comes with templates and static files."""
    found = json.loads(alone(PAGE_SCRIPT.read_text("utf-8")))

    assert "site-packages" in found["module"]
    assert found["status"] == 200
    assert found["titled"]
    assert len(found["static"]) >= 2
    assert set(found["static"].values()) == {200}


@pytest.mark.case("H3")
def test_the_metadata_names_every_requirement(alone: cabc.Callable[[str], str]) -> None:
    """The environment above holds none of the packages that only tests need."""
    code = (
        "import importlib.util as u; print(u.find_spec('pytest'), u.find_spec('redis'))"
    )

    assert alone(code) == "None None"

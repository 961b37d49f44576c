"""What the memory of the library is made of, beyond what it stands on.

Run it from the repository: ``python benchmarks/profile_memory.py``. A fresh process
loads every dependency, and then an app with this package; what Python allocates for
that is added up by who asked for it. It also counts our modules and dataclasses.
"""

from __future__ import annotations

import argparse
import collections
import json
import sys
import typing as t

from peers import start

_PROFILE: t.Final = """
import contextlib, dataclasses, gc, importlib, json, sys, tracemalloc
for name in json.load(sys.stdin):
    with contextlib.suppress(ImportError):  # some are made, not found
        importlib.import_module(name)
import flask, flask_sqlalchemy
gc.collect()
tracemalloc.start()
exec(sys.argv[1])
gc.collect()
found = tracemalloc.take_snapshot().statistics("filename")
ours = [module for name, module in sys.modules.items() if name.startswith("flask_byok")]
classes = {
    one for module in ours for one in vars(module).values()
    if issubclass(type(one), type) and dataclasses.is_dataclass(one)
    and one.__module__.startswith("flask_byok")
}
print(json.dumps({
    "sizes": {one.traceback[0].filename: one.size for one in found},
    "modules": len(ours),
    "dataclasses": len(classes),
}))
"""


def owner(file: str) -> str:
    """Say in words who asked for memory."""
    if file.startswith("<frozen importlib"):
        return "the code of our modules, with docstrings"

    if file.endswith("dataclasses.py") or file == "<string>":
        return "what dataclasses are made of"

    if "sqlalchemy" in file:
        return "the tables, in SQLAlchemy"

    if "flask_byok" in file:
        return "what our modules hold: classes, functions, texts"

    return "everything else: routes, commands, patterns, enumerations"


def main() -> int:
    argparse.ArgumentParser(description=__doc__).parse_args()
    told = start._ask_python(start._OUR_APP + start._MODULES, "")
    needed = [name for name in json.loads(told) if start._is_dependency(name)]
    found = json.loads(start._ask_python(_PROFILE, json.dumps(needed), start._OUR_APP))
    owners: collections.Counter[str] = collections.Counter()

    for file, size in found["sizes"].items():
        owners[owner(file)] += size

    for name, size in owners.most_common():
        print(f"{name:<60} {size / owners.total():6.0%}")

    print(f"\n{found['modules']} modules, {found['dataclasses']} dataclasses")
    return 0


if __name__ == "__main__":
    sys.exit(main())

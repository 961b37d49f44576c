"""Every way in which a value tells what it holds."""

from __future__ import annotations

import collections.abc as cabc
import copy
import dataclasses
import json
import marshal
import pickle
import pprint
import typing as t

#: How deep containers are opened; below it their ``repr`` must do.
_DEPTH: t.Final = 6

Show = cabc.Callable[[object], None]


def pieces(value: object) -> cabc.Iterator[bytes]:
    """Give a value as bytes: as it prints, and every bytes object inside it.

    ``repr`` writes bytes as escapes, which hides what they hold in UTF-16, say.
    """
    if isinstance(value, bytes | bytearray | memoryview):
        yield bytes(value)
    elif isinstance(value, str):
        yield _encode(value)
    else:
        yield _encode(_print(value))
        yield from _bytes_inside(value, _DEPTH)


def _bytes_inside(value: object, depth: int) -> cabc.Iterator[bytes]:
    if isinstance(value, bytes | bytearray | memoryview):
        yield bytes(value)
    elif depth and isinstance(value, cabc.Mapping):
        for name, inner in value.items():
            yield from _bytes_inside(name, depth - 1)
            yield from _bytes_inside(inner, depth - 1)
    elif depth and isinstance(value, list | tuple | set | frozenset):
        for inner in t.cast("cabc.Iterable[object]", value):
            yield from _bytes_inside(inner, depth - 1)


def _print(value: object) -> str:
    try:
        return repr(value)
    except Exception as error:
        return f"<no repr: {type(error).__name__}>"


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "backslashreplace")


def tell(value: object, show: Show) -> None:
    """Show a value in every form in which it may be printed, kept or sent on.

    What refuses to be written in some form tells nothing there, and so is fine.
    """
    for write in (*_TEXTS, *_COPIES):
        try:
            written = write(value)
        except Exception as error:
            # The refusal itself is printed by whoever ran into it.
            show([str(error), error.args])
        else:
            show(written)


def _as_dict(value: object) -> object:
    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        raise TypeError("no dataclass")

    return dataclasses.asdict(value)


def _slots(value: object) -> dict[str, object]:
    """Give what ``vars`` does not: values kept in slots of the public kind."""
    names = [
        name
        for kind in type(value).__mro__
        for name in getattr(kind, "__slots__", ())
        if isinstance(name, str) and not name.startswith("_")
    ]
    return {name: getattr(value, name) for name in names if hasattr(value, name)}


_TEXTS: t.Final[tuple[cabc.Callable[[t.Any], object], ...]] = (
    repr,
    str,
    ascii,
    lambda value: f"{value} {value!r}",
    lambda value: "%s %r" % (value, value),  # noqa: UP031 - the other operator
    pprint.pformat,
    lambda value: json.dumps(value),
    lambda value: json.dumps(value, default=str),
    _as_dict,
    _slots,
    vars,
    dir,
)

_COPIES: t.Final[tuple[cabc.Callable[[t.Any], object], ...]] = (
    *(
        lambda value, protocol=protocol: pickle.dumps(value, protocol)
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1)
    ),
    marshal.dumps,
    copy.copy,
    copy.deepcopy,
)

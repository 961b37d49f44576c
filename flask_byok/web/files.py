"""The style sheet and the script, served without what only their readers need."""

from __future__ import annotations

import hashlib
import io
import pathlib
import re
import typing as t

from flask import Blueprint
from flask import send_file

if t.TYPE_CHECKING:
    from flask import Response

_COMMENT: t.Final = re.compile(r"/\*.*?\*/", re.DOTALL)
_AROUND: t.Final = re.compile(r"\s*([{};,>])\s*")
_ZERO: t.Final = re.compile(r"(?<=[ :(,-])0\.(?=\d)")
_SCRIPT_LINE: t.Final = re.compile(r"^[ ]*(?://.*)?\n?", re.MULTILINE)

#: By ending: the type of a file that is packed.
_TYPES: t.Final = {".css": "text/css", ".js": "text/javascript"}


class Shelf(Blueprint):
    """A blueprint that packs its style sheets and scripts on their way out.

    The files of the package stay as they were written.
    """

    def __init__(self, name: str, import_name: str, **more: t.Any) -> None:
        super().__init__(name, import_name, **more)
        self._packed: dict[tuple[str, float], bytes] = {}

    def send_static_file(self, filename: str) -> Response:
        """Answer with a file of ours; any other name is left to Flask."""
        path = pathlib.Path(str(self.static_folder)) / filename

        if path.name != filename or path.suffix not in _TYPES or not path.is_file():
            return super().send_static_file(filename)

        changed = path.stat().st_mtime
        packed = self._packed.get((filename, changed))

        if packed is None:
            packed = pack(path.read_text("utf-8"), path.suffix).encode()
            self._packed[filename, changed] = packed

        return send_file(
            io.BytesIO(packed),
            mimetype=_TYPES[path.suffix],
            etag=hashlib.sha256(packed).hexdigest()[:32],
            last_modified=changed,
            max_age=self.get_send_file_max_age(filename),
        )


def pack(text: str, suffix: str) -> str:
    """Take comments and indentation out of a file of ours.

    Made for the files of this package and their style, not for any other: a script
    whose comments have lines of their own, a style sheet without ``/*`` in strings.

    :param suffix: ``.css`` or ``.js``.
    """
    if suffix == ".js":
        return _SCRIPT_LINE.sub("", text)

    text = re.sub(r"\s+", " ", _COMMENT.sub("", text))
    text = _AROUND.sub(r"\1", text).replace(": ", ":").replace(";}", "}")
    return _ZERO.sub(".", text).strip()

"""A wrapper for secrets that never prints what it holds."""

from __future__ import annotations

import hmac
import typing as t


class Secret:
    """Hold one API key (or master key as text) so that nothing shows it by accident.

    Not a subclass of ``str``: a subclass shows itself through ``+``, ``join``, slices,
    ``encode()`` and JSON. Comparison takes constant time; pickling and copying are
    refused, so that no secret reaches a cache, a queue or a crash report.
    """

    __slots__ = ("__value",)

    # Named so that error reporters, which hide locals by name, hide this one too.
    def __init__(self, api_key: str, /) -> None:
        if type(api_key) is not str:
            raise TypeError("A Secret holds a str.")

        self.__value = api_key

    def reveal(self) -> str:
        """Give the plaintext. Only the header writer and the keyring call this."""
        return self.__value

    def starts_with(self, prefix: str) -> bool:
        """Tell whether the secret begins so: for the prefixes providers publish."""
        return self.__value.startswith(prefix)

    def has_at_end(self, part: str) -> bool:
        """Tell whether ``part`` stands in the last twelve characters.

        For the last four of a key that came with quotes or blanks around it.
        """
        return part in self.__value[-12:]

    def appears_in(self, text: str) -> bool:
        """Tell whether ``text`` shows the secret, or six characters of it in a row.

        Meant for short strings of another party's making, such as a request id.
        """
        value = self.__value
        width = min(6, len(value))
        return any(
            text[start : start + width] in value
            for start in range(len(text) - width + 1)
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented

        return hmac.compare_digest(
            self.__value.encode("utf-8", "surrogatepass"),
            other.__value.encode("utf-8", "surrogatepass"),
        )

    # A hash of the plaintext would be a fingerprint of it.
    __hash__: t.ClassVar[None] = None  # type: ignore[assignment]

    def __bool__(self) -> bool:
        return bool(self.__value)

    def __repr__(self) -> str:
        return "<Secret>"

    def __str__(self) -> str:
        return "<Secret>"

    def __format__(self, format_spec: str) -> str:
        return "<Secret>"

    # object.__getstate__ (Python 3.11) would hand out the slot as a dict.
    def __getstate__(self) -> t.NoReturn:
        raise TypeError("A Secret is not pickled or copied.")

    def __reduce_ex__(self, protocol: t.SupportsIndex) -> t.NoReturn:
        raise TypeError("A Secret is not pickled or copied.")

"""h11's view of headers: lower-case names to look at, the wire's names beside them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import overload

Pair = tuple[bytes, bytes]


class Headers(Sequence[Pair]):
    """Pairs of lower-case name and value; `raw_items` has the names as they stood on the wire."""

    __slots__ = ("_lowered", "_raw")

    def __init__(self, raw: list[Pair]) -> None:
        self._raw = raw
        self._lowered = [(name.lower(), value) for name, value in raw]

    @overload
    def __getitem__(self, index: int) -> Pair: ...

    @overload
    def __getitem__(self, index: slice) -> list[Pair]: ...

    def __getitem__(self, index: int | slice) -> Pair | list[Pair]:
        return self._lowered[index]

    def __len__(self) -> int:
        return len(self._lowered)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and self._lowered == list(other)

    __hash__ = None  # type: ignore[assignment]  # a sequence is compared by what it holds

    def __repr__(self) -> str:
        return f"<Headers({self._lowered!r})>"

    def raw_items(self) -> list[Pair]:
        """Return the pairs with names in the case that they had on the wire."""
        return self._raw


def to_bytes(value: bytes | bytearray | memoryview | str) -> bytes:
    """Return a value as bytes; text is ASCII."""
    return value.encode("ascii") if isinstance(value, str) else bytes(value)

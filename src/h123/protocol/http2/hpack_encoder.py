"""HPACK's sending half: field sections into header blocks (RFC 7541)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..fields import FIELD_OVERHEAD
from ..sensitive import Sensitive
from . import huffman
from .representation import (
    DEFAULT_TABLE_SIZE,
    GUESSABLE_COOKIE,
    INCREMENTAL,
    INDEXED,
    KEPT_BLOCK_SIZE,
    KEPT_BLOCKS,
    NEVER_INDEXED,
    NOT_KEPT,
    SECRET,
    SIZE_UPDATE,
    WITHOUT_INDEXING,
)
from .static_table import STATIC_FIELDS, STATIC_NAMES, STATIC_SIZE

if TYPE_CHECKING:
    from ..events import Headers

# Values that hardly come twice: indexing them would only push useful entries out of the table.
_FICKLE: Final = frozenset(
    [
        b":path", b"age", b"content-length", b"content-range", b"etag", b"if-match",
        b"if-modified-since", b"if-none-match", b"if-range", b"if-unmodified-since", b"last-modified",
        b"location", b"range",
    ]
)  # fmt: skip

_KEPT_NAMES: Final = 128
_BYTES: Final = [bytes((byte,)) for byte in range(256)]

_FIRST: Final = STATIC_SIZE + 1
"""The index of the newest entry of the dynamic table."""


def encode_integer(value: int, prefix: int, flags: int) -> bytes:
    """Return an integer of `prefix` bits, with `flags` in the bits above (RFC 7541 section 5.1)."""
    most = (1 << prefix) - 1
    if value < most:
        return _BYTES[flags | value]
    encoded = bytearray((flags | most,))
    value -= most
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def encode_string(data: bytes) -> bytes:
    """Return a string literal, Huffman coded where that is shorter (RFC 7541 section 5.2)."""
    coded = huffman.encode(data)
    size = len(coded)
    if size >= len(data):
        return encode_integer(len(data), 7, 0) + data
    if size < 0x7F:
        return _BYTES[0x80 | size] + coded
    return encode_integer(size, 7, 0x80) + coded


# What becomes of a field that is in no table as a whole: a cookie or a secret; one whose value hardly comes
# twice; any other, by what came before.
_PRIVATE: Final = 1
_OFTEN_NEW: Final = 2
_ANY: Final = 3


def _make_plans() -> dict[bytes, tuple[bytes, int]]:
    """Return how literals without indexing begin, by name, and what becomes of the fields."""
    plans = {}
    for name, index in STATIC_NAMES.items():
        treatment = _OFTEN_NEW if name in _FICKLE else _ANY
        if name in NOT_KEPT:
            treatment = _PRIVATE
        plans[name] = encode_integer(index, 4, WITHOUT_INDEXING), treatment
    return plans


_PLANS: Final = _make_plans()
_OTHER_NAMES: Final = (b"", _ANY)


class Encoder:
    """Turns field sections into header blocks.

    A field enters the dynamic table when its name is new, or when its value comes for the second time in
    a row: values that are new in every message (dates, request ids) do not churn the table. What enters is
    Huffman coded, for it is sent once; what is sent anew each time goes as it is: a few bytes more cost less
    than both ends' time for the coding.

    Attributes:
        generation: goes up whenever an equal section might no longer give an equal block.
        keepable: whether the last block may be sent again for an equal section: it has no secret, and
            encoding it anew would give the same.
    """

    __slots__ = (
        "generation", "keepable", "_blocks", "_evicted", "_fields", "_inserted", "_last_values", "_maximum", "_names",
        "_queue", "_size", "_smallest", "_updated",
    )  # fmt: skip

    def __init__(self, max_table_size: int = DEFAULT_TABLE_SIZE) -> None:
        self.generation = 0
        self.keepable = False
        self._maximum = max_table_size
        # What the peer must be told at the start of the next block (RFC 7541 section 4.2).
        self._smallest = max_table_size
        self._updated = max_table_size != DEFAULT_TABLE_SIZE
        self._queue: list[tuple[bytes, bytes]] = []  # the table's entries, the oldest first
        self._size = 0
        self._inserted = 0  # entries ever inserted: an entry's number is what this was before it
        self._evicted = 0
        self._fields: dict[tuple[bytes, bytes], int] = {}
        self._names: dict[bytes, int] = {}
        self._last_values: dict[bytes, int] = {}  # hashes, by name
        self._blocks: dict[tuple[tuple[bytes, bytes], ...], bytes] = {}

    @property
    def max_table_size(self) -> int:
        """Bytes that the dynamic table may take. A change is told in the next block."""
        return self._maximum

    @max_table_size.setter
    def max_table_size(self, size: int) -> None:
        if size != self._maximum:
            self._smallest = min(size, self._smallest) if self._updated else size
            self._updated = True
            self._maximum = size
            self._evict(size)
            self.generation += 1
            self._blocks.clear()

    def encode(self, headers: Headers) -> bytes:
        """Return the header block of these fields."""
        key = tuple(headers)
        block = self._blocks.get(key)
        if block is None:
            generation = self.generation
            block = self.encode_anew(headers)
            if generation != self.generation:
                self._blocks.clear()
            elif self.keepable and len(block) <= KEPT_BLOCK_SIZE:
                if len(self._blocks) >= KEPT_BLOCKS:
                    self._blocks.clear()
                self._blocks[key] = block
        return block

    def encode_anew(self, headers: Headers) -> bytes:
        """Like `encode`, for a caller that keeps blocks itself and looks there first.

        It must forget them all when `generation` is another than it was.
        """
        self.keepable = True
        parts: list[bytes] = []
        if self._updated:
            parts.append(self._size_updates())
        append = parts.append
        fields = self._fields
        last_values = self._last_values
        for field in headers:
            name, value = field
            if type(value) is Sensitive:
                append(self._encode_secret(name, value))
                continue
            index = STATIC_FIELDS.get(field)
            if index is not None:
                append(_BYTES[INDEXED | index])
                continue
            start, treatment = _PLANS.get(name, _OTHER_NAMES)
            if treatment != _OFTEN_NEW:
                number = fields.get(field)
                if treatment == _PRIVATE:
                    append(self._encode_private(field, number))
                    continue
                if number is not None:
                    append(encode_integer(STATIC_SIZE + self._inserted - number, 7, INDEXED))
                    continue
                new = hash(value)
                last = last_values.get(name)
                if last is None or last == new:
                    append(self._encode_candidate(field, new))
                    continue
                last_values[name] = new
                self.keepable = False  # next time it is indexed
            size = len(value)
            length = _BYTES[size] if size < 0x7F else encode_integer(size, 7, 0)
            parts += (start or self._start(name), length, value)
        return b"".join(parts)

    def _size_updates(self) -> bytes:
        self._updated = False
        self.keepable = False
        self.generation += 1
        updates = encode_integer(self._maximum, 5, SIZE_UPDATE)
        if self._smallest < self._maximum:
            updates = encode_integer(self._smallest, 5, SIZE_UPDATE) + updates
        self._smallest = self._maximum
        return updates

    def _start(self, name: bytes, flags: int = WITHOUT_INDEXING) -> bytes:
        """Return how a literal begins: its name, by index if it is in a table."""
        index = STATIC_NAMES.get(name, 0)
        if not index:
            number = self._names.get(name)
            if number is None:
                return _BYTES[flags] + encode_string(name)
            index = STATIC_SIZE + self._inserted - number
        return encode_integer(index, 6 if flags == INCREMENTAL else 4, flags)

    def _encode_secret(self, name: bytes, value: bytes) -> bytes:
        """Encode a value that must enter no table, here and on the hops after this one."""
        self.keepable = False
        return self._start(name, NEVER_INDEXED) + encode_integer(len(value), 7, 0) + value

    def _encode_private(self, field: tuple[bytes, bytes], number: int | None) -> bytes:
        """Encode a field whose name says that it is a secret, if it is a short one (cookies)."""
        self.keepable = False
        name, value = field
        if name in SECRET or len(value) < GUESSABLE_COOKIE:
            return self._encode_secret(name, value)
        if number is not None:
            return encode_integer(STATIC_SIZE + self._inserted - number, 7, INDEXED)
        return self._encode_candidate(field, hash(value))

    def _encode_candidate(self, field: tuple[bytes, bytes], new: int) -> bytes:
        """Encode a field whose name or value may be worth an entry in the table."""
        name, value = field
        last_values = self._last_values
        last = last_values.get(name)
        # An entry that takes most of the table would be gone as soon as the next came.
        if (len(name) + len(value) + FIELD_OVERHEAD) * 2 > self._maximum:
            return self._start(name) + encode_integer(len(value), 7, 0) + value
        self.keepable = False  # next time it is in the table
        if last is None and len(last_values) >= _KEPT_NAMES:
            last_values.clear()
        last_values[name] = new
        if last is not None and last != new:
            return self._start(name) + encode_integer(len(value), 7, 0) + value
        literal = self._start(name, INCREMENTAL) + encode_string(value)
        self._insert(field)
        return literal

    def _insert(self, field: tuple[bytes, bytes]) -> None:
        name, value = field
        size = len(name) + len(value) + FIELD_OVERHEAD
        self._evict(self._maximum - size)
        self._queue.append(field)
        self._fields[field] = self._names[name] = self._inserted
        self._inserted += 1
        self._size += size
        self.generation += 1

    def _evict(self, room: int) -> None:
        """Drop the oldest entries until the rest take no more than `room` bytes."""
        count = 0
        while self._size > room:
            field = self._queue[count]
            name, value = field
            number = self._evicted
            self._size -= len(name) + len(value) + FIELD_OVERHEAD
            del self._fields[field]
            if self._names[name] == number:
                del self._names[name]
            self._evicted += 1
            count += 1
        del self._queue[:count]

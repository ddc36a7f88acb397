"""HPACK's receiving half: header blocks into field sections (RFC 7541)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..errors import ErrorCode, RemoteProtocolError
from ..fields import FIELD_OVERHEAD
from ..sensitive import Sensitive
from . import huffman
from .representation import (
    DEFAULT_TABLE_SIZE,
    INCREMENTAL,
    INDEXED,
    KEPT_BLOCK_SIZE,
    KEPT_BLOCKS,
    NEVER_INDEXED,
    NOT_KEPT,
    SIZE_UPDATE,
    hpack_error,
)
from .static_table import STATIC_SIZE, STATIC_TABLE

if TYPE_CHECKING:
    from ..events import Headers

_INTEGER_BYTES: Final = 5
"""After the prefix: 35 bits, more than any length or index that could be right (section 7.4)."""

_Entry = tuple[tuple[bytes, bytes], int]
"""A field and its size."""


def _with_size(field: tuple[bytes, bytes]) -> _Entry:
    return field, len(field[0]) + len(field[1]) + FIELD_OVERHEAD


# The first is no entry: indices begin with 1.
_STATIC_ENTRIES: Final = [((b"", b""), 0), *map(_with_size, STATIC_TABLE)]
_STATIC_NAMES: Final = [b"", *[name for name, _ in STATIC_TABLE]]


class Decoder:
    """Turns header blocks into field sections.

    Every block of a connection must pass through `decode` or `decode_anew`, in order, whatever becomes of
    its message. Broken blocks raise `RemoteProtocolError` with COMPRESSION_ERROR; the connection is lost
    then, for the two tables no longer agree.

    Attributes:
        size: what the last section came to, in bytes as limits count them (RFC 9113 section 6.5.2).
        changed: whether the last block changed the dynamic table.
        keepable: whether the last block means the same when it comes again, and has no secret.
    """

    __slots__ = (
        "changed", "keepable", "max_section_size", "size", "_blocks", "_capacity", "_gone", "_maximum",
        "_must_shrink", "_table", "_table_size",
    )  # fmt: skip

    def __init__(
        self, max_table_size: int = DEFAULT_TABLE_SIZE, *, max_section_size: int = 1 << 20
    ) -> None:
        self.size = 0
        self.changed = False
        self.keepable = False
        self.max_section_size = max_section_size
        self._maximum = max_table_size
        # What the peer uses of it: the default until it says otherwise.
        self._capacity = DEFAULT_TABLE_SIZE
        self._must_shrink = max_table_size < DEFAULT_TABLE_SIZE
        self._table: list[_Entry] = []  # the newest last
        self._gone = 0  # entries at the table's start that are evicted
        self._table_size = 0
        self._blocks: dict[bytes, tuple[Headers, int]] = {}

    @property
    def max_table_size(self) -> int:
        """Bytes that the peer may use for the dynamic table.

        When this is set below what the peer uses, its next block must begin with an update (RFC 7541
        section 4.2). So set it when the peer has acknowledged the setting.
        """
        return self._maximum

    @max_table_size.setter
    def max_table_size(self, size: int) -> None:
        self._maximum = size
        self._must_shrink = size < self._capacity
        self._blocks.clear()

    def decode(self, block: bytes) -> Headers:
        """Return the fields of a header block. Raises `RemoteProtocolError`."""
        kept = self._blocks.get(block)
        if kept is not None:
            self.size = kept[1]
            self.changed = False
            self.keepable = True
            return kept[0].copy()
        headers = self.decode_anew(block)
        if self.changed:
            self._blocks.clear()
        elif self.keepable and len(block) <= KEPT_BLOCK_SIZE:
            if len(self._blocks) >= KEPT_BLOCKS:
                self._blocks.clear()
            self._blocks[block] = headers.copy(), self.size
        return headers

    def decode_anew(self, block: bytes) -> Headers:
        """Like `decode`, for a caller that keeps what it makes of the blocks and looks there first.

        It must forget them all when `changed` is true, or `max_table_size` set.
        """
        self.changed = False
        self.keepable = True
        try:
            position = 0
            if self._must_shrink or block[:1] in _SIZE_UPDATES:
                position = self._take_size_updates(block)
            return self._take_fields(block, position)
        except IndexError:
            raise hpack_error("a header block is cut off", "hpack-truncated") from None
        except huffman.HuffmanError as error:
            raise hpack_error(str(error), "hpack-huffman") from None

    def _take_size_updates(self, block: bytes) -> int:
        position = 0
        while block and block[position] & 0xE0 == SIZE_UPDATE:
            size = block[position] & 0x1F
            position += 1
            if size == 0x1F:
                size, position = _decode_integer(block, position, 0x1F)
            if size > self._maximum:
                raise hpack_error("the peer's dynamic table is over the limit", "hpack-table-size")
            self._capacity = size
            self._must_shrink = False
            self._evict(size)
            self.changed = True
            self.keepable = False
            if position == len(block):
                break
        if self._must_shrink:
            raise hpack_error("the peer did not shrink its dynamic table", "hpack-table-size")
        return position

    def _take_fields(self, block: bytes, position: int) -> Headers:
        headers: Headers = []
        append = headers.append
        total = 0
        most = self.max_section_size
        end = len(block)
        while position < end:
            byte = block[position]
            position += 1
            if byte >= INDEXED:
                index = byte & 0x7F
                if index == 0x7F:
                    index, position = _decode_integer(block, position, 0x7F)
                if 0 < index <= STATIC_SIZE:
                    field, size = _STATIC_ENTRIES[index]
                else:
                    field, size = self._get_entry(index)
                    if field[0] in NOT_KEPT:
                        self.keepable = False
            else:
                # Section 6.2: where the name comes from, then the value as a string literal.
                if byte >= INCREMENTAL:
                    index = byte & 0x3F
                    if index == 0x3F:
                        index, position = _decode_integer(block, position, 0x3F)
                else:
                    if byte >= SIZE_UPDATE:
                        raise hpack_error(
                            "a table size update in the middle of a block", "hpack-table-size"
                        )
                    index = byte & 0x0F
                    if index == 0x0F:
                        index = 0x0F + block[position]
                        position += 1
                        if index >= 0x8F:
                            index, position = _decode_integer(block, position - 1, 0x0F)
                if index > STATIC_SIZE:
                    name = self._get_entry(index)[0][0]
                elif index:
                    name = _STATIC_NAMES[index]
                else:
                    name, position = _decode_string(block, position)
                length = block[position]
                position += 1
                if length & 0x7F == 0x7F:
                    value, position = _decode_string(block, position - 1)
                else:
                    stop = position + (length & 0x7F)
                    value = block[position:stop]
                    if stop > end:
                        raise hpack_error("a header block is cut off", "hpack-truncated")
                    position = stop
                    if length >= 0x80:
                        value = huffman.decode(value)
                size = len(name) + len(value) + FIELD_OVERHEAD
                if byte < INCREMENTAL:
                    if byte >= NEVER_INDEXED:
                        value = Sensitive(value)
                        self.keepable = False
                    elif name in NOT_KEPT:
                        self.keepable = False
                    field = (name, value)
                else:
                    # Section 4.4; a field larger than the table empties it.
                    field = (name, value)
                    self._table.append((field, size))
                    self._table_size += size
                    self.changed = True
                    self.keepable = False
                    if self._table_size > self._capacity:
                        self._evict(self._capacity)
            total += size
            if total > most:
                raise RemoteProtocolError(
                    f"a field section is over {most} bytes",
                    status=431,
                    error_code=ErrorCode.ENHANCE_YOUR_CALM,
                    rule="header-block-far-too-large",
                )
            append(field)
        self.size = total
        return headers

    def _get_entry(self, index: int) -> _Entry:
        """Return an entry of the dynamic table (section 2.3.3)."""
        if STATIC_SIZE < index <= STATIC_SIZE + len(self._table) - self._gone:
            return self._table[STATIC_SIZE - index]
        raise hpack_error("an index that is in no table", "hpack-index")

    def _evict(self, room: int) -> None:
        """Drop the oldest entries until the rest take no more than `room` bytes."""
        table = self._table
        gone = self._gone
        size = self._table_size
        while size > room:
            size -= table[gone][1]
            gone += 1
        self._table_size = size
        if gone >= _GONE_AT_ONCE:
            del table[:gone]
            gone = 0
        self._gone = gone


_GONE_AT_ONCE: Final = 64
"""Evicted entries that are removed from the list together: each removal moves all that stay."""

_SIZE_UPDATES: Final = frozenset([bytes((byte,)) for byte in range(SIZE_UPDATE, SIZE_UPDATE + 32)])
"""The first bytes of blocks that begin with a change of the table's size."""


def _decode_integer(block: bytes, position: int, value: int) -> tuple[int, int]:
    """Return an integer whose prefix was all ones, `value`, and where it ends (section 5.1)."""
    for shift in range(0, 7 * _INTEGER_BYTES, 7):
        byte = block[position]
        position += 1
        value += (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise hpack_error("an integer that is far too large", "hpack-integer")


def _decode_string(block: bytes, position: int) -> tuple[bytes, int]:
    """Return a string literal, and where it ends (section 5.2)."""
    byte = block[position]
    length = byte & 0x7F
    position += 1
    if length == 0x7F:
        length, position = _decode_integer(block, position, 0x7F)
    stop = position + length
    if stop > len(block):
        raise hpack_error("a header block is cut off", "hpack-truncated")
    if byte & 0x80:
        return huffman.decode(block[position:stop]), stop
    return block[position:stop], stop

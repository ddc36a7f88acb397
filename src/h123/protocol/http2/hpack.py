"""HPACK: header compression for HTTP/2 (RFC 7541).

`Encoder` and `Decoder` each hold one direction's dynamic table. As long as a table stands still, equal
blocks mean equal fields: both keep whole blocks they have seen, within bounds, and never one with a secret
in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..errors import ErrorCode, RemoteProtocolError
from ..fields import FIELD_OVERHEAD
from . import huffman
from .static_table import STATIC_FIELDS, STATIC_NAMES, STATIC_SIZE, STATIC_TABLE

if TYPE_CHECKING:
    from ..events import Headers

DEFAULT_TABLE_SIZE: Final = 4096
"""The dynamic table's size before any setting (RFC 9113 section 6.5.2)."""

# Sent never-indexed: whoever can make us send chosen fields beside these must not be able to guess them by
# the size of what results (RFC 7541 section 7.1.3). Cookies that are long enough are safe from that.
_SECRET: Final = frozenset([b"authorization", b"proxy-authorization", b"set-cookie"])
_GUESSABLE_COOKIE: Final = 20
# Blocks with these are not kept beyond the message.
_NOT_KEPT: Final = _SECRET | {b"cookie"}

# Values that hardly come twice: indexing them would only push useful entries out of the table.
_FICKLE: Final = frozenset(
    [
        b":path", b"age", b"content-length", b"content-range", b"etag", b"if-match",
        b"if-modified-since", b"if-none-match", b"if-range", b"if-unmodified-since", b"last-modified",
        b"location", b"range",
    ]
)  # fmt: skip

_INDEXED: Final = 0x80
_INCREMENTAL: Final = 0x40
_SIZE_UPDATE: Final = 0x20
_NEVER_INDEXED: Final = 0x10
_WITHOUT_INDEXING: Final = 0x00

KEPT_BLOCKS: Final = 64
"""How many blocks each side keeps."""
KEPT_BLOCK_SIZE: Final = 1024
"""The longest that is kept, in bytes."""

_KEPT_NAMES: Final = 128
_INTEGER_BYTES: Final = 5
"""After the prefix: 35 bits, more than any length or index that could be right (section 7.4)."""

_TREATMENT: Final = {
    **dict.fromkeys(_FICKLE, _WITHOUT_INDEXING),
    **dict.fromkeys(_SECRET, _NEVER_INDEXED),
}
_BYTES: Final = [bytes((byte,)) for byte in range(256)]


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


def _error(message: str, rule: str) -> RemoteProtocolError:
    return RemoteProtocolError(message, error_code=ErrorCode.COMPRESSION_ERROR, rule=rule)


class Encoder:
    """Turns field sections into header blocks.

    A field enters the dynamic table when its name is new, or when its value comes for the second time in
    a row: values that are new in every message (dates, request ids) do not churn the table.

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
        parts = []
        if self._updated:
            parts.append(self._size_updates())
        fields = self._fields
        for field in headers:
            index = STATIC_FIELDS.get(field)
            if index is not None:
                parts.append(_BYTES[_INDEXED | index])
                continue
            name = field[0]
            number = fields.get(field)
            if number is None:
                parts.append(self._encode_literal(name, field[1]))
            else:
                index = STATIC_SIZE + self._inserted - number
                parts.append(encode_integer(index, 7, _INDEXED))
            if name in _NOT_KEPT:
                self.keepable = False
        return b"".join(parts)

    def _size_updates(self) -> bytes:
        self._updated = False
        self.keepable = False
        self.generation += 1
        updates = encode_integer(self._maximum, 5, _SIZE_UPDATE)
        if self._smallest < self._maximum:
            updates = encode_integer(self._smallest, 5, _SIZE_UPDATE) + updates
        self._smallest = self._maximum
        return updates

    def _encode_literal(self, name: bytes, value: bytes) -> bytes:
        """Encode a field that is in no table as a whole, and insert it where that is worth it."""
        flags = _TREATMENT.get(name, _INCREMENTAL)
        if name == b"cookie" and len(value) < _GUESSABLE_COOKIE:
            flags = _NEVER_INDEXED
        elif flags == _INCREMENTAL and not self._is_worth_indexing(name, value):
            flags = _WITHOUT_INDEXING
        index = STATIC_NAMES.get(name, 0)
        if not index:
            number = self._names.get(name)
            if number is not None:
                index = STATIC_SIZE + self._inserted - number
        if flags == _INCREMENTAL:
            start = encode_integer(index, 6, flags)
            self._insert((name, value))
        elif index < 0x0F:
            start = _BYTES[flags | index]
        else:
            start = encode_integer(index, 4, flags)
        if not index:
            start += encode_string(name)
        return start + encode_string(value)

    def _is_worth_indexing(self, name: bytes, value: bytes) -> bool:
        # An entry that takes most of the table would be gone as soon as the next came.
        if (len(name) + len(value) + FIELD_OVERHEAD) * 2 > self._maximum:
            return False
        self.keepable = False  # next time it is indexed
        last_values = self._last_values
        last = last_values.get(name)
        new = hash(value)
        if last == new:
            return True
        if last is None and len(last_values) >= _KEPT_NAMES:
            last_values.clear()
        last_values[name] = new
        return last is None

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
        "changed", "keepable", "max_section_size", "size", "_blocks", "_capacity", "_maximum",
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
        self._table: list[tuple[bytes, bytes]] = []  # the newest last
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
            position = self._take_size_updates(block)
            return self._take_fields(block, position)
        except IndexError:
            raise _error("a header block is cut off", "hpack-truncated") from None
        except huffman.HuffmanError as error:
            raise _error(str(error), "hpack-huffman") from None

    def _take_size_updates(self, block: bytes) -> int:
        position = 0
        while block and block[position] & 0xE0 == _SIZE_UPDATE:
            size = block[position] & 0x1F
            position += 1
            if size == 0x1F:
                size, position = _decode_integer(block, position, 0x1F)
            if size > self._maximum:
                raise _error("the peer's dynamic table is over the limit", "hpack-table-size")
            self._capacity = size
            self._must_shrink = False
            self._evict(size)
            self.changed = True
            self.keepable = False
            if position == len(block):
                break
        if self._must_shrink:
            raise _error("the peer did not shrink its dynamic table", "hpack-table-size")
        return position

    def _take_fields(self, block: bytes, position: int) -> Headers:
        headers: Headers = []
        total = 0
        most = self.max_section_size
        end = len(block)
        while position < end:
            byte = block[position]
            position += 1
            if byte & _INDEXED:
                index = byte & 0x7F
                if index == 0x7F:
                    index, position = _decode_integer(block, position, 0x7F)
                field = self._get_field(index)
                name, value = field
            else:
                # Section 6.2: where the name comes from, then the value as a string literal.
                mask = 0x3F if byte & _INCREMENTAL else 0x0F
                index = byte & mask
                if index == mask:
                    index, position = _decode_integer(block, position, mask)
                if byte & 0xE0 == _SIZE_UPDATE:
                    raise _error("a table size update in the middle of a block", "hpack-table-size")
                if index:
                    name = self._get_field(index)[0]
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
                        raise _error("a header block is cut off", "hpack-truncated")
                    position = stop
                    if length & 0x80:
                        value = huffman.decode(value)
                field = (name, value)
                if byte & _INCREMENTAL:
                    self._insert(field)
                elif byte & _NEVER_INDEXED:
                    self.keepable = False
            total += len(name) + len(value) + FIELD_OVERHEAD
            if total > most:
                raise RemoteProtocolError(
                    f"a field section is over {most} bytes",
                    status=431,
                    error_code=ErrorCode.ENHANCE_YOUR_CALM,
                    rule="header-block-far-too-large",
                )
            if name in _NOT_KEPT:
                self.keepable = False
            headers.append(field)
        self.size = total
        return headers

    def _get_field(self, index: int) -> tuple[bytes, bytes]:
        """Return an entry of either table (section 2.3.3)."""
        if 0 < index <= STATIC_SIZE:
            return STATIC_TABLE[index - 1]
        if STATIC_SIZE < index <= STATIC_SIZE + len(self._table):
            return self._table[STATIC_SIZE - index]
        raise _error("an index that is in no table", "hpack-index")

    def _insert(self, field: tuple[bytes, bytes]) -> None:
        """Put a field into the dynamic table, or if it is larger than that, empty it (section 4.4)."""
        size = len(field[0]) + len(field[1]) + FIELD_OVERHEAD
        self.changed = True
        self.keepable = False
        if self._table_size + size > self._capacity:
            self._evict(self._capacity - size)
        if size <= self._capacity:
            self._table.append(field)
            self._table_size += size

    def _evict(self, room: int) -> None:
        """Drop the oldest entries until the rest take no more than `room` bytes."""
        count = 0
        table = self._table
        while self._table_size > room and count < len(table):
            name, value = table[count]
            self._table_size -= len(name) + len(value) + FIELD_OVERHEAD
            count += 1
        if count:
            del table[:count]


def _decode_integer(block: bytes, position: int, value: int) -> tuple[int, int]:
    """Return an integer whose prefix was all ones, `value`, and where it ends (section 5.1)."""
    for shift in range(0, 7 * _INTEGER_BYTES, 7):
        byte = block[position]
        position += 1
        value += (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise _error("an integer that is far too large", "hpack-integer")


def _decode_string(block: bytes, position: int) -> tuple[bytes, int]:
    """Return a string literal, and where it ends (section 5.2)."""
    byte = block[position]
    length = byte & 0x7F
    position += 1
    if length == 0x7F:
        length, position = _decode_integer(block, position, 0x7F)
    stop = position + length
    if stop > len(block):
        raise _error("a header block is cut off", "hpack-truncated")
    if byte & 0x80:
        return huffman.decode(block[position:stop]), stop
    return block[position:stop], stop

"""HPACK's Huffman code (RFC 7541 section 5.2 and appendix B), which QPACK shares.

The code is canonical: codes of one length follow each other in the order of their symbols. So the lengths
of appendix B say everything, and both tables are built from them, on first use.

Decoding walks a state machine a whole byte at a time. A state is where in the code's tree the last byte
ended; its row holds, for each byte that may come, the row to go on with and the symbols completed. Rows are
made when they are first entered: text needs a few dozen of the 256.
"""

from __future__ import annotations

from typing import Final

# Appendix B: the length in bits of each symbol's code, by symbol; the last is EOS.
_LENGTHS: Final = (
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28,
    28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
    6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6,
    5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
    13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
    7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
    15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5,
    6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
    20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
    24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
    22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23,
    21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
    19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
    20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
    26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
    30,
)  # fmt: skip
_EOS: Final = 256
_PADDING: Final = ("", "1", "11", "111", "1111", "11111", "111111", "1111111")

_Row = list[tuple["_Row", bytes]]


class HuffmanError(Exception):
    """A string is not Huffman coded: bad padding, or the end-of-string symbol in it."""


class _Node:
    """A place in the code's tree: a leaf has a symbol, any other two children and a row."""

    __slots__ = ("symbol", "children", "row")

    def __init__(self) -> None:
        self.symbol = -1
        self.children: list[_Node] = []
        self.row: _Row = []


class _Tables:
    """What encoding and decoding look up."""

    __slots__ = ("codes", "root", "dead", "start", "ends", "nodes", "shared")

    def __init__(self) -> None:
        self.codes = _canonical_codes()
        self.root = _Node()
        for symbol, code in enumerate(self.codes):
            node = self.root
            for bit in code:
                if not node.children:
                    node.children = [_Node(), _Node()]
                node = node.children[bit == "1"]
            node.symbol = symbol
        # Where the end-of-string symbol leads: nothing ends well after it (section 5.2).
        self.dead = _Node()
        self.dead.children = [self.dead, self.dead]
        self.start = self.root.row
        self.nodes = {id(self.dead.row): self.dead}
        self._collect(self.root)
        # Equal entries are one object: what decoding walks through should fit into the caches.
        self.shared: dict[tuple[int, bytes], tuple[_Row, bytes]] = {}
        # A string may end where less than a byte of ones has gone by since its last symbol.
        self.ends: set[int] = set()
        node = self.root
        for _ in range(8):
            self.ends.add(id(node.row))
            node = node.children[1]

    def _collect(self, node: _Node) -> None:
        self.nodes[id(node.row)] = node
        for child in node.children:
            if child.children:
                self._collect(child)

    def enter(self, row: _Row) -> None:
        """Fill a row that was never entered before."""
        shared = self.shared
        for target, text in self._expand(self.nodes[id(row)], 8):
            row.append(shared.setdefault((id(target), text), (target, text)))

    def _expand(self, node: _Node, bits: int) -> list[tuple[_Row, bytes]]:
        """Return where each string of this many bits leads from a node, and the symbols on the way."""
        if bits == 0:
            return [(node.row, b"")]
        targets: list[tuple[_Row, bytes]] = []
        for child in node.children:
            if child.symbol < 0:
                targets += self._expand(child, bits - 1)
            elif child.symbol == _EOS:
                targets += self._expand(self.dead, bits - 1)
            else:
                symbol = bytes((child.symbol,))
                rest = self._expand(self.root, bits - 1)
                targets += [(target, symbol + text) for target, text in rest]
        return targets


def _canonical_codes() -> list[str]:
    """Return each symbol's code as a string of `0` and `1`."""
    codes = [""] * len(_LENGTHS)
    code = 0
    previous = 0
    for length, symbol in sorted((length, symbol) for symbol, length in enumerate(_LENGTHS)):
        code <<= length - previous
        codes[symbol] = f"{code:0{length}b}"
        code += 1
        previous = length
    return codes


_tables: list[_Tables] = []


def _make_tables() -> _Tables:
    tables = _Tables()
    _tables.append(tables)
    return tables


def encode(data: bytes) -> bytes:
    """Return the Huffman code of `data`, padded with ones to whole bytes."""
    if not data:
        return b""
    codes = (_tables[0] if _tables else _make_tables()).codes
    bits = "".join([codes[byte] for byte in data])
    padding = -len(bits) & 7
    return int(bits + _PADDING[padding], 2).to_bytes((len(bits) + padding) >> 3, "big")


def decode(data: bytes) -> bytes:
    """Return what `data` is the Huffman code of. Raises `HuffmanError`."""
    tables = _tables[0] if _tables else _make_tables()
    while True:
        row = tables.start
        symbols: list[bytes] = []
        append = symbols.append
        try:
            for byte in data:
                row, text = row[byte]
                append(text)
        except IndexError:
            tables.enter(row)  # 256 times in a process's life at most
            continue
        if id(row) not in tables.ends:
            raise HuffmanError("the Huffman code is cut off or badly padded")
        return b"".join(symbols)

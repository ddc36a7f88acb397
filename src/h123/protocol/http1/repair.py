"""What a client makes of a head that breaks forgivable rules: the head as it should have been written.

The strict reader has the last word on what comes out, so nothing can be forgiven by accident. Lines that
frame the message are never touched: where they are malformed, the response is refused.

RFC 9112 sections 2.2 (lone LF), 4 (status line), 5.1 and 5.2 (fields), RFC 9110 section 5.5 (values).
"""

from __future__ import annotations

from typing import Final

from .syntax import CONTENT_LENGTH, FIELD, TRANSFER_ENCODING, WHITESPACE

_CONTROLS: Final = bytes(byte for byte in range(256) if byte not in FIELD and byte not in b"\0\r\n")
_TO_SPACES: Final = bytes.maketrans(_CONTROLS, b" " * len(_CONTROLS))


def repaired(head: bytes, forgives: frozenset[str]) -> bytes:
    """Return the head with what is forgiven put right, and all else as it came."""
    if "bare-lf" in forgives:
        head = head.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    status_line, *lines = head.split(b"\r\n")
    if "obs-fold" in forgives:
        lines = _unfolded(lines)
    if "space-before-colon" in forgives:
        lines = [_without_space(line) for line in lines]
    if "control-character" in forgives:
        status_line = status_line[:12] + status_line[12:].translate(_TO_SPACES)
        lines = [_without_controls(line) for line in lines]
    if "status-line-whitespace" in forgives:
        status_line = _spaced(status_line)
    return b"\r\n".join((status_line, *lines))


def end_of_head(data: bytes | bytearray, start: int, end: int) -> tuple[int, int]:
    """Return where a head ends whose lines may end in LF alone, and where what follows begins.

    It is the first empty line in `data[start:end]`; -1 for both if there is none.
    """
    plain = data.find(b"\n\n", start, end)
    paired = data.find(b"\n\r\n", start, end if plain < 0 else plain + 1)
    empty = plain if paired < 0 else paired
    if empty < 0:
        return -1, -1
    after = empty + (2 if empty == plain else 3)
    return (empty - 1 if data[empty - 1] == 0x0D else empty), after


def _frames(line: bytes) -> bool:
    name = line.partition(b":")[0].strip(WHITESPACE).lower()
    return name in (CONTENT_LENGTH, TRANSFER_ENCODING)


def _unfolded(lines: list[bytes]) -> list[bytes]:
    whole: list[list[bytes]] = []
    for line in lines:
        if line[:1] in (b" ", b"\t") and whole and not _frames(whole[-1][0]):
            whole[-1].append(line.strip(WHITESPACE))
        else:
            whole.append([line])
    return [b" ".join(parts) for parts in whole]


def _without_space(line: bytes) -> bytes:
    name, colon, value = line.partition(b":")
    if not colon or _frames(name):
        return line
    return name.rstrip(WHITESPACE) + colon + value


def _without_controls(line: bytes) -> bytes:
    name, colon, value = line.partition(b":")
    if _frames(name):
        return line
    return name + colon + value.translate(_TO_SPACES)


def _spaced(line: bytes) -> bytes:
    if line[8:9] == line[12:13] == b" ":
        return line  # as it should be: whatever else is in the reason belongs to it
    words = line.split(None, 2)
    if len(words) == 1:
        return line
    return b" ".join((words[0], words[1], words[2] if len(words) == 3 else b""))

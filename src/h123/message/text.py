"""From content to text: the character set (RFC 9110 section 8.3.2), decoding in parts, lines."""

from __future__ import annotations

import codecs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

# Longest first: UTF-32's little-endian mark begins with UTF-16's.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# Python's text codecs that no content is written in, and that fail or do harm if a peer names them.
_NO_CHARSETS = frozenset(
    {"idna", "punycode", "undefined", "unicode-escape", "raw-unicode-escape", "mbcs", "oem"}
)


def parameters(value: str) -> tuple[str, dict[str, str]]:
    """Return what stands before the first `;` of a field value, and its parameters by lower-case name.

    RFC 9110 section 5.6.6. A quoted value loses quotes and backslashes; the first of a name counts.
    """
    found: dict[str, str] = {}
    first, *rest = split_quoted(value, ";")
    for part in rest:
        name, equals, text = part.partition("=")
        if equals:
            found.setdefault(name.strip().lower(), unquote(text.strip()))
    return first.strip(), found


def split_quoted(value: str, separator: str) -> Iterator[str]:
    """Split at a separator that does not stand in a quoted string (RFC 9110 section 5.6.4)."""
    if '"' not in value:
        yield from value.split(separator)
        return
    start = 0
    quoted = escaped = False
    for place, char in enumerate(value):
        if escaped:
            escaped = False
        elif quoted and char == "\\":
            escaped = True
        elif char == '"':
            quoted = not quoted
        elif char == separator and not quoted:
            yield value[start:place]
            start = place + 1
    yield value[start:]


def unquote(text: str) -> str:
    """Return a token or quoted string as what it says."""
    if text[:1] != '"':
        return text
    body = text[1:-1] if len(text) > 1 and text[-1] == '"' else text[1:]
    if "\\" not in body:
        return body
    out = []
    escaped = False
    for char in body:
        if char == "\\" and not escaped:
            escaped = True
        else:
            out.append(char)
            escaped = False
    return "".join(out)


def charset_of(content_type: str | None) -> str | None:
    """Return the charset that a Content-Type tells, in lower case, or None."""
    if not content_type or "=" not in content_type:
        return None
    return parameters(content_type)[1].get("charset", "").lower() or None


_charsets: dict[str, str | None] = {}
_CHARSETS_LIMIT = 256


def known_charset_of(content_type: str | None) -> str | None:
    """Return the charset that a Content-Type tells, if it is one that can be decoded."""
    if content_type is None:
        return None
    try:
        return _charsets[content_type]
    except KeyError:
        pass
    charset = charset_of(content_type)
    if charset is not None and not is_charset(charset):
        charset = None
    if len(_charsets) >= _CHARSETS_LIMIT:
        _charsets.clear()
    _charsets[content_type] = charset
    return charset


def is_charset(name: str) -> bool:
    """Tell whether this names a character set that can be decoded."""
    try:
        info = codecs.lookup(name)
    except (LookupError, ValueError, UnicodeError):
        return False
    # A codec that is no text encoding (zlib, hex) would be a decompressor in a stranger's hand.
    return info._is_text_encoding and info.name.replace("_", "-") not in _NO_CHARSETS


def charset_by_mark(content: bytes) -> str | None:
    """Return the character set that a byte order mark tells, or None."""
    for mark, name in _MARKS:
        if content.startswith(mark):
            return name
    return None


class TextDecoder:
    """Decodes content in parts; what is no text becomes U+FFFD."""

    __slots__ = ("_decoder",)

    def __init__(self, encoding: str = "utf-8") -> None:
        self._decoder = codecs.getincrementaldecoder(encoding)(errors="replace")

    def decode(self, data: bytes) -> str:
        """Return the text of this part, as far as its last character is whole."""
        return self._decoder.decode(data)

    def flush(self) -> str:
        """Return what is left at the end."""
        return self._decoder.decode(b"", True)


class TextChunker:
    """Cuts text into pieces of so many characters."""

    __slots__ = ("_size", "_parts", "_held")

    def __init__(self, size: int | None) -> None:
        self._size = size
        self._parts: list[str] = []
        self._held = 0

    def decode(self, text: str) -> list[str]:
        """Return the pieces that are full now; with no size, the text as it is."""
        size = self._size
        if not text:
            return []
        if size is None:
            return [text]
        self._parts.append(text)
        self._held += len(text)
        if self._held < size:
            return []
        whole = "".join(self._parts)
        full = len(whole) - len(whole) % size
        rest = whole[full:]
        self._parts = [rest] if rest else []
        self._held = len(rest)
        return [whole[at : at + size] for at in range(0, full, size)]

    def flush(self) -> list[str]:
        """Return the last piece, if there is one."""
        rest = "".join(self._parts)
        self._parts = []
        self._held = 0
        return [rest] if rest else []


class LineDecoder:
    r"""Cuts text into lines, as `str.splitlines` does, with a `\r\n` cut between two parts kept one."""

    __slots__ = ("_parts", "_carriage_return")

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._carriage_return = False

    def decode(self, text: str) -> list[str]:
        """Return the lines that are complete now."""
        if self._carriage_return:
            text = "\r" + text
            self._carriage_return = False
        if text[-1:] == "\r":
            self._carriage_return = True
            text = text[:-1]
        if not text:
            return []
        complete = text[-1] in "\r\n\v\f\x1c\x1d\x1e\x85\u2028\u2029"
        lines = text.splitlines()
        if len(lines) == 1 and not complete:
            self._parts.append(lines[0])
            return []
        if self._parts:
            lines[0] = "".join(self._parts) + lines[0]
            self._parts = []
        if not complete:
            self._parts = [lines.pop()]
        return lines

    def flush(self) -> list[str]:
        """Return the last line, if it had no end."""
        if not self._parts and not self._carriage_return:
            return []
        line = "".join(self._parts)
        self._parts = []
        self._carriage_return = False
        return [line]

"""Percent-encoding: which bytes stand for themselves in which part of a URL.

The sets are the WHATWG URL standard's (section 1.3), with one difference: what is percent-encoded
already stays so, and a `%` that begins no escape stays too, as in a browser.
"""

from __future__ import annotations

_ESCAPES = [b"%%%02X" % byte for byte in range(256)]
_PRINTABLE = bytes(range(0x21, 0x7F))

QUERY_SAFE = _PRINTABLE.translate(None, b'"#<>')
FRAGMENT_SAFE = _PRINTABLE.translate(None, b'"<>`')
PATH_SAFE = QUERY_SAFE.translate(None, b"?`{}")
USERINFO_SAFE = PATH_SAFE.translate(None, b"/;=@[\\]^|")
CREDENTIAL_SAFE = USERINFO_SAFE.translate(None, b":")
FORM_SAFE = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"


def encode(text: str, safe: bytes) -> str:
    """Return text with every byte of its UTF-8 that is not in `safe` percent-encoded.

    Raises `UnicodeEncodeError` for half a surrogate pair.
    """
    octets = text.encode("utf-8")
    if not octets.translate(None, safe):
        return text
    return encode_bytes(octets, safe)


def encode_bytes(octets: bytes, safe: bytes) -> str:
    """Return bytes as text, every one that is not in `safe` percent-encoded."""
    unsafe = set(octets.translate(None, safe))
    if not unsafe:
        return octets.decode("ascii")
    escapes = _ESCAPES
    return b"".join(
        [escapes[byte] if byte in unsafe else octets[at : at + 1] for at, byte in enumerate(octets)]
    ).decode("ascii")


def decode(text: str) -> str:
    """Return text with its percent-escapes decoded as UTF-8, wrong bytes replaced by U+FFFD."""
    if "%" not in text:
        return text
    return decode_bytes(text.encode("utf-8")).decode("utf-8", "replace")


def decode_bytes(octets: bytes) -> bytes:
    """Return bytes with their percent-escapes decoded. A `%` that begins no escape stays."""
    first, *rest = octets.split(b"%")
    parts = [first]
    for piece in rest:
        try:
            # int() takes blanks and signs and underscores, unhexlify nothing but digits
            parts += (_unhexlify(piece[:2]), piece[2:])
        except ValueError:
            parts += (b"%", piece)
    return b"".join(parts)


def _unhexlify(digits: bytes) -> bytes:
    if len(digits) != 2 or not digits.isalnum():
        raise ValueError("no escape")
    return bytes((int(digits, 16),))

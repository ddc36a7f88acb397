"""What HPACK's encoder and decoder share: how fields are represented (RFC 7541 sections 5.1, 6 and 7.1)."""

from __future__ import annotations

from typing import Final

from ..errors import ErrorCode, RemoteProtocolError

DEFAULT_TABLE_SIZE: Final = 4096
"""The dynamic table's size before any setting (RFC 9113 section 6.5.2)."""

INDEXED: Final = 0x80
INCREMENTAL: Final = 0x40
SIZE_UPDATE: Final = 0x20
NEVER_INDEXED: Final = 0x10
WITHOUT_INDEXING: Final = 0x00

# Sent never-indexed: whoever can make us send chosen fields beside these must not be able to guess them by
# the size of what results (RFC 7541 section 7.1.3). Cookies that are long enough are safe from that.
SECRET: Final = frozenset([b"authorization", b"proxy-authorization", b"set-cookie"])
GUESSABLE_COOKIE: Final = 20
# Blocks with these are not kept beyond the message.
NOT_KEPT: Final = SECRET | {b"cookie"}

KEPT_BLOCKS: Final = 64
"""How many blocks each side keeps."""
KEPT_BLOCK_SIZE: Final = 1024
"""The longest that is kept, in bytes."""


def hpack_error(message: str, rule: str) -> RemoteProtocolError:
    """Return the error for a header block that can not be understood: the connection is lost."""
    return RemoteProtocolError(message, error_code=ErrorCode.COMPRESSION_ERROR, rule=rule)

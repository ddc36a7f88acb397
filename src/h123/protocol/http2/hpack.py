"""HPACK: header compression for HTTP/2 (RFC 7541).

`Encoder` and `Decoder` each hold one direction's dynamic table. As long as a table stands still, equal
blocks mean equal fields: both keep whole blocks they have seen, within bounds, and never one with a secret
in it. A value wrapped in `Sensitive` is never indexed, and comes out of the decoder so.
"""

from __future__ import annotations

from ..sensitive import Sensitive
from .hpack_decoder import Decoder
from .hpack_encoder import Encoder, encode_integer, encode_string
from .representation import DEFAULT_TABLE_SIZE, KEPT_BLOCK_SIZE, KEPT_BLOCKS

__all__ = [
    "DEFAULT_TABLE_SIZE",
    "KEPT_BLOCKS",
    "KEPT_BLOCK_SIZE",
    "Decoder",
    "Encoder",
    "Sensitive",
    "encode_integer",
    "encode_string",
]

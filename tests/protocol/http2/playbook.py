"""What the tests of HTTP/2 speak: frames made and taken apart by hand, and engines past their preface.

Nothing here uses the package's own framing or HPACK, so that a fault can not hide on both sides.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from h123.protocol.connection import Role
from h123.protocol.events import Event
from h123.protocol.http2.connection import HTTP2Connection
from h123.protocol.limits import DEFAULT_LIMITS, Limits

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
KINDS = (
    "DATA", "HEADERS", "PRIORITY", "RST_STREAM", "SETTINGS", "PUSH_PROMISE", "PING", "GOAWAY",
    "WINDOW_UPDATE", "CONTINUATION", "ALTSVC", "0xB", "ORIGIN", "0xD", "0xE", "0xF", "PRIORITY_UPDATE",
)  # fmt: skip

END_STREAM = 0x1
ACK = 0x1
END_HEADERS = 0x4
PADDED = 0x8
PRIORITY = 0x20

Fields = list[tuple[bytes, bytes]]

GET: Fields = [
    (b":method", b"GET"),
    (b":scheme", b"https"),
    (b":authority", b"a.example"),
    (b":path", b"/"),
]
POST: Fields = [(b":method", b"POST"), *GET[1:]]
OK: Fields = [(b":status", b"200")]


class Frame(NamedTuple):
    """A frame that an engine sent."""

    kind: str
    stream: int
    flags: int
    payload: bytes

    @property
    def code(self) -> int:
        """The error code of RST_STREAM or GOAWAY, the increment of WINDOW_UPDATE."""
        return int.from_bytes(self.payload[4:8] if self.kind == "GOAWAY" else self.payload, "big")


def frame(kind: str | int, stream: int = 0, flags: int = 0, payload: bytes = b"") -> bytes:
    number = kind if isinstance(kind, int) else KINDS.index(kind)
    return len(payload).to_bytes(3, "big") + struct.pack(">BBL", number, flags, stream) + payload


def take_apart(data: bytes) -> list[Frame]:
    data = data.removeprefix(PREFACE)
    frames = []
    while data:
        size = int.from_bytes(data[:3], "big")
        kind, flags, stream = struct.unpack(">BBL", data[3:9])
        assert len(data) >= 9 + size
        frames.append(Frame(KINDS[kind], stream, flags, data[9 : 9 + size]))
        data = data[9 + size :]
    return frames


def _string(value: bytes) -> bytes:
    if len(value) < 127:
        return bytes((len(value),)) + value
    rest, encoded = len(value) - 127, bytearray(b"\x7f")
    while rest >= 128:
        encoded.append(rest % 128 + 128)
        rest //= 128
    return bytes(encoded) + bytes((rest,)) + value


def block(fields: Fields) -> bytes:
    """A header block of literals without indexing and without Huffman (RFC 7541 section 6.2.2)."""
    return b"".join([b"\0" + _string(name) + _string(value) for name, value in fields])


def headers(stream: int, fields: Fields, *, end: bool = False) -> bytes:
    return frame("HEADERS", stream, END_HEADERS | (END_STREAM if end else 0), block(fields))


def data(stream: int, content: bytes = b"", *, end: bool = False) -> bytes:
    return frame("DATA", stream, END_STREAM if end else 0, content)


def settings(*pairs: tuple[int, int]) -> bytes:
    return frame("SETTINGS", payload=b"".join([struct.pack(">HL", *pair) for pair in pairs]))


def rst_stream(stream: int, code: int = 8) -> bytes:
    return frame("RST_STREAM", stream, payload=code.to_bytes(4, "big"))


def window_update(stream: int, increment: int) -> bytes:
    return frame("WINDOW_UPDATE", stream, payload=increment.to_bytes(4, "big"))


def goaway(last: int, code: int = 0, debug: bytes = b"") -> bytes:
    return frame("GOAWAY", payload=last.to_bytes(4, "big") + code.to_bytes(4, "big") + debug)


def ping(payload: bytes = b"12345678", *, ack: bool = False) -> bytes:
    return frame("PING", 0, ACK if ack else 0, payload)


SETTINGS_ACK = frame("SETTINGS", 0, ACK)


def server(
    *pairs: tuple[int, int], limits: Limits = DEFAULT_LIMITS, acknowledged: bool = True
) -> HTTP2Connection:
    """A server whose client has sent its preface with these settings."""
    engine = HTTP2Connection(Role.SERVER, limits=limits)
    engine.receive_data(PREFACE + settings(*pairs) + (SETTINGS_ACK if acknowledged else b""))
    engine.data_to_send()
    return engine


def client(*pairs: tuple[int, int], limits: Limits = DEFAULT_LIMITS) -> HTTP2Connection:
    """A client whose server has sent its SETTINGS."""
    engine = HTTP2Connection(Role.CLIENT, limits=limits)
    engine.receive_data(settings(*pairs) + SETTINGS_ACK)
    engine.data_to_send()
    return engine


def get(engine: HTTP2Connection, method: bytes = b"GET", *, end: bool = True) -> int:
    """Send a request from a client engine and forget its bytes."""
    target = b"a.example" if method == b"CONNECT" else b"/"
    stream = engine.send_request(method, target, [], authority=b"a.example", end_stream=end)
    engine.data_to_send()
    return stream


def sent(engine: HTTP2Connection) -> list[Frame]:
    return take_apart(engine.data_to_send())


def kinds(engine: HTTP2Connection) -> list[str]:
    return [frame.kind for frame in sent(engine)]


def hears(engine: HTTP2Connection, *received: bytes) -> list[Event]:
    return engine.receive_data(b"".join(received))

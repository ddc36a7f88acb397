"""What is fuzzed: each target takes any bytes, and whatever they are, the engines' promises hold.

Fed any bytes at all, cut anywhere, an engine raises nothing but `RemoteProtocolError`; whole equals byte by
byte; memory stays within the limits. A target raises `AssertionError` where that is not so.
"""

from __future__ import annotations

from collections.abc import Callable

from h123.protocol.connection import ByteStreamConnection, Role
from h123.protocol.errors import RemoteProtocolError
from h123.protocol.events import DataReceived, Event
from h123.protocol.http1.connection import HTTP1Connection
from h123.protocol.http2 import huffman
from h123.protocol.http2.connection import HTTP2Connection
from h123.protocol.http2.hpack import Decoder, Encoder
from h123.protocol.limits import Limits
from h123.protocol.priority import parse_priority

_LIMITS = Limits(pushed_streams=3)
_GREETING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"
_SETTINGS = b"\0\0\0\4\0\0\0\0\0"


def _feed(engine: ByteStreamConnection, parts: list[bytes]) -> tuple[list[Event], str]:
    """Return what an engine tells, content put together, and the rule that was broken."""
    events: list[Event] = []
    rule = ""
    try:
        for part in parts:
            events += engine.receive_data(part)
        events += engine.receive_eof()
    except RemoteProtocolError as error:
        events += error.events
        rule = error.rule
    engine.data_to_send()
    return _joined(events), rule


def _joined(events: list[Event]) -> list[Event]:
    joined: list[Event] = []
    for event in events:
        last = joined[-1] if joined else None
        if (
            isinstance(event, DataReceived)
            and isinstance(last, DataReceived)
            and event.stream_id == last.stream_id
        ):
            whole = last.data + event.data
            joined[-1] = DataReceived(event.stream_id, whole, event.end_stream)
        else:
            joined.append(event)
    return joined


def _check(make: Callable[[], ByteStreamConnection], data: bytes) -> None:
    whole = _feed(make(), [data])
    middle = len(data) // 2
    assert _feed(make(), [data[:middle], data[middle:]]) == whole
    if len(data) < 512:
        assert _feed(make(), [data[at : at + 1] for at in range(len(data))]) == whole


def http1_server(data: bytes) -> None:
    """Requests."""
    _check(lambda: HTTP1Connection(Role.SERVER), data)


def http1_client(data: bytes) -> None:
    """Responses to a GET."""

    def make() -> HTTP1Connection:
        engine = HTTP1Connection(Role.CLIENT)
        engine.send_request(b"GET", b"/", [(b"Host", b"a")], end_stream=True)
        return engine

    _check(make, data)


def http2_server(data: bytes) -> None:
    """Frames behind a client's preface."""
    _check(lambda: HTTP2Connection(Role.SERVER), _GREETING + data)


def http2_client(data: bytes) -> None:
    """Frames of a server, with a request under way and pushes allowed."""

    def make() -> HTTP2Connection:
        engine = HTTP2Connection(Role.CLIENT, limits=_LIMITS)
        engine.receive_data(_SETTINGS)
        engine.send_request(b"GET", b"/", [], authority=b"a", end_stream=True)
        return engine

    _check(make, data)


def hpack(data: bytes) -> None:
    """Header blocks: what can be decoded can be encoded, and means the same again."""
    decoder, encoder, again = Decoder(), Encoder(), Decoder()
    middle = len(data) // 2
    try:
        for block in (data[:middle], data[middle:]):
            fields = decoder.decode(block)
            assert again.decode(encoder.encode(fields)) == fields
    except RemoteProtocolError:
        pass


def huffman_code(data: bytes) -> None:
    """Huffman coding, there and back; any bytes back are a string or an error."""
    assert huffman.decode(huffman.encode(data)) == data
    try:
        assert huffman.encode(huffman.decode(data)) == data
    except huffman.HuffmanError:
        pass


def priority(data: bytes) -> None:
    """Priority fields."""
    assert 0 <= parse_priority(data).urgency <= 7


TARGETS: dict[str, Callable[[bytes], None]] = {
    target.__name__: target
    for target in (
        http1_server,
        http1_client,
        http2_server,
        http2_client,
        hpack,
        huffman_code,
        priority,
    )
}

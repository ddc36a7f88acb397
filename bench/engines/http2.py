"""HTTP/2: a round trip is a request and its response through both ends; HPACK alone, and DATA alone.

In the rows of new headers every value is another one each time, but for what HTTP/2 itself fixes.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import cycle
from typing import Any

from .measure import Case, Operation

Fields = list[tuple[bytes, bytes]]

CONTENT = b"Hello, world!"
PIECE = b"\x5a" * 65536
WARM_UP = 500
PIECES = 16
"""A DATA operation carries a MiB."""


def request_fields(number: int) -> Fields:
    """Return the header fields of a request, pseudo-header fields first."""
    return [
        (b":method", b"GET"),
        (b":scheme", b"https"),
        (b":authority", b"www%d.example.com" % number),
        (b":path", b"/index/%d.html?q=%d" % (number, number * 7)),
        (b"user-agent", b"Mozilla/5.0 (X11; Linux x86_64; rv:%d.0) Gecko/20100101" % number),
        (b"accept", b"text/html,application/xhtml+xml;q=0.%d,*/*;q=0.8" % number),
        (b"accept-language", b"en-US,en;q=0.%d" % number),
        (b"referer", b"https://www.example.com/page/%d" % number),
        (b"x-request-id", b"0123456789abcdef-%016x" % (number * 2654435761)),
    ]


def response_fields(number: int) -> Fields:
    """Return the header fields of a response, pseudo-header field first."""
    return [
        (b":status", b"200"),
        (b"date", b"Sun, 06 Nov 1994 08:%02d:%02d GMT" % (number // 60 % 60, number % 60)),
        (b"server", b"bench/%d" % number),
        (b"content-type", b"text/plain; charset=utf-8; v=%d" % number),
        (b"content-length", b"%d" % len(CONTENT)),
        (b"etag", b'"%x-%x"' % (number * 40503, number)),
    ]


Sections = Callable[[], tuple[Fields, Fields]]
"""Gives the fields of the next request and of its response."""

DIFFERENT = 4096
"""After so many sections the first comes again: none of the contestants remembers as many."""


def _always_new() -> Sections:
    sections = [(request_fields(number), response_fields(number)) for number in range(DIFFERENT)]
    return cycle(sections).__next__


def _always_equal() -> Sections:
    section = request_fields(1), response_fields(1)
    return lambda: section


def _warm(operation: Operation) -> Operation:
    """Let everyone make the tables that are made on first use."""
    for _ in range(WARM_UP):
        operation()
    return operation


def _h123_round_trip(sections: Sections) -> Operation:
    from h123.protocol.connection import Role
    from h123.protocol.events import DataReceived
    from h123.protocol.http2.connection import HTTP2Connection

    client, server = HTTP2Connection(Role.CLIENT), HTTP2Connection(Role.SERVER)
    for _ in range(2):
        server.receive_data(client.data_to_send())
        client.receive_data(server.data_to_send())

    def round_trip() -> None:
        fields, answer = sections()
        client.send_request(
            b"GET", fields[3][1], fields[4:], authority=fields[2][1], end_stream=True
        )
        (request,) = server.receive_data(client.data_to_send())
        stream_id = request.stream_id  # type: ignore[attr-defined]  # it is a request
        server.send_response(stream_id, 200, answer[1:])
        server.send_data(stream_id, CONTENT, end_stream=True)
        _, content = client.receive_data(server.data_to_send())
        assert isinstance(content, DataReceived)
        assert content.data == CONTENT
        client.consume(stream_id, len(content.data))

    return _warm(round_trip)


def _hyper_pair(package: Any) -> tuple[Any, Any]:
    client = package.connection.H2Connection(
        package.config.H2Configuration(client_side=True, header_encoding=None)
    )
    server = package.connection.H2Connection(
        package.config.H2Configuration(client_side=False, header_encoding=None)
    )
    client.initiate_connection()
    server.initiate_connection()
    for _ in range(2):
        server.receive_data(client.data_to_send())
        client.receive_data(server.data_to_send())
    return client, server


def _hyper_round_trip(package: Any, sections: Sections) -> Operation:
    client, server = _hyper_pair(package)
    data_received = package.events.DataReceived

    def round_trip() -> None:
        fields, answer = sections()
        stream_id = client.get_next_available_stream_id()
        client.send_headers(stream_id, fields, end_stream=True)
        server.receive_data(client.data_to_send())
        server.send_headers(stream_id, answer)
        server.send_data(stream_id, CONTENT, end_stream=True)
        for event in client.receive_data(server.data_to_send()):
            if isinstance(event, data_received):
                assert event.data == CONTENT
                client.acknowledge_received_data(event.flow_controlled_length, stream_id)

    return _warm(round_trip)


def _h123_data() -> Operation:
    from h123.protocol.connection import Role
    from h123.protocol.events import DataReceived
    from h123.protocol.http2.connection import HTTP2Connection

    client, server = HTTP2Connection(Role.CLIENT), HTTP2Connection(Role.SERVER)
    client.send_request(b"POST", b"/", [], authority=b"a.example")
    for _ in range(2):
        server.receive_data(client.data_to_send())
        client.receive_data(server.data_to_send())

    def send() -> None:
        for _ in range(PIECES):
            client.send_data(1, PIECE)
            for event in server.receive_data(client.data_to_send()):
                assert isinstance(event, DataReceived)
                server.consume(1, len(event.data))
            client.receive_data(server.data_to_send())

    return send


def _hyper_data(package: Any) -> Operation:
    client, server = _hyper_pair(package)
    client.send_headers(1, [*request_fields(1)])
    server.receive_data(client.data_to_send())
    data_received = package.events.DataReceived
    wide = 1048576
    server.increment_flow_control_window(wide, 1)
    server.increment_flow_control_window(wide)
    client.receive_data(server.data_to_send())
    step = client.max_outbound_frame_size

    def send() -> None:
        for _ in range(PIECES):
            for start in range(0, len(PIECE), step):
                client.send_data(1, PIECE[start : start + step])
            for event in server.receive_data(client.data_to_send()):
                if isinstance(event, data_received):
                    server.acknowledge_received_data(event.flow_controlled_length, 1)
            client.receive_data(server.data_to_send())

    return send


def _h123_encode(sections: Sections) -> Operation:
    from h123.protocol.http2.hpack import Encoder

    encoder = Encoder()
    return lambda: encoder.encode(sections()[0])


def _hpack_encode(sections: Sections) -> Operation:
    import hpack

    encoder = hpack.Encoder()
    return lambda: encoder.encode(sections()[0])


def _blocks(sections: Sections) -> list[bytes]:
    import hpack

    encoder = hpack.Encoder()
    return [encoder.encode(sections()[0]) for _ in range(DIFFERENT)]


def _decoding(make: Callable[[], Any], sections: Sections) -> Operation:
    # Blocks depend on those before them: after the last comes a new decoder with the first.
    blocks = _blocks(sections)
    decoder = make()
    left = iter(blocks)

    def decode() -> None:
        nonlocal decoder, left
        block = next(left, None)
        if block is None:
            decoder, left = make(), iter(blocks)
            block = next(left)
        decoder.decode(block)

    return decode


def _h123_decode(sections: Sections) -> Operation:
    from h123.protocol.http2.hpack import Decoder

    return _decoding(Decoder, sections)


def _hpack_decode(sections: Sections) -> Operation:
    import hpack

    def make() -> Any:
        return _Raw(hpack.Decoder())

    return _decoding(make, sections)


class _Raw:
    """hpack's decoder without its own decoding of bytes to text."""

    __slots__ = ("_decode",)

    def __init__(self, decoder: Any) -> None:
        self._decode = decoder.decode

    def decode(self, block: bytes) -> Any:
        return self._decode(block, True)


def _h2() -> Any:
    import h2.config
    import h2.connection
    import h2.events

    return h2


def _jh2() -> Any:
    import jh2.config
    import jh2.connection
    import jh2.events

    return jh2


def _round_trips(sections: Callable[[], Sections]) -> Case:
    return {
        "h123": lambda: _h123_round_trip(sections()),
        "h2": lambda: _hyper_round_trip(_h2(), sections()),
        "jh2": lambda: _hyper_round_trip(_jh2(), sections()),
    }


CASES: dict[str, Case] = {
    "HTTP/2 round trip, every header new": _round_trips(_always_new),
    "HTTP/2 round trip, headers repeated": _round_trips(_always_equal),
    "HTTP/2 DATA, a MiB": {
        "h123": _h123_data,
        "h2": lambda: _hyper_data(_h2()),
        "jh2": lambda: _hyper_data(_jh2()),
    },
    "HPACK encode, values new": {
        "h123": lambda: _h123_encode(_always_new()),
        "hpack": lambda: _hpack_encode(_always_new()),
    },
    "HPACK decode, values new": {
        "h123": lambda: _h123_decode(_always_new()),
        "hpack": lambda: _hpack_decode(_always_new()),
    },
    "HPACK encode, block repeated": {
        "h123": lambda: _h123_encode(_always_equal()),
        "hpack": lambda: _hpack_encode(_always_equal()),
    },
    "HPACK decode, block repeated": {
        "h123": lambda: _h123_decode(_always_equal()),
        "hpack": lambda: _hpack_decode(_always_equal()),
    },
}

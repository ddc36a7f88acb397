"""aioquic's connection with credit held back until data is consumed.

RFC 9000 sections 4.1 (flow control) and 4.6 (streams). aioquic doubles a window once half of it has arrived,
read or not. The two methods that do so are overridden here, and the limits for which it has no
configuration are set. A peer that makes aioquic's bookkeeping dear with holes in its data is sent away.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aioquic._buffer import Buffer
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import (
    CONNECTION_LIMIT_FRAME_CAPACITY,
    MAX_STREAM_DATA_FRAME_CAPACITY,
    QuicConnection,
    QuicConnectionError,
)
from aioquic.quic.packet import (
    QuicErrorCode,
    QuicFrameType,
    pull_quic_transport_parameters,
)

from .aioquic_pacing import CoarsePacer
from .connection import Incoming

if TYPE_CHECKING:
    from aioquic.quic.connection import QuicReceiveContext
    from aioquic.quic.packet_builder import QuicPacketBuilder
    from aioquic.quic.recovery import QuicPacketSpace
    from aioquic.quic.stream import QuicStream

UNIDIRECTIONAL_STREAMS = 16
"""What the peer may have open: control, two of QPACK, and room for streams that we refuse to read."""
UNIDIRECTIONAL_WINDOW = 65536
"""Bytes of such a stream in flight or unread: they are read at once."""
LONGEST_REASON = 100
"""Bytes of what CONNECTION_CLOSE says: up to three of them share a datagram in the handshake."""
MAX_GAPS = 512
"""Holes in a stream's received data: aioquic looks through them for each frame."""


class CreditedConnection(QuicConnection):
    """aioquic's connection, with credit given by whoever consumes the data, and gaps bounded."""

    def __init__(
        self,
        configuration: QuicConfiguration,
        concurrent_streams: int,
        incoming: Incoming | None = None,
    ) -> None:
        if incoming is None:
            super().__init__(configuration=configuration)
        else:
            super().__init__(
                configuration=configuration,
                original_destination_connection_id=incoming.original_connection_id,
                retry_source_connection_id=incoming.retry_connection_id,
            )
        # The limits that aioquic has no configuration for.
        bidirectional = self._local_max_streams_bidi
        bidirectional.value = bidirectional.sent = concurrent_streams
        unidirectional = self._local_max_streams_uni
        unidirectional.value = unidirectional.sent = UNIDIRECTIONAL_STREAMS
        self._local_max_stream_data_uni = UNIDIRECTIONAL_WINDOW
        self._loss._pacer = CoarsePacer(max_datagram_size=self._max_datagram_size)
        self._connection_credit = 0
        self._stream_credit: dict[int, int] = {}

    def give_credit(self, stream_id: int, amount: int) -> None:
        """Let the peer send `amount` more. Small amounts are saved up to a quarter of the window."""
        credit = self._connection_credit + amount
        if credit * 4 >= self._configuration.max_data:
            self._local_max_data.value += credit
            credit = 0
        self._connection_credit = credit

        stream = self._streams.get(stream_id)
        if stream is None or stream.receiver._final_size is not None:
            self._stream_credit.pop(stream_id, None)
            return
        window = UNIDIRECTIONAL_WINDOW if stream_id & 2 else self._configuration.max_stream_data
        credit = self._stream_credit.get(stream_id, 0) + amount
        if credit * 4 >= window:
            stream.max_stream_data_local += credit
            credit = 0
        self._stream_credit[stream_id] = credit

    def forget_credit(self, stream_id: int) -> None:
        """Drop what was saved up for a stream whose receiving side is over."""
        self._stream_credit.pop(stream_id, None)

    # What aioquic would do here is to double a window once half of it has arrived.

    def _write_connection_limits(self, builder: QuicPacketBuilder, space: QuicPacketSpace) -> None:
        data = self._local_max_data
        if self._connection_credit and self._connection_credit >= data.value - data.used:
            # Little is left, and what else was granted may be on streams that nobody reads.
            data.value += self._connection_credit
            self._connection_credit = 0
        for limit in (
            data,
            self._local_max_streams_bidi,
            self._local_max_streams_uni,
        ):
            if limit.value == limit.sent:
                continue
            # Streams are granted in batches: while the peer has more left than it would get, it waits.
            # A lost frame has set `sent` to 0, and is sent again.
            if limit is not data and limit.sent - limit.used >= limit.value - limit.sent:
                continue
            buffer = builder.start_frame(
                limit.frame_type,
                capacity=CONNECTION_LIMIT_FRAME_CAPACITY,
                handler=self._on_connection_limit_delivery,
                handler_args=(limit,),
            )
            buffer.push_uint_var(limit.value)
            limit.sent = limit.value

    def _write_stream_limits(
        self, builder: QuicPacketBuilder, space: QuicPacketSpace, stream: QuicStream
    ) -> None:
        if stream.max_stream_data_local == stream.max_stream_data_local_sent:
            return
        if stream.stream_id is None or stream.receiver.is_finished:
            return
        buffer = builder.start_frame(
            QuicFrameType.MAX_STREAM_DATA,
            capacity=MAX_STREAM_DATA_FRAME_CAPACITY,
            handler=self._on_max_stream_data_delivery,
            handler_args=(stream,),
        )
        buffer.push_uint_var(stream.stream_id)
        buffer.push_uint_var(stream.max_stream_data_local)
        stream.max_stream_data_local_sent = stream.max_stream_data_local

    # Its reason may be as long as the peer's certificate makes it, and would not fit into a datagram.

    def close(
        self, error_code: int = 0, frame_type: int | None = None, reason_phrase: str = ""
    ) -> None:
        """End the connection, with as much of the reason as fits."""
        reason_phrase = reason_phrase.encode()[:LONGEST_REASON].decode(errors="ignore")
        super().close(error_code, frame_type, reason_phrase)

    # It does not look at how large datagrams the peer takes (RFC 9000 section 18.2).

    def _parse_transport_parameters(self, data: bytes, from_session_ticket: bool = False) -> None:
        super()._parse_transport_parameters(data, from_session_ticket)
        most = pull_quic_transport_parameters(Buffer(data=data)).max_udp_payload_size
        if most is not None and most < self._max_datagram_size:
            self._max_datagram_size = most

    # Frames of a byte each, with a hole between any two, would make each next one dearer.

    def _get_or_create_stream(self, frame_type: int, stream_id: int) -> QuicStream:
        stream = super()._get_or_create_stream(frame_type, stream_id)
        if len(stream.receiver._ranges) > MAX_GAPS:
            raise QuicConnectionError(
                error_code=QuicErrorCode.INTERNAL_ERROR,
                frame_type=frame_type,
                reason_phrase="Too many holes in a stream",
            )
        return stream

    def _handle_crypto_frame(
        self, context: QuicReceiveContext, frame_type: int, buf: Buffer
    ) -> None:
        super()._handle_crypto_frame(context, frame_type, buf)
        if len(self._crypto_streams[context.epoch].receiver._ranges) > MAX_GAPS:
            raise QuicConnectionError(
                error_code=QuicErrorCode.CRYPTO_BUFFER_EXCEEDED,
                frame_type=frame_type,
                reason_phrase="Too many holes in the handshake",
            )

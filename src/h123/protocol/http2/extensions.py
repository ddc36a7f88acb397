"""What HTTP/2 can do beside requests and responses: push, priorities, and frames of other RFCs.

RFC 9113 section 8.4 (server push), RFC 9218 (priorities), RFC 8336 (ORIGIN), RFC 7838 section 4 (ALTSVC),
RFC 7540 section 3.2 (h2c by Upgrade).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..connection import Role
from ..errors import ErrorCode, LocalProtocolError
from ..events import AlternativeServiceReceived, OriginReceived, PushReceived, RequestReceived
from ..fields import MalformedError, parse_request, request_fields
from ..priority import DEFAULT_PRIORITY, Priority, encode_priority, parse_priority
from .frames import (
    ALTSVC,
    END_HEADERS,
    LARGEST_STREAM_ID,
    ORIGIN,
    PADDED,
    PRIORITY_UPDATE,
    PUSH_PROMISE,
    UINT16,
    UINT32,
    frame,
    header_frames,
)
from .messages import MessageFrames
from .settings import parse_settings
from .state import broken
from .streams import ENDED, FORGOTTEN, Stream, StreamFault
from .upgrade import fields_that_remain

if TYPE_CHECKING:
    from ..events import Event, Headers

_PUSHABLE: Final = (b"GET", b"HEAD")
"""The methods that are safe and cacheable and have no content."""


class ExtensionFrames(MessageFrames):
    """PUSH_PROMISE, PRIORITY_UPDATE, ORIGIN, ALTSVC, both ways, and the start by Upgrade."""

    # ------------------------------------------------------------------------- pushes received

    def _on_push_promise(self, flags: int, stream_id: int, payload: bytes) -> None:
        if self._is_server or not self.limits.pushed_streams:
            raise broken("PUSH_PROMISE, which was disabled", "push-promise", stream_id=stream_id)
        self._expect_stream("PUSH_PROMISE", stream_id)
        padding = start = 0
        if flags & PADDED and payload:
            padding = payload[0]
            start = 1
        if len(payload) < start + 4 or (flags & PADDED and not payload):
            raise broken("a PUSH_PROMISE frame too short", "frame-size", ErrorCode.FRAME_SIZE_ERROR)
        if start + 4 + padding > len(payload):
            raise broken("a PUSH_PROMISE frame of more padding than frame", "padding")
        promised = UINT32.unpack_from(payload, start)[0] & 0x7FFFFFFF
        if promised & 1 or promised <= self._highest_pushed:
            raise broken(f"stream {promised} can not be promised", "stream-id", stream_id=stream_id)
        self._highest_pushed = promised
        fragment = payload[start + 4 : len(payload) - padding]
        if flags & END_HEADERS:
            self._on_promise(stream_id, promised, fragment)
            return
        self._block_stream = stream_id
        self._promised_id = promised
        self._block_size = 0
        self._keep_fragment(fragment)

    def _on_promise(self, parent_id: int, promised: int, block: bytes) -> None:
        """Take the request that the server makes in our stead (client)."""
        fields = self._decode(block)
        parent = self._streams.get(parent_id)
        how = FORGOTTEN if parent is not None else self._closed_streams.recall(parent_id)
        if how == ENDED or (parent is not None and parent.receive_ended):
            raise broken(
                f"PUSH_PROMISE on stream {parent_id}, which has ended",
                "stream-closed",
                stream_id=parent_id,
            )
        refused = parent is None or self._is_leaving
        if refused or self._pushed_open >= self.limits.pushed_streams:
            raise StreamFault(
                promised, ErrorCode.REFUSED_STREAM, "a push that is not wanted", "push-refused"
            )
        if self._is_too_large(fields):
            raise StreamFault(
                promised,
                ErrorCode.ENHANCE_YOUR_CALM,
                "the header fields are over the limit",
                "header-block-too-large",
            )
        try:
            head = parse_request(fields)
        except MalformedError as error:
            raise StreamFault(promised, ErrorCode.PROTOCOL_ERROR, str(error), error.rule) from error
        if head.method not in _PUSHABLE:
            raise StreamFault(
                promised, ErrorCode.PROTOCOL_ERROR, "only GET and HEAD are pushed", "push-method"
            )
        self._budgets.useful += 1
        stream = Stream(promised, self._stream_window, head.method)
        stream.head_sent = stream.send_ended = True
        self._streams[promised] = stream
        self._pushed_open += 1
        self._events.append(
            PushReceived(
                parent_id,
                promised,
                head.method,
                head.target,
                head.scheme,
                head.authority,
                head.headers,
            )
        )

    # ----------------------------------------------------------------------------- pushes sent

    @property
    def available_pushes(self) -> int:
        """How many times `push` can be called now (server): what the client's SETTINGS leave."""
        if not self._is_server or not self._push_enabled or self.is_draining:
            return 0
        ids_left = (LARGEST_STREAM_ID - 1 - self._highest_pushed) // 2
        return max(min(self._max_streams - self._pushed_open, ids_left), 0)

    def push(
        self,
        stream_id: int,
        method: bytes,
        target: bytes,
        headers: Headers,
        *,
        scheme: bytes = b"https",
        authority: bytes = b"",
    ) -> int:
        """Promise a response that the client did not ask for, and return its stream's id (server).

        Its response is then sent like any other. `stream_id` is the request that it goes with: promise
        before sending what refers to it (RFC 9113 section 8.4). Raises `LocalProtocolError` if the client
        takes no pushes now or the promise is not GET or HEAD.
        """
        parent = self._streams.get(stream_id)
        if parent is None or parent.send_ended or not stream_id & 1:
            raise LocalProtocolError(f"stream {stream_id} is no open request")
        if self.available_pushes == 0:
            raise LocalProtocolError("the client takes no pushes now")
        if method not in _PUSHABLE:
            raise LocalProtocolError("only GET and HEAD can be pushed")
        fields = request_fields(method, target, headers, scheme, authority, b"")
        promised = self._highest_pushed = self._highest_pushed + 2
        stream = Stream(promised, 0, method)
        stream.head_received = stream.receive_ended = True
        self._streams[promised] = stream
        self._pushed_open += 1
        block = UINT32.pack(promised) + self._encoder.encode_anew(fields)
        self._outgoing.append(
            header_frames(stream_id, block, 0, self._max_frame_size, PUSH_PROMISE)
        )
        return promised

    # ------------------------------------------------------------------------------ priorities

    def priority(self, stream_id: int) -> Priority:
        """Return how urgent a response is, as the client last said (RFC 9218)."""
        stream = self._streams.get(stream_id)
        return DEFAULT_PRIORITY if stream is None else parse_priority(stream.priority)

    def update_priority(self, stream_id: int, priority: Priority) -> None:
        """Tell the server that a request of ours is more or less urgent now (client)."""
        if self._is_server:
            raise LocalProtocolError("clients alone say what is urgent")
        if stream_id in self._streams:
            payload = UINT32.pack(stream_id) + encode_priority(priority)
            self._outgoing.append(frame(PRIORITY_UPDATE, 0, 0, payload))

    def _on_priority_update(self, flags: int, stream_id: int, payload: bytes) -> None:
        self._expect_connection("PRIORITY_UPDATE", stream_id)
        self._budgets.spend_idle()
        if not self._is_server:
            raise broken("PRIORITY_UPDATE from a server", "priority-update")
        if len(payload) < 4:
            self._expect("PRIORITY_UPDATE", payload, 4)
        prioritized = UINT32.unpack_from(payload)[0] & 0x7FFFFFFF
        value = payload[4:]
        if prioritized == 0 or (not prioritized & 1 and prioritized > self._highest_pushed):
            raise broken("PRIORITY_UPDATE for a stream that can not be", "priority-update")
        if len(value) > _LONGEST_PRIORITY:
            return
        stream = self._streams.get(prioritized)
        if stream is not None:
            stream.priority = value
        elif prioritized & 1 and prioritized > self._highest_id:
            # It may overtake the request that it is about (section 7.1): kept for that, within bounds.
            early = self._early_priorities
            if len(early) >= self.limits.concurrent_streams:
                for passed in [number for number in early if number <= self._highest_id]:
                    del early[passed]
            if len(early) < self.limits.concurrent_streams:
                early[prioritized] = value

    # -------------------------------------------------------------------------- ORIGIN, ALTSVC

    def send_origins(self, origins: list[bytes]) -> None:
        """Tell the client which origins this connection answers for (server, RFC 8336)."""
        if not self._is_server:
            raise LocalProtocolError("servers alone have origins")
        payload = b"".join([UINT16.pack(len(origin)) + origin for origin in origins])
        if len(payload) > self._max_frame_size:
            raise LocalProtocolError("these origins are longer than a frame")
        self._outgoing.append(frame(ORIGIN, 0, 0, payload))

    def send_alternative_service(
        self, value: bytes, *, origin: bytes = b"", stream_id: int = 0
    ) -> None:
        """Tell the client where else an origin is served: `value` as in Alt-Svc (server, RFC 7838).

        Either `origin` says whose it is, or `stream_id` does: that of the stream's request.
        """
        if not self._is_server or bool(origin) is bool(stream_id):
            raise LocalProtocolError("a server names an origin, or a stream that has one")
        payload = UINT16.pack(len(origin)) + origin + value
        if len(payload) > self._max_frame_size:
            raise LocalProtocolError("this alternative service is longer than a frame")
        self._outgoing.append(frame(ALTSVC, 0, stream_id, payload))

    def _on_origin(self, flags: int, stream_id: int, payload: bytes) -> None:
        """Take ORIGIN; where it does not belong or is broken it is to be ignored (RFC 8336 section 2.1)."""
        self._budgets.spend_idle()
        if self._is_server or stream_id or flags & 0xF:
            return
        origins = []
        position = 0
        while position + 2 <= len(payload):
            stop = position + 2 + UINT16.unpack_from(payload, position)[0]
            origins.append(payload[position + 2 : stop])
            position = stop
        if position == len(payload):
            self._events.append(OriginReceived(origins))

    def _on_alternative_service(self, flags: int, stream_id: int, payload: bytes) -> None:
        """Take ALTSVC; where it does not belong or is broken it is to be ignored (RFC 7838 section 4)."""
        self._budgets.spend_idle()
        if self._is_server or len(payload) < 2:
            return
        stop = 2 + UINT16.unpack_from(payload)[0]
        origin = payload[2:stop]
        if stop <= len(payload) and bool(origin) is not bool(stream_id):
            self._events.append(AlternativeServiceReceived(stream_id, origin, payload[stop:]))

    # ---------------------------------------------------------------------------- h2c by Upgrade

    def begin_upgraded(self, request: RequestReceived, settings: bytes) -> list[Event]:
        """Go on with an HTTP/1.1 request as stream 1 (server, before anything else).

        `settings` is what `upgrade.upgrade_settings` returned. The client's preface is yet to come.
        """
        if self.role is not Role.SERVER or self._highest_id or self._settings_received:
            raise LocalProtocolError("an upgrade is the first that a server's engine sees")
        for number, value in parse_settings(settings, len(settings)):
            self._apply(number, value)
        self._highest_id = 1
        stream = self._streams[1] = Stream(1, self._stream_window, request.method)
        stream.head_received = stream.receive_ended = True
        return [
            RequestReceived(
                1,
                request.method,
                request.target,
                request.scheme or b"http",
                request.authority,
                fields_that_remain(request.headers),
                True,
                "HTTP/2",
            )
        ]


_LONGEST_PRIORITY: Final = 256
"""Bytes of a Priority field's value; what is longer says more than anyone here understands."""

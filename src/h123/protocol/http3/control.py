"""The peer's unidirectional streams: control, and the two of QPACK.

RFC 9114 sections 5.2 (GOAWAY), 6.2 (unidirectional streams) and 7.2 (what may be on the control stream),
RFC 9204 section 4.2. Streams of unknown kinds are not read (section 6.2.3).
"""

from __future__ import annotations

from ..connection import Role
from ..errors import ErrorCode, RemoteProtocolError
from ..events import Event, GoAwayReceived, SettingsChanged
from ..limits import Limits
from . import frames
from .budget import Budget
from .errors import H3ErrorCode
from .qpack import FieldDecoder, FieldEncoder
from .stream import ControlReader, PeerStream

_KINDS = {
    frames.CONTROL_STREAM: "control",
    frames.QPACK_ENCODER_STREAM: "QPACK encoder",
    frames.QPACK_DECODER_STREAM: "QPACK decoder",
}
UNPROMISED = 1 << 62


class PeerStreams:
    """What the peer says beside its messages."""

    __slots__ = (
        "settings", "goaway_id", "instructions", "unblocked", "_budget", "_control", "_decoder",
        "_encoder", "_is_server", "_limits", "_max_push_id", "_open", "_seen",
    )  # fmt: skip

    def __init__(
        self,
        role: Role,
        limits: Limits,
        encoder: FieldEncoder,
        decoder: FieldDecoder,
        budget: Budget,
    ) -> None:
        self.settings: dict[int, int] | None = None
        """The peer's settings, once they have come."""
        self.goaway_id = UNPROMISED
        """What the peer's last GOAWAY named: the first of what it refuses."""
        self.instructions = b""
        """What is to be sent on our QPACK encoder stream."""
        self.unblocked: list[int] = []
        """Streams whose field sections wait no longer."""
        self._is_server = role is Role.SERVER
        self._limits = limits
        self._encoder = encoder
        self._decoder = decoder
        self._budget = budget
        self._control = ControlReader(limits)
        self._open: dict[int, PeerStream] = {}
        self._seen: set[int] = set()
        self._max_push_id = -1

    @property
    def is_leaving(self) -> bool:
        """Whether the peer has sent GOAWAY."""
        return self.goaway_id != UNPROMISED

    def receive(self, stream_id: int, data: bytes, end: bool, events: list[Event]) -> bool:
        """Read what came on a stream; return whether nothing more of it is wanted."""
        stream = self._open.get(stream_id)
        if stream is None:
            stream = self._open[stream_id] = PeerStream(stream_id)
        if stream.kind < 0:
            data = stream.buffer + data
            kind, start = frames.decode_integer(data, 0)
            if kind < 0:
                stream.buffer = data
                if end:
                    self.end(stream_id)
                return False
            data = data[start:]
            stream.buffer = b""
            if not self._begin(stream, kind):
                del self._open[stream_id]
                self._budget.idle()
                return True
        if data:
            self._read(stream.kind, data, events)
        if end:
            self.end(stream_id)
        return False

    def end(self, stream_id: int) -> None:
        """Note a stream's end or reset, which the critical ones must not have (section 6.2.1)."""
        stream = self._open.pop(stream_id, None)
        if stream is not None and stream.kind >= 0:
            raise RemoteProtocolError(
                f"the {_KINDS[stream.kind]} stream was closed",
                error_code=H3ErrorCode.CLOSED_CRITICAL_STREAM,
                rule="critical-stream",
            )
        self._budget.idle()

    def _begin(self, stream: PeerStream, kind: int) -> bool:
        """Note what kind of stream one is; return whether it is to be read."""
        if kind == frames.PUSH_STREAM:
            code = H3ErrorCode.STREAM_CREATION_ERROR if self._is_server else H3ErrorCode.ID_ERROR
            raise RemoteProtocolError("a push stream", error_code=code, rule="push")
        if kind not in _KINDS:
            return False
        if kind in self._seen:
            raise RemoteProtocolError(
                f"a second {_KINDS[kind]} stream",
                error_code=H3ErrorCode.STREAM_CREATION_ERROR,
                rule="stream-creation",
            )
        self._seen.add(kind)
        stream.kind = kind
        return True

    def _read(self, kind: int, data: bytes, events: list[Event]) -> None:
        if kind == frames.CONTROL_STREAM:
            for frame_type, payload in self._control.receive(data):
                self._take_frame(frame_type, payload, events)
            return
        self._budget.idle()
        if kind == frames.QPACK_ENCODER_STREAM:
            self.unblocked += self._decoder.feed(data)
        else:
            self._encoder.feed(data)

    def _take_frame(self, frame_type: int, payload: bytes, events: list[Event]) -> None:
        self._budget.idle()
        if self.settings is None:
            if frame_type != frames.SETTINGS:
                raise RemoteProtocolError(
                    "the control stream does not begin with SETTINGS",
                    error_code=H3ErrorCode.MISSING_SETTINGS,
                    rule="missing-settings",
                )
            self._take_settings(payload, events)
        elif frame_type == frames.SETTINGS:
            raise frames.frame_unexpected("SETTINGS for a second time")
        elif frame_type == frames.GOAWAY:
            self._take_goaway(frames.decode_only_integer(payload), events)
        elif frame_type == frames.MAX_PUSH_ID:
            self._take_max_push_id(frames.decode_only_integer(payload))
        elif frame_type == frames.CANCEL_PUSH:
            frames.decode_only_integer(payload)
            raise _id_error("CANCEL_PUSH of what nobody promised")

    def _take_settings(self, payload: bytes, events: list[Event]) -> None:
        settings = frames.decode_settings(payload, self._limits.settings_per_frame)
        self.settings = settings
        self.instructions = self._encoder.apply_settings(
            settings.get(frames.QPACK_MAX_TABLE_CAPACITY, 0),
            settings.get(frames.QPACK_BLOCKED_STREAMS, 0),
        )
        events.append(SettingsChanged(settings))

    def _take_goaway(self, first_refused: int, events: list[Event]) -> None:
        if first_refused > self.goaway_id:
            raise _id_error("GOAWAY takes a promise back")
        if not self._is_server and first_refused & 3:
            raise _id_error("GOAWAY names a stream that is no request")
        self.goaway_id = first_refused
        # The event names the last that is accepted; HTTP/3 names the first that is not.
        events.append(GoAwayReceived(first_refused - 4, ErrorCode.NO_ERROR))

    def _take_max_push_id(self, push_id: int) -> None:
        if not self._is_server:
            raise frames.frame_unexpected("MAX_PUSH_ID from a server")
        if push_id < self._max_push_id:
            raise _id_error("MAX_PUSH_ID takes a promise back")
        self._max_push_id = push_id


def _id_error(message: str) -> RemoteProtocolError:
    return RemoteProtocolError(message, error_code=H3ErrorCode.ID_ERROR, rule="id")

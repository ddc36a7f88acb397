"""What engines tell: one set of events for every HTTP version.

Small classes with slots, made by the thousand: treat them as immutable (freezing them costs a tenth of
the speed). Whatever belongs to a stream carries its `stream_id`. The end of a stream is a flag on the
event that carries it.
"""

from __future__ import annotations

from typing import ClassVar

from .native import mypyc_attr

Headers = list[tuple[bytes, bytes]]
"""Header fields as engines take and give them: names and values in the order of the wire.

Names are lower case from HTTP/2 and HTTP/3 and as they came from HTTP/1.1. Pseudo-header fields are
never among them.
"""


@mypyc_attr(allow_interpreted_subclasses=True)
class Event:
    """Base of all events. Two events are equal when their class and all their fields are.

    The fields can be matched by position: `case DataReceived(stream_id, data)`.
    """

    __match_args__: ClassVar[tuple[str, ...]] = ()  # compiled classes have no __slots__ to ask for
    __slots__: tuple[str, ...] = ()

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and all(
            getattr(self, name) == getattr(other, name) for name in self.__match_args__
        )

    __hash__ = None  # type: ignore[assignment]  # mutable by construction

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.__match_args__)
        return f"{type(self).__name__}({fields})"


class RequestReceived(Event):
    """A request's head (server).

    `target` is HTTP/1.1's request-target or the `:path` of HTTP/2 and HTTP/3; for CONNECT it is the
    authority. `authority` is what the request is for: `:authority`, or HTTP/1.1's absolute-form target
    or Host. `scheme` is `:scheme`; HTTP/1.1 leaves it empty but for the absolute form, and the driver,
    which knows of TLS, fills it in. `protocol` is the `:protocol` of an extended CONNECT (RFC 8441).
    """

    __match_args__: ClassVar[tuple[str, ...]] = (
        "stream_id", "method", "target", "scheme", "authority", "headers", "end_stream",
        "http_version", "protocol",
    )  # fmt: skip
    __slots__ = __match_args__

    def __init__(
        self,
        stream_id: int,
        method: bytes,
        target: bytes,
        scheme: bytes,
        authority: bytes,
        headers: Headers,
        end_stream: bool,
        http_version: str,
        protocol: bytes = b"",
    ) -> None:
        self.stream_id = stream_id
        self.method = method
        self.target = target
        self.scheme = scheme
        self.authority = authority
        self.headers = headers
        self.end_stream = end_stream
        self.http_version = http_version
        self.protocol = protocol


class InformationalReceived(Event):
    """A 1xx response's head (client). Any number may come before the response (RFC 9110 section 15.2)."""

    __match_args__: ClassVar[tuple[str, ...]] = ("stream_id", "status", "headers")
    __slots__ = __match_args__

    def __init__(self, stream_id: int, status: int, headers: Headers) -> None:
        self.stream_id = stream_id
        self.status = status
        self.headers = headers


class ResponseReceived(Event):
    """The final response's head (client). `reason` is HTTP/1.1's reason phrase, else empty."""

    __match_args__: ClassVar[tuple[str, ...]] = (
        "stream_id",
        "status",
        "headers",
        "end_stream",
        "http_version",
        "reason",
    )
    __slots__ = __match_args__

    def __init__(
        self,
        stream_id: int,
        status: int,
        headers: Headers,
        end_stream: bool,
        http_version: str,
        reason: bytes = b"",
    ) -> None:
        self.stream_id = stream_id
        self.status = status
        self.headers = headers
        self.end_stream = end_stream
        self.http_version = http_version
        self.reason = reason


class DataReceived(Event):
    """A part of the content, cut as it came. `data` may be empty when only `end_stream` is told.

    Each byte of `data` is to be given back with `consume` once it has been taken from the engine's user.
    """

    __match_args__: ClassVar[tuple[str, ...]] = ("stream_id", "data", "end_stream")
    __slots__ = __match_args__

    def __init__(self, stream_id: int, data: bytes, end_stream: bool) -> None:
        self.stream_id = stream_id
        self.data = data
        self.end_stream = end_stream


class TrailersReceived(Event):
    """The trailer section (RFC 9110 section 6.5). It ends the stream."""

    __match_args__: ClassVar[tuple[str, ...]] = ("stream_id", "headers")
    __slots__ = __match_args__

    def __init__(self, stream_id: int, headers: Headers) -> None:
        self.stream_id = stream_id
        self.headers = headers


class StreamReset(Event):
    """A stream ended before its time; neither side can use it any more.

    `error_code` is the number on the wire. `remote` is true when the peer did it, false when the engine
    did because the peer broke a rule on this stream (`message` says which, `rule` is its stable name).
    `unprocessed` is true when the peer has surely not acted on the request, so that it may be sent again
    whatever its method (RFC 9113 section 8.7, RFC 9114 sections 4.1.1 and 5.2).
    """

    __match_args__: ClassVar[tuple[str, ...]] = (
        "stream_id",
        "error_code",
        "remote",
        "unprocessed",
        "message",
        "rule",
    )
    __slots__ = __match_args__

    def __init__(
        self,
        stream_id: int,
        error_code: int,
        remote: bool = True,
        unprocessed: bool = False,
        message: str = "",
        rule: str = "",
    ) -> None:
        self.stream_id = stream_id
        self.error_code = error_code
        self.remote = remote
        self.unprocessed = unprocessed
        self.message = message
        self.rule = rule


class StopSending(Event):
    """The peer wants no more of what we send on this stream; what it sends is good.

    HTTP/3's STOP_SENDING; in HTTP/2 RST_STREAM with NO_ERROR after a complete response (RFC 9113
    section 8.1). Further data for the stream is refused by `send_data`.
    """

    __match_args__: ClassVar[tuple[str, ...]] = ("stream_id", "error_code")
    __slots__ = __match_args__

    def __init__(self, stream_id: int, error_code: int) -> None:
        self.stream_id = stream_id
        self.error_code = error_code


class CapacityChanged(Event):
    """More may be sent now: on one stream, or with `stream_id` None on any of them or with new ones."""

    __match_args__: ClassVar[tuple[str, ...]] = ("stream_id",)
    __slots__ = __match_args__

    def __init__(self, stream_id: int | None) -> None:
        self.stream_id = stream_id


class PingAcknowledged(Event):
    """The peer answered a `ping` with this payload."""

    __match_args__: ClassVar[tuple[str, ...]] = ("payload",)
    __slots__ = __match_args__

    def __init__(self, payload: bytes) -> None:
        self.payload = payload


class SettingsChanged(Event):
    """The peer's settings: number to value, as it sent them. They are in force already."""

    __match_args__: ClassVar[tuple[str, ...]] = ("settings",)
    __slots__ = __match_args__

    def __init__(self, settings: dict[int, int]) -> None:
        self.settings = settings


class HandshakeCompleted(Event):
    """The transport under a datagram engine is ready: TLS is done and the peer's name was checked."""

    __match_args__: ClassVar[tuple[str, ...]] = ("alpn_protocol",)
    __slots__ = __match_args__

    def __init__(self, alpn_protocol: str) -> None:
        self.alpn_protocol = alpn_protocol


class GoAwayReceived(Event):
    """The peer takes no new streams. Ours above `last_stream_id` follow as `StreamReset`, unprocessed."""

    __match_args__: ClassVar[tuple[str, ...]] = ("last_stream_id", "error_code", "debug_data")
    __slots__ = __match_args__

    def __init__(self, last_stream_id: int, error_code: int, debug_data: bytes = b"") -> None:
        self.last_stream_id = last_stream_id
        self.error_code = error_code
        self.debug_data = debug_data


class PushReceived(Event):
    """The server promises a response to a request that was not made (client, RFC 9113 section 8.4).

    The events of the response carry `pushed_stream_id`; `reset_stream` with it says no. Whether the server
    may speak for `authority` is for the driver to check. `stream_id` is the request that it goes with.
    """

    __match_args__: ClassVar[tuple[str, ...]] = (
        "stream_id", "pushed_stream_id", "method", "target", "scheme", "authority", "headers",
    )  # fmt: skip
    __slots__ = __match_args__

    def __init__(
        self,
        stream_id: int,
        pushed_stream_id: int,
        method: bytes,
        target: bytes,
        scheme: bytes,
        authority: bytes,
        headers: Headers,
    ) -> None:
        self.stream_id = stream_id
        self.pushed_stream_id = pushed_stream_id
        self.method = method
        self.target = target
        self.scheme = scheme
        self.authority = authority
        self.headers = headers


class OriginReceived(Event):
    """The server says for which origins it answers on this connection (RFC 8336)."""

    __match_args__: ClassVar[tuple[str, ...]] = ("origins",)
    __slots__ = __match_args__

    def __init__(self, origins: list[bytes]) -> None:
        self.origins = origins


class AlternativeServiceReceived(Event):
    """The server says where else it can be reached: ALTSVC (RFC 7838 section 4).

    `value` is as in the Alt-Svc field. It is about `origin`, or where that is empty, about the origin of the
    request on `stream_id`.
    """

    __match_args__: ClassVar[tuple[str, ...]] = ("stream_id", "origin", "value")
    __slots__ = __match_args__

    def __init__(self, stream_id: int, origin: bytes, value: bytes) -> None:
        self.stream_id = stream_id
        self.origin = origin
        self.value = value


class DatagramReceived(Event):
    """An HTTP datagram (RFC 9297) of a stream."""

    __match_args__: ClassVar[tuple[str, ...]] = ("stream_id", "data")
    __slots__ = __match_args__

    def __init__(self, stream_id: int, data: bytes) -> None:
        self.stream_id = stream_id
        self.data = data


class ConnectionClosed(Event):
    """The connection is over, and no stream was cut off by it.

    `error_code` is what the peer closed with, where the version has such a thing, else 0.
    """

    __match_args__: ClassVar[tuple[str, ...]] = ("error_code", "reason")
    __slots__ = __match_args__

    def __init__(self, error_code: int = 0, reason: str = "") -> None:
        self.error_code = error_code
        self.reason = reason

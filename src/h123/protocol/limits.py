"""How much an engine lets a peer use: every bound in one frozen object, with safe defaults.

Where the best servers differ, the default is the stricter one that real clients survive.
"""

from __future__ import annotations

from typing import Any, Self, dataclass_transform


@dataclass_transform(kw_only_default=True, frozen_default=True)
class Settings:
    """A frozen record whose fields are its class's annotations; subclasses add fields.

    It is what `dataclass(frozen=True, kw_only=True)` would give, without the import of `inspect` that
    would be half the time `import h123` takes.
    """

    _fields: tuple[str, ...] = ()

    def __init_subclass__(cls) -> None:
        own = tuple(name for name in cls.__annotations__ if name[0] != "_")
        cls._fields = (*cls._fields, *own)  # the base's first

    def __init__(self, **values: Any) -> None:
        for name, value in values.items():
            if name not in self._fields:
                raise TypeError(f"{type(self).__name__} has no {name!r}")
            self.__dict__[name] = value

    def replace(self, **values: Any) -> Self:
        """Return a copy with these fields changed."""
        return type(self)(**{**self.__dict__, **values})

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen: use replace({name}=...)")

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and all(
            getattr(self, name) == getattr(other, name) for name in self._fields
        )

    def __hash__(self) -> int:
        return hash(tuple(getattr(self, name) for name in self._fields))

    def __repr__(self) -> str:
        values = ", ".join(f"{name}={getattr(self, name)!r}" for name in self._fields)
        return f"{type(self).__name__}({values})"


class Limits(Settings):
    """What an engine accepts from its peer. Sizes are bytes; rates are a second, told by the driver."""

    # Field sections, of any version, headers and trailers alike
    header_block_size: int = 65536
    """Decoded bytes of a field section: names, values and 32 a field in HTTP/2 and 3 (RFC 9113 6.5.2)."""
    header_fields: int = 100
    """Fields in a section."""

    # HTTP/1.1
    start_line_size: int = 8192
    """Request line or status line."""
    chunk_size_line: int = 256
    """A chunk's size with its extensions (RFC 9112 section 7.1.1)."""
    empty_lines: int = 2
    """Empty lines before a request line (RFC 9112 section 2.2)."""
    receive_buffer: int = 131072
    """HTTP/1.1 bytes received and not consumed, past which an engine's `wants_data` turns false."""

    # HTTP/2 and HTTP/3
    concurrent_streams: int = 100
    """Streams the peer may have open at once (what a server announces)."""
    stream_window: int = 1048576
    """Bytes of one stream in flight or unread: what is granted to the peer, and never more unconsumed."""
    largest_stream_window: int = 8388608
    """What an HTTP/2 stream's window may grow to on a long path whose peer is seen to wait for it."""
    connection_window: int = 16777216
    """Bytes of all streams together in flight or unread."""
    frame_size: int = 16384
    """The largest HTTP/2 frame payload accepted (SETTINGS_MAX_FRAME_SIZE)."""
    pushed_streams: int = 0
    """Streams that a server may push at once (HTTP/2, RFC 9113 section 8.4); none unless asked for."""
    table_size: int = 4096
    """Dynamic table of HPACK and QPACK (what the decoder offers and the encoder uses)."""
    blocked_streams: int = 16
    """Streams that may wait for QPACK's dynamic table."""
    send_buffer: int = 262144
    """Bytes that `send_data` takes ahead of the peer where the transport below has its own queue (QUIC)."""

    # Floods: each one is a named refusal (ENHANCE_YOUR_CALM)
    stream_resets: int = 200
    """Bucket of resets, the peer's and those it makes us send (rapid reset, MadeYouReset)."""
    stream_resets_per_second: float = 33.0
    """How fast that bucket refills, by the time the driver tells with `tick`."""
    continuation_frames: int = 8
    """CONTINUATION frames in a block."""
    queued_answers: int = 1000
    """Answers to PING and SETTINGS that wait for a peer that does not read."""
    settings_per_frame: int = 32
    """Settings in one SETTINGS frame."""
    empty_frames: int = 10
    """Empty DATA or HEADERS frames in a row that end nothing."""
    idle_frames: int = 1000
    """Bucket of frames that carry no request or data (PING, SETTINGS, PRIORITY, WINDOW_UPDATE, unknown)."""
    idle_frames_per_useful_frame: int = 10
    """What each DATA or HEADERS frame puts back into that bucket."""
    smallest_data_frame: int = 512
    """While more is waiting, no DATA frame under this is sent into a peer's tiny window."""


DEFAULT_LIMITS = Limits()

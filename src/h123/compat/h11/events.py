"""h11's events. What may be sent is checked when an event is made, by our rules for what goes on the wire."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ...protocol.errors import LocalProtocolError as Misuse
from ...protocol.http1.head import Known
from ...protocol.http1.syntax import HOST
from ...protocol.http1.writing import (
    declared_framing,
    encode_block,
    encode_fields,
    request_line,
)
from .errors import LocalProtocolError
from .headers import Headers, to_bytes

Fields = Iterable[tuple[bytes | str, bytes | str]]


class Event:
    """Base of all events: equal when of one class with equal fields."""

    __slots__: tuple[str, ...] = ()

    def _values(self) -> list[tuple[str, Any]]:
        return [(name, getattr(self, name)) for name in self.__slots__]

    def __eq__(self, other: object) -> bool:
        return (
            self._values() == other._values()
            if isinstance(other, Event) and type(other) is type(self)
            else NotImplemented
        )

    __hash__ = None  # type: ignore[assignment]  # mutable

    def __repr__(self) -> str:
        values = ", ".join(f"{name}={value!r}" for name, value in self._values())
        return f"{type(self).__name__}({values})"


def _checked(fields: Fields | Headers, lines: list[bytes]) -> tuple[Headers, Known]:
    try:
        if isinstance(fields, Headers):
            pairs = fields.raw_items()
        else:
            pairs = [(to_bytes(name), to_bytes(value)) for name, value in fields]
        known = encode_fields(pairs, lines)
        encode_block(lines)
        declared_framing(known)
    except Misuse as error:
        raise LocalProtocolError(str(error)) from error
    return Headers(pairs), known


class Request(Event):
    """A request's head."""

    __slots__ = ("method", "headers", "target", "http_version")

    def __init__(
        self,
        *,
        method: bytes | str,
        headers: Fields | Headers,
        target: bytes | str,
        http_version: bytes | str = b"1.1",
    ) -> None:
        self.method = to_bytes(method)
        self.target = to_bytes(target)
        self.http_version = to_bytes(http_version)
        try:
            line = request_line(self.method, self.target)
        except Misuse as error:
            raise LocalProtocolError(str(error)) from error
        self.headers, known = _checked(headers, [line])
        if HOST not in known and self.http_version == b"1.1":
            raise LocalProtocolError("a request needs a Host field")


class _Response(Event):
    __slots__ = ("status_code", "headers", "http_version", "reason")
    _least: int
    _bound: int

    def __init__(
        self,
        *,
        headers: Fields | Headers,
        status_code: int,
        http_version: bytes | str = b"1.1",
        reason: bytes | str = b"",
    ) -> None:
        if not isinstance(status_code, int):
            raise LocalProtocolError("a status code is an int")
        if not self._least <= status_code < self._bound:
            raise LocalProtocolError(f"{status_code} is no status of a {type(self).__name__}")
        self.status_code = int(status_code)
        self.http_version = to_bytes(http_version)
        self.reason = to_bytes(reason)
        self.headers, _ = _checked(headers, [self.reason])

    def _values(self) -> list[tuple[str, Any]]:
        return [(name, getattr(self, name)) for name in _Response.__slots__]


class InformationalResponse(_Response):
    """The head of a 1xx response."""

    __slots__ = ()
    _least, _bound = 100, 200


class Response(_Response):
    """The head of the final response."""

    __slots__ = ()
    _least, _bound = 200, 1000


class Data(Event):
    """A part of the content. Where chunks begin and end is not told: it means nothing."""

    __slots__ = ("data", "chunk_start", "chunk_end")

    def __init__(self, data: Any, chunk_start: bool = False, chunk_end: bool = False) -> None:
        self.data = data
        self.chunk_start = chunk_start
        self.chunk_end = chunk_end


class EndOfMessage(Event):
    """The end of a message, with its trailers."""

    __slots__ = ("headers",)

    def __init__(self, *, headers: Fields | Headers | None = None) -> None:
        self.headers, _ = _checked(() if headers is None else headers, [b""])


class ConnectionClosed(Event):
    """The end of what one side sends."""

    __slots__ = ()

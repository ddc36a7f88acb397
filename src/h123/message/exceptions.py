"""What can go wrong in a call: httpx's exception tree, under the same names.

Every error that this package raises on purpose is an `HTTPError`, an `OSError` or a `ValueError`, and its
message says what went wrong and where. `except HTTPError` is enough for a call and `raise_for_status()`.

    HTTPError
      RequestError            .request is the request that was being sent
        TransportError
          TimeoutException    ConnectTimeout, ReadTimeout, WriteTimeout, PoolTimeout, TotalTimeout
          NetworkError        ConnectError, ReadError, WriteError, CloseError
          ProtocolError       LocalProtocolError, RemoteProtocolError
          ProxyError
          UnsupportedProtocol
        DecodingError
        TooManyRedirects
      HTTPStatusError         .request and .response
      StreamError             StreamConsumed, StreamClosed, ResponseNotRead, RequestNotRead
      InvalidURL
      CookieConflict
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .request import Request
    from .response import Response


class HTTPError(Exception):
    """Base of every error here. `request` is the request it belongs to, once it is known."""

    _request: Request | None = None

    def __init__(self, message: str = "") -> None:
        super().__init__(message)

    @property
    def request(self) -> Request:
        """The request that failed. Raises `RuntimeError` while none has been set."""
        if self._request is None:
            raise RuntimeError("The .request property has not been set.")
        return self._request

    @request.setter
    def request(self, request: Request) -> None:
        self._request = request


class RequestError(HTTPError):
    """A request could not be carried out: no complete response came of it."""

    def __init__(self, message: str = "", *, request: Request | None = None) -> None:
        super().__init__(message)
        if request is not None:
            self._request = request


class TransportError(RequestError):
    """The failure lies in the transport: names, connections, TLS, proxies, the protocol."""


class TimeoutException(TransportError):
    """A deadline passed."""


class ConnectTimeout(TimeoutException):
    """No connection could be made in time, TLS or QUIC handshake included."""


class ReadTimeout(TimeoutException):
    """The peer sent nothing of this response for too long."""


class WriteTimeout(TimeoutException):
    """The peer took nothing of this request for too long."""


class PoolTimeout(TimeoutException):
    """No connection of the pool became free in time."""


class TotalTimeout(TimeoutException):
    """The bound on the whole call passed, redirects and content included."""


class NetworkError(TransportError):
    """The network failed."""


class ConnectError(NetworkError):
    """A connection could not be made: the name, the address, the refusal, the certificate."""


class ReadError(NetworkError):
    """Receiving failed in the middle of an exchange."""


class WriteError(NetworkError):
    """Sending failed in the middle of an exchange."""


class CloseError(NetworkError):
    """Closing a connection failed."""


class ProtocolError(TransportError):
    """The protocol was broken, by this end or the other."""


class LocalProtocolError(ProtocolError):
    """What was asked for can not be sent as HTTP."""


class RemoteProtocolError(ProtocolError):
    """The peer broke a rule of the protocol, or hung up in the middle of a message."""


class ProxyError(TransportError):
    """The proxy refused or failed."""


class UnsupportedProtocol(TransportError):
    """The URL's scheme is none that can be spoken here, or is missing."""


class DecodingError(RequestError):
    """Content does not decode by its Content-Encoding, or expands past every measure."""


class TooManyRedirects(RequestError):
    """More redirects were answered than the client follows."""


class HTTPStatusError(HTTPError):
    """`Response.raise_for_status` found a status that is no success."""

    def __init__(self, message: str, *, request: Request, response: Response) -> None:
        super().__init__(message)
        self._request = request
        self.response = response

    def __reduce__(self) -> tuple[Callable[..., HTTPStatusError], tuple[Any, ...]]:
        return _rebuild_status_error, (type(self), str(self), self.request, self.response)


def _rebuild_status_error(
    error_class: type[HTTPStatusError], message: str, request: Request, response: Response
) -> HTTPStatusError:
    return error_class(message, request=request, response=response)


class StreamError(HTTPError, RuntimeError):
    """Content was used in a way its stream does not allow: a mistake in the program."""


class StreamConsumed(StreamError):
    """Content that can be read only once was to be read again."""

    def __init__(
        self,
        message: str = (
            "This content has been streamed already and can not be streamed again. A request whose "
            "content is a generator can not be sent twice (a redirect, an authentication); pass bytes, a "
            "seekable file or a list instead. A response's content is kept only by read() or aread()."
        ),
    ) -> None:
        super().__init__(message)


class StreamClosed(StreamError):
    """Content was to be read after its message had been closed."""

    def __init__(
        self, message: str = "The content can not be read any more: its stream has been closed."
    ) -> None:
        super().__init__(message)


class ResponseNotRead(StreamError):
    """A response's content was asked for before it had been read."""

    def __init__(
        self,
        message: str = "The response is being streamed: call read() or aread() before asking for its content.",
    ) -> None:
        super().__init__(message)


class RequestNotRead(StreamError):
    """A request's content was asked for before it had been read."""

    def __init__(
        self,
        message: str = "The request is being streamed: call read() or aread() before asking for its content.",
    ) -> None:
        super().__init__(message)


class InvalidURL(HTTPError, ValueError):
    """The text is no URL; the message says what is wrong with which part."""


class CookieConflict(HTTPError, ValueError):
    """Several cookies have this name; domain and path must be told too."""

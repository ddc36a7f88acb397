"""What went wrong, as one line and one of curl's exit codes (curl's manual, "EXIT CODES")."""

from __future__ import annotations

import enum
from collections.abc import Iterator

from ...message.exceptions import (
    ConnectError,
    DecodingError,
    HTTPError,
    InvalidURL,
    LocalProtocolError,
    ProxyError,
    RemoteProtocolError,
    StreamConsumed,
    TimeoutException,
    TooManyRedirects,
    UnsupportedProtocol,
    WriteError,
)
from ...protocol import errors as engine_errors


class ExitCode(enum.IntEnum):
    """curl's numbers for what can happen here."""

    OK = 0
    UNSUPPORTED_PROTOCOL = 1
    USAGE = 2
    MALFORMED_URL = 3
    UNKNOWN_PROXY = 5
    UNKNOWN_HOST = 6
    NOT_CONNECTED = 7
    WEIRD_REPLY = 8
    HTTP2 = 16
    PARTIAL_CONTENT = 18
    STATUS = 22
    WRITE_FAILED = 23
    READ_FAILED = 26
    TIMED_OUT = 28
    TLS = 35
    BAD_ARGUMENT = 43
    TOO_MANY_REDIRECTS = 47
    EMPTY_REPLY = 52
    SEND_FAILED = 55
    RECEIVE_FAILED = 56
    LOCAL_CERTIFICATE = 58
    UNTRUSTED_CERTIFICATE = 60
    CONTENT_CODING = 61
    NO_REWIND = 65
    AUTHORITY_FILE = 77
    HTTP2_STREAM = 92
    HTTP3 = 95
    QUIC = 96


class FetchError(Exception):
    """Ends a transfer, with a message for people and an exit code. An empty message says nothing."""

    def __init__(self, code: ExitCode, message: str) -> None:
        super().__init__(message)
        self.code = code


def failure_of(error: Exception, version: str | None = None, *, in_content: bool) -> FetchError:
    """Return what to tell about an error of the client.

    `version` is the one that was spoken (`"HTTP/2"`) or forced (`"HTTP/3"`), if that is known;
    `in_content` tells that the response's head had come.
    """
    return FetchError(_code(error, version, in_content), str(error) or type(error).__name__)


def _code(error: Exception, version: str | None, in_content: bool) -> ExitCode:
    for kind, code in _PLAIN:
        if isinstance(error, kind):
            return code
    if isinstance(error, ProxyError):
        return _connecting(error, unknown=ExitCode.UNKNOWN_PROXY, other=ExitCode.RECEIVE_FAILED)
    if isinstance(error, ConnectError):
        other = ExitCode.QUIC if version == "HTTP/3" else ExitCode.NOT_CONNECTED
        return _connecting(error, unknown=ExitCode.UNKNOWN_HOST, other=other)
    if isinstance(error, RemoteProtocolError):
        return _broken_protocol(error, version, in_content)
    return ExitCode.RECEIVE_FAILED if isinstance(error, HTTPError) else ExitCode.BAD_ARGUMENT


_PLAIN: tuple[tuple[type[Exception], ExitCode], ...] = (
    (InvalidURL, ExitCode.MALFORMED_URL),
    (UnsupportedProtocol, ExitCode.UNSUPPORTED_PROTOCOL),
    (TimeoutException, ExitCode.TIMED_OUT),
    (TooManyRedirects, ExitCode.TOO_MANY_REDIRECTS),
    (DecodingError, ExitCode.CONTENT_CODING),
    (StreamConsumed, ExitCode.NO_REWIND),
    (LocalProtocolError, ExitCode.BAD_ARGUMENT),
    (WriteError, ExitCode.SEND_FAILED),
)
"""Errors that mean one thing."""


def _connecting(error: Exception, *, unknown: ExitCode, other: ExitCode) -> ExitCode:
    """Return why there is no connection, from what lies behind the error."""
    import socket  # here, since what only prints a help text needs neither
    import ssl

    for cause in _causes(error):
        if isinstance(cause, socket.gaierror):
            return unknown
        if isinstance(cause, ssl.SSLCertVerificationError):
            return ExitCode.UNTRUSTED_CERTIFICATE
        if isinstance(cause, ssl.SSLError) or "TLS handshake" in str(cause):
            return ExitCode.TLS
        if isinstance(cause, OSError):
            return ExitCode.NOT_CONNECTED
    return other


_ENDED = frozenset({"eof-in-head", "eof-before-response"})
_CUT_OFF = frozenset({"eof-in-content", "connection-cut-off"})


def _broken_protocol(error: RemoteProtocolError, version: str | None, in_content: bool) -> ExitCode:
    rule = next(
        (e.rule for e in _causes(error) if isinstance(e, engine_errors.RemoteProtocolError)), None
    )
    if rule in _CUT_OFF and in_content:
        return ExitCode.PARTIAL_CONTENT
    if rule in _ENDED or rule in _CUT_OFF:
        return ExitCode.EMPTY_REPLY
    if version == "HTTP/3":
        return ExitCode.HTTP3
    if version == "HTTP/2":
        return ExitCode.HTTP2_STREAM if rule is None else ExitCode.HTTP2
    return ExitCode.RECEIVE_FAILED if in_content else ExitCode.WEIRD_REPLY


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Give what an error was raised from, and so on."""
    cause = error.__cause__
    while cause is not None:
        yield cause
        cause = cause.__cause__

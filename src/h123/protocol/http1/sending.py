"""The half of an HTTP/1.1 connection that sends (RFC 9112 sections 3 to 7 and 9)."""

from __future__ import annotations

from typing import Final

from ..errors import LocalProtocolError
from ..events import Headers
from .framing import offers_upgrade, persists
from .head import Known
from .reason import status_line
from .state import (
    BY_CHUNKS,
    BY_CLOSING,
    BY_LENGTH,
    RECEIVES_CONTENT,
    RECEIVES_HEAD,
    RECEIVES_IDLE,
    RECEIVES_NO_MORE,
    RECEIVES_WAITING,
    SENDS_CONTENT,
    SENDS_HEAD,
    SENDS_NO_MORE,
    SENDS_WAITING,
    ConnectionState,
)
from .syntax import CONNECTION, HOST, is_host, list_members
from .writing import (
    CHUNKED_FIELD,
    CLOSE_FIELD,
    EMPTY_FIELD,
    KEEP_ALIVE_FIELD,
    LAST_CHUNK,
    declared_framing,
    encode_block,
    encode_fields,
    encode_trailers,
    request_line,
    without_framing,
)

_METHODS_WITH_CONTENT: Final = frozenset((b"POST", b"PUT", b"PATCH"))
_IDEMPOTENT: Final = frozenset((b"GET", b"HEAD", b"OPTIONS", b"TRACE", b"PUT", b"DELETE"))
"""Methods that a request may follow before they are answered (RFC 9112 section 9.3.2)."""


class SendingConnection(ConnectionState):
    """Writes what we send, for whatever reads what the peer sends."""

    __slots__ = ()

    def send_request(
        self,
        method: bytes,
        target: bytes,
        headers: Headers,
        *,
        scheme: bytes = b"https",
        authority: bytes = b"",
        end_stream: bool = False,
        protocol: bytes = b"",
    ) -> int:
        """Start a request (client) and return its number. `scheme` is not sent."""
        can_begin = self._receiving is RECEIVES_IDLE and self._keep_alive and not self._eof
        if not can_begin and not self.available_streams:  # the first is the usual case
            raise LocalProtocolError(f"{self!r} takes no request now")
        if protocol:
            raise LocalProtocolError("extended CONNECT is HTTP/2's and 3's: HTTP/1.1 has Upgrade")
        lines = [request_line(method, target)]
        known = encode_fields(headers, lines)
        if HOST not in known and authority:
            lines.insert(1, b"Host: " + authority)
            known[HOST] = authority
        if HOST not in known or not is_host(known[HOST]):
            raise LocalProtocolError("a request needs a Host field or an authority that is a host")
        chunked, length = declared_framing(known)
        if method == b"CONNECT":
            if chunked or length or end_stream:
                raise LocalProtocolError("CONNECT has no content, and its stream goes on")
        elif end_stream:
            self._check_empty(length)
            if length is None and not chunked and method in _METHODS_WITH_CONTENT:
                lines.append(EMPTY_FIELD)
        elif length is None and not chunked:
            lines.append(CHUNKED_FIELD)
            chunked = True
        self._output.append(encode_block(lines))
        # Nothing is wrong with it: here the exchange begins.
        self._stream_id += 1
        upgrades = False
        if len(known) > 1:  # more than Host
            upgrades = offers_upgrade(known)
            if not persists(known, "HTTP/1.1"):
                self._keep_alive = False
        pipeline = self._pipeline
        if pipeline is not None:
            pipeline.may_grow = method in _IDEMPOTENT and not upgrades
        if self._receiving is RECEIVES_IDLE:
            self._reading_id = self._stream_id
            self._method = method
            self._offers_upgrade = upgrades
            self._receiving = RECEIVES_HEAD
        else:
            assert pipeline is not None
            pipeline.requests.append((method, upgrades))
        if method == b"CONNECT":
            self._sending = SENDS_WAITING
        elif end_stream and not chunked:
            self._sending = SENDS_NO_MORE
        else:
            self._begin_content(length, chunked, end_stream)
        return self._stream_id

    def send_informational(self, stream_id: int, status: int, headers: Headers) -> None:
        """Send a 1xx response (server). One that may not be sent to HTTP/1.0 is left out."""
        self._check_response(stream_id)
        if not 100 <= status < 200:
            raise LocalProtocolError(f"{status} is not informational")
        if status == 101 and not (self._offers_upgrade and self._receiving is RECEIVES_NO_MORE):
            raise LocalProtocolError(
                "101 needs a request, received whole, that asks for an upgrade"
            )
        lines = [status_line(status)]
        encode_fields(without_framing(headers), lines)
        block = encode_block(lines)
        if self._peer_is_old:  # RFC 9110 section 15.2
            return
        self._output.append(block)
        if status == 101:
            self._become_tunnel()
        elif status == 100:
            self._expects_continue = False

    def send_response(
        self, stream_id: int, status: int, headers: Headers, *, end_stream: bool = False
    ) -> None:
        """Send the final response's head (server)."""
        self._check_response(stream_id)
        if not 200 <= status <= 999:
            raise LocalProtocolError(f"{status} is no final status")
        if self._method == b"CONNECT" and status < 300:
            self._accept_tunnel(status, headers, end_stream)
            return
        lines = [status_line(status)]
        known = encode_fields(headers, lines)
        chunked, length = declared_framing(known)
        if (chunked and self._peer_is_old) or (status == 204 and (chunked or length is not None)):
            # RFC 9112 section 6.1, RFC 9110 section 8.6: they must not be there.
            self.send_response(stream_id, status, without_framing(headers), end_stream=end_stream)
            return
        keeps_alive = self._can_persist()
        if self._method == b"HEAD" or status == 204 or status == 304:
            if not end_stream:
                raise LocalProtocolError("this response has no content: give end_stream=True")
            chunked = False
        elif end_stream:
            self._check_empty(length)
            if length is None and not chunked:
                lines.append(EMPTY_FIELD)
        elif length is None and not chunked:
            if self._peer_is_old:
                keeps_alive = False
            else:
                lines.append(CHUNKED_FIELD)
                chunked = True
        if not keeps_alive or self._peer_is_old or CONNECTION in known:
            keeps_alive = self._write_persistence(keeps_alive, known, lines)
        self._output.append(encode_block(lines))
        self._keep_alive = keeps_alive
        if self._receiving is RECEIVES_WAITING:  # CONNECT is refused
            self._receiving = RECEIVES_NO_MORE
        self._begin_content(length, chunked, end_stream)

    def _accept_tunnel(self, status: int, headers: Headers, end_stream: bool) -> None:
        lines = [status_line(status)]
        encode_fields(without_framing(headers), lines)
        self._output.append(encode_block(lines))
        if self._receiving is RECEIVES_WAITING:
            self._become_tunnel()
        self._keep_alive = False
        self._outgoing = BY_CLOSING
        self._sending = SENDS_CONTENT
        if end_stream:
            self._end_content()

    def _check_response(self, stream_id: int) -> None:
        if stream_id != self._stream_id or self._sending is not SENDS_HEAD:
            raise LocalProtocolError(f"no response can begin on stream {stream_id} of {self!r}")

    def _check_empty(self, length: int | None) -> None:
        if length:
            raise LocalProtocolError(f"Content-Length is {length} and there is no content")

    def _can_persist(self) -> bool:
        """Say whether a next request could be read safely after this response."""
        if not self._keep_alive or (self._eof and not self._waiting):
            return False
        if self._receiving is RECEIVES_WAITING:
            # What follows a refused CONNECT may be meant for the tunnel: it is never a request.
            return not self._waiting
        # A client that was not told to continue may send its content or not (RFC 9110 section 10.1.1).
        return not self._expects_continue or self._receiving is not RECEIVES_CONTENT

    def _write_persistence(self, keeps_alive: bool, known: Known, lines: list[bytes]) -> bool:
        """Say in the head what does not go without saying, and return it (RFC 9112 section 9.3)."""
        options = list_members(known.get(CONNECTION, b""))
        if b"close" in options:
            return False
        if not keeps_alive:
            lines.append(CLOSE_FIELD)
        elif self._peer_is_old and b"keep-alive" not in options:
            lines.append(KEEP_ALIVE_FIELD)
        return keeps_alive

    def _begin_content(self, length: int | None, chunked: bool, end_stream: bool) -> None:
        """Go on to send the content, framed as the head said."""
        if end_stream:
            if chunked:
                self._output.append(LAST_CHUNK)
            self._end_content()
            return
        self._sending = SENDS_CONTENT
        if chunked:
            self._outgoing = BY_CHUNKS
        elif length is None:
            self._outgoing = BY_CLOSING
        else:
            self._outgoing = BY_LENGTH
            self._unsent = length

    def send_data(self, stream_id: int, data: bytes, *, end_stream: bool = False) -> None:
        """Send content, or a tunnel's bytes."""
        self._check_sending(stream_id)
        output = self._output
        framing = self._outgoing
        if framing is BY_LENGTH:
            self._count(len(data), end_stream=end_stream)
            output.append(data)
        elif framing is BY_CHUNKS:
            if data:  # an empty chunk would be the last
                output += (b"%x\r\n" % len(data), data, b"\r\n")
            if end_stream:
                output.append(LAST_CHUNK)
        else:
            output.append(data)
        if end_stream:
            self._end_content()

    def send_with_passthrough(
        self, stream_id: int, source: object, size: int, *, end_stream: bool = False
    ) -> list[object]:
        """Send `size` bytes of content that the engine never sees, such as a file for `sendfile`.

        Returns what is to be written now, in order: bytes, and `source` itself where its bytes go, in place
        of `data_to_send`. The driver must write exactly `size` bytes for it, or close the connection.

        Raises `LocalProtocolError` as `send_data`, and for a size that is not positive.
        """
        self._check_sending(stream_id)
        if size <= 0:
            raise LocalProtocolError(f"{size} bytes of content that is passed through")
        framing = self._outgoing
        tail: list[bytes] = []
        if framing is BY_LENGTH:
            self._count(size, end_stream=end_stream)
        elif framing is BY_CHUNKS:
            self._output.append(b"%x\r\n" % size)
            tail.append(b"\r\n" + LAST_CHUNK if end_stream else b"\r\n")
        head = self.data_to_send()
        if end_stream:
            self._end_content()
        return [head, source, *tail] if head else [source, *tail]

    def _count(self, size: int, *, end_stream: bool) -> None:
        """Take this many bytes of what Content-Length leaves."""
        unsent = self._unsent - size
        if unsent < 0 or (end_stream and unsent):
            raise LocalProtocolError(f"{size} bytes where Content-Length leaves {self._unsent}")
        self._unsent = unsent

    def send_trailers(self, stream_id: int, headers: Headers) -> None:
        """Send the trailer section, if the content is chunked, and end the stream."""
        self._check_sending(stream_id)
        block = encode_trailers(headers)
        if self._outgoing is BY_CHUNKS:
            self._output.append(block)
        elif self._outgoing is BY_LENGTH and self._unsent:
            raise LocalProtocolError(f"trailers where Content-Length leaves {self._unsent} bytes")
        self._end_content()

    def _check_sending(self, stream_id: int) -> None:
        if stream_id != self._stream_id or self._sending is not SENDS_CONTENT:
            raise LocalProtocolError(f"no content can be sent on stream {stream_id} of {self!r}")

    def _end_content(self) -> None:
        self._sending = SENDS_NO_MORE
        self._settle()

    def data_to_send(self) -> bytes:
        """Return all bytes that wait to be sent, and forget them."""
        output = self._output
        if not output:
            return b""
        data = b"".join(output)
        output.clear()
        return data

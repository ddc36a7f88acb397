"""A server's UDP socket: which connection a datagram is for, and who may open a new one.

RFC 8999 (what all versions of QUIC share), RFC 9000 sections 5.2 (leading datagrams to connections), 6
(version negotiation), 8.1 (address validation) and 10.2 (what comes after the end), RFC 9001 section 5.8
and RFC 9369 section 3.3.3 (the tag of a Retry packet). No I/O, and no QUIC library: connections are made
by whoever made the listener.

    listener = QUICListener(lambda incoming: HTTP3Connection(Role.SERVER, endpoint.accept(incoming)))
    connection = listener.receive_datagram(data, address, now)
    if connection is not None:
        events = connection.receive_datagram(data, address, now)
    for datagram, address in listener.datagrams_to_send(): ...
"""

from __future__ import annotations

import hmac
import os
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from .connection import CONNECTION_ID_LENGTH, ConnectionRoutes, Incoming

T = TypeVar("T")

VERSION_1 = 0x00000001
VERSION_2 = 0x6B3343CF
SMALLEST_INITIAL = 1200
"""Bytes of a datagram that may open a connection (RFC 9000 section 14.1)."""
LONGEST_CONNECTION_ID = 20
TOKEN_LIFETIME = 30.0
"""Seconds in which a client must come back with a Retry's token."""
FAREWELL_TIME = 3.0
"""Seconds in which datagrams for a connection that is over are answered with its last word."""
FAREWELLS = 1024
"""Connections that are over and still remembered."""

_TOKEN_TAG = 16
# Packet types in a long header's first byte, and the keys of Retry's tag: both differ by version.
_INITIAL = {VERSION_1: 0x00, VERSION_2: 0x10}
_RETRY = {VERSION_1: 0xF0, VERSION_2: 0xC0}
_RETRY_SECRETS = {
    VERSION_1: ("be0c690b9f66575a1d766b54e368c84e", "461599d35d632bf2239825bb"),
    VERSION_2: ("8fb4b01b56ac48e260fbcbcead7ccc92", "d86969bc2d7c6d9990efb04a"),
}


class LongHeader:
    """The beginning of a long-header packet: version and connection ids (RFC 8999 section 5.1)."""

    __slots__ = ("first_byte", "version", "destination", "source", "token")

    def __init__(
        self, first_byte: int, version: int, destination: bytes, source: bytes, token: bytes
    ) -> None:
        self.first_byte = first_byte
        self.version = version
        self.destination = destination
        self.source = source
        self.token = token

    @property
    def is_initial(self) -> bool:
        """Whether it is an Initial packet of a version that is known here."""
        return self.first_byte & 0x30 == _INITIAL.get(self.version)


def parse_long_header(data: bytes) -> LongHeader | None:
    """Read a long header, with the token of an Initial packet; None if it is not there whole."""
    size = len(data)
    if size < 7:
        return None
    version = int.from_bytes(data[1:5], "big")
    source_length_at = 6 + data[5]
    if source_length_at >= size:
        return None
    destination = data[6:source_length_at]
    end = source_length_at + 1 + data[source_length_at]
    if end > size:
        return None
    source = data[source_length_at + 1 : end]
    header = LongHeader(data[0], version, destination, source, b"")
    if header.is_initial:
        if end >= size:
            return None
        width = 1 << (data[end] >> 6)
        length = int.from_bytes(data[end : end + width], "big") & ((1 << (8 * width - 2)) - 1)
        start = end + width
        if start + length > size:
            return None
        header.token = data[start : start + length]
    return header


class _Route(ConnectionRoutes, Generic[T]):
    """One connection's entries in the listener's table."""

    __slots__ = ("_listener", "connection", "connection_ids", "half_open")

    def __init__(self, listener: QUICListener[T]) -> None:
        self._listener = listener
        self.connection: T | None = None
        self.connection_ids: set[bytes] = set()
        self.half_open = True

    def issued(self, connection_id: bytes) -> None:
        self.connection_ids.add(connection_id)
        self._listener._routes[connection_id] = self

    def retired(self, connection_id: bytes) -> None:
        self.connection_ids.discard(connection_id)
        self._listener._routes.pop(connection_id, None)

    def established(self) -> None:
        if self.half_open:
            self.half_open = False
            self._listener._half_open -= 1

    def closed(self, farewell: list[bytes], now: float) -> None:
        self.established()
        self._listener._remove(self, farewell, now)


class _Farewell:
    """What to answer datagrams of a connection that is over with (RFC 9000 section 10.2.1)."""

    __slots__ = ("datagrams", "expires", "connection_ids", "heard")

    def __init__(self, datagrams: list[bytes], expires: float, connection_ids: set[bytes]) -> None:
        self.datagrams = datagrams
        self.expires = expires
        self.connection_ids = connection_ids
        self.heard = 0


class QUICListener(Generic[T]):
    """Leads each datagram of a server's socket to its connection, and opens new ones.

    `accept` makes a connection; what it returns is what `receive_datagram` gives for each of its datagrams.
    While more than `retry_above` handshakes are under way, clients must first show that they receive at
    the address that they send from (Retry); past `half_open` no new ones are begun, and past `connections`
    no new connection is made at all.
    """

    def __init__(
        self,
        accept: Callable[[Incoming], T],
        *,
        retry_above: int = 100,
        half_open: int = 1000,
        connections: int = 100_000,
        versions: tuple[int, ...] = (VERSION_1, VERSION_2),
    ) -> None:
        self.is_open = True
        """Whether new connections are begun. Those that are there go on."""
        self._accept = accept
        self._retry_above = retry_above
        self._most_half_open = half_open
        self._most_connections = connections
        self._versions = versions
        self._secret = os.urandom(32)
        self._routes: dict[bytes, _Route[T]] = {}
        self._connections: dict[_Route[T], T] = {}
        self._half_open = 0
        self._farewells: OrderedDict[_Farewell, None] = OrderedDict()
        self._farewell_routes: dict[bytes, _Farewell] = {}
        self._outgoing: list[tuple[bytes, object]] = []

    def __repr__(self) -> str:
        return f"<QUICListener [{len(self._connections)} connections, {self._half_open} half open]>"

    @property
    def connections(self) -> list[T]:
        """All connections that are not over."""
        return list(self._connections.values())

    @property
    def half_open(self) -> int:
        """How many handshakes are under way."""
        return self._half_open

    def datagrams_to_send(self) -> list[tuple[bytes, object]]:
        """Return the listener's own answers, and forget them. To be called after `receive_datagram`."""
        outgoing, self._outgoing = self._outgoing, []
        return outgoing

    def receive_datagram(self, data: bytes, address: object, now: float) -> T | None:
        """Return the connection that this UDP payload is to be given to; None drops it.

        Garbage is dropped silently. A new connection's first datagram returns the new connection.
        """
        if not data:
            return None
        if not data[0] & 0x80:
            destination = data[1 : 1 + CONNECTION_ID_LENGTH]
            return self._known(destination, data, address, now)
        header = parse_long_header(data)
        if header is None:
            return None
        if header.version not in self._versions:
            # A Version Negotiation packet has version 0: answering one would start an endless exchange.
            if header.version and len(data) >= SMALLEST_INITIAL:
                self._outgoing.append((self._negotiate(header), address))
            return None
        if (
            len(header.destination) > LONGEST_CONNECTION_ID
            or len(header.source) > LONGEST_CONNECTION_ID
        ):
            return None
        if header.destination in self._routes or header.destination in self._farewell_routes:
            return self._known(header.destination, data, address, now)
        # RFC 9000 section 7.2: a client's own choice of our id has at least 8 bytes.
        if not header.is_initial or len(data) < SMALLEST_INITIAL or len(header.destination) < 8:
            return None
        return self._meet(header, address, now)

    # --------------------------------------------------------------------------------- private

    def _known(self, destination: bytes, data: bytes, address: object, now: float) -> T | None:
        route = self._routes.get(destination)
        if route is not None:
            return route.connection
        farewell = self._farewell_routes.get(destination)
        if farewell is not None and now < farewell.expires:
            # Ever more rarely, so that two ends that are both over do not keep each other awake.
            farewell.heard += 1
            if farewell.heard & (farewell.heard - 1) == 0 and len(data) >= 21:
                self._outgoing += [
                    (datagram, address)
                    for datagram in farewell.datagrams
                    if len(datagram) <= 3 * len(data)
                ]
        return None

    def _meet(self, header: LongHeader, address: object, now: float) -> T | None:
        """Open a connection for a client's Initial packet, or ask it to come back with a token."""
        if not self.is_open or self._half_open >= self._most_half_open:
            return None
        if len(self._connections) >= self._most_connections:
            return None
        original = self._original_of(header, address, now) if header.token else None
        if original is None and self._half_open >= self._retry_above:
            self._outgoing.append((self._retry(header, address, now), address))
            return None
        route: _Route[T] = _Route(self)
        self._half_open += 1
        route.issued(header.destination)
        retried = header.destination if original is not None else None
        connection = self._accept(Incoming(original or header.destination, retried, route))
        route.connection = self._connections[route] = connection
        return connection

    def _remove(self, route: _Route[T], datagrams: list[bytes], now: float) -> None:
        if self._connections.pop(route, None) is None:
            return
        for connection_id in route.connection_ids:
            self._routes.pop(connection_id, None)
        farewell = _Farewell(datagrams, now + FAREWELL_TIME, route.connection_ids)
        self._farewells[farewell] = None
        for connection_id in route.connection_ids:
            self._farewell_routes[connection_id] = farewell
        while True:
            oldest = next(iter(self._farewells))
            if oldest.expires > now and len(self._farewells) <= FAREWELLS:
                break
            del self._farewells[oldest]
            for connection_id in oldest.connection_ids:
                self._farewell_routes.pop(connection_id, None)

    def _negotiate(self, header: LongHeader) -> bytes:
        """Return a Version Negotiation packet (RFC 9000 section 17.2.1)."""
        versions = b"".join([version.to_bytes(4, "big") for version in self._versions])
        return (
            b"\x80\0\0\0\0"
            + _length_first(header.source)
            + _length_first(header.destination)
            + versions
        )

    def _retry(self, header: LongHeader, address: object, now: float) -> bytes:
        """Return a Retry packet (RFC 9000 section 17.2.5)."""
        connection_id = os.urandom(CONNECTION_ID_LENGTH)
        expires = int((now + TOKEN_LIFETIME) * 1000).to_bytes(8, "big", signed=True)
        bare = expires + header.destination
        token = self._sign(bare, address, connection_id) + bare
        return encode_retry(header.version, header.source, connection_id, token, header.destination)

    def _original_of(self, header: LongHeader, address: object, now: float) -> bytes | None:
        """Return the connection id that a client first chose, if its token is one of ours and good."""
        tag, bare = header.token[:_TOKEN_TAG], header.token[_TOKEN_TAG:]
        if not hmac.compare_digest(tag, self._sign(bare, address, header.destination)):
            return None
        if now * 1000 > int.from_bytes(bare[:8], "big", signed=True):
            return None
        return bare[8:]

    def _sign(self, bare: bytes, address: object, connection_id: bytes) -> bytes:
        message = _length_first(connection_id) + _length_first(bare[:255]) + repr(address).encode()
        return hmac.digest(self._secret, message, "sha256")[:_TOKEN_TAG]


def encode_retry(
    version: int, destination: bytes, source: bytes, token: bytes, original: bytes
) -> bytes:
    """Return a Retry packet with its integrity tag (RFC 9001 section 5.8)."""
    packet = (
        bytes([_RETRY[version]])
        + version.to_bytes(4, "big")
        + _length_first(destination)
        + _length_first(source)
        + token
    )
    key, nonce = _RETRY_SECRETS[version]
    seal = AESGCM(bytes.fromhex(key))
    return packet + seal.encrypt(bytes.fromhex(nonce), b"", _length_first(original) + packet)


def _length_first(data: bytes) -> bytes:
    return bytes([len(data)]) + data

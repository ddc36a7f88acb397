"""The TLS handshake: who is trusted, and what people are told when it fails."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import socket
import ssl
from collections.abc import Callable
from typing import Any

import pytest

from h123.network.blocking import BlockingBackend, run
from h123.network.connect import start_tls
from h123.network.stream import SocketStream
from h123.network.tls import client_context, server_context

Peer = Callable[[socket.socket], Any]


@pytest.fixture
def connected(beside: Any) -> Any:
    """Run a peer on the other end of a connection; return our end."""
    streams = []

    def connect(peer: Peer) -> SocketStream:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            stream = SocketStream(socket.create_connection(listener.getsockname()))
            accepted, _ = listener.accept()
        accepted.settimeout(10)

        def body() -> None:
            with accepted, contextlib.suppress(OSError):  # we may be gone before it is done
                peer(accepted)

        beside(body)
        streams.append(stream)
        return stream

    yield connect
    for stream in streams:
        stream.close()


def shake(context: ssl.SSLContext, **options: Any) -> Peer:
    """Return a peer of the standard library that shakes hands, and does not mind if that fails."""

    def peer(sock: socket.socket) -> None:
        try:
            with context.wrap_socket(sock, **options) as secure:
                secure.recv(1)
        except OSError:
            pass

    return peer


def hang_up(sock: socket.socket) -> None:
    sock.recv(65536)


def answer(data: bytes) -> Peer:
    def peer(sock: socket.socket) -> None:
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
        while sock.recv(65536):
            pass

    return peer


def silent(sock: socket.socket) -> None:
    while sock.recv(65536):
        pass


@pytest.mark.parametrize(
    "name", ["localhost", "LOCALHOST", "localhost.", "127.0.0.1", "example.test"]
)
def test_a_server_is_trusted_for_its_names(
    world: Any, files: Any, connected: Any, name: str
) -> None:
    stream = connected(shake(files.server(), server_side=True))
    context = client_context(files.ca)
    secure = world.run(lambda backend: start_tls(backend, stream, context, name, 10))
    assert secure.tls.version() == "TLSv1.3"
    secure.close()
    assert stream.is_closed


def test_a_server_of_ours_is_trusted(world: Any, files: Any, connected: Any) -> None:
    stream = connected(shake(files.client(), server_hostname="localhost"))
    context = server_context(files.chain, files.key)
    secure = world.run(lambda backend: start_tls(backend, stream, context, None, 10, True))
    secure.close()


def failing(world: Any, stream: SocketStream, context: Any, name: str | None = "localhost") -> Any:
    """Return the error of a handshake, after which the stream is closed."""
    with pytest.raises(OSError) as caught:
        world.run(lambda backend: start_tls(backend, stream, context, name, 10, name is None))
    assert stream.is_closed
    return caught.value


def test_a_name_that_the_certificate_is_not_for(world: Any, files: Any, connected: Any) -> None:
    stream = connected(shake(files.server(), server_side=True))
    error = failing(world, stream, client_context(files.ca), "other.test")
    assert isinstance(error, ssl.SSLCertVerificationError)
    assert str(error) == (
        f"the certificate of other.test ({stream.peer_address}) can not be trusted: "
        "Hostname mismatch, certificate is not valid for 'other.test'."
    )
    assert error.verify_code == 62
    assert error.reason == "CERTIFICATE_VERIFY_FAILED"


def test_an_authority_that_is_not_trusted(world: Any, files: Any, connected: Any) -> None:
    stream = connected(shake(files.server(), server_side=True))
    error = failing(world, stream, client_context(files.other_ca))
    assert isinstance(error, ssl.SSLCertVerificationError)
    assert "can not be trusted: unable to get local issuer certificate" in str(error)


def test_a_certificate_that_has_expired(world: Any, files: Any, connected: Any) -> None:
    day = datetime.timedelta(days=1)
    now = datetime.datetime.now(datetime.UTC)
    leaf = files.authority.issue_cert("localhost", not_before=now - 9 * day, not_after=now - day)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    leaf.configure_cert(context)
    stream = connected(shake(context, server_side=True))
    error = failing(world, stream, client_context(files.ca))
    assert "can not be trusted: certificate has expired" in str(error)


def test_without_verification_anybody_is_trusted(world: Any, files: Any, connected: Any) -> None:
    stream = connected(shake(files.server(), server_side=True))
    context = client_context(verify=False)
    world.run(lambda backend: start_tls(backend, stream, context, "other.test", 10)).close()


@pytest.mark.parametrize(
    "data",
    [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"SSH-2.0-OpenSSH_9.2\r\n", b"\0" * 30, b"\xff" * 5],
)
def test_a_server_that_does_not_speak_tls(
    world: Any, files: Any, connected: Any, data: bytes
) -> None:
    stream = connected(answer(data))
    error = failing(world, stream, client_context(files.ca))
    assert str(error) == f"the server localhost ({stream.peer_address}) did not speak TLS"
    assert isinstance(error, ssl.SSLError)


def test_a_client_that_does_not_speak_tls(world: Any, files: Any, connected: Any) -> None:
    stream = connected(answer(b"GET / HTTP/1.1\r\n\r\n"))
    error = failing(world, stream, server_context(files.both), None)
    assert str(error) == f"the client {stream.peer_address} did not speak TLS but plain HTTP"


def test_a_server_that_hangs_up(world: Any, files: Any, connected: Any) -> None:
    stream = connected(hang_up)
    error = failing(world, stream, client_context(files.ca))
    assert isinstance(error, ConnectionResetError)
    assert str(error).startswith(f"localhost ({stream.peer_address}) hung up during the TLS hands")


def test_a_server_that_resets(world: Any, files: Any, connected: Any) -> None:
    stream = connected(lambda sock: sock.close())
    error = failing(world, stream, client_context(files.ca))
    assert isinstance(error, ConnectionError)
    assert "TLS handshake" in str(error)


def test_a_server_that_says_nothing_is_bounded_in_time(
    world: Any, files: Any, connected: Any
) -> None:
    stream = connected(silent)
    context = client_context(files.ca)
    with pytest.raises(TimeoutError, match=r"handshake with localhost \(.*took longer than 0.05 s"):
        world.run(lambda backend: start_tls(backend, stream, context, "localhost", 0.05))
    assert stream.is_closed


def test_versions_that_do_not_meet(world: Any, files: Any, connected: Any) -> None:
    context = files.server()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    stream = connected(shake(context, server_side=True))
    ours = files.client()
    ours.minimum_version = ssl.TLSVersion.TLSv1_3
    error = failing(world, stream, ours)
    assert str(error).endswith("failed: the peer speaks no TLS version that is allowed here")


def test_a_client_that_does_not_trust_us(world: Any, files: Any, connected: Any) -> None:
    context = ssl.create_default_context(cafile=files.other_ca)
    stream = connected(shake(context, server_hostname="localhost"))
    error = failing(world, stream, server_context(files.both), None)
    assert str(error).endswith("failed: the peer does not trust our certificate's authority")


@pytest.mark.parametrize("maximum", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_server_that_wants_a_certificate(
    world: Any, files: Any, connected: Any, helpers: Any, maximum: ssl.TLSVersion
) -> None:
    def strict() -> Any:
        context = files.server()
        context.maximum_version = maximum
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(files.ca)
        return shake(context, server_side=True)

    async def body(backend: Any, context: ssl.SSLContext) -> None:
        stream = await start_tls(backend, connected(strict()), context, "localhost", 10)
        try:
            await helpers.read_some(backend, stream, 0.01)  # TLS 1.3 tells only now
        finally:
            stream.close()

    identity = client_context(files.ca, (files.chain, files.key))
    with pytest.raises(AssertionError, match="nothing came"):
        world.run(lambda backend: body(backend, identity))
    with pytest.raises(ssl.SSLError, match=r"requires a client certificate|settings in common"):
        world.run(lambda backend: body(backend, client_context(files.ca)))


def test_an_error_that_has_no_plain_words(world: Any, files: Any, connected: Any) -> None:
    alert = b"\x15\x03\x03\x00\x02\x02\x50"  # fatal, internal_error
    stream = connected(answer(alert))
    error = failing(world, stream, client_context(files.ca))
    assert str(error).endswith("failed: tlsv1 alert internal error")


def test_a_name_that_is_not_ascii_is_a_mistake(files: Any, connected: Any) -> None:
    stream = connected(silent)
    with pytest.raises(ValueError, match="ascii"):
        run(start_tls(BlockingBackend(), stream, client_context(files.ca), "caf\xe9.test", 10))
    assert stream.is_closed


def test_a_cancelled_handshake_closes_the_stream(
    loop_world: Any, files: Any, connected: Any
) -> None:
    stream = connected(silent)

    async def body(backend: Any) -> None:
        context = client_context(files.ca)
        task = asyncio.ensure_future(start_tls(backend, stream, context, "localhost", 10))
        await asyncio.sleep(0)
        number = stream.fileno()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert stream.is_closed
        assert not backend.loop.remove_reader(number)

    loop_world.run(body)

"""Plain streams over real sockets: nothing waits, nothing is lost, errors say where."""

from __future__ import annotations

import errno
import select
import socket
import struct
import threading
from pathlib import Path
from typing import Any

import pytest

from h123.network.blocking import BlockingBackend, run
from h123.network.stream import SocketStream

BACKEND = BlockingBackend()


def reset(sock: socket.socket) -> None:
    """Close with a RST."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def wait_readable(stream: SocketStream) -> None:
    assert run(BACKEND.poller(stream.sock).wait(True, False, 10))


def wait_broken(stream: SocketStream) -> None:
    poll = select.poll()
    poll.register(stream.sock, 0)  # only an error or a hang-up
    assert poll.poll(10_000)


def until_blocked(stream: SocketStream, data: bytes) -> int:
    """Write until something is unsent; return how much was written."""
    written = 0
    while not stream.unsent:
        stream.write(data)
        written += len(data)
    return written


def test_reading_tells_nothing_now_and_bytes_and_the_end(tcp_pair: Any) -> None:
    stream, peer = tcp_pair
    assert stream.read() is None
    peer.sendall(b"hello")
    wait_readable(stream)
    assert stream.read(2) == b"he"
    assert stream.read() == b"llo"
    assert stream.read() is None
    peer.shutdown(socket.SHUT_WR)
    wait_readable(stream)
    assert [stream.read(), stream.read()] == [b"", b""]
    stream.write(b"the other way goes on")
    assert peer.recv(100) == b"the other way goes on"


def test_small_writes_leave_at_once(tcp_pair: Any) -> None:
    stream, peer = tcp_pair
    assert stream.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    stream.write(b"one")
    stream.write(b"")
    assert stream.unsent == 0
    assert peer.recv(100) == b"one"


def test_what_the_peer_does_not_take_waits_in_order(tcp_pair: Any, helpers: Any) -> None:
    stream, peer = tcp_pair
    stream.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 50_000)  # or the kernel's grows
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 50_000)
    written = until_blocked(stream, bytes(range(256)) * 1000)
    expected = bytes(range(256)) * (written // 256)
    for number in range(1000):  # small pieces, which are joined, and one that is too large for that
        piece = b"%d," % number if number != 500 else b"x" * 100_000
        stream.write(piece)
        expected += piece
    assert stream.unsent > 0
    received = bytearray()

    def drain() -> None:
        while len(received) < len(expected):
            received.extend(peer.recv(65536))

    thread = threading.Thread(target=drain)
    thread.start()
    run(helpers.send_all(BACKEND, stream, b""))
    thread.join(20)
    assert received == expected


def test_addresses_are_told(tcp_pair: Any) -> None:
    stream, peer = tcp_pair
    assert stream.peer_address == f"127.0.0.1:{peer.getsockname()[1]}"
    assert stream.local_address == f"127.0.0.1:{peer.getpeername()[1]}"
    assert stream.alpn_protocol is None
    assert stream.tls is None
    assert not stream.has_pending
    assert stream.fileno() == stream.sock.fileno()
    assert repr(stream) == (
        f"<SocketStream {stream.local_address} to {stream.peer_address}, 0 bytes unsent>"
    )


def test_ending_with_bytes_unsent_is_a_mistake(tcp_pair: Any) -> None:
    stream, _ = tcp_pair
    until_blocked(stream, b"x" * 1_000_000)
    with pytest.raises(RuntimeError, match="unsent"):
        stream.shutdown_write()


def test_closing_loses_what_is_unsent_and_is_final(tcp_pair: Any) -> None:
    stream, _ = tcp_pair
    until_blocked(stream, b"x" * 1_000_000)
    stream.close()
    stream.close()
    assert stream.is_closed
    assert stream.unsent == 0
    assert stream.fileno() == -1
    assert "closed" in repr(stream)
    for action in (stream.read, lambda: stream.write(b"x"), stream.shutdown_write):
        with pytest.raises(
            ConnectionAbortedError, match=r"127\.0\.0\.1:\d+: the connection was cl"
        ):
            action()
    stream.flush()


def test_a_reset_is_told_to_the_reader(tcp_pair: Any) -> None:
    stream, peer = tcp_pair
    reset(peer)
    wait_readable(stream)
    with pytest.raises(
        ConnectionResetError, match=r"^reading from 127\.0\.0\.1:\d+: connection re"
    ):
        stream.read()


def test_a_response_before_a_reset_can_be_read_after_a_write_failed(tcp_pair: Any) -> None:
    stream, peer = tcp_pair
    stream.write(b"half a request")
    peer.sendall(b"413 too large")
    wait_readable(stream)
    peer.close()  # with bytes unread: the kernel resets
    wait_broken(stream)
    with pytest.raises(ConnectionError, match=r"^writing to 127\.0\.0\.1:\d+: connection") as first:
        stream.write(b"the other half")
    with pytest.raises(type(first.value)):
        stream.write(b"and more")
    assert stream.unsent == 0
    assert stream.read() == b"413 too large"
    with pytest.raises(ConnectionResetError):
        stream.read()


def test_a_reset_that_a_write_was_told_is_not_an_end_for_the_reader(tcp_pair: Any) -> None:
    stream, peer = tcp_pair
    until_blocked(stream, b"x" * 1_000_000)
    reset(peer)
    with pytest.raises(ConnectionResetError):
        stream.flush()
    assert stream.unsent == 0
    stream.flush()
    for _ in range(2):
        with pytest.raises(ConnectionResetError):
            stream.read()


def test_after_shutdown_write_the_peer_sees_the_end_and_can_still_talk(tcp_pair: Any) -> None:
    stream, peer = tcp_pair
    stream.write(b"all")
    stream.shutdown_write()
    assert peer.recv(10) == b"all"
    assert peer.recv(10) == b""
    with pytest.raises(BrokenPipeError, match="said that it is done"):
        stream.write(b"more")
    peer.sendall(b"answer")
    peer.close()
    wait_readable(stream)
    assert stream.read() == b"answer"
    assert stream.read() == b""


def test_shutdown_write_after_the_peer_is_gone(tcp_pair: Any) -> None:
    stream, peer = tcp_pair
    reset(peer)
    wait_readable(stream)
    with pytest.raises(ConnectionResetError):
        stream.read()
    with pytest.raises(OSError, match=r"^writing to"):
        stream.shutdown_write()


def test_interrupt_ends_a_poll_in_another_thread(tcp_pair: Any, beside: Any) -> None:
    stream, _ = tcp_pair
    beside(stream.interrupt)
    wait_readable(stream)
    assert stream.read() == b""
    assert not stream.is_closed
    stream.close()
    stream.interrupt()


def test_unix_sockets_have_paths_for_names(tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as client:
        listener.bind(path)
        listener.listen()
        client.connect(path)
        peer, _ = listener.accept()
        with peer:
            stream = SocketStream(client)
            assert stream.peer_address == path
            assert stream.local_address == "an unnamed socket"
            assert SocketStream(peer, "a client").peer_address == "a client"


@pytest.mark.parametrize(
    ("sockaddr", "text"),
    [
        (("192.0.2.1", 80), "192.0.2.1:80"),
        (("2001:db8::1", 80, 0, 0), "[2001:db8::1]:80"),
        ("/run/a.sock", "/run/a.sock"),
        (b"\0abstract", "@abstract"),
        ("", "an unnamed socket"),
    ],
)
def test_addresses_read_as_people_write_them(sockaddr: object, text: str) -> None:
    from h123.network.backend import format_address

    assert format_address(sockaddr) == text


def test_a_socket_whose_peer_is_gone_can_be_taken_over() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        peer, _ = listener.accept()
        reset(peer)
    assert run(BACKEND.poller(client).wait(True, False, 10))
    with pytest.raises(ConnectionResetError):
        client.recv(1)
    stream = SocketStream(client)
    assert stream.peer_address == "a peer that is gone"
    stream.close()


def test_errors_of_other_kinds_keep_their_number(tcp_pair: Any) -> None:
    stream, _ = tcp_pair
    stream.sock.close()
    with pytest.raises(OSError, match=r"reading from 127\.0\.0\.1:\d+: Bad file") as caught:
        stream.read()
    assert caught.value.errno == errno.EBADF

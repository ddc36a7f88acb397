"""Binding: one port number for every address and protocol, and errors that say where."""

from __future__ import annotations

import errno
import socket
from typing import Any

import pytest

from h123.network import listen
from h123.network.listen import bind_both, bind_tcp, bind_udp


def close_all(socks: Any) -> None:
    for sock in socks:
        sock.close()


def test_localhost_is_both_families_on_one_port_number() -> None:
    socks = bind_tcp("localhost", 0)
    assert [sock.getsockname()[0] for sock in socks] == ["::1", "127.0.0.1"]
    (port,) = {sock.getsockname()[1] for sock in socks}
    for address in ("::1", "127.0.0.1"):
        socket.create_connection((address, port)).close()
    assert not any(sock.getblocking() for sock in socks)
    close_all(socks)


def test_tcp_and_udp_share_a_port_number() -> None:
    streams, datagrams = bind_both("localhost", 0)
    ports = {sock.getsockname()[1] for sock in streams}
    ports |= {sock.local_address[1] for sock in datagrams}
    assert len(streams) == len(datagrams) == 2
    assert len(ports) == 1
    close_all([*streams, *datagrams])


@pytest.mark.parametrize(
    ("host", "bound"),
    [
        ("127.0.0.1", ["127.0.0.1"]),
        ("::1", ["::1"]),
        ("", ["0.0.0.0", "::"]),
        ("*", ["0.0.0.0", "::"]),
        ("::", ["::"]),
    ],
)
def test_what_a_host_is_bound_to(host: str, bound: list[str]) -> None:
    streams, datagrams = bind_both(host, 0)
    assert [sock.getsockname()[0] for sock in streams] == bound
    assert [sock.local_address[0] for sock in datagrams] == bound
    close_all([*streams, *datagrams])


def test_a_name_goes_to_the_resolver(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(host: bytes, port: int, **more: Any) -> Any:
        assert host == b"me.test"
        return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.3", port))]

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    (sock,) = bind_tcp("me.test", 0)
    assert sock.getsockname()[0] == "127.0.0.3"
    sock.close()


@pytest.mark.parametrize("kind", ["TCP", "UDP"])
def test_a_port_in_use_is_told(kind: str) -> None:
    bind = bind_tcp if kind == "TCP" else bind_udp
    first: Any = bind("127.0.0.1", 0)
    name = first[0].getsockname() if kind == "TCP" else first[0].local_address
    with pytest.raises(OSError, match="address already in use") as caught:
        bind("127.0.0.1", name[1])
    assert str(caught.value) == (
        f"cannot listen on 127.0.0.1:{name[1]} ({kind}): address already in use"
    )
    assert caught.value.errno == errno.EADDRINUSE
    close_all(first)


def test_when_one_is_in_use_none_stays_bound() -> None:
    (taken,) = bind_udp("127.0.0.1", 0)
    port = taken.local_address[1]
    with pytest.raises(OSError, match=rf"127\.0\.0\.1:{port} \(UDP\)"):
        bind_both("localhost", port)
    close_all(bind_tcp("localhost", port))
    taken.close()


def test_a_port_can_be_taken_again_at_once() -> None:
    (listener,) = bind_tcp("127.0.0.1", 0)
    address = listener.getsockname()
    with socket.create_connection(address):
        listener.setblocking(True)
        peer, _ = listener.accept()
        peer.close()  # this end waits for the other's last packets
    listener.close()
    close_all(bind_tcp("127.0.0.1", address[1]))


def test_an_address_of_another_machine() -> None:
    with pytest.raises(
        OSError, match=r"192\.0\.2\.1:0 \(TCP\): address not available on this mach"
    ):
        bind_tcp("192.0.2.1", 0)


def test_a_machine_without_ipv6_serves_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    real = listen._bind_one

    def bind_one(address: Any, port: int, kind: int) -> socket.socket:
        if address.family == socket.AF_INET6:
            raise OSError(errno.EAFNOSUPPORT, "no IPv6")
        return real(address, port, kind)

    monkeypatch.setattr(listen, "_bind_one", bind_one)
    (sock,) = bind_tcp("localhost", 0)
    assert sock.family == socket.AF_INET
    sock.close()


class TestPortZero:
    def test_a_number_that_is_taken_elsewhere_is_given_up(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        real = listen._bind_one
        failures = [errno.EADDRINUSE] * 3

        def bind_one(address: Any, port: int, kind: int) -> socket.socket:
            if port and failures:
                raise OSError(failures.pop(), "in use")
            return real(address, port, kind)

        monkeypatch.setattr(listen, "_bind_one", bind_one)
        streams, datagrams = bind_both("localhost", 0)
        assert not failures
        close_all([*streams, *datagrams])

    def test_not_for_ever(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def bind_one(*_: Any) -> socket.socket:
            raise OSError(errno.EADDRINUSE, "in use")

        monkeypatch.setattr(listen, "_bind_one", bind_one)
        with pytest.raises(OSError, match=r"^no port is free on every address of localhost$"):
            bind_tcp("localhost", 0)

"""Whatever goes wrong outside: a named exception that says what and where, in time, and nothing left open."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

import h123

CallerFixture = Any
FakeServe = Any
Context = Callable[..., ssl.SSLContext]

HEAD = b"HTTP/1.1 200 OK\r\n"
SHORT = h123.Timeout(5, connect=0.3, read=0.3, write=0.3)
SETTINGS = b"\0\0\0\x04\0\0\0\0\0"

pytestmark = pytest.mark.usefixtures("no_leaks")


def expect(
    call: CallerFixture,
    error: type[Exception],
    words: str,
    url: str,
    method: str = "GET",
    within: float = 3.0,
    **options: Any,
) -> h123.HTTPError:
    """Make a call that has to fail; return the error."""
    begun = time.monotonic()
    with pytest.raises(error, match=words) as caught:
        call(method, url, **options)
    assert type(caught.value) is error
    assert time.monotonic() - begun < within
    failure = caught.value
    assert isinstance(failure, h123.HTTPError)
    assert failure.request.method == method
    assert str(failure.request.url) == url
    return failure


def silent(connection: Any) -> None:
    while connection.recv(65536):
        pass


# ------------------------------------------------------------------------------------- URLs


@pytest.mark.parametrize(
    "url",
    ["http://[::1", "https://host:port/", "http://host:99999/", "http://a b/", "https://a\nb/"],
)
def test_a_url_that_is_none(call: CallerFixture, url: str) -> None:
    with pytest.raises(h123.InvalidURL):
        call("GET", url)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("ftp://host/", r"'ftp://host/' begins with neither http:// nor https://"),
        ("/path", r"'/path' begins with neither"),
        ("host.test", r"'host.test' begins with neither"),
        ("http:/path", r"'http:/path' has no host"),
        ("", r"'' begins with neither"),
    ],
)
def test_a_url_that_cannot_be_fetched(call: CallerFixture, url: str, words: str) -> None:
    expect(call, h123.UnsupportedProtocol, words, url)


def test_http3_needs_https(call: CallerFixture) -> None:
    url = "http://localhost:1/"
    expect(call, h123.UnsupportedProtocol, "HTTP/3 needs", url, http_version="3")
    only_http3 = {"http1": False, "http2": False}
    expect(call, h123.UnsupportedProtocol, "HTTP/3 needs", url, client=only_http3)


@pytest.mark.parametrize("version", ["4", "", "spdy", 2])
def test_a_version_that_is_none(call: CallerFixture, version: Any) -> None:
    with pytest.raises(ValueError, match=r'http_version is "1\.1", "2" or "3"'):
        call("GET", "http://localhost:1/", http_version=version)


def test_no_version_at_all(call: CallerFixture) -> None:
    with pytest.raises(ValueError, match="at least one of http1, http2 and http3"):
        call("GET", "http://a/", client={"http1": False, "http2": False, "http3": False})


# ------------------------------------------------------------------------------- connecting


@pytest.mark.parametrize("version", [None, "1.1", "2", "3"])
def test_a_name_that_does_not_resolve(call: CallerFixture, version: str | None) -> None:
    url = "https://no-such-name.invalid/"
    expect(call, h123.ConnectError, "no-such-name.invalid", url, http_version=version, within=15.0)


@pytest.mark.parametrize("version", [None, "1.1", "2"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_refused_connection(call: CallerFixture, scheme: str, version: str | None) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    url = f"{scheme}://127.0.0.1:{port}/"
    words = rf"{scheme}://127\.0\.0\.1:{port}: .*refused"
    expect(call, h123.ConnectError, words, url, http_version=version)


def test_udp_that_nobody_listens_at(call: CallerFixture, ca_file: str) -> None:
    """ICMP says so at once."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    url = f"https://127.0.0.1:{port}/"
    words = rf"127\.0\.0\.1:{port}.*refused"
    expect(call, h123.ConnectError, words, url, http_version="3", client={"verify": ca_file})


def test_udp_that_is_dropped_on_the_floor(call: CallerFixture, ca_file: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as floor:
        floor.bind(("127.0.0.1", 0))
        port = floor.getsockname()[1]
        url = f"https://127.0.0.1:{port}/"
        words = rf"127\.0\.0\.1:{port}.*no answer over QUIC"
        expect(
            call,
            h123.ConnectTimeout,
            words,
            url,
            http_version="3",
            timeout=SHORT,
            client={"verify": ca_file},
        )


def test_an_untrusted_certificate(
    call: CallerFixture, fake_server: FakeServe, server_context: Context
) -> None:
    server = fake_server(silent, server_context("h2", "http/1.1"))
    words = rf"https://localhost:{server.port}: the certificate of localhost .*can not be trusted"
    error = expect(call, h123.ConnectError, words, server.https)
    assert isinstance(error.__cause__, ssl.SSLCertVerificationError)


def test_a_certificate_for_another_name(
    call: CallerFixture, fake_server: FakeServe, server_context: Context, ca_file: str
) -> None:
    server = fake_server(silent, server_context())
    url = f"https://wrong.test:{server.port}/"
    there = {("wrong.test", server.port): ("127.0.0.1", server.port)}
    words = "certificate of wrong.test .*can not be trusted: .*wrong.test"
    client = {"verify": ca_file, "connect_to": there}
    expect(call, h123.ConnectError, words, url, client=client)


@pytest.mark.parametrize("version", ["2", "3"])
def test_a_ca_file_that_is_missing(
    call: CallerFixture, fake_server: FakeServe, version: str
) -> None:
    server = fake_server(silent)
    client = {"verify": "/no/such/file"}
    expect(
        call, h123.ConnectError, "/no/such/file", server.https, client=client, http_version=version
    )


def test_plain_http_on_an_https_port(
    call: CallerFixture, fake_server: FakeServe, server_context: Context
) -> None:
    server = fake_server(silent, server_context())
    with pytest.raises((h123.RemoteProtocolError, h123.ReadError), match=server.http[:-1]):
        call("GET", server.http)


def test_tls_on_an_http_port(call: CallerFixture, fake_server: FakeServe) -> None:
    def script(connection: Any) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")

    server = fake_server(script)
    expect(call, h123.ConnectError, "did not speak TLS", server.https)


def test_a_version_that_the_server_does_not_speak(
    call: CallerFixture, fake_server: FakeServe, server_context: Context, ca_file: str
) -> None:
    server = fake_server(silent, server_context("http/1.1"))
    words = rf"localhost:{server.port}: the server speaks http/1.1, not h2"
    client = {"verify": ca_file}
    expect(call, h123.ConnectError, words, server.https, http_version="2", client=client)


def test_a_server_that_says_nothing_to_the_tls_handshake(
    call: CallerFixture, fake_server: FakeServe
) -> None:
    server = fake_server(silent)
    words = f"https://localhost:{server.port}: the TLS handshake .*longer than 0"
    expect(call, h123.ConnectTimeout, words, server.https, timeout=SHORT)


def test_a_connection_that_is_never_accepted(call: CallerFixture) -> None:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    fillers = []
    try:
        for _ in range(4):  # a queue that is full drops what comes
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
            fillers.append(filler)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        expect(call, h123.ConnectTimeout, url[:-1], url, timeout=SHORT)
    finally:
        for each in (*fillers, listener):
            each.close()


def test_an_address_to_connect_from_that_is_not_here(call: CallerFixture) -> None:
    client = {"local_address": "192.0.2.1"}
    expect(call, h123.ConnectError, "127.0.0.1:9", "http://127.0.0.1:9/", client=client)


# --------------------------------------------------------------------------------- silence


@pytest.mark.parametrize("version", ["1.1", "2"])
def test_a_server_that_accepts_and_says_nothing(
    call: CallerFixture, fake_server: FakeServe, version: str
) -> None:
    """With HTTP/2: not even its SETTINGS (RFC 9113 section 3.4)."""
    server = fake_server(silent)
    words = rf"no response from http://127\.0\.0\.1:{server.port}"
    expect(call, h123.ReadTimeout, words, server.http, timeout=SHORT, http_version=version)


def test_a_response_that_stops(call: CallerFixture, fake_server: FakeServe, scripts: Any) -> None:
    def script(connection: Any) -> None:
        scripts.read_head(connection)
        connection.sendall(HEAD + b"Content-Length: 10\r\n\r\nhalf")
        silent(connection)

    server = fake_server(script)
    words = rf"no data from http://127\.0\.0\.1:{server.port} in time"
    expect(call, h123.ReadTimeout, words, server.http, timeout=SHORT)


@pytest.mark.parametrize("version", ["1.1", "2"])
@pytest.mark.parametrize("kind", ["bytes", "iterator"])
def test_a_server_that_does_not_read(
    call: CallerFixture, fake_server: FakeServe, version: str, kind: str
) -> None:
    done = threading.Event()

    def script(connection: Any) -> None:
        if version == "2":
            connection.sendall(SETTINGS)
            update = struct.pack(">I", 2**30)
            connection.sendall(b"\0\0\x04\x08\0\0\0\0\0" + update)
            connection.sendall(b"\0\0\x06\x04\0\0\0\0\0\0\x04" + struct.pack(">I", 2**30))
        done.wait(10)

    server = fake_server(script)
    content: Any = bytes(20_000_000)
    if kind == "iterator":
        content = (bytes(100_000) for _ in range(200))
    try:
        words = rf"http://127\.0\.0\.1:{server.port} took no data in time"
        expect(
            call, h123.WriteTimeout, words, server.http, "POST", timeout=SHORT, content=content,
            http_version=version,
        )  # fmt: skip
    finally:
        done.set()


def test_an_http2_window_that_stays_closed(call: CallerFixture, fake_server: FakeServe) -> None:
    def script(connection: Any) -> None:
        connection.sendall(SETTINGS)
        silent(connection)

    server = fake_server(script)
    content = bytes(1_000_000)
    expect(
        call, h123.WriteTimeout, "took no data", server.http, "POST", timeout=SHORT,
        content=content, http_version="2",
    )  # fmt: skip


def test_a_total_timeout_against_a_server_that_drips(
    call: CallerFixture, fake_server: FakeServe, scripts: Any
) -> None:
    def script(connection: Any) -> None:
        scripts.read_head(connection)
        connection.sendall(HEAD + b"Content-Length: 1000\r\n\r\n")
        while True:
            connection.sendall(b".")
            time.sleep(0.05)

    server = fake_server(script)
    timeout = h123.Timeout(5, total=0.4)
    words = r"the call took longer than 0\.4 s"
    expect(call, h123.TotalTimeout, words, server.http, timeout=timeout, within=2.0)


def test_a_total_timeout_while_connecting(call: CallerFixture, fake_server: FakeServe) -> None:
    server = fake_server(silent)
    timeout = h123.Timeout(5, total=0.3)
    expect(call, h123.TotalTimeout, r"longer than 0\.3 s", server.https, timeout=timeout)


def test_a_total_timeout_over_redirects(
    call: CallerFixture, fake_server: FakeServe, scripts: Any
) -> None:
    def script(connection: Any) -> None:
        scripts.read_head(connection)
        time.sleep(0.1)
        connection.sendall(
            b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        )

    server = fake_server(script)
    timeout = h123.Timeout(5, total=0.5)
    expect(call, h123.TotalTimeout, r"longer than 0\.5 s", server.http, timeout=timeout)


# ------------------------------------------------------------------------------ hanging up


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 20",
        HEAD + b"Content-Length: 10\r\n\r\nhalf",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhel",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n",
    ],
    ids=["at once", "in the head", "content-length", "chunked", "in a chunk", "before the end"],
)
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_a_server_that_hangs_up_in_the_middle(
    call: CallerFixture,
    fake_server: FakeServe,
    scripts: Any,
    server_context: Context,
    ca_file: str,
    answer: bytes,
    tls: bool,
) -> None:
    def script(connection: Any) -> None:
        scripts.read_head(connection)
        connection.sendall(answer)

    server = fake_server(script, server_context() if tls else None)
    url = server.https if tls else server.http
    error = expect(call, h123.RemoteProtocolError, url[:-1], url, client={"verify": ca_file})
    assert error.__cause__ is not None


def test_a_server_that_resets_in_the_middle(
    call: CallerFixture, fake_server: FakeServe, scripts: Any
) -> None:
    def script(connection: Any) -> None:
        scripts.read_head(connection)
        connection.sendall(HEAD + b"Content-Length: 10\r\n\r\nhalf")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    server = fake_server(script)
    words = rf"http://127\.0\.0\.1:{server.port}: .*reset"
    expect(call, h123.ReadError, words, server.http)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        SETTINGS,
        SETTINGS + b"\0\0\x01\x01\x04\0\0\0\x01\x88" + b"\0\0\x04\0\0\0\0\0\x01half",
    ],
    ids=["at once", "before the response", "in the content"],
)
def test_an_http2_server_that_hangs_up(
    call: CallerFixture, fake_server: FakeServe, answer: bytes
) -> None:
    def script(connection: Any) -> None:
        received = b""
        while b"\x01\x25" not in received and b"\x01\x05" not in received:  # HEADERS has come
            data = connection.recv(65536)
            received += data
        connection.sendall(answer)
        connection.shutdown(socket.SHUT_WR)
        silent(connection)

    server = fake_server(script)
    expect(call, h123.RemoteProtocolError, server.http[:-1], server.http, http_version="2")


def test_an_http2_stream_that_is_reset(
    call: CallerFixture, fake_server: FakeServe, scripts: Any
) -> None:
    def script(connection: Any) -> None:
        connection.recv(65536)
        connection.sendall(
            SETTINGS
            + b"\0\0\x01\x01\x04\0\0\0\x01\x88"
            + b"\0\0\x04\0\0\0\0\0\x01half"
            + b"\0\0\x04\x03\0\0\0\0\x01\0\0\0\x02"
        )
        silent(connection)

    server = fake_server(script)
    words = rf"http://127\.0\.0\.1:{server.port} reset the stream: INTERNAL_ERROR"
    expect(call, h123.RemoteProtocolError, words, server.http, http_version="2")


def test_an_http2_connection_that_ends_with_an_error(
    call: CallerFixture, fake_server: FakeServe
) -> None:
    def script(connection: Any) -> None:
        connection.recv(65536)
        connection.sendall(SETTINGS + b"\0\0\x0b\x07\0\0\0\0\0\0\0\0\x01\0\0\0\x0bwhy")
        connection.shutdown(socket.SHUT_WR)
        silent(connection)

    server = fake_server(script)
    expect(call, h123.RemoteProtocolError, server.http[:-1], server.http, http_version="2")


# --------------------------------------------------------------------------------- garbage


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/9.9 200 OK\r\n\r\n",
        HEAD + b"Content-Length: ten\r\n\r\n",
        HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nnone\r\n",
        b"\0" * 100_000,
        HEAD + b"X: " + b"y" * 200_000,
        SETTINGS,
    ],
    ids=lambda answer: repr(answer[:24]),
)
def test_garbage_instead_of_http1(
    call: CallerFixture, fake_server: FakeServe, scripts: Any, answer: bytes
) -> None:
    def script(connection: Any) -> None:
        scripts.read_head(connection)
        connection.sendall(answer)
        silent(connection)

    server = fake_server(script)
    error = expect(
        call, h123.RemoteProtocolError, server.http[:-1], server.http, timeout=h123.Timeout(2.0)
    )
    assert error.__cause__ is not None


def test_1xx_responses_without_end(
    call: CallerFixture, fake_server: FakeServe, scripts: Any
) -> None:
    def script(connection: Any) -> None:
        scripts.read_head(connection)
        while True:  # until the client hangs up
            connection.sendall(b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n" * 50)

    server = fake_server(script)
    words = f"{server.http[:-1]}: too many 1xx responses"
    expect(call, h123.RemoteProtocolError, words, server.http, timeout=h123.Timeout(10.0))


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
        b"\xff" * 1000,
        b"\0\0\0\x06\0\0\0\0\0",
        SETTINGS + b"\0\xff\xff\x00\0\0\0\0\x01",
        SETTINGS + b"\0\0\x01\x01\x05\0\0\0\x01\xff",
    ],
    ids=lambda answer: repr(answer[:24]),
)
def test_garbage_instead_of_http2(
    call: CallerFixture, fake_server: FakeServe, answer: bytes
) -> None:
    def script(connection: Any) -> None:
        connection.recv(65536)
        connection.sendall(answer)
        silent(connection)

    server = fake_server(script)
    expect(
        call, h123.RemoteProtocolError, server.http[:-1], server.http, http_version="2",
        timeout=h123.Timeout(2.0),
    )  # fmt: skip


def test_content_that_does_not_decode(
    call: CallerFixture, fake_server: FakeServe, scripts: Any
) -> None:
    def script(connection: Any) -> None:
        scripts.read_head(connection)
        connection.sendall(HEAD + b"Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnone")
        silent(connection)

    server = fake_server(script)
    expect(call, h123.DecodingError, "gzip", server.http)

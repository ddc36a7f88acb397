"""Content on its way in, and what belongs to it."""

from __future__ import annotations

import itertools
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from tests.client.app import LARGE, HintingAnswerer, app, shown

import h123

MakeFace = Any


@pytest.fixture(scope="module")
def server(serve: Any) -> Any:
    return serve(app)


@pytest.fixture
def client(face: MakeFace, ca_file: str) -> Any:
    return face(verify=ca_file, timeout=h123.Timeout(10))


def test_a_response_says_what_it_is(client: Any, server: Any, version: str) -> None:
    response = client.request("GET", server.https("/hello"), http_version=version)
    assert response.status_code == 200
    assert response.text == "/hello"
    assert response.http_version == f"HTTP/{version}"
    assert response.url == server.https("/hello")
    assert response.request.method == "GET"
    local, peer = response.extensions["addresses"]
    assert peer.endswith(f":{server.port()}") or str(server.port()) in peer
    assert local != peer


def test_elapsed_is_the_time_to_the_end_of_the_response(
    client: Any, server: Any, version: str
) -> None:
    url = server.https("/hello")
    begun = time.monotonic()
    response = client.request("GET", url, http_version=version)
    assert 0 < response.elapsed.total_seconds() <= time.monotonic() - begun
    streamed = client.request("GET", url, http_version=version, stream=True)
    with pytest.raises(RuntimeError, match="elapsed"):
        _ = streamed.elapsed
    client.leave(streamed)
    assert streamed.elapsed.total_seconds() > 0


def test_what_is_known_of_the_connection(client: Any, server: Any, version: str) -> None:
    url = server.https("/")
    response = client.request("GET", url, http_version=version, stream=True)
    channel = response.stream.exchange.channel
    assert channel.peer_certificate[:1] == b"0"
    assert (channel.tls is None) is (version == "3")
    client.leave(response)
    plain = client.request("GET", server.http("/"), stream=True)
    assert plain.stream.exchange.channel.peer_certificate is None
    client.leave(plain)


def test_a_host_of_the_callers_own(client: Any, server: Any, version: str) -> None:
    """RFC 9113 section 8.3.1: `:authority` says what the Host field would."""
    response = client.request(
        "GET", server.https("/show"), headers={"Host": "virtual.test"}, http_version=version
    )
    assert shown(response)["url"] == "https://virtual.test/show"


def test_http1_without_tls_and_http2_by_prior_knowledge(client: Any, server: Any) -> None:
    assert client.request("GET", server.http("/")).http_version == "HTTP/1.1"
    assert client.request("GET", server.http("/"), http_version="2").http_version == "HTTP/2"


@pytest.mark.parametrize("spoken", ["1", "1.1", "HTTP/1.1", "1.0"])
def test_names_of_http1(client: Any, server: Any, spoken: str) -> None:
    assert client.request("GET", server.https("/"), http_version=spoken).http_version == "HTTP/1.1"


@pytest.mark.parametrize(
    ("switches", "scheme", "expected"),
    [
        ({}, "https", "HTTP/2"),
        ({"http2": False, "http3": False}, "https", "HTTP/1.1"),
        ({"http1": False}, "https", "HTTP/2"),
        ({"http1": False, "http2": False}, "https", "HTTP/3"),
        ({"http1": False}, "http", "HTTP/2"),
        ({"http2": False}, "http", "HTTP/1.1"),
    ],
)
def test_switches_choose_the_version(
    face: MakeFace, ca_file: str, server: Any, switches: Any, scheme: str, expected: str
) -> None:
    client = face(verify=ca_file, **switches)
    assert client.request("GET", server.url(scheme, "/")).http_version == expected


@pytest.mark.parametrize("status", [204, 304])
def test_responses_without_content(client: Any, server: Any, version: str, status: int) -> None:
    for _ in range(2):
        response = client.request("GET", server.https(f"/status/{status}"), http_version=version)
        assert response.status_code == status
        assert response.content == b""
    assert client.pool.count == 1


def test_head(client: Any, server: Any, version: str) -> None:
    for _ in range(2):
        response = client.request("HEAD", server.https("/large/3"), http_version=version)
        assert response.status_code == 200
        assert response.content == b""
    assert client.request("GET", server.https("/"), http_version=version).text == "/"
    assert client.pool.count == 1


@pytest.mark.parametrize("taken", [0, 1, 5])
def test_a_response_left_early_harms_nobody(
    client: Any, server: Any, version: str, taken: int
) -> None:
    """Many times over: windows, streams and connections come back."""
    sibling = client.request("GET", server.https("/large/8"), http_version=version, stream=True)
    begun = client.take(sibling, 1)
    for _ in range(10):
        url = server.https("/large/64")
        response = client.request("GET", url, http_version=version, stream=True)
        client.take(response, taken)
        client.leave(response)
    assert client.request("GET", server.https("/next"), http_version=version).text == "/next"
    if client.kind == "sync":
        rest = []
        while part := _next(sibling):
            rest.append(part)
        assert b"".join(begun + rest) == LARGE * 8
    client.leave(sibling)
    assert client.pool.count == (2 if version == "1.1" and client.kind == "sync" else 1)


def _next(response: Any) -> bytes:
    from h123.network.blocking import run

    part: bytes = run(response.stream.receive())
    return part


def test_a_reader_that_stops_stops_the_sender(client: Any, server: Any, version: str) -> None:
    response = client.request("GET", server.https("/large/64"), http_version=version, stream=True)
    client.take(response, 1)
    exchange = response.stream.exchange
    assert exchange.unread <= 17 * 1024 * 1024
    client.leave(response)


def test_content_is_read_once(client: Any, server: Any) -> None:
    response = client.request("GET", server.https("/large/1"), stream=True)
    client.take(response, 1)
    with pytest.raises(h123.StreamConsumed):
        client.take(response, 1)
    client.leave(response)
    other = client.request("GET", server.https("/large/1"), stream=True)
    client.leave(other)
    with pytest.raises(h123.StreamClosed):
        client.take(other, 1)
    client.leave(other)
    assert client.run(_receive(other, client.kind)) == b""


def _receive(response: Any, kind: str) -> Any:
    if kind == "async":
        return response.stream.receive()
    from h123.network.blocking import run

    return run(response.stream.receive())


def test_ways_to_read(server: Any, ca_file: str, version: str) -> None:
    with h123.Client(verify=ca_file) as client:
        for read, expected in (
            (lambda r: b"".join(r.iter_bytes()), LARGE * 2),
            (lambda r: b"".join(r.iter_raw()), LARGE * 2),
            (lambda r: {len(part) for part in r.iter_bytes(65536)}, {65536}),
            (lambda r: r.read(), LARGE * 2),
        ):
            with client.stream("GET", server.https("/large/2"), http_version=version) as response:
                assert read(response) == expected
        with client.stream(
            "POST", server.https("/echo"), content="a\r\nb\nc", http_version=version
        ) as response:
            assert list(response.iter_lines()) == ["a", "b", "c"]
        response = client.post(server.https("/echo"), json=[1, 2], http_version=version)
        assert response.json() == [1, 2]


def test_no_content_is_kept_before_it_is_read(server: Any, ca_file: str) -> None:
    with (
        h123.Client(verify=ca_file) as client,
        client.stream("GET", server.https("/x")) as response,
        pytest.raises(h123.ResponseNotRead),
    ):
        _ = response.content


@pytest.mark.parametrize("times", [3])
def test_103_before_200_three_times_on_one_connection(
    face: MakeFace, serve: Any, ca_file: str, version: str, times: int
) -> None:
    """RFC 8297: each request gets its own answer."""
    server = serve(app)
    server._server.answerer.__class__ = HintingAnswerer
    client = face(verify=ca_file)
    for number in range(times):
        response = client.request("GET", server.https(f"/{number}"), http_version=version)
        assert (response.status_code, response.text) == (200, f"/{number}")
        assert [one.status_code for one in response.informational] == [103, 103]
        assert response.informational[1].headers["link"] == "</2>; rel=preload"
    assert client.pool.count == 1


# --------------------------------------------------------------------------------- threads


def in_threads(number: int, work: Any) -> None:
    """Run `work(number)` in so many threads, switching between them all the time."""
    errors: list[BaseException] = []

    def body(which: int) -> None:
        try:
            work(which)
        except BaseException as error:
            errors.append(error)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        threads = [threading.Thread(target=body, args=(which,)) for which in range(number)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
            assert not thread.is_alive(), "a thread hangs"
    finally:
        sys.setswitchinterval(interval)
    if errors:
        raise errors[0]


@pytest.mark.parametrize(
    ("version", "each"), [("1.1", 25), ("2", 25), ("3", 10)], ids=["http1", "http2", "http3"]
)
def test_forty_threads_share_a_client(server: Any, ca_file: str, version: str, each: int) -> None:
    limits = h123.Limits(max_connections=10)
    before = len(server.accepted)
    with h123.Client(verify=ca_file, limits=limits, timeout=h123.Timeout(60)) as client:

        def work(which: int) -> None:
            for number in range(each):
                path = f"/{which}/{number}"
                if number % 5 == 4:
                    content = path.encode() * 1000
                    response = client.post(
                        server.https("/echo"), content=content, http_version=version
                    )
                    assert response.content == content
                elif number % 5 == 3:
                    url = server.https("/large/1")
                    with client.stream("GET", url, http_version=version) as response:
                        next(response.iter_raw())
                else:
                    assert client.get(server.https(path), http_version=version).text == path

        in_threads(40, work)
        pool = client._core.transport.pool
        assert pool.count == len(pool.idle) <= 10
        assert not pool.starved
        if version != "1.1":
            assert pool.count == 1
    assert pool.count == 0
    if version != "1.1":
        assert len(server.accepted) == before + 1


def test_closing_from_another_thread_ends_what_is_under_way(
    serve: Any, ca_file: str, version: str
) -> None:
    import asyncio

    arrived = threading.Semaphore(0)

    async def never(request: h123.Request) -> h123.Response:
        arrived.release()
        await asyncio.sleep(3600)
        raise AssertionError

    server = serve(never)
    client = h123.Client(verify=ca_file, timeout=None)
    errors: list[BaseException] = []

    def call() -> None:
        try:
            client.post(server.https("/"), http_version=version)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=call) for _ in range(5)]
    for thread in threads:
        thread.start()
    for _ in threads:
        assert arrived.acquire(timeout=10)
    client.close()
    for thread in threads:
        thread.join(5)
        assert not thread.is_alive()
    assert [type(error) for error in errors] == [h123.ReadError] * 5
    assert "was closed on this side" in str(errors[0])


def test_a_response_closed_by_another_thread(serve: Any, ca_file: str, version: str) -> None:
    """Who waits for its content is let go at once."""
    import asyncio

    async def half(request: h123.Request) -> h123.Response:
        async def parts() -> Any:
            yield b"half"
            await asyncio.sleep(3600)

        return h123.Response(200, content=parts())

    server = serve(half)
    with h123.Client(verify=ca_file, timeout=h123.Timeout(20)) as client:
        response = client.request("GET", server.https("/"), http_version=version, stream=True)
        parts: Iterator[bytes] = iter(response.iter_raw())
        assert next(parts) == b"half"
        timer = threading.Timer(0.2, response.close)
        timer.start()
        with pytest.raises(h123.HTTPError):
            next(parts)
        timer.join()


# -------------------------------------------------------------------------------- redirects


def test_redirects_keep_the_cookies_and_the_history(client: Any, server: Any, version: str) -> None:
    url = server.https("/redirect/301/redirect/302/show")
    response = client.request("GET", url, http_version=version)
    assert response.status_code == 200
    assert [one.status_code for one in response.history] == [301, 302]
    assert [one.text for one in response.history] == ["elsewhere"] * 2
    assert all(one.elapsed for one in response.history)
    headers = dict(shown(response)["headers"])
    assert sorted(headers["cookie"].split("; ")) == ["seen301=yes", "seen302=yes"]
    assert dict(client.client.cookies) == {"seen301": "yes", "seen302": "yes"}


@pytest.mark.parametrize(
    ("status", "method", "after", "keeps_content"),
    [
        (301, "POST", "GET", False),
        (302, "POST", "GET", False),
        (303, "POST", "GET", False),
        (303, "PUT", "GET", False),
        (303, "HEAD", "HEAD", False),
        (307, "POST", "POST", True),
        (308, "POST", "POST", True),
        (301, "PUT", "PUT", True),
        (302, "DELETE", "DELETE", True),
    ],
)
def test_what_a_redirect_makes_of_the_request(
    client: Any, server: Any, status: int, method: str, after: str, keeps_content: bool
) -> None:
    """RFC 9110 section 15.4."""
    url = server.https(f"/redirect/{status}/show")
    response = client.request(method, url, content=b"content", headers={"Content-Type": "a/b"})
    assert response.request.method == after
    if after == "HEAD":
        return
    seen = shown(response)
    assert (seen["method"], seen["body"]) == (after, "content" if keeps_content else "")
    headers = dict(seen["headers"])
    assert ("content-type" in headers) is keeps_content
    assert headers.get("content-length", "0") == ("7" if keeps_content else "0")


def test_content_that_can_be_given_only_once_cannot_be_redirected(
    client: Any, server: Any, version: str
) -> None:
    url = server.https("/redirect/307/show")
    with pytest.raises(h123.StreamConsumed, match="redirect"):
        client.request("POST", url, content=client.content([b"once"]), http_version=version)
    moved = server.https("/redirect/303/show")
    response = client.request("POST", moved, content=client.content([b"x"]), http_version=version)
    assert shown(response)["method"] == "GET"


def test_secrets_stay_with_their_origin(client: Any, server: Any) -> None:
    """RFC 9110 section 15.4; a different port is a different origin."""
    elsewhere = server.http("/show")
    secret = {"Authorization": "Bearer secret", "Cookie": "a=secret", "X-Kept": "yes"}
    url = server.https("/redirect/302/") + f"?to={elsewhere}"
    response = client.request("GET", url, headers=secret)
    headers = dict(shown(response)["headers"])
    assert "authorization" not in headers
    assert "secret" not in headers.get("cookie", "")
    assert headers["x-kept"] == "yes"
    same = client.request("GET", server.https("/redirect/302/show"), headers=secret)
    assert dict(shown(same)["headers"])["authorization"] == "Bearer secret"


def test_the_user_of_a_url_and_of_a_client(face: MakeFace, server: Any, ca_file: str) -> None:
    client = face(verify=ca_file, auth=("client", "pw"))

    def authorization(url: str, **options: Any) -> str | None:
        fields = dict(shown(client.request("GET", url, **options))["headers"])
        return fields.get("authorization")

    plain = server.https("/show")
    assert authorization(plain) == "Basic Y2xpZW50OnB3"
    assert authorization(plain, auth=("a", "b")) == "Basic YTpi"
    assert authorization(plain, auth=None) is None
    assert authorization(plain.replace("https://", "https://u:p@")) == "Basic dTpw"
    assert authorization(plain, headers={"Authorization": "own"}) == "own"


def test_redirects_can_be_left_to_the_caller(client: Any, server: Any) -> None:
    url = server.https("/redirect/303/show")
    for name in ("follow_redirects", "allow_redirects"):
        response = client.request("POST", url, **{name: False})
        assert response.status_code == 303
        assert response.next_request.method == "GET"
        assert response.text == "elsewhere"


def test_too_many_redirects(face: MakeFace, server: Any, ca_file: str) -> None:
    client = face(verify=ca_file, max_redirects=3)
    path = "/redirect/302/redirect/302/redirect/302/show"
    assert client.request("GET", server.https(path)).status_code == 200
    with pytest.raises(h123.TooManyRedirects, match="more than 3 redirects") as caught:
        client.request("GET", server.https("/redirect/302" + path))
    assert caught.value.request.method == "GET"
    assert client.request("GET", server.https("/")).text == "/"


def test_a_redirect_loop(client: Any, server: Any, version: str) -> None:
    with pytest.raises(h123.TooManyRedirects, match="more than 20 redirects"):
        client.request("GET", server.https("/loop"), http_version=version)


@pytest.mark.parametrize("to", ["http://[::1", "https://host:port/"])
def test_a_redirect_to_what_is_no_url(client: Any, server: Any, to: str) -> None:
    with pytest.raises(h123.RemoteProtocolError, match=r"redirected to .*no URL") as caught:
        client.request("GET", server.https("/redirect/302/"), params={"to": to})
    assert caught.value.request.method == "GET"


def test_a_redirect_to_what_is_no_url_that_nobody_follows(client: Any, server: Any) -> None:
    url = server.https("/redirect/302/")
    response = client.request("GET", url, params={"to": "http://[::1"}, follow_redirects=False)
    assert response.status_code == 302


def test_a_redirect_to_another_scheme(client: Any, server: Any) -> None:
    with pytest.raises(h123.UnsupportedProtocol, match="ftp://host/"):
        client.request("GET", server.https("/redirect/302/"), params={"to": "ftp://host/"})


def test_a_fragment_is_kept_over_a_redirect(client: Any, server: Any) -> None:
    """RFC 9110 section 10.2.2."""
    response = client.request("GET", server.https("/redirect/302/show#part"))
    assert response.url.fragment == "part"


@pytest.mark.parametrize("content", [b"", b"x" * 1000, b"x" * 1_000_000])
def test_the_content_of_a_redirect(
    client: Any, fake_server: Any, scripts: Any, content: bytes
) -> None:
    """A short one is read, so that the connection can go on; a long one is left."""

    def script(connection: Any) -> None:
        for number in itertools.count():
            scripts.read_head(connection)
            if b"302" not in seen:
                seen.append(b"302")
                connection.sendall(
                    b"HTTP/1.1 302 Found\r\nLocation: /there\r\nContent-Length: %d\r\n\r\n"
                    % len(content)
                    + content
                )
            else:
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%d" % number)

    seen: list[bytes] = []
    server = fake_server(script)
    response = client.request("GET", server.http)
    assert response.status_code == 200
    assert server.accepted == (2 if len(content) > 65536 else 1)


def test_a_redirect_whose_content_breaks_off_is_followed(
    client: Any, fake_server: Any, scripts: Any
) -> None:
    def script(connection: Any) -> None:
        head = scripts.read_head(connection)
        if b"GET / " in head:
            connection.sendall(
                b"HTTP/1.1 302 Found\r\nLocation: /there\r\nContent-Length: 10\r\n\r\nhalf"
            )
        else:
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    server = fake_server(script)
    assert client.request("GET", server.http).text == "ok"

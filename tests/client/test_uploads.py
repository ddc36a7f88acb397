"""Content on its way out: of every kind, refused half-way, both ways at once, broken off."""

from __future__ import annotations

import io
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.client.app import app, facts, shown

import h123
from h123.message.body import AsyncByteStream, SyncByteStream

MakeFace = Any


@pytest.fixture(scope="module")
def server(serve: Any) -> Any:
    return serve(app)


@pytest.fixture
def client(face: MakeFace, ca_file: str) -> Any:
    return face(verify=ca_file, timeout=h123.Timeout(10))


def fields(response: Any) -> dict[str, str]:
    return dict(shown(response)["headers"])


# ------------------------------------------------------------------------------------- kinds

MEGABYTE = bytes(range(256)) * 4096


@pytest.mark.parametrize("kind", ["bytes", "str", "bytearray", "file", "list", "iterator", "empty"])
def test_content_of_each_kind(
    client: Any, server: Any, version: str, kind: str, tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes(MEGABYTE)
    with (tmp_path / "file").open("rb") as file:
        content, expected = {
            "bytes": (MEGABYTE, MEGABYTE),
            "str": ("grün" * 1000, "grün".encode() * 1000),
            "bytearray": (bytearray(MEGABYTE), MEGABYTE),
            "file": (file, MEGABYTE),
            "list": ([b"a" * 70000, b"", b"b"], b"a" * 70000 + b"b"),
            "iterator": (client.content([MEGABYTE, b"", b"end"]), MEGABYTE + b"end"),
            "empty": (b"", b""),
        }[kind]
        response = client.request(
            "POST", server.https("/upload"), content=content, http_version=version
        )
    answer = response.json()
    answer.pop("parts")
    assert answer == facts(expected)
    assert response.http_version == f"HTTP/{version}"


def test_iterators_are_sent_as_data_too(client: Any, server: Any, version: str) -> None:
    url = server.https("/show")
    for data in (client.content([b"a", b"b"]), b"ab", io.BytesIO(b"ab")):
        response = client.request("POST", url, data=data, http_version=version)
        assert shown(response)["body"] == "ab"


def test_a_form(client: Any, server: Any, version: str) -> None:
    data = {"a": "1 2", "b": ["x", "ü"]}
    response = client.request("POST", server.https("/show"), data=data, http_version=version)
    assert shown(response)["body"] == "a=1+2&b=x&b=%C3%BC"
    assert fields(response)["content-type"] == "application/x-www-form-urlencoded"


def test_json(client: Any, server: Any, version: str) -> None:
    response = client.request("PUT", server.https("/show"), json={"a": [1]}, http_version=version)
    assert shown(response)["body"].replace(" ", "") == '{"a":[1]}'
    assert fields(response)["content-type"] == "application/json"


def test_files(client: Any, server: Any, version: str) -> None:
    files = {"doc": ("name.txt", io.BytesIO(b"content"), "text/plain")}
    response = client.request(
        "POST", server.https("/show"), data={"a": "b"}, files=files, http_version=version
    )
    assert 'name="doc"; filename="name.txt"' in shown(response)["body"]
    assert fields(response)["content-type"].startswith("multipart/form-data; boundary=")
    assert int(fields(response)["content-length"]) == len(shown(response)["body"])


def test_trailers_both_ways(client: Any, server: Any, version: str) -> None:
    """RFC 9110 section 6.5."""

    class Sync(SyncByteStream):
        trailers = ((b"x-sum", b"42"),)  # type: ignore[assignment]  # as good as a list

        def __iter__(self) -> Iterator[bytes]:
            yield b"content"

    class Async(AsyncByteStream):
        trailers = ((b"x-sum", b"42"),)  # type: ignore[assignment]  # as good as a list

        async def __aiter__(self) -> AsyncIterator[bytes]:
            yield b"content"

    content = Sync() if client.kind == "sync" else Async()
    response = client.request("POST", server.https("/echo"), content=content, http_version=version)
    assert response.content == b"content"
    assert [(n.lower(), v) for n, v in response.trailers.raw] == [(b"x-sum", b"42")]


def test_async_content_needs_an_async_client(server: Any, ca_file: str) -> None:
    async def parts() -> AsyncIterator[bytes]:
        yield b"never"

    with h123.Client(verify=ca_file) as client:
        with pytest.raises(RuntimeError, match="async content needs an AsyncClient"):
            client.post(server.https("/upload"), content=parts())
        assert client.get(server.https("/still-fine")).text == "/still-fine"


# ----------------------------------------------------------------------------- early answers


@pytest.mark.parametrize("path", ["/refuse", "/refuse-and-close"])
@pytest.mark.parametrize("kind", ["bytes", "iterator"])
def test_a_413_in_the_middle_of_30_megabytes(
    client: Any, server: Any, version: str, path: str, kind: str
) -> None:
    content: Any = bytes(30_000_000)
    if kind == "iterator":
        content = client.content(bytes(100_000) for _ in range(300))
    begun = time.monotonic()
    response = client.request("POST", server.https(path), content=content, http_version=version)
    assert response.status_code == 413
    assert response.text == "too large"
    assert time.monotonic() - begun < 15  # a bound on hanging, not a measure of speed
    assert client.request("GET", server.https("/next"), http_version=version).text == "/next"


@pytest.mark.parametrize("close", [True, False])
@pytest.mark.parametrize("kind", ["bytes", "iterator"])
def test_a_413_of_a_server_that_stops_reading(
    client: Any, fake_server: Any, scripts: Any, close: bool, kind: str
) -> None:
    def script(connection: Any) -> None:
        scripts.read_head(connection)
        connection.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nno!")
        if not close:
            while connection.fileno() >= 0 and not ended:
                time.sleep(0.01)

    ended: list[bool] = []
    content: Any = bytes(30_000_000)
    if kind == "iterator":
        content = client.content(bytes(100_000) for _ in range(300))
    server = fake_server(script)
    begun = time.monotonic()
    try:
        response = client.request("POST", server.http, content=content)
    finally:
        ended.append(True)
    assert (response.status_code, response.text) == (413, "no!")
    assert time.monotonic() - begun < 15  # a bound on hanging, not a measure of speed


def test_a_success_before_the_end_lets_the_rest_follow(
    client: Any, server: Any, version: str
) -> None:
    """The echo begins with the first part, and the whole comes back."""
    parts = [bytes([number]) * 50_000 for number in range(100)]
    response = client.request(
        "POST",
        server.https("/echo"),
        content=client.content(parts, pause=True),
        http_version=version,
    )
    assert response.content == b"".join(parts)


def test_both_ways_at_once_with_more_than_all_windows(
    client: Any, server: Any, version: str
) -> None:
    size = 24 * 1024 * 1024 if version != "3" else 6 * 1024 * 1024
    response = client.request(
        "POST", server.https("/echo"), content=bytes(size), http_version=version
    )
    assert len(response.content) == size


# ---------------------------------------------------------------------------- breaking off


class Broken(Exception):
    """What an iterator raises."""


@pytest.mark.parametrize("after", [0, 1, 100])
@pytest.mark.parametrize("path", ["/upload", "/echo"])
def test_what_the_iterator_raises_reaches_the_caller(
    client: Any, server: Any, version: str, after: int, path: str
) -> None:
    def parts() -> Iterator[bytes]:
        for _ in range(after):
            yield bytes(10_000)
        raise Broken

    with pytest.raises(Broken):
        client.request(
            "POST",
            server.https(path),
            content=client.content(parts(), pause=True),
            http_version=version,
        )
    assert client.request("GET", server.https("/next"), http_version=version).text == "/next"


def test_an_iterator_of_text_is_refused(client: Any, server: Any, version: str) -> None:
    with pytest.raises(TypeError, match="Content is made of bytes"):
        client.request(
            "POST", server.https("/upload"), content=client.content(["text"]), http_version=version
        )


@pytest.mark.parametrize("size", [3, 30])
def test_content_that_is_not_as_long_as_said(
    client: Any, server: Any, version: str, size: int
) -> None:
    # HTTP/3's engine leaves it to the peer, which answers with H3_MESSAGE_ERROR.
    error = h123.RemoteProtocolError if version == "3" else h123.LocalProtocolError
    with pytest.raises(error, match="MESSAGE_ERROR" if version == "3" else "ontent") as caught:
        client.request(
            "POST",
            server.https("/upload"),
            content=client.content([b"x" * size]),
            headers={"Content-Length": "10"},
            http_version=version,
        )
    assert caught.value.request.method == "POST"


def test_a_generator_is_closed_when_the_server_wants_no_more(
    client: Any, server: Any, version: str
) -> None:
    closed: list[bool] = []

    def endless() -> Iterator[bytes]:
        try:
            while True:
                yield bytes(100_000)
        finally:
            closed.append(True)

    async def aendless() -> AsyncIterator[bytes]:
        try:
            while True:
                yield bytes(100_000)
        finally:
            closed.append(True)

    content: Any = endless() if client.kind == "sync" else aendless()
    response = client.request(
        "POST", server.https("/refuse"), content=content, http_version=version
    )
    assert response.status_code == 413
    client.request("GET", server.https("/"), http_version=version)
    assert closed == [True]

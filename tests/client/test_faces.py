"""What programs import and call: names, signatures, what is loaded for it."""

from __future__ import annotations

import asyncio
import inspect
import json
import pickle
import subprocess
import sys
from typing import Any

import pytest
from tests.client.app import app, shown

import h123
from h123.client import options
from h123.client.clock import Clock
from h123.client.connect import Route
from h123.client.core import ClientCore
from h123.client.settings import UNSET, Timeout, basic_credentials
from h123.client.transport import Versions
from h123.network.memory import MemoryBackend

METHODS = ["get", "head", "post", "put", "patch", "delete", "options"]
CALLS = ["request", *METHODS, "stream"]


@pytest.fixture(scope="module")
def server(serve: Any) -> Any:
    return serve(app)


# ------------------------------------------------------------------------------- signatures


def parameters(function: Any) -> list[tuple[str, Any, Any, str]]:
    return [
        (each.name, each.kind, each.default, str(each.annotation))
        for each in inspect.signature(function).parameters.values()
    ]


@pytest.mark.parametrize("name", [*CALLS, "send", "build_request", "__init__"])
def test_both_clients_have_the_same_signatures(name: str) -> None:
    assert parameters(getattr(h123.Client, name)) == parameters(getattr(h123.AsyncClient, name))


def test_both_clients_have_the_same_names() -> None:
    def public(client: type) -> set[str]:
        return {name for name in dir(client) if not name.startswith("_")}

    assert public(h123.Client) - {"close"} == public(h123.AsyncClient) - {"aclose"}


@pytest.mark.parametrize("name", CALLS)
def test_functions_take_what_the_clients_methods_take(name: str) -> None:
    def named(function: Any) -> list[tuple[str, Any]]:
        return [(n, d) for n, k, d, _ in parameters(function) if n not in ("self", "options")]

    assert named(getattr(h123, name)) == named(getattr(h123.Client, name))


def test_the_keywords_that_are_described_are_those_that_work() -> None:
    """The types of `options` stand for what `build_request`, `send` and `Client` take."""
    building = set(inspect.signature(ClientCore.build_request).parameters) - {
        "self",
        "method",
        "url",
    }
    sending = set(inspect.signature(h123.Client.send).parameters) - {"self", "request"}
    described = set(options.RequestOptions.__annotations__)
    assert described == building | sending | {"allow_redirects"}
    making = set(inspect.signature(ClientCore.__init__).parameters) - {"self", "backend"}
    assert set(options.ClientOptions.__annotations__) == making
    assert set(options.ConnectionOptions.__annotations__) <= making
    for name, left_out in (("Get", "params"), ("Put", "data"), ("Post", "json")):
        kinds = getattr(options, f"{name}Options").__annotations__
        assert left_out not in kinds
        assert set(kinds) < described
        assert set(getattr(options, f"{name}CallOptions").__annotations__) > set(kinds)


def test_session_is_client() -> None:
    assert h123.Session is h123.Client


@pytest.mark.parametrize("name", h123.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(h123, name) is not None
    assert name in dir(h123)


def test_a_name_that_is_not_there() -> None:
    with pytest.raises(AttributeError, match="module 'h123' has no attribute 'nothing'"):
        _ = h123.nothing


# ------------------------------------------------------------------------------ what is loaded


def loaded_by(program: str, *arguments: str) -> set[str]:
    code = f"import sys\n{program}\nimport json; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, timeout=60, check=True
    )
    return set(json.loads(done.stdout))


def test_import_h123_loads_next_to_nothing() -> None:
    before = loaded_by("")
    new = loaded_by("import h123") - before
    assert not {name for name in new if name.startswith("h123.")} - {"h123._version"}
    assert "asyncio" not in new
    assert "ssl" not in new


HEAVY = (
    "asyncio",
    "trio",
    "aioquic",
    "pylsqpack",
    "cryptography",
    "click",
    "rich",
    "inspect",
    "email",
)


@pytest.mark.parametrize("version", ["1.1", "2"])
def test_the_sync_client_loads_no_event_loop_and_no_quic(
    server: Any, ca_file: str, version: str
) -> None:
    program = (
        "import h123\n"
        "with h123.Client(verify=sys.argv[2]) as client:\n"
        f"    assert client.get(sys.argv[1], http_version='{version}').text == '/'\n"
    )
    new = loaded_by(program, server.https("/"), ca_file) - loaded_by("")
    assert not [name for name in new if name.partition(".")[0] in HEAVY]


# ---------------------------------------------------------------------------------- the calls


@pytest.mark.parametrize("method", METHODS)
def test_each_method(server: Any, ca_file: str, method: str, face: Any) -> None:
    client = face(verify=ca_file)
    url = server.https("/show")
    module = getattr(h123, method)(url, verify=ca_file)
    own = client.run(getattr(client.client, method)(url))
    for response in (module, own):
        assert response.request.method == method.upper()
        if method != "head":
            assert shown(response)["method"] == method.upper()


@pytest.mark.parametrize("method", ["post", "put", "patch"])
def test_content_by_position(server: Any, ca_file: str, method: str, face: Any) -> None:
    client = face(verify=ca_file)
    url = server.https("/show")
    assert shown(getattr(h123, method)(url, b"data", verify=ca_file))["body"] == "data"
    own = client.run(getattr(client.client, method)(url, {"a": "b"}))
    assert shown(own)["body"] == "a=b"
    if method == "post":
        assert shown(h123.post(url, None, [1], verify=ca_file))["body"] == "[1]"


def test_params_by_position(server: Any, ca_file: str, face: Any) -> None:
    client = face(verify=ca_file, params={"all": "1"})
    url = server.https("/show")
    assert shown(h123.get(url, {"a": "b"}, verify=ca_file))["url"].endswith("/show?a=b")
    own = client.run(client.client.get(url, {"a": "b"}))
    assert shown(own)["url"].endswith("/show?all=1&a=b")


def test_streams_of_the_module_and_the_clients(server: Any, ca_file: str) -> None:
    url = server.https("/large/1")
    with h123.stream("GET", url, verify=ca_file) as response:
        assert sum(map(len, response.iter_bytes())) == 1 << 20
    with h123.Client(verify=ca_file) as client, client.stream("GET", url) as response:
        assert sum(map(len, response.iter_bytes())) == 1 << 20

    async def body() -> int:
        async with h123.AsyncClient(verify=ca_file) as client, client.stream("GET", url) as one:
            return sum([len(part) async for part in one.aiter_bytes()])

    assert asyncio.run(body()) == 1 << 20


def test_a_streamed_response_of_the_module_closes_its_client(server: Any, ca_file: str) -> None:
    for read in (True, False):
        response = h123.get(server.https("/large/1"), verify=ca_file, stream=True)
        pool = response.stream.exchange.channel.pool  # type: ignore[union-attr]
        assert pool.count == 1
        if read:
            response.read()
        else:
            response.close()
        assert pool.is_closed
        assert pool.count == 0


def test_a_streamed_call_of_the_module_that_fails_closes_its_client() -> None:
    with pytest.raises(h123.ConnectError):
        h123.get("http://127.0.0.1:9/", stream=True)


# ------------------------------------------------------------------------------ the defaults


def test_defaults_can_be_read_and_changed(face: Any, server: Any, ca_file: str) -> None:
    face_ = face(verify=ca_file, base_url=server.https("/show"), headers={"X-A": "1"})
    client = face_.client
    client.headers = {"X-B": "2"}
    client.params = {"p": "q"}
    client.cookies = {"c": "d"}
    client.timeout = 5
    seen = shown(face_.request("GET", "sub"))
    headers = dict(seen["headers"])
    assert seen["url"].endswith("/show/sub?p=q")
    assert headers["x-b"] == "2"
    assert "x-a" not in headers
    assert headers["cookie"] == "c=d"
    assert headers["user-agent"].startswith("python-h123/")
    assert client.timeout == Timeout(5)
    assert client.headers["x-b"] == "2"
    assert dict(client.params.items()) == {"p": "q"}
    assert dict(client.cookies) == {"c": "d"}
    assert str(client.base_url).endswith("/show/")
    client.base_url = ""
    assert str(client.base_url) == ""
    assert not client.is_closed
    assert repr(client) == f"<{type(client).__name__} <Pool 1 connections, 1 idle>>"


def test_what_a_call_adds_to_the_defaults(face: Any, server: Any, ca_file: str) -> None:
    client = face(verify=ca_file, headers={"X-A": "1"}, cookies={"a": "1"})
    response = client.request(
        "GET", server.https("/show"), headers={"X-A": "2"}, cookies={"b": "2"},
        extensions={"mine": 1},
    )  # fmt: skip
    headers = dict(shown(response)["headers"])
    assert headers["x-a"] == "2"
    assert sorted(headers["cookie"].split("; ")) == ["a=1", "b=2"]
    assert response.request.extensions["mine"] == 1
    assert dict(client.client.cookies) == {"a": "1"}


def test_a_request_can_be_built_and_sent(face: Any, server: Any, ca_file: str) -> None:
    face_ = face(verify=ca_file)
    request = face_.client.build_request("PUT", server.https("/show"), json={}, timeout=3)
    assert request.extensions["timeout"] == Timeout(3)
    for _ in range(2):
        assert shown(face_.run(face_.client.send(request)))["method"] == "PUT"
    streamed = face_.run(face_.client.send(request, stream=True))
    assert face_.read(streamed)
    face_.leave(streamed)


def test_a_response_of_the_client_can_be_pickled(server: Any, ca_file: str) -> None:
    response = h123.get(server.https("/x"), verify=ca_file)
    again = pickle.loads(pickle.dumps(response))
    assert again.text == "/x"


# --------------------------------------------------------------------------------- settings


def test_timeouts_are_told_in_many_ways() -> None:
    assert Timeout(5).as_dict() == {
        "connect": 5, "read": 5, "write": 5, "pool": 5, "total": None,
    }  # fmt: skip
    assert Timeout(5, connect=1, total=9).as_dict() == {
        "connect": 1, "read": 5, "write": 5, "pool": 5, "total": 9,
    }  # fmt: skip
    assert Timeout((1, 2)) == Timeout(2, connect=1)
    assert Timeout((1, 2, 3)) == Timeout(connect=1, read=2, write=3, pool=3)
    assert Timeout((1, 2, 3, 4)) == Timeout(connect=1, read=2, write=3, pool=4)
    assert Timeout(Timeout(1, total=2), read=3) == Timeout(1, read=3, total=2)
    assert Timeout(None).read is None
    assert hash(Timeout(1)) == hash(Timeout(1))
    assert Timeout(1) != Timeout(2)
    assert Timeout(1) != 1
    assert repr(Timeout(1, total=2)) == "Timeout(timeout=1, total=2)"
    assert repr(Timeout((1, 2, 3, 4))) == "Timeout(connect=1, read=2, write=3, pool=4)"


@pytest.mark.parametrize(
    "make",
    [
        lambda: Timeout(-1),
        lambda: Timeout("1"),  # type: ignore[arg-type]
        lambda: Timeout((1,)),
        lambda: Timeout(connect=1),
        lambda: Timeout(1, total=-1),
        lambda: Timeout(float("nan")),
    ],
)
def test_timeouts_that_are_none(make: Any) -> None:
    with pytest.raises(ValueError, match=r"timeout|default"):
        make()


def test_a_clock_counts_what_is_left() -> None:
    backend = MemoryBackend()
    clock = Clock(backend, Timeout(5, total=8))
    backend.time = 6.0
    assert clock.deadline(5) == 8.0
    assert clock.deadline(1) == 7.0
    assert clock.deadline(None) == 8.0
    hasty = clock.hastened(2.0)
    assert (hasty.timeout.connect, hasty.end) == (2.0, 8.0)
    assert clock.hastened(9.0).timeout.connect == 5
    assert Clock(backend, Timeout(None)).hastened(2.0).timeout.connect == 2.0
    assert Clock(backend, Timeout(None)).deadline(None) is None


def test_unset_shows_itself() -> None:
    assert repr(UNSET) == "UNSET"


def test_credentials() -> None:
    """RFC 7617 section 2."""
    assert basic_credentials("Aladdin", b"open sesame") == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="
    assert basic_credentials(b"u", "\N{POUND SIGN}") == "Basic dTrCow=="


def test_proxies_are_described() -> None:
    proxy = h123.Proxy("http://u:p@proxy.test:3128", headers={"X-P": "1"})
    assert str(proxy.url) == "http://proxy.test:3128"
    assert proxy.auth == ("u", "p")
    assert proxy.headers["Proxy-Authorization"] == "Basic dTpw"
    assert repr(proxy) == "Proxy('http://proxy.test:3128', auth=...)"
    assert repr(h123.Proxy("http://proxy.test")) == "Proxy('http://proxy.test')"
    with pytest.raises(ValueError, match="begins with http://"):
        h123.Proxy("socks5://proxy.test")


def test_routes_show_themselves() -> None:
    assert str(Route("https", "::1", 443, ("h2",))) == "https://[::1]:443"


def test_what_is_offered() -> None:
    both = Versions(http1=True, http2=True, http3=True)
    assert both.protocols("https", None) == ("h2", "http/1.1")
    assert both.protocols("http", None) == ("http/1.1",)

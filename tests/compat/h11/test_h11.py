"""h11's face does what h11 does: the same dialogues with both, state by state and byte by byte."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

import h123.compat.h11 as ours

theirs = pytest.importorskip("h11")

Step = Callable[[Any, ModuleType], object]

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n"
UPGRADE = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"
CONNECT = b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n"
HOST = [("Host", "a")]
EMPTY = [("Content-Length", "0")]
LAST = [*EMPTY, ("Connection", "close")]
OK = b"HTTP/1.1 200 OK\r\n"


def receive(*pieces: bytes) -> Step:
    def step(connection: Any, _: ModuleType) -> object:
        for piece in pieces:
            connection.receive_data(piece)
        return None

    return step


def following(connection: Any, h11: ModuleType) -> object:
    return told(connection.next_event(), h11)


def told(event: Any, h11: ModuleType) -> object:
    if not isinstance(event, h11.Event):
        return repr(event)
    names = [
        n
        for n in ("method", "target", "status_code", "http_version", "reason")
        if hasattr(event, n)
    ]
    seen: list[object] = [type(event).__name__, *(getattr(event, name) for name in names)]
    if isinstance(event, h11.Data):
        seen.append(bytes(event.data))
    if hasattr(event, "headers"):
        seen += [list(event.headers), list(event.headers.raw_items())]
    return seen


def send(name: str, **fields: Any) -> Step:
    def step(connection: Any, h11: ModuleType) -> object:
        sent = connection.send(getattr(h11, name)(**fields))
        return sent if sent is None else sorted(sent.lower().split(b"\r\n"))

    return step


def again(connection: Any, _: ModuleType) -> object:
    return connection.start_next_cycle()


def trailing(connection: Any, _: ModuleType) -> object:
    return connection.trailing_data


def failed(connection: Any, _: ModuleType) -> object:
    return connection.send_failed()


def request(method: str = "GET", target: str = "/", headers: Any = HOST) -> Step:
    return send("Request", method=method, target=target, headers=headers)


def response(status: int = 200, headers: Any = EMPTY, reason: bytes = b"OK") -> Step:
    return send("Response", status_code=status, headers=headers, reason=reason)


data = send("Data", data=b"abc")
end = send("EndOfMessage")
closed = send("ConnectionClosed")
n = following

SERVER_DIALOGUES: dict[str, list[Step]] = {
    "a request and a response": [n, receive(GET), n, n, n, response(), n, end, again, n],
    "content both ways": [
        receive(POST + b"ab"), n, n, n, receive(b"c"), n, n, response(headers=[]), data, data, end, n, again,
    ],
    "chunks and trailers": [
        receive(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX: y\r\n\r\n"),
        n, n, n, n, response(headers=[("Transfer-Encoding", "chunked")]), data,
        send("EndOfMessage", headers=[("A", "b")]),
    ],
    "pipelining": [receive(GET + POST + b"abc"), n, n, n, trailing, response(), end, n, again, n, n, n, n],
    "the client says close": [
        receive(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"), n, n, n, response(), end, n, closed,
        receive(b""), n, n,
    ],
    "the server says close": [
        receive(GET), n, n, response(headers=[*EMPTY, ("Connection", "close")]), end, n, again, closed,
    ],
    "HTTP/1.0": [receive(b"GET / HTTP/1.0\r\n\r\n"), n, n, response(headers=[]), data, end, again],
    "HEAD": [receive(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"), n, n, response(), end, again],
    "no content": [receive(GET), n, n, response(204, [], b"No Content"), send("Data", data=b""), end, again],
    "content where none is": [receive(GET), n, n, response(204, [], b"No Content"), data, end],
    "too much": [receive(GET), n, n, response(headers=[("Content-Length", "2")]), data, data],
    "too little": [receive(GET), n, n, response(headers=[("Content-Length", "4")]), data, end],
    "no response yet": [receive(GET), n, n, data],
    "the wrong side": [receive(GET), n, n, request()],
    "a new cycle too early": [receive(GET), n, again, n, again],
    "100-continue": [
        receive(POST[:-2] + b"Expect: 100-continue\r\n\r\n"), n, n,
        send("InformationalResponse", status_code=100, headers=[], reason=b"Continue"), receive(b"abc"), n, n,
        response(), end, again,
    ],
    "100-continue that is not waited for": [receive(POST[:-2] + b"Expect: 100-continue\r\n\r\n"), n, receive(b"a"), n],
    "an end": [receive(b""), n, n, closed],
    "an end while answering": [receive(GET), n, n, receive(b""), n, response(), end, again, closed],
    "an end in a head": [receive(b"GET / HT", b""), n, n, response(400, LAST, b"Bad Request"), end],
    "an end in content": [receive(POST + b"a", b""), n, n, n],
    "garbage": [receive(b"\x16\x03\x01\r\n\r\n"), n, n, response(400, LAST, b"Bad Request"), end, closed],
    "nothing was asked": [response(408, LAST, b"Request Timeout"), end, closed],
    "an upgrade": [
        receive(UPGRADE + b"xyz"), n, n, n,
        send("InformationalResponse", status_code=101, headers=[("Upgrade", "x")], reason=b"Switching Protocols"),
        n, trailing, receive(b"more"), trailing, n, data,
    ],
    "an upgrade that is declined": [receive(UPGRADE), n, n, n, response(), n, end, again, n],
    "101 that nobody asked for": [receive(GET), n, n, send("InformationalResponse", status_code=101, headers=[])],
    "a tunnel": [receive(CONNECT + b"xyz"), n, n, n, response(200, []), n, trailing],
    "a tunnel that is declined": [receive(CONNECT), n, n, n, response(403, EMPTY, b"No"), end, n],
    "nothing can be sent after an error": [receive(GET), n, n, failed, response(), n],
}  # fmt: skip

CLIENT_DIALOGUES: dict[str, list[Step]] = {
    "a request and a response": [
        request(), end, receive(OK + b"Content-Length: 3\r\n\r\nabc"), n, n, n, n, again, n, request(), end,
    ],
    "content": [
        request("POST", headers=[*HOST, ("Content-Length", "3")]), data, end,
        receive(b"HTTP/1.1 100 Continue\r\n\r\n" + OK + b"Content-Length: 0\r\n\r\n"), n, n, n, again,
    ],
    "chunks": [
        request("POST", headers=[*HOST, ("Transfer-Encoding", "chunked")]), data,
        send("Data", data=b""), send("EndOfMessage", headers=[("A", "b")]),
        receive(OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX: y\r\n\r\n"), n, n, n, again,
    ],
    "until the end": [request(), end, receive(OK + b"\r\nabc"), n, n, n, receive(b""), n, n, n, again, closed],
    "the server says close": [
        request(), end, receive(OK + b"Connection: close\r\nContent-Length: 0\r\n\r\n"), n, n, n, again, closed,
        receive(b""), n,
    ],
    "HEAD": [request("HEAD"), end, receive(OK + b"Content-Length: 3\r\n\r\n"), n, n, again],
    "304": [request(), end, receive(b"HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\n"), n, n, again],
    "an early response": [
        request("POST", headers=[*HOST, ("Content-Length", "6")]), data, receive(OK + b"Content-Length: 0\r\n\r\n"),
        n, n, data, end, again,
    ],
    "too much": [request(), data],
    "too little": [request("PUT", headers=[*HOST, ("Content-Length", "4")]), data, end],
    "a request that says close": [
        request(headers=[*HOST, ("Connection", "close")]), end, receive(OK + b"Content-Length: 0\r\n\r\n"), n, n, again,
    ],
    "an end before the response": [request(), end, receive(b""), n, n],
    "an end in content": [request(), end, receive(OK + b"Content-Length: 3\r\n\r\na", b""), n, n, n, n],
    "garbage": [request(), end, receive(b"SSH-2.0\r\n\r\n"), n],
    "an upgrade": [
        request(headers=[*HOST, ("Connection", "upgrade"), ("Upgrade", "x")]), n, end,
        receive(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\nxyz"), n, n, trailing, receive(b"m"), trailing,
    ],
    "a tunnel": [request("CONNECT", "a:1"), end, receive(OK + b"\r\nxyz"), n, n, trailing, data],
    "a tunnel that is declined": [
        request("CONNECT", "a:1"), end, receive(b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n"), n, n, again,
    ],
    "101 that nobody asked for": [request(), end, receive(b"HTTP/1.1 101 Up\r\n\r\n"), n],
    "100-continue": [
        request("PUT", headers=[*HOST, ("Content-Length", "3"), ("Expect", "100-continue")]),
        receive(b"HTTP/1.1 100 Continue\r\n\r\n"), n, data, end,
    ],
    "two requests at once": [request(), end, request()],
    "leaving": [closed, n, request()],
}  # fmt: skip


def states_of(connection: Any) -> list[str]:
    return [
        *(repr(connection.states[role]) for role in (connection.our_role, connection.their_role)),
        repr((connection.our_state, connection.their_state)),
        repr(connection.client_is_waiting_for_100_continue),
        repr(connection.they_are_waiting_for_100_continue),
        repr(connection.their_http_version),
    ]


def play(h11: ModuleType, role: str, steps: list[Step]) -> list[object]:
    """Go through a dialogue and return all that can be seen of it."""
    connection = h11.Connection(getattr(h11, role))
    seen: list[object] = []
    for step in steps:
        outcome: object
        try:
            outcome = step(connection, h11)
        except h11.LocalProtocolError as error:
            outcome = ["local error", error.error_status_hint]
        except h11.RemoteProtocolError as error:
            outcome = ["remote error", error.error_status_hint]
        seen.append((outcome, states_of(connection)))
    return seen


@pytest.mark.parametrize("name", SERVER_DIALOGUES)
def test_servers_do_the_same(name: str) -> None:
    steps = SERVER_DIALOGUES[name]
    assert play(ours, "SERVER", steps) == play(theirs, "SERVER", steps)


@pytest.mark.parametrize("name", CLIENT_DIALOGUES)
def test_clients_do_the_same(name: str) -> None:
    steps = CLIENT_DIALOGUES[name]
    assert play(ours, "CLIENT", steps) == play(theirs, "CLIENT", steps)


IN_ITS_PLACE = "import sys, h123.compat.h11; sys.modules['h11'] = h123.compat.h11\n"
HTTPCORE = """
import socket, threading, httpcore, h11
assert h11 is h123.compat.h11
listener = socket.create_server(("127.0.0.1", 0))
def serve():
    peer, _ = listener.accept()
    for expected in (b"", b"content"):
        received = b""
        while not received.endswith(b"\\r\\n\\r\\n" + expected):
            received += peer.recv(65536)
        peer.sendall(b"HTTP/1.1 200 Fine\\r\\nTransfer-Encoding: chunked\\r\\nX-Case: y\\r\\n\\r\\n2\\r\\nok\\r\\n0\\r\\n\\r\\n")
    peer.close()
threading.Thread(target=serve, daemon=True).start()
with httpcore.ConnectionPool() as pool:
    url = "http://127.0.0.1:%d/" % listener.getsockname()[1]
    for content in (None, b"content"):
        response = pool.request("PUT" if content else "GET", url, content=content)
        assert (response.status, response.content) == (200, b"ok"), response
        assert (b"X-Case", b"y") in response.headers, response.headers
        assert response.extensions["reason_phrase"] == b"Fine"
print("good")
"""
UVICORN = """
import asyncio, uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol, h11
assert h11 is h123.compat.h11
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        return
    message = await receive()
    body = message["body"]
    while message.get("more_body"):
        message = await receive()
        body += message["body"]
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x-path", scope["raw_path"])]})
    await send({"type": "http.response.body", "body": body or b"ok"})
async def ask(port, wires):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    received = []
    for wire in wires:
        writer.write(wire)
        head = await reader.readuntil(b"\\r\\n\\r\\n")
        rest = b"" if b"chunked" not in head else await reader.readuntil(b"0\\r\\n\\r\\n")
        received.append((head, rest))
    writer.close()
    return received
async def main():
    config = uvicorn.Config(app, http=H11Protocol, port=0, log_level="warning", lifespan="off")
    server = uvicorn.Server(config)
    task = asyncio.ensure_future(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    get = b"GET /a%20b HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n"
    post = b"POST / HTTP/1.1\\r\\nHost: a\\r\\nExpect: 100-continue\\r\\nContent-Length: 3\\r\\n\\r\\n"
    first, second, going_on, third = await ask(port, [get, get, post, b"abc"])
    assert first == second and b"x-path: /a%20b" in first[0] and b"ok" in first[1], first
    assert going_on[0].startswith(b"HTTP/1.1 100 "), going_on
    assert b"abc" in third[1], third
    ((bad, _),) = await ask(port, [b"GET / HTTP/1.1\\r\\nHost : a\\r\\n\\r\\n"])
    assert bad.startswith(b"HTTP/1.1 400 "), bad
    server.should_exit = True
    await task
asyncio.run(main())
print("good")
"""


@pytest.mark.peer
@pytest.mark.parametrize(("library", "program"), [("httpcore", HTTPCORE), ("uvicorn", UVICORN)])
def test_programs_that_use_h11_run_on_it(library: str, program: str) -> None:
    pytest.importorskip(library)
    done = subprocess.run(
        [sys.executable, "-c", IN_ITS_PLACE + program], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout) == (0, "good\n"), done.stderr


def test_the_same_names_are_public() -> None:
    assert set(theirs.__all__) <= {*ours.__all__, "__version__"}

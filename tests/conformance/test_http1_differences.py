"""The same bytes to our HTTP/1.1 engine and to the others: every difference is in docs/engines-http1.md."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from h123.protocol import registry
from h123.protocol.connection import Role
from h123.protocol.errors import RemoteProtocolError
from h123.protocol.events import Event, RequestReceived
from h123.protocol.limits import DEFAULT_LIMITS

Whole = Callable[[Iterable[Event]], list[Event]]

DOCUMENT = Path(__file__).parents[2] / "docs" / "engines-http1.md"
TABLE = set(
    re.findall(r"^\| (h11|httptools) \| `([a-z0-9-]+)` \| (?:stricter|laxer|other) \|", DOCUMENT.read_text(), re.MULTILINE)
)  # fmt: skip

POST = b"POST / HTTP/1.1\r\nHost: a\r\n"
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
GET_END = b"Host: a\r\n\r\n"

# Our rule by which a message is refused that they take, or refuse later; and an example.
LAXER: dict[str, dict[str, bytes]] = {
    "h11": {
        "obs-fold": POST + b"X: y\r\n z\r\n\r\n",
        "content-length-repeated": POST + b"Content-Length: 3, 3\r\n\r\nabc",
        "chunk-size-padding": POST + CHUNKED + b"3 \r\nabc\r\n0\r\n\r\n",
        "control-character": POST + b"X: \x01\r\n\r\n",
        "bare-lf": b"GET / HTTP/1.1\nHost: a\n\n",
    },
    "httptools": {"request-line": b"GET  / HTTP/1.1\r\n" + GET_END},
}

# What is in each wire (after the method of the request it answers) that we take and they refuse, or tell in
# another way; and an example.
PATTERNS: dict[str, dict[str, tuple[bytes, bytes, bytes]]] = {
    "h11": {
        "empty-lines": (rb"(^| |\r\n)\r\n", b"", b"\r\nGET / HTTP/1.1\r\n" + GET_END),
        "status-line-whitespace": (rb"HTTP/1\.1  ", b"GET", b"HTTP/1.1  204 No\r\n\r\n"),
        "space-before-colon": (rb"\w :", b"GET", OK + b"X : y\r\nContent-Length: 0\r\n\r\n"),
        "control-character-kept": (rb"\x01", b"HEAD", OK + b"X: a\x01b\r\n\r\n"),
        "content-length-merged": (rb"3, 3", b"HEAD", OK + b"Content-Length: 3, 3\r\n\r\n"),
        "framing-without-content": (
            rb"^CONNECT |HTTP/1\.1 1",
            b"CONNECT",
            OK + b"Content-Length: x\r\n\r\n",
        ),
    },
    "httptools": {
        "method-unknown": (rb"(get|M-X) ", b"", b"get / HTTP/1.1\r\n" + GET_END),
        "bare-lf": (rb"[^\r]\n", b"GET", b"HTTP/1.1 204 No\n\n"),
        "control-character": (rb"\x01", b"HEAD", OK + b"X: a\x01b\r\n\r\n"),
        "obs-fold": (rb"\r\n ", b"HEAD", OK + b"X: y\r\n z\r\n\r\n"),
        "space-before-colon": (rb"\w :", b"HEAD", OK + b"X : y\r\n\r\n"),
        "status-line-whitespace": (rb"HTTP/1\.1  ", b"GET", b"HTTP/1.1  204 No\r\n\r\n"),
        "content-length-repeated": (
            rb"3, 3|Content-Length(?s:.)*Content-Length",
            b"GET",
            OK + b"Content-Length: 3, 3\r\n\r\nabc",
        ),
        "chunk-size-padding": (
            rb"3 \r\n",
            b"GET",
            OK + CHUNKED + b"3 \r\nabc\r\n0\r\n\r\n",
        ),
        "framing-without-content": (
            rb"^CONNECT |HTTP/1\.1 (1|204|304)",
            b"GET",
            b"HTTP/1.1 103 Early\r\nContent-Length: \r\n\r\nHTTP/1.1 204 No\r\n\r\n",
        ),
        "upgrade-with-content": (
            rb"Upgrade",
            b"",
            POST + b"Content-Length: 3\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nabc",
        ),
    },
}


def explained(engine: str, method: bytes, wire: bytes, our_rule: str) -> str | None:
    """Return the name of the difference that a wire is an example of."""
    if our_rule in LAXER[engine]:
        return our_rule
    text = method + b" " + wire
    found = (name for name, (pattern, *_) in PATTERNS[engine].items() if re.search(pattern, text))
    return next(found, None)


def converse(engine: str, role: Role, method: bytes, wire: bytes) -> tuple[list[Event], str]:
    """Feed the wire and its end, answering requests, and return the events and the rule broken."""
    connection = registry.find("http/1.1", engine)(role, limits=DEFAULT_LIMITS)
    if role is Role.CLIENT:
        target = b"a:1" if method == b"CONNECT" else b"/"
        connection.send_request(method, target, [(b"Host", b"a")], end_stream=method != b"CONNECT")
    events: list[Event] = []
    rule = ""
    steps = [lambda: connection.receive_data(wire), connection.receive_eof]
    while steps and not rule:
        try:
            new = steps.pop(0)()
        except RemoteProtocolError as error:
            new, rule = error.events, error.rule
        events += new
        for event in new:
            if isinstance(event, RequestReceived) and not rule and not connection.is_closed:
                ends = event.method != b"CONNECT"
                connection.send_response(event.stream_id, 200, [], end_stream=ends)
                steps.insert(0, lambda: connection.receive_data(b""))
    return events, rule


REQUEST_LINES = (
    b"GET / HTTP/1.1", b"POST /a HTTP/1.1", b"GET / HTTP/1.0", b"M-X /a HTTP/1.1", b"get / HTTP/1.1",
    b"CONNECT a:1 HTTP/1.1", b"OPTIONS * HTTP/1.1", b"GET http://b/ HTTP/1.1", b"GET  / HTTP/1.1",
    b"GET /\xe9 HTTP/1.1", b"GET / HTTP/2.0", b"GET /#x HTTP/1.1",
)  # fmt: skip
STATUS_LINES = (
    b"HTTP/1.1 200 OK", b"HTTP/1.0 200 OK", b"HTTP/1.1 204 ", b"HTTP/1.1 304 Not", b"HTTP/1.1 200",
    b"HTTP/1.1 103 Early", b"HTTP/1.1  200 OK", b"HTTP/1.1 099 OK", b"HTTP/1.1 999 X", b"HTTP/1.1 101 Up",
)  # fmt: skip
FIELDS = (
    b"Content-Length: 3", b"Transfer-Encoding: chunked", b"Transfer-Encoding: gzip, chunked", b"Content-Length: +3",
    b"Transfer-Encoding: identity", b"Content-Length: 3, 3", b"Content-Length: 4", b"X: y", b"X: y\r\n z", b"X : y",
    b"X: \x01", b"X: \x00", b"X", b"Connection: close", b"Connection: keep-alive", b"Expect: 100-continue",
    b"(): x", b"Connection: upgrade\r\nUpgrade: x", b"X: a\rb", b"X: \xe9", b"Host: a b", b"Content-Length:",
    b"Transfer-Encoding: chunked, chunked",
)  # fmt: skip
BODIES = (
    b"", b"abc", b"ab", b"3\r\nabc\r\n0\r\n\r\n", b"3;x=y\r\nabc\r\n0\r\nT: u\r\n\r\n", b"3 \r\nabc\r\n0\r\n\r\n",
    b"+3\r\nabc\r\n0\r\n\r\n", b"0x3\r\nabc\r\n0\r\n\r\n", b"3\r\nabcd\r\n0\r\n\r\n",
    b"3\r\nabc\r\n0\r\nContent-Length: 1\r\n\r\n", b"abcdef", b"GET /2 HTTP/1.1\r\nHost: a\r\n\r\n",
)  # fmt: skip


def wires(lines: tuple[bytes, ...], host: tuple[bytes, ...]) -> st.SearchStrategy[bytes]:
    return st.builds(
        lambda empty, line, fields, end, body: (
            empty + end.join((line, *host, *fields, b"", b"")) + body
        ),
        st.sampled_from((b"", b"", b"", b"\r\n")),
        st.sampled_from(lines),
        st.lists(st.sampled_from(FIELDS), max_size=2),
        st.sampled_from((b"\r\n", b"\r\n", b"\r\n", b"\n")),
        st.sampled_from(BODIES),
    )


def difference(
    engine: str, role: Role, method: bytes, wire: bytes, whole: Whole
) -> tuple[str, str] | None:
    """Return what rule each engine finds broken, if it tells anything else than the other; else None."""
    pytest.importorskip(engine)
    ours, our_rule = converse("h123", role, method, wire)
    theirs, their_rule = converse(engine, role, method, wire)
    same = whole(ours) == whole(theirs) and bool(our_rule) == bool(their_rule)
    return None if same else (our_rule, their_rule)


def compare(engine: str, role: Role, method: bytes, wire: bytes, whole: Whole) -> None:
    found = difference(engine, role, method, wire, whole)
    if found is not None:
        assert explained(engine, method, wire, found[0]) is not None, found


@pytest.mark.parametrize("engine", sorted(LAXER))
@given(wires(REQUEST_LINES, (b"Host: a",)))
def test_requests_are_read_alike(engine: str, whole: Whole, wire: bytes) -> None:
    compare(engine, Role.SERVER, b"", wire, whole)


@pytest.mark.parametrize("engine", sorted(LAXER))
@given(wires(STATUS_LINES, ()), st.sampled_from((b"GET", b"HEAD", b"CONNECT")))
def test_responses_are_read_alike(engine: str, whole: Whole, wire: bytes, method: bytes) -> None:
    compare(engine, Role.CLIENT, method, wire, whole)


@pytest.mark.parametrize(
    ("engine", "rule", "wire"),
    [(engine, rule, wire) for engine, rules in LAXER.items() for rule, wire in rules.items()],
)
def test_where_they_are_laxer(whole: Whole, engine: str, rule: str, wire: bytes) -> None:
    assert difference(engine, Role.SERVER, b"", wire, whole) == (rule, "")


@pytest.mark.parametrize(
    ("engine", "name"), [(engine, name) for engine, names in PATTERNS.items() for name in names]
)
def test_where_they_are_stricter_or_other(whole: Whole, engine: str, name: str) -> None:
    pattern, method, wire = PATTERNS[engine][name]
    found = difference(engine, Role.CLIENT if method else Role.SERVER, method, wire, whole)
    assert found is not None
    assert found[0] == ""
    assert re.search(pattern, method + b" " + wire)


def test_the_table_lists_what_is_explained_here() -> None:
    assert {
        (engine, name)
        for names_of in (LAXER, PATTERNS)
        for engine, names in names_of.items()
        for name in names
    } == TABLE

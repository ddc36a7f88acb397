"""What STRICT and LENIENT do with each rule is what the table in docs/engines-http1.md says."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from h123.protocol import registry
from h123.protocol.connection import Role
from h123.protocol.errors import LocalProtocolError, RemoteProtocolError
from h123.protocol.events import DataReceived, Event, Headers, ResponseReceived
from h123.protocol.http1.connection import HTTP1Connection
from h123.protocol.http1.rules import FORGIVABLE, LENIENT, RULES, STRICT, Profile
from h123.protocol.limits import DEFAULT_LIMITS, Limits

Whole = Callable[[Iterable[Event]], list[Event]]

ROOT = Path(__file__).parents[3]
SOURCE = ROOT / "src" / "h123" / "protocol" / "http1"
TABLE = re.findall(
    r"^\| `([a-z0-9-]+)` \| (.+?) \| (\d+) \| (.+?) \| (.+?) \|$",
    (ROOT / "docs" / "engines-http1.md").read_text(),
    re.MULTILINE,
)

OK = b"HTTP/1.1 200 OK\r\n"
END = b"Content-Length: 1\r\n\r\na"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"

RESPONSES: dict[str, tuple[bytes, ...]] = {
    "bare-lf": (
        b"HTTP/1.1 200 OK\nContent-Length: 1\n\na",
        OK + b"A: b\nContent-Length: 1\r\n\r\na",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\n\r\na",
        b"HTTP/1.1 200 OK\nContent-Length: 1\r\n\na",
    ),
    "control-character": (b"HTTP/1.1 200 O\x01K\r\n" + END, OK + b"A: b\x07\x7f\r\n" + END),
    "empty-lines-before-response": (b"\r\n" + OK + END, b"\r\n\r\n" + OK + END),
    "status-line-whitespace": (
        b"HTTP/1.1  200 OK\r\n" + END,
        b"HTTP/1.1\t200 OK\r\n" + END,
        b"HTTP/1.1 200\tOK\r\n" + END,
        b"HTTP/1.1 200\r\n" + END,
        b"HTTP/1.1  200\r\n" + END,
    ),
    "obs-fold": (OK + b"A: b\r\n c\r\n" + END, OK + b"A:\r\n\tb\r\n \r\n\t c\r\n" + END),
    "space-before-colon": (OK + b"A : b\r\n" + END, OK + b"A\t: b\r\n" + END),
    "content-length-repeated": (
        OK + b"Content-Length: 1\r\n" + END,
        OK + b"Content-Length: 1, 1\r\n\r\na",
    ),
    "chunk-size-padding": (CHUNKED + b"1  \r\na\r\n0\r\n\r\n",),
}
"""Rule to responses that break no other."""

REQUEST_RULES = (
    "request-line", "request-line-too-long", "method", "target", "target-form", "host-missing", "host-repeated",
    "host-malformed", "expectation-unknown", "connect-content",
)  # fmt: skip
UNFORGIVEN: dict[str, tuple[bytes, ...]] = {
    "bare-lf": (CHUNKED + b"0\r\nA: b\n\r\n\r\n",),
    "bare-cr": (OK + b"A: b\rc\r\n" + END, b"HTTP/1.1 200 O\rK\r\n" + END),
    "control-character": (
        OK + b"A: \x00\r\n" + END,
        OK + b"A\x01: b\r\n" + END,
        OK + b"Content-Length: \x011\r\n\r\na",
    ),
    "empty-lines": (b"\r\n" * 3 + OK + END,),
    "version": (b"HTTP/one 200 OK\r\n" + END, b"ICY 200 OK\r\n" + END),
    "version-unsupported": (b"HTTP/2.0 200 OK\r\n" + END, b"HTTP/1.2 200 OK\r\n" + END),
    "status-line": (b"HTTP/1.1 20 OK\r\n" + END, b"HTTP/1.1  2x0 OK\r\n" + END, b"HTTP/1.1 \r\n" + END),
    "status-line-too-long": (b"HTTP/1.1 200 " + b"a" * 9000 + b"\r\n" + END,),
    "obs-fold": (
        OK + b" A: b\r\n" + END,
        OK + b"Content-Length:\r\n 1\r\n\r\na",
        OK + b"Transfer-Encoding:\r\n\tchunked\r\n\r\n0\r\n\r\n",
    ),
    "space-before-colon": (
        OK + b"Content-Length : 1\r\n\r\na",
        OK + b"Transfer-Encoding :\r\n chunked\r\n\r\n0\r\n\r\n",
        OK + b"transfer-encoding\t: chunked\r\n\r\n0\r\n\r\n",
    ),
    "field-without-colon": (OK + b"A\r\n" + END,),
    "field-name": (OK + b"A B: c\r\n" + END, OK + b": c\r\n" + END),
    "too-many-fields": (OK + b"A: b\r\n" * 101 + END,),
    "fields-too-large": (OK + b"A: " + b"b" * 66000 + b"\r\n" + END,),
    "trailer-field": (CHUNKED + b"0\r\nContent-Length: 1\r\n\r\n",),
    "content-length-malformed": (OK + b"Content-Length: +1\r\n\r\na",),
    "content-length-differing": (OK + b"Content-Length: 2\r\n" + END,),
    "content-length-too-large": (OK + b"Content-Length: " + b"9" * 19 + b"\r\n\r\n",),
    "content-length-and-transfer-encoding": (OK + b"Transfer-Encoding: chunked\r\n" + END,),
    "transfer-encoding-in-http10": (b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",),
    "transfer-encoding-malformed": (OK + b"Transfer-Encoding: xchunked\r\n\r\n",),
    "transfer-coding-unknown": (OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n",),
    "chunk-size": (CHUNKED + b"x\r\n", CHUNKED + b" 1\r\na\r\n", CHUNKED + b"  \r\n"),
    "chunk-size-too-long": (CHUNKED + b"1;" + b"a" * 300,),
    "chunk-size-too-large": (CHUNKED + b"1" * 20 + b"\r\n",),
    "chunk-extension": (CHUNKED + b"1;a\nb\r\n",),
    "chunk-extensions-too-large": (CHUNKED + (b"1;" + b"a" * 200 + b"\r\na\r\n") * 400,),
    "chunk-data-end": (CHUNKED + b"1\r\nab",),
    "upgrade-unasked": (b"HTTP/1.1 101 Switching Protocols\r\n\r\n",),
    "response-unasked": (OK + END + b"HTTP/1.1 408 Timeout\r\n\r\n",),
    "eof-in-head": (b"HTTP",),
    "eof-in-content": (OK + b"Content-Length: 2\r\n\r\na",),
    "eof-before-response": (b"",),
}  # fmt: skip
"""Rule to responses that break it in ways that no profile forgives."""


def asked(profile: Profile | None, limits: Limits = DEFAULT_LIMITS) -> HTTP1Connection:
    client = HTTP1Connection(Role.CLIENT, profile=profile, limits=limits)
    client.send_request(b"GET", b"/", [(b"Host", b"a")], end_stream=True)
    return client


def outcome(client: HTTP1Connection, pieces: Iterable[bytes], whole: Whole) -> list[Event] | str:
    events: list[Event] = []
    try:
        for piece in pieces:
            events += client.receive_data(piece)
        events += client.receive_eof()
    except RemoteProtocolError as error:
        return error.rule
    return whole(events)


def judge(profile: Profile | None, wire: bytes, whole: Whole) -> list[Event] | str:
    """Return the events, or the rule that was broken: the same whole, and byte by byte."""
    at_once = outcome(asked(profile), [wire], whole)
    assert at_once == outcome(asked(profile), [bytes((byte,)) for byte in wire], whole)
    return at_once


def test_the_table_has_every_rule_with_its_section_and_status() -> None:
    assert {rule: (section, int(status)) for rule, section, status, _, _ in TABLE} == {
        rule: (section, status) for rule, (section, status, _) in RULES.items()
    }


def test_every_rule_that_the_source_names_is_a_rule_and_every_rule_is_used() -> None:
    source = "".join(
        path.read_text()
        for path in SOURCE.glob("*.py")
        if path.name not in ("rules.py", "repair.py")
    )
    assert {rule for rule in RULES if f'"{rule}"' not in source} == set()
    assert set(re.findall(r'broken\("([^"]+)"', source)) <= RULES.keys()


@pytest.mark.parametrize(("rule", "strict", "lenient"), [(row[0], *row[3:]) for row in TABLE])
def test_the_table_says_what_each_profile_does(
    whole: Whole, rule: str, strict: str, lenient: str
) -> None:
    assert strict == "refuses"
    assert (lenient == "refuses") == (rule not in FORGIVABLE)
    assert rule in RESPONSES or rule in UNFORGIVEN or rule in REQUEST_RULES
    for wire in RESPONSES.get(rule, ()):
        assert judge(STRICT, wire, whole) == rule
        events = judge(LENIENT, wire, whole)
        assert isinstance(events[0], ResponseReceived), events
        assert events[1] == DataReceived(1, b"a", True)
    for wire in UNFORGIVEN.get(rule, ()):
        if rule != "empty-lines":  # a strict client allows none
            assert judge(STRICT, wire, whole) == rule
        assert judge(LENIENT, wire, whole) == rule


@pytest.mark.parametrize("rule", sorted(FORGIVABLE))
def test_a_profile_forgives_what_it_names_and_nothing_else(whole: Whole, rule: str) -> None:
    profile = Profile("one", frozenset((rule,)))
    for other, wires in RESPONSES.items():
        for wire in wires:
            verdict = judge(profile, wire, whole)
            assert isinstance(verdict, list) if other == rule else verdict == other
    for broken, wires in UNFORGIVEN.items():
        for wire in wires:
            expected = broken if broken != "empty-lines" else "empty-lines-before-response"
            if broken == "empty-lines" and rule == "empty-lines-before-response":
                expected = broken
            assert judge(profile, wire, whole) == expected


@pytest.mark.parametrize(
    ("head", "reason", "headers"),
    [
        (b"HTTP/1.1 204\r\n\r\n", b"", []),
        (b"HTTP/1.1\t 204  No  Content\r\n\r\n", b"No  Content", []),
        (b"HTTP/1.1 204  x\nA: b\n\n", b" x", [(b"A", b"b")]),
        (b"HTTP/1.1 204 \x01\x02x\r\n\r\n", b"  x", []),
        (b"HTTP/1.1 204 \r\nA: b\r\n c\r\n\td \r\nB: e\r\n\r\n", b"", [(b"A", b"b c d"), (b"B", b"e")]),
        (b"HTTP/1.1 204 \r\nA \t: b\x01c\r\n\r\n", b"", [(b"A", b"b c")]),
    ],
)  # fmt: skip
def test_what_was_forgiven_is_told_as_it_should_have_been(
    whole: Whole, head: bytes, reason: bytes, headers: Headers
) -> None:
    events = judge(LENIENT, head, whole)
    assert events[0] == ResponseReceived(1, 204, headers, True, "HTTP/1.1", reason)


def test_a_head_that_ends_in_line_feeds_ends_before_content_that_looks_like_a_head(
    whole: Whole,
) -> None:
    content = b"x\r\n\r\n" + b"y" * 70000
    wire = b"HTTP/1.1 200 OK\nContent-Length: %d\n\n" % len(content) + content
    client = asked(LENIENT)
    events = whole(client.receive_data(wire))
    assert events[1] == DataReceived(1, content, True)


def test_limits_hold_for_messy_heads(whole: Whole) -> None:
    limits = Limits(start_line_size=20, header_block_size=30)
    for wire, rule in (
        (b"HTTP/1.1 200 " + b"a" * 9 + b"\n\n", "status-line-too-long"),
        (b"HTTP/1.1 200 OK\n" + b"A: b\n" * 8 + b"\n", "fields-too-large"),
        (b"\nHTTP/1.1 200 OK\n\n", "bare-lf"),
    ):
        verdict = outcome(asked(LENIENT, limits), [wire], whole)
        singly = outcome(asked(LENIENT, limits), [bytes((byte,)) for byte in wire], whole)
        assert verdict == singly == rule


def test_a_long_head_is_repaired_too(whole: Whole) -> None:
    fields = b"".join(b"A%d : b\r\n" % number for number in range(90)) + b"B: " + b"c" * 9000
    wire = OK + fields + b"\r\n" + END
    for profile in (LENIENT, Profile("colons", frozenset(("space-before-colon",)))):
        events = judge(profile, wire, whole)
        assert isinstance(events[0], ResponseReceived)
        assert len(events[0].headers) == 92
    assert judge(STRICT, wire, whole) == "space-before-colon"


def test_a_client_is_lenient_and_a_server_is_strict_unless_told_otherwise(whole: Whole) -> None:
    (folded, *_) = RESPONSES["obs-fold"]
    assert isinstance(judge(None, folded, whole), list)
    assert HTTP1Connection(Role.SERVER, profile=STRICT).receive_data(b"") == []
    with pytest.raises(LocalProtocolError, match="STRICT"):
        HTTP1Connection(Role.SERVER, profile=LENIENT)


def test_the_strict_client_has_a_name_in_the_registry() -> None:
    client = registry.find("http/1.1", "h123-strict")(Role.CLIENT, limits=DEFAULT_LIMITS)
    client.send_request(b"GET", b"/", [(b"Host", b"a")], end_stream=True)
    with pytest.raises(RemoteProtocolError) as caught:
        client.receive_data(RESPONSES["obs-fold"][0])
    assert caught.value.rule == "obs-fold"


def test_no_profile_forgives_what_frames() -> None:
    with pytest.raises(ValueError, match="content-length-differing"):
        Profile("mine", frozenset(("obs-fold", "content-length-differing")))
    assert repr(LENIENT) == "<Profile lenient>"

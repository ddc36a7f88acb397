"""Field sections of HTTP/2 and HTTP/3: RFC 9113 sections 8.2 and 8.3, RFC 9114 sections 4.2 and 4.3."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from h123.protocol import fields
from h123.protocol.errors import LocalProtocolError
from h123.protocol.events import Headers
from h123.protocol.fields import (
    MalformedError,
    content_length,
    join_cookies,
    parse_request,
    parse_response,
    parse_trailers,
    request_fields,
    response_fields,
    section_size,
    trailer_fields,
)

GET: Headers = [
    (b":method", b"GET"), (b":scheme", b"https"), (b":authority", b"example.org:443"), (b":path", b"/a?b"),
]  # fmt: skip


def with_path(path: bytes, method: bytes = b"GET", scheme: bytes = b"https") -> Headers:
    return [
        (b":method", method), (b":scheme", scheme), (b":authority", b"a"), (b":path", path),
    ]  # fmt: skip


def test_a_request_is_taken_apart() -> None:
    head = parse_request([*GET, (b"accept", b"*/*"), (b"te", b"trailers")])
    assert (head.method, head.target, head.scheme) == (b"GET", b"/a?b", b"https")
    assert (head.authority, head.protocol) == (b"example.org:443", b"")
    assert head.headers == [(b"accept", b"*/*"), (b"te", b"trailers")]


@pytest.mark.parametrize(
    "fields",
    [
        with_path(b"*", b"OPTIONS"),
        with_path(b"/%20\xc3\xbc"),
        with_path(b"urn:what", scheme=b"custom"),
        [*GET, (b"host", b"EXAMPLE.org:443")],
        [GET[0], GET[1], GET[3], (b"host", b"example.org")],
        [*with_path(b"/")[:2], (b":authority", b"[::1]:8443"), (b":path", b"/")],
        [*GET, (b"empty", b"")],
        [*GET, (b"tab", b"a\tb"), (b"obs", b"\xff")],
        [(b":method", b"CONNECT"), (b":authority", b"a:1")],
        [*with_path(b"/", b"CONNECT"), (b":protocol", b"webtransport")],
        [GET[0], (b":scheme", b"custom"), (b":path", b"/")],
    ],
)
def test_good_requests(fields: Headers) -> None:
    parse_request(fields)


@pytest.mark.parametrize(
    "fields",
    [
        [],
        [(b":method", b""), *GET[1:]],
        [(b":method", b"G(T"), *GET[1:]],
        [GET[0], (b":scheme", b""), *GET[2:]],
        [GET[0], (b":scheme", b"ht tp"), *GET[2:]],
        with_path(b""),
        with_path(b"*"),
        with_path(b"a"),
        with_path(b"/ "),
        with_path(b"/\x7f"),
        with_path(b"/#a"),
        [*GET[:2], (b":authority", b""), GET[3]],
        [*GET[:2], (b":authority", b"a/b"), GET[3]],
        [*GET[:2], (b":authority", b"u@a"), GET[3]],
        [GET[0], GET[1], GET[3], (b"host", b"")],
        [GET[0], GET[1], GET[3], (b"host", b"a"), (b"host", b"b")],
        [GET[0], GET[1], GET[3]],
        [*GET, (b"", b"x")],
        [*GET, (b"a\x00", b"x")],
        [*GET, (b"A", b"x")],
        [*GET, (b"a", b"\x00")],
        [*GET, (b"a", b"x ")],
        [*GET, (b"a", b"\tx")],
        [*GET, (b"a", b"b"), (b":path", b"/")],
        [*GET, (b":what", b"/")],
        [*GET, (b":path", b"/")],
        *[[*GET, (name, b"x")] for name in (
            b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade", b"te",
        )],
        [*GET, (b":protocol", b"x")],
        [*with_path(b"/", b"CONNECT"), (b":protocol", b"")],
        [*with_path(b"/", b"CONNECT"), (b":protocol", b"a b")],
        [(b":method", b"CONNECT")],
        [(b":method", b"CONNECT"), (b":path", b"/"), (b":authority", b"a:1")],
        [(b":method", b"CONNECT"), (b":scheme", b"https"), (b":authority", b"a:1")],
    ],
)  # fmt: skip
def test_malformed_requests(fields: Headers) -> None:
    with pytest.raises(MalformedError) as caught:
        parse_request(fields)
    assert caught.value.rule


@pytest.mark.parametrize("status", [b"100", b"103", b"200", b"404", b"599", b"999"])
def test_good_responses(status: bytes) -> None:
    assert parse_response([(b":status", status), (b"a", b"b")]) == (int(status), [(b"a", b"b")])


@pytest.mark.parametrize("status", [b"", b"20", b"2000", b"099", b"+20", b"2 0", b"101"])
def test_malformed_statuses(status: bytes) -> None:
    with pytest.raises(MalformedError):
        parse_response([(b":status", status)])


def test_trailers_have_no_pseudo_header_fields() -> None:
    assert parse_trailers([(b"a", b"b")]) == [(b"a", b"b")]
    with pytest.raises(MalformedError):
        parse_trailers([(b":status", b"200")])


@pytest.mark.parametrize(
    ("values", "length"),
    [([], None), ([b"0"], 0), ([b"12", b"12"], 12), ([b"9" * 18], 10**18 - 1)],
)
def test_content_lengths_9110_8_6(values: list[bytes], length: int | None) -> None:
    assert content_length([(b"content-length", value) for value in values]) == length


@pytest.mark.parametrize(
    "values", [[b""], [b"-1"], [b"1,1"], [b"0x1"], [b"1", b"2"], [b"1", b"01"], [b"9" * 19]]
)
def test_malformed_content_lengths(values: list[bytes]) -> None:
    with pytest.raises(MalformedError):
        content_length([(b"content-length", value) for value in values])


def test_cookie_crumbs_are_joined_where_the_first_was() -> None:
    fields = [(b"a", b"b"), (b"cookie", b"x=1"), (b"c", b"d"), (b"cookie", b"y=2")]
    assert join_cookies(fields) == [(b"a", b"b"), (b"cookie", b"x=1; y=2"), (b"c", b"d")]
    assert join_cookies(fields[:3]) == fields[:3]


def test_sizes_count_an_overhead_9114_4_2_2() -> None:
    assert section_size([]) == 0
    assert section_size([(b"ab", b"c"), (b"d", b"")]) == 3 + 32 + 1 + 32


# ---------------------------------------------------------------------------------------- sent


def test_what_belongs_to_http1_alone_is_left_out() -> None:
    headers = [
        (b"Accept", b"*/*"), (b"Connection", b"close"), (b"TE", b"gzip"), (b"te", b"trailers"),
        (b"Transfer-Encoding", b"chunked"), (b"Upgrade", b"x"),
    ]  # fmt: skip
    fields = request_fields(b"GET", b"/", headers, b"https", b"a", b"")
    assert fields[4:] == [(b"accept", b"*/*"), (b"te", b"trailers")]


def test_host_becomes_the_authority() -> None:
    fields = request_fields(b"GET", b"/", [(b"Host", b"b")], b"https", b"a", b"")
    assert fields == [
        (b":method", b"GET"), (b":scheme", b"https"), (b":authority", b"b"), (b":path", b"/"),
    ]  # fmt: skip
    assert request_fields(b"GET", b"/", [], b"custom", b"", b"")[1:] == [
        (b":scheme", b"custom"), (b":path", b"/"),
    ]  # fmt: skip


def test_connect_and_extended_connect() -> None:
    assert request_fields(b"CONNECT", b"a:1", [], b"https", b"", b"") == [
        (b":method", b"CONNECT"), (b":authority", b"a:1"),
    ]  # fmt: skip
    fields = request_fields(b"CONNECT", b"/", [], b"https", b"a", b"websocket")
    assert fields[-1] == (b":protocol", b"websocket")


def test_what_is_malformed_is_not_sent() -> None:
    with pytest.raises(LocalProtocolError, match="request can not be sent"):
        request_fields(b"GET", b"/", [(b"a", b"b\n")], b"https", b"a", b"")
    with pytest.raises(LocalProtocolError, match="response can not be sent"):
        response_fields(101, [])
    with pytest.raises(LocalProtocolError, match="trailers can not be sent"):
        trailer_fields([(b":a", b"b")])
    assert response_fields(204, [(b"A", b"b")]) == [(b":status", b"204"), (b"a", b"b")]
    assert trailer_fields([(b"A", b"b")]) == [(b"a", b"b")]


section = st.lists(st.tuples(st.binary(max_size=8), st.binary(max_size=8)), max_size=6)


@given(section)
def test_any_section_is_taken_or_malformed(fields: Headers) -> None:
    for parse in (parse_request, parse_response, parse_trailers):
        try:
            parse(fields)
        except MalformedError:
            pass


def test_the_names_known_to_be_plain_are_bounded() -> None:
    """They are one set for the whole process: a peer that invents names must not make it grow."""
    for number in range(2000):
        assert parse_trailers([(b"x-invented-%d" % number, b"")])
        assert parse_trailers([(b"x" * 1000 + b"%d" % number, b"")])
    assert len(fields._plain_names) <= 512
    assert max(map(len, fields._plain_names)) <= 64

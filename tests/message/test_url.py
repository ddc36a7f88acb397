"""URL: parsing, parts, joining (RFC 3986; the WHATWG URL standard where browsers settled it)."""

from __future__ import annotations

import pickle
from typing import Any

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from h123.message import URL, url_parts
from h123.message.exceptions import InvalidURL


def test_the_parts_of_a_url() -> None:
    url = URL("HTTPS://us%65r:pa%20ss@Example.ORG:8443/a%20b/c?x=1&y=2#fr%20ag")
    assert url.scheme == "https"
    assert url.raw_scheme == b"https"
    assert url.userinfo == b"us%65r:pa%20ss"
    assert url.username == "user"
    assert url.password == "pa ss"
    assert url.host == "example.org"
    assert url.raw_host == b"example.org"
    assert url.port == 8443
    assert url.netloc == b"example.org:8443"
    assert url.path == "/a b/c"
    assert url.query == b"x=1&y=2"
    assert url.raw_path == b"/a%20b/c?x=1&y=2"
    assert url.params.get("y") == "2"
    assert url.fragment == "fr ag"
    assert url.origin == ("https", "example.org", 8443)
    assert url.is_absolute_url
    assert not url.is_relative_url
    assert str(url) == "https://us%65r:pa%20ss@example.org:8443/a%20b/c?x=1&y=2#fr%20ag"


def test_the_parts_that_are_missing() -> None:
    url = URL("https://example.org")
    assert (url.path, url.raw_path, url.query, url.fragment) == ("/", b"/", b"", "")
    assert (url.username, url.password, url.userinfo, url.port) == ("", "", b"", None)
    assert url.origin == ("https", "example.org", 443)
    assert str(url) == "https://example.org"
    assert URL() == ""
    assert URL("/a").is_relative_url
    assert URL("/a").origin == ("", "", None)


def test_an_empty_query_is_not_none() -> None:
    assert URL("https://a.b/c?").raw_path == b"/c?"
    assert str(URL("https://a.b/c?#")) == "https://a.b/c?#"
    assert URL("https://a.b/c").raw_path == b"/c"


def test_it_equals_and_prints_as_its_text() -> None:
    url = URL("https://example.org/a")
    assert url == "https://example.org/a" == str(url)
    assert url == "HTTPS://EXAMPLE.org:443/x/../a"
    assert url == URL(url)
    assert url != "https://example.org/b"
    assert url != "https://example.org:x/"
    assert url != 3
    assert hash(url) == hash(URL("https://example.org:443/a"))
    assert {url: 1}[URL("https://example.org/a")] == 1
    assert pickle.loads(pickle.dumps(url)) == url


def test_repr_hides_the_password() -> None:
    assert repr(URL("https://a.b/c")) == "URL('https://a.b/c')"
    assert repr(URL("https://u:p@a.b/c")) == "URL('https://u:[secure]@a.b/c')"
    assert URL("https://u@a.b/").masked == "https://u@a.b/"
    assert "p:w" not in URL("https://u:p:w@a.b/").masked


@pytest.mark.parametrize("scheme", ["http", "https", "ws", "wss", "ftp"])
def test_the_default_port_is_dropped(scheme: str) -> None:
    port = url_parts.DEFAULT_PORTS[scheme]
    assert str(URL(f"{scheme}://a.b:{port}/")) == f"{scheme}://a.b/"
    assert URL(f"{scheme}://a.b:{port}/").port is None
    assert URL(f"{scheme}://a.b:0{port}/").port is None
    assert URL(f"{scheme}://a.b:/").port is None
    assert URL(f"{scheme}://a.b:1/").port == 1


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("https://a.b/a b", b"/a%20b"),
        ("https://a.b/%61%2F%zz%", b"/%61%2F%zz%"),
        ("https://a.b/é?é#é", b"/%C3%A9?%C3%A9"),
        ('https://a.b/"<>`{}', b"/%22%3C%3E%60%7B%7D"),
        ("https://a.b/!$&'()*+,;=:@[]^|~", b"/!$&'()*+,;=:@[]^|~"),
        ("https://a.b/?a b+c&'\"<>`{}|^?/", b"/?a%20b+c&'%22%3C%3E`{}|^?/"),
        ("https://a.b?x", b"/?x"),
    ],
)
def test_what_must_be_encoded_is_and_what_is_stays(text: str, target: bytes) -> None:
    assert URL(text).raw_path == target


@pytest.mark.parametrize(
    ("path", "normal"),
    [
        ("/.", "/"),
        ("/..", "/"),
        ("/a/.", "/a/"),
        ("/a/..", "/"),
        ("/a/b/..", "/a/"),
        ("/a/./b", "/a/b"),
        ("/a/../b", "/b"),
        ("/../../b", "/b"),
        ("/a/b/../../../c/./d", "/c/d"),
        ("/%2e%2E/a", "/a"),
        ("/.%2e/a/%2e", "/a/"),
        ("/...", "/..."),
        ("/.a/..b", "/.a/..b"),
        ("//a//../b", "//a/b"),
        ("/a%2e%2eb", "/a%2e%2eb"),
    ],
)
def test_dot_segments_are_resolved_section_5_2_4(path: str, normal: str) -> None:
    assert str(URL(f"https://a.b{path}")) == f"https://a.b{normal}"
    assert URL.from_parts(b"https", b"a.b", path.encode()).path == URL(f"https://a.b{normal}").path


def test_dot_segments_of_a_relative_url_stay() -> None:
    assert str(URL("../a/./b")) == "../a/./b"


@pytest.mark.parametrize(
    ("text", "host", "raw_host"),
    [
        ("http://EXAMPLE.com", "example.com", b"example.com"),
        ("http://中国.icom.museum:80/", "中国.icom.museum", b"xn--fiqs8s.icom.museum"),
        ("http://xn--fiqs8s.icom.museum/", "中国.icom.museum", b"xn--fiqs8s.icom.museum"),
        ("http://Königsgäßchen.de", "königsgäßchen.de", b"xn--knigsgchen-b4a3dun.de"),
        ("https://faß.de", "faß.de", b"xn--fa-hia.de"),
        ("https://βόλος.com", "βόλος.com", b"xn--nxasmm1c.com"),
        ("http://ｅｘａｍｐｌｅ。com/", "example.com", b"example.com"),
        ("http://ex%61mple.com", "example.com", b"example.com"),
        ("http://k%C3%B6nig.de", "könig.de", b"xn--knig-5qa.de"),
        ("http://a_b.c-d.example.", "a_b.c-d.example.", b"a_b.c-d.example."),
        ("http://!\"$&'()*+,-.;=_`{}~/", "!\"$&'()*+,-.;=_`{}~", b"!\"$&'()*+,-.;=_`{}~"),
        ("http://xn--a/", "xn--a", b"xn--a"),
    ],
)
def test_host_names(text: str, host: str, raw_host: bytes) -> None:
    url = URL(text)
    assert (url.host, url.raw_host) == (host, raw_host)


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("127.0.0.1.", "127.0.0.1"),
        ("127.1", "127.0.0.1"),
        ("1.2.3", "1.2.0.3"),
        ("0x7f.0.0.1", "127.0.0.1"),
        ("0X7F000001", "127.0.0.1"),
        ("2130706433", "127.0.0.1"),
        ("0177.0.0.01", "127.0.0.1"),
        ("１２７.0.0.1", "127.0.0.1"),
        ("%31%32%37.0.0.1", "127.0.0.1"),
        ("0x", "0.0.0.0"),
        ("256", "0.0.1.0"),
        ("255.255.255.255", "255.255.255.255"),
    ],
)
def test_every_spelling_of_an_ipv4_address_is_that_address(host: str, address: str) -> None:
    assert URL(f"http://{host}/").host == address


@pytest.mark.parametrize("host", ["1.2.3.4.com", "a.1b", "1a", "0xg", "4.a"])
def test_names_that_only_look_like_addresses_are_names(host: str) -> None:
    assert URL(f"http://{host}/").host == host


@pytest.mark.parametrize(
    "host",
    [
        "999.999.999.999",
        "1.2.3.256",
        "1.2.3.4.5",
        "08.1",
        "4294967296",
        "a.1.2",
        "1..2",
        "1." * 70,
        "9" * 80,
    ],
)
def test_wrong_ipv4_addresses(host: str) -> None:
    with pytest.raises(InvalidURL, match="Invalid IPv4 address"):
        URL(f"http://{host}/")


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("[::1]", "::1"),
        ("[::]", "::"),
        ("[2001:DB8::1]", "2001:db8::1"),
        ("[1:2:3:4:5:6:7:8]", "1:2:3:4:5:6:7:8"),
        ("[1:2:3:4:5:6:7::]", "1:2:3:4:5:6:7::"),
        ("[::ffff:192.168.0.1]", "::ffff:192.168.0.1"),
        ("[1:2:3:4:5:6:1.2.3.4]", "1:2:3:4:5:6:1.2.3.4"),
        ("[fe80::1%25eth0]", "fe80::1%eth0"),
        ("[fe80::1%eth0]", "fe80::1%eth0"),
        ("[fe80::1%25]", "fe80::1%25"),
        ("[fe80::1%2525]", "fe80::1%25"),
    ],
)
def test_ipv6_addresses_with_zones_rfc_6874(host: str, address: str) -> None:
    url = URL(f"http://{host}:8080/")
    assert url.host == address
    without_zone = address.partition("%")[0]  # RFC 6874 section 4
    assert url.netloc == f"[{without_zone}]:8080".encode()
    assert url.copy_with(port=None).netloc == f"[{without_zone}]".encode()
    assert str(url) == f"http://[{address.replace('%', '%25')}]:8080/"
    assert url.origin[1] == address
    assert URL(str(url)) == url
    assert URL("http://a.b:8080/").copy_with(host=address) == url


@pytest.mark.parametrize(
    "host",
    [
        "[]",
        "[:]",
        "[1]",
        "[:::]",
        "[1::2::3]",
        "[12345::]",
        "[g::]",
        "[1:2:3:4:5:6:7:8:9]",
        "[::1",
        "[::1%]",
        "[1:2:3:4:5:6:7]",
        "[::1.2.3]",
        "[::1.2.3.256]",
        "[::01.2.3.4]",
        "[1.2.3.4::]",
        "[::1%a b]",
        "[1:2:3:4:5:6:7:1.2.3.4]",
        "[:1:2:3:4:5:6:7]",
        "[1:2:3:4:5:6:7:]",
        "[::1]a",
        "[1.2.3.4]",
        "[::%25é]",
        "[1:2:3:4:5:6:7::8]",
    ],
)
def test_wrong_ipv6_addresses(host: str) -> None:
    with pytest.raises(InvalidURL, match=r"Invalid (IPv6 address|host)"):
        URL(f"http://{host}/")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("https://a.b:abc/", "Invalid port: 'abc'"),
        ("https://a.b:65536/", "Invalid port: '65536'"),
        ("https://a.b:-1/", "Invalid port: '-1'"),
        ("https://a.b:８０/", "Invalid port"),
        ("https://a.b:" + "1" * 5000, "Invalid port"),
        ("https://a b/", "Invalid host 'a b': ' '"),
        ("https://a%00b/", r"Invalid host 'a%00b': '\\x00'"),
        ("https://a<b/", "'<' can not be in it|'<' can not be in a host"),
        ("https://a^b/", "can not be in a host"),
        ("https://%5B::1%5D/", "can not be in a host"),
        ("https://a%2Fb/", "can not be in a host"),
        ("foo://a b/", "can not be in a host"),
        ("https://😇.com/", "Invalid IDNA hostname: '😇.com'"),
        ("https://\u00ad/", "Invalid IDNA hostname"),
        ("https://" + "ü" * 100 + "/", "Invalid IDNA hostname"),
        ("https://a.b/\n", r"non-printable ASCII character in URL, '\\n' at position 12"),
        ("https://a.b/\0", "non-printable"),
        ("https://a.b/\t", "non-printable"),
        ("https://a.b/é\r", "non-printable"),
        ("https://a.b/\ud800", "surrogate"),
        ("https://a.b/" + "x" * 65536, "URL too long"),
        ("://a.b", "cannot have a path starting with ':'"),
        ("http:////a", "cannot have a path starting with '//'"),
    ],
)
def test_wrong_urls_say_what_is_wrong_and_where(text: str, message: str) -> None:
    with pytest.raises(InvalidURL, match=message):
        URL(text)


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("https://evil.com\\@good.com/", "evil.com"),
        ("https:\\\\evil.com\\a", "evil.com"),
        ("https://good.com@evil.com/", "evil.com"),
        ("https://a@b@evil.com/", "evil.com"),
        ("https://evil.com#@good.com/", "evil.com"),
        ("https://evil.com?@good.com/", "evil.com"),
    ],
)
def test_the_host_is_the_one_a_browser_would_go_to(text: str, host: str) -> None:
    assert URL(text).host == host


def test_blanks_around_a_url_are_no_part_of_it() -> None:
    assert URL(" https://a.b/ ") == "https://a.b/"


def test_a_scheme_without_a_host_keeps_its_path() -> None:
    url = URL("mailto:a@b.c")
    assert (url.scheme, url.host, url.path) == ("mailto", "", "a@b.c")
    assert str(URL("data:,a/../b")) == "data:,a/../b"
    assert URL("localhost:8000").scheme == "localhost"


@pytest.mark.parametrize("value", [None, 3, b"https://a.b/"])
def test_it_is_made_of_text(value: Any) -> None:
    with pytest.raises(TypeError, match="Invalid type for url"):
        URL(value)


# ------------------------------------------------------------------------------------ keywords


def test_it_is_made_of_parts() -> None:
    url = URL(
        scheme="https",
        username="us@er",
        password="p:w",
        host="Example.ORG",
        port=8443,
        path="/a b",
        query=b"q=1",
        fragment="f",
    )
    assert str(url) == "https://us%40er:p%3Aw@example.org:8443/a%20b?q=1#f"
    assert (url.username, url.password) == ("us@er", "p:w")


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        ({}, "https://u:p@a.b:1/c?d#e"),
        ({"scheme": "http"}, "http://u:p@a.b:1/c?d#e"),
        ({"host": "x.y"}, "https://u:p@x.y:1/c?d#e"),
        ({"host": "::1"}, "https://u:p@[::1]:1/c?d#e"),
        ({"port": 2}, "https://u:p@a.b:2/c?d#e"),
        ({"port": 443}, "https://u:p@a.b/c?d#e"),
        ({"port": None}, "https://u:p@a.b/c?d#e"),
        ({"netloc": b"x.y:2"}, "https://u:p@x.y:2/c?d#e"),
        ({"netloc": b"[::1]:2"}, "https://u:p@[::1]:2/c?d#e"),
        ({"username": "x"}, "https://x:p@a.b:1/c?d#e"),
        ({"password": None}, "https://u@a.b:1/c?d#e"),
        ({"userinfo": b""}, "https://a.b:1/c?d#e"),
        ({"userinfo": "x:y"}, "https://x:y@a.b:1/c?d#e"),
        ({"path": "/x/../y z"}, "https://u:p@a.b:1/y%20z?d#e"),
        ({"path": None}, "https://u:p@a.b:1?d#e"),
        ({"query": None}, "https://u:p@a.b:1/c#e"),
        ({"query": b""}, "https://u:p@a.b:1/c?#e"),
        ({"raw_path": b"/x?y"}, "https://u:p@a.b:1/x?y#e"),
        ({"raw_path": b"/x"}, "https://u:p@a.b:1/x#e"),
        ({"fragment": ""}, "https://u:p@a.b:1/c?d#"),
        ({"fragment": None}, "https://u:p@a.b:1/c?d"),
        ({"params": {"x": ["1", "2"]}}, "https://u:p@a.b:1/c?x=1&x=2#e"),
        ({"params": {}}, "https://u:p@a.b:1/c#e"),
    ],
)
def test_copy_with(parts: dict[str, Any], text: str) -> None:
    assert str(URL("https://u:p@a.b:1/c?d#e").copy_with(**parts)) == text


def test_the_default_port_depends_on_the_new_scheme() -> None:
    assert str(URL("http://a.b:443/").copy_with(scheme="https")) == "https://a.b/"
    assert str(URL("https://a.b/").copy_with(scheme="http")) == "http://a.b/"


@pytest.mark.parametrize(
    ("parts", "error", "message"),
    [
        ({"scheme": "~"}, InvalidURL, "component 'scheme'"),
        ({"scheme": "1a"}, InvalidURL, "component 'scheme'"),
        ({"host": "a/b"}, InvalidURL, "component 'host'"),
        ({"host": "a@b"}, InvalidURL, "component 'host'"),
        ({"host": "a:1"}, InvalidURL, "IPv6"),
        ({"netloc": b"a/b"}, InvalidURL, "component 'netloc'"),
        ({"netloc": b"a:x"}, InvalidURL, "port"),
        ({"userinfo": b"a@b"}, InvalidURL, "component 'userinfo'"),
        ({"path": "/a?b"}, InvalidURL, "component 'path'"),
        ({"path": "a"}, InvalidURL, "must be empty or begin with '/'"),
        ({"path": "/" + "a" * 65536}, InvalidURL, "component 'path' too long"),
        ({"path": "/a\nb"}, InvalidURL, "component 'path'.* at position 2"),
        ({"query": b"a#b"}, InvalidURL, "component 'query'"),
        ({"query": b"\xff"}, InvalidURL, "component 'query'"),
        ({"port": 65536}, InvalidURL, "port"),
        ({"port": -1}, InvalidURL, "port"),
        ({"port": "80"}, TypeError, "Argument 'port' must be int but got str"),
        ({"path": b"/a"}, TypeError, "Argument 'path' must be str but got bytes"),
        ({"invalid": ""}, TypeError, "'invalid' is an invalid keyword argument"),
    ],
)
def test_wrong_parts_say_which(parts: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        URL("https://example.org/").copy_with(**parts)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"path": "//a"}, "cannot have a path starting with '//'"),
        ({"path": ":a"}, "cannot have a path starting with ':'"),
        ({"path": "http:a"}, "reads as a scheme"),
        ({"path": "//a", "scheme": "https"}, "cannot have a path starting with '//'"),
    ],
)
def test_parts_that_would_mean_something_else_are_refused(
    parts: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidURL, match=message):
        URL(**parts)


def test_params_can_be_changed_one_by_one() -> None:
    url = URL("https://a.b/?x=1&y=2")
    assert url.copy_set_param("x", 9) == "https://a.b/?x=9&y=2"
    assert url.copy_add_param("x", 9) == "https://a.b/?x=1&x=9&y=2"
    assert url.copy_remove_param("x") == "https://a.b/?y=2"
    assert url.copy_merge_params({"x": "3", "z": "4"}) == "https://a.b/?x=3&y=2&z=4"
    assert URL("https://a.b/?x", params={"u": "http://a?b=c%2F"}).raw_path == (
        b"/?u=http%3A%2F%2Fa%3Fb%3Dc%252F"
    )


# ------------------------------------------------------------------------------------- joining

RFC_3986_5_4 = [
    ("g", "http://a/b/c/g"),
    ("./g", "http://a/b/c/g"),
    ("g/", "http://a/b/c/g/"),
    ("/g", "http://a/g"),
    ("//g", "http://g"),
    ("?y", "http://a/b/c/d;p?y"),
    ("g?y", "http://a/b/c/g?y"),
    ("#s", "http://a/b/c/d;p?q#s"),
    ("g#s", "http://a/b/c/g#s"),
    ("g?y#s", "http://a/b/c/g?y#s"),
    (";x", "http://a/b/c/;x"),
    ("g;x", "http://a/b/c/g;x"),
    ("g;x?y#s", "http://a/b/c/g;x?y#s"),
    ("", "http://a/b/c/d;p?q"),
    (".", "http://a/b/c/"),
    ("./", "http://a/b/c/"),
    ("..", "http://a/b/"),
    ("../", "http://a/b/"),
    ("../g", "http://a/b/g"),
    ("../..", "http://a/"),
    ("../../", "http://a/"),
    ("../../g", "http://a/g"),
    # 5.4.2, abnormal examples
    ("../../../g", "http://a/g"),
    ("../../../../g", "http://a/g"),
    ("/./g", "http://a/g"),
    ("/../g", "http://a/g"),
    ("g.", "http://a/b/c/g."),
    (".g", "http://a/b/c/.g"),
    ("g..", "http://a/b/c/g.."),
    ("..g", "http://a/b/c/..g"),
    ("./../g", "http://a/b/g"),
    ("./g/.", "http://a/b/c/g/"),
    ("g/./h", "http://a/b/c/g/h"),
    ("g/../h", "http://a/b/c/h"),
    ("g;x=1/./y", "http://a/b/c/g;x=1/y"),
    ("g;x=1/../y", "http://a/b/c/y"),
    ("g?y/./x", "http://a/b/c/g?y/./x"),
    ("g?y/../x", "http://a/b/c/g?y/../x"),
    ("g#s/./x", "http://a/b/c/g#s/./x"),
    ("g#s/../x", "http://a/b/c/g#s/../x"),
    ("g:h", "g:h"),
]


@pytest.mark.parametrize(("reference", "target"), RFC_3986_5_4)
def test_joining_section_5_4(reference: str, target: str) -> None:
    assert str(URL("http://a/b/c/d;p?q").join(reference)) == target


@pytest.mark.parametrize(
    ("base", "reference", "target"),
    [
        ("https://a.b", "c", "https://a.b/c"),
        ("https://u:p@a.b:1/", "c", "https://u:p@a.b:1/c"),
        ("https://u:p@a.b:1/", "//x.y:443/c", "https://x.y/c"),
        ("https://u:p@a.b:1/", "http://x.y/c", "http://x.y/c"),
        ("/a/b", "c", "/a/c"),
        ("a/b", "../c", "c"),
        ("", "a", "a"),
        ("https://a.b/", "/c d?é", "https://a.b/c%20d?%C3%A9"),
        ("https://a.b/", "\\c", "https://a.b/c"),
        ("https://a.b/", "\\\\evil.com/c", "https://evil.com/c"),
        ("/a", "//x.y/c", "//x.y/c"),
    ],
)
def test_joining_other_bases(base: str, reference: str, target: str) -> None:
    assert str(URL(base).join(reference)) == target
    assert str(URL(base).join(URL(reference))) == target


# ------------------------------------------------------------------------------------ received


def test_a_received_request_keeps_its_target_as_it_came() -> None:
    url = URL.from_parts(b"https", b"Example.org:8443", b"/a/../b%20?x=1")
    assert url.raw_path == b"/a/../b%20?x=1"
    assert url.path == "/b "
    assert url.host == "example.org"
    assert url.port == 8443
    assert url.query == b"x=1"
    assert str(url) == "https://example.org:8443/b%20?x=1"


@pytest.mark.parametrize(
    ("target", "text"),
    [
        (b"*", "http://a.b"),
        (b"", "http://a.b"),
        (b"x.y:443", "http://a.b"),
        (b"http://x.y/c", "http://x.y/c"),
        (b'/\xff"#', "http://a.b/%FF%22%23"),
        (b"//x", "http://a.b//x"),
    ],
)
def test_a_received_target_may_have_any_form_rfc_9112_3_2(target: bytes, text: str) -> None:
    assert str(URL.from_parts(b"http", b"a.b:80", target)) == text


@pytest.mark.parametrize(
    "authority", [b"a b", b"a:x", b"[::1", b"a\r\nb", b"a/b", b"a?b", b"a#b", b"\xff\xfe"]
)
def test_a_received_authority_is_checked(authority: bytes) -> None:
    with pytest.raises(InvalidURL):
        URL.from_parts(b"https", authority, b"/")


# --------------------------------------------------------------------------------------- cache


def test_the_cache_is_bounded_and_keeps_no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(url_parts, "_CACHE_LIMIT", 8)
    url_parts.cached.clear()
    for number in range(100):
        URL(f"https://a.b/{number}")
        URL.from_parts(b"https", b"a%d.b" % number, b"/")
    assert len(url_parts.cached) <= 8
    assert len(url_parts._authorities) <= 8
    URL("https://u:p@a.b/secret")
    URL.from_parts(b"https", b"u:p@secret", b"/")
    URL("https://a.b/" + "long" * 1000)
    assert not any("secret" in text or "long" in text for text in url_parts.cached)
    assert (b"https", b"u:p@secret") not in url_parts._authorities


# ---------------------------------------------------------------------------------- properties

pieces = st.sampled_from(
    [
        "http",
        "https",
        "foo",
        ":",
        "/",
        "//",
        "?",
        "#",
        "@",
        "[",
        "]",
        "::1",
        "%",
        "%2e",
        "%25",
        ".",
        "..",
        "a",
        "b.c",
        "127.1",
        "80",
        "é",
        "ß",
        "。",
        " ",
        "\\",
        "\x00",
        "\n",
        "�",
        "xn--",
        "😇",
        "0x",
        "-",
    ]
)
urls = st.lists(pieces, max_size=12).map("".join) | st.text(max_size=30)


@given(urls)
@example("foo:/.//a")
@example("http:///a")
def test_never_anything_but_invalid_url_and_text_goes_round(text: str) -> None:
    try:
        url = URL(text)
    except InvalidURL:
        return
    again = URL(str(url))
    assert str(again) == str(url)
    for part in ("scheme", "userinfo", "raw_host", "port", "path", "raw_path", "query", "fragment"):
        assert getattr(again, part) == getattr(url, part), part
    assert str(url).isascii()
    assert str(url).isprintable()
    assert url.raw_path.isascii()
    assert isinstance(url.host, str)
    repr(url)


@given(urls, urls)
def test_joining_never_raises_anything_but_invalid_url(base: str, reference: str) -> None:
    try:
        joined = URL(base).join(reference)
        assert str(URL(str(joined))) == str(joined)
    except InvalidURL:
        pass


@given(st.binary(max_size=20), st.binary(max_size=20))
def test_receiving_never_raises_anything_but_invalid_url(authority: bytes, target: bytes) -> None:
    try:
        url = URL.from_parts(b"https", authority, target)
    except InvalidURL:
        return
    assert url.raw_path.isascii()
    assert isinstance(url.path, str)


@given(st.sampled_from(["path", "host", "fragment", "username", "password", "scheme"]), urls)
def test_replacing_a_part_changes_no_other(part: str, value: str) -> None:
    url = URL("https://u:p@example.org:1/c?d#e")
    try:
        changed = url.copy_with(**{part: value})
    except InvalidURL:
        return
    again = URL(str(changed))
    for other in {"path", "host", "fragment", "username", "password", "port", "query"} - {part}:
        assert getattr(again, other) == getattr(url, other), other


simple_url = st.builds(
    "{}://{}{}{}{}".format,
    st.sampled_from(["http", "https", "ws"]),
    st.sampled_from(
        ["example.org", "EXAMPLE.org:80", "u:p@a.b:443", "[::1]", "10.0.0.1:8080", "a_b"]
    ),
    st.text("abc/%~=+&;é ", max_size=8).map(lambda text: f"/{text}"),
    st.text("abc=&+ %?/é", max_size=6).map(lambda text: f"?{text}" if text else ""),
    st.sampled_from(["", "#f g", "#é"]),
)


@given(simple_url)
def test_ordinary_urls_are_parsed_as_httpx_parses_them(text: str) -> None:
    ours, theirs = URL(text), httpx.URL(text)
    if text != text.rstrip():
        return  # blanks at the end are no part of it here
    assert str(ours) == str(theirs)
    for part in ("scheme", "userinfo", "host", "raw_host", "port", "path", "raw_path", "fragment"):
        assert getattr(ours, part) == getattr(theirs, part), part

"""Cookies (RFC 6265bis): from responses, to requests, and as a mapping."""

from __future__ import annotations

import calendar
import time
from http.cookiejar import CookieJar
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from h123.message import URL, ByteStream, Request, Response, cookies
from h123.message.cookie_date import parse_cookie_date
from h123.message.cookies import Cookies, parse_set_cookie
from h123.message.exceptions import CookieConflict


def receive(jar: Cookies, url: str, *fields: str) -> None:
    raw = [(b"Set-Cookie", field.encode()) for field in fields]
    jar.extract_cookies(Response.received(200, raw, ByteStream(), request=Request("GET", url)))


def sent(jar: Cookies, url: str) -> str | None:
    request = Request("GET", url)
    jar.set_cookie_header(request)
    value: str | None = request.headers.get("cookie")
    return value


@pytest.mark.parametrize(
    ("url", "field", "name", "value"),
    [
        ("https://a.b/", "n=v", "n", "v"),
        ("https://a.b/", " n = v ; Path=/", "n", "v"),
        ("https://a.b/", 'n="v w"', "n", '"v w"'),
        ("https://a.b/", "n=", "n", ""),
        ("https://a.b/", "n=a=b", "n", "a=b"),
        ("https://a.b/", "v", "", "v"),
        ("https://a.b/", "=v", "", "v"),
        ("https://a.b/", "n=é", "n", "é"),
    ],
)
def test_name_and_value_section_5_6(url: str, field: str, name: str, value: str) -> None:
    cookie = parse_set_cookie(field, URL(url), 0)
    assert cookie is not None
    assert (cookie.name, cookie.value) == (name, value)


@pytest.mark.parametrize(
    "field",
    [
        "",
        "=",
        ";",
        "n=a\x01",
        "n=a\x7f",
        "n=" + "x" * 4096,
        "n=v; Domain=x.y",
        "n=v; Domain=com",
        "n=v; Domain=b",
        "n=v; Domain=.b",
        "n=v; Domain=..b",
        "n=v; Domain=c.a.b",
        "n=v; Domain=a b",
        "__Secure-n=v",
        "__Host-n=v; Secure",
        "__Host-n=v; Secure; Path=/; Domain=a.b",
        "__host-n=v",
        "__Host-n=v; Secure; Path=/x",
        "__Host-n=v; Path=/",
        "=__Secure-x",
        "__Host-x; Secure; Path=/",
    ],
)
def test_cookies_that_are_ignored(field: str) -> None:
    jar = Cookies()
    receive(jar, "https://a.b/", field)
    assert not jar


@pytest.mark.parametrize("field", ["__Secure-n=v; Secure", "__Host-n=v; Secure; Path=/"])
def test_prefixes_that_keep_their_promise_section_4_1_3(field: str) -> None:
    jar = Cookies()
    receive(jar, "https://a.b/", field)
    assert len(jar) == 1


@pytest.mark.parametrize(
    ("field", "url", "goes"),
    [
        ("n=v", "https://a.example/", True),
        ("n=v", "https://sub.a.example/", False),  # host-only
        ("n=v; Domain=a.example", "https://sub.a.example/", True),
        ("n=v; Domain=.A.Example", "https://sub.a.example/", True),
        ("n=v; Domain=a.example", "https://xa.example/", False),
        ("n=v; Domain=a.example", "https://example/", False),
        ("n=v; Domain=", "https://sub.a.example/", False),
        ("n=v; Path=/x", "https://a.example/x", True),
        ("n=v; Path=/x", "https://a.example/x/y?z", True),
        ("n=v; Path=/x", "https://a.example/xy", False),
        ("n=v; Path=/x/", "https://a.example/x", False),
        ("n=v; Path=x", "https://a.example/y/x", True),  # no path: the default
        ("n=v; Secure", "http://a.example/", False),
        ("n=v; Secure", "https://a.example:8443/", True),
        ("n=v", "http://a.example:8080/", True),
        ("n=v; Secure", "wss://a.example/", True),
        ("n=v; HttpOnly; SameSite=Strict", "https://a.example/", True),
    ],
)
def test_where_a_cookie_goes_section_5_8_3(field: str, url: str, goes: bool) -> None:
    jar = Cookies()
    receive(jar, "https://a.example/", field)
    assert sent(jar, url) == ("n=v" if goes else None)


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("https://a.b", "/"),
        ("https://a.b/x", "/"),
        ("https://a.b/x/y", "/x"),
        ("https://a.b/x/?y=/z", "/x"),
    ],
)
def test_the_default_path_is_the_folder_section_5_1_4(url: str, path: str) -> None:
    cookie = parse_set_cookie("n=v", URL(url), 0)
    assert cookie is not None
    assert cookie.path == path


def test_an_address_has_no_subdomains_section_5_1_3() -> None:
    jar = Cookies()
    receive(jar, "http://1.2.3.4/", "a=1; Domain=3.4", "b=2; Domain=1.2.3.4")
    assert sent(jar, "http://1.2.3.4/") == "b=2"


def test_secure_cookies_come_from_secure_origins_only_section_5_7() -> None:
    jar = Cookies()
    receive(jar, "http://a.b/", "n=v; Secure")
    assert not jar
    receive(jar, "http://localhost/", "n=v; Secure")
    assert sent(jar, "http://localhost/") == "n=v"
    receive(jar, "https://a.b/", "s=1; Secure; Path=/")
    receive(jar, "http://a.b/", "s=2; Path=/", "s=3; Path=/x", "t=4")
    assert sent(jar, "https://a.b/x") == "s=1; t=4"


def test_longer_paths_and_older_cookies_come_first_section_5_8_3() -> None:
    jar = Cookies()
    receive(jar, "https://a.b/x/", "a=1; Path=/", "b=2; Path=/x", "c=3; Path=/")
    receive(jar, "https://a.b/x/", "a=9; Path=/")
    assert sent(jar, "https://a.b/x/") == "b=2; a=9; c=3"


@pytest.mark.parametrize(
    ("attributes", "expires"),
    [
        ("", None),
        ("; Max-Age=60", 1060),
        ("; max-age=60; Expires=Thu, 01 Jan 1970 00:00:00 GMT", 1060),
        ("; Max-Age=0", 0),
        ("; Max-Age=-1", 0),
        ("; Max-Age=x", None),
        ("; Max-Age=", None),
        ("; Max-Age=-", None),
        ("; Max-Age=1; Max-Age=2", 1002),
        ("; Max-Age=99999999999999999999", 1000 + cookies.MAX_AGE),
        ("; Max-Age=99999999999", 1000 + cookies.MAX_AGE),
        ("; Expires=Thu, 01 Jan 1970 00:20:00 GMT", 1200),
        ("; Expires=Fri, 31 Dec 9999 23:59:59 GMT", 1000 + cookies.MAX_AGE),
        ("; Expires=never", None),
        ("; Path=/" + "x" * 2000 + "; Max-Age=1", 1001),
    ],
)
def test_when_a_cookie_expires_section_5_5(attributes: str, expires: float | None) -> None:
    cookie = parse_set_cookie(f"n=v{attributes}", URL("https://a.b/"), 1000)
    assert cookie is not None
    assert cookie.expires == expires


def test_an_expired_cookie_deletes_and_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    jar = Cookies()
    receive(jar, "https://a.b/", "n=v; Max-Age=100", "m=w")
    assert sent(jar, "https://a.b/") == "n=v; m=w"
    receive(jar, "https://a.b/", "m=w; Max-Age=0")
    assert sent(jar, "https://a.b/") == "n=v"
    later = time.time() + 101
    monkeypatch.setattr(time, "time", lambda: later)
    assert sent(jar, "https://a.b/") is None
    assert not jar


def test_cookies_of_a_domain_and_of_all_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cookies, "MAX_PER_DOMAIN", 3)
    monkeypatch.setattr(cookies, "MAX_COOKIES", 5)
    jar = Cookies()
    receive(jar, "https://a.b/", *[f"n{number}=v" for number in range(5)])
    assert list(jar) == ["n2", "n3", "n4"]
    receive(jar, "https://c.d/", *[f"m{number}=v" for number in range(3)])
    assert list(jar) == ["n3", "n4", "m0", "m1", "m2"]


def test_a_cookie_field_of_the_programs_own_stays() -> None:
    request = Request("GET", "https://a.b/", headers={"Cookie": "x=y"})
    Cookies({"a": "1"}).set_cookie_header(request)
    assert request.headers["cookie"] == "x=y"


def test_a_request_with_cookies() -> None:
    assert (
        Request("GET", "https://a.b/", cookies={"a": "1", "b": "é"}).headers["cookie"] == "a=1; b=é"
    )
    assert not Request("GET", "https://a.b/", cookies={}).headers


# ----------------------------------------------------------------------------------- mapping


def test_it_is_a_mapping() -> None:
    jar = Cookies([("a", "1")])
    jar["b"] = "2"
    assert jar["a"] == "1"
    assert jar.get("b") == "2"
    assert jar.get("c") is None
    assert jar.get("c", "x") == "x"
    assert dict(jar) == {"a": "1", "b": "2"}
    assert len(jar) == 2
    del jar["a"]
    assert list(jar) == ["b"]
    with pytest.raises(KeyError):
        jar["a"]
    jar.clear()
    assert not jar
    jar.update(None)
    jar.update(Cookies({"c": "3"}))
    assert jar["c"] == "3"


def test_cookies_of_one_name_conflict_until_domain_and_path_are_told() -> None:
    jar = Cookies()
    for domain, path in (("a.b", "/"), ("a.b", "/x"), ("c.d", "/")):
        jar.set("n", domain + path, domain=domain, path=path)
    with pytest.raises(CookieConflict, match="name=n"):
        jar["n"]
    assert jar.get("n", domain="c.d") == "c.d/"
    assert jar.get("n", domain="a.b", path="/x") == "a.b/x"
    jar.delete("n", domain="a.b", path="/x")
    jar.clear(domain="c.d")
    assert jar["n"] == "a.b/"
    jar.clear(domain="a.b", path="/nope")
    assert len(jar) == 1


def test_a_cookie_that_was_set_for_a_domain_goes_there() -> None:
    jar = Cookies()
    jar.set("n", "v", domain="a.example")
    assert sent(jar, "http://a.example/") == sent(jar, "http://sub.a.example/x") == "n=v"
    assert sent(jar, "http://b.example/") is None
    jar.set("everywhere", "1")
    assert sent(jar, "http://b.example/") == "everywhere=1"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("a;b", ""),
        ("a=b", ""),
        ("a\r\n", ""),
        ("a", "b;c"),
        ("a", "b\r\nX: y"),
        ("a", "\0"),
        ("a", "\x7f"),
    ],
)
def test_what_would_end_a_cookie_is_refused(name: str, value: str) -> None:
    with pytest.raises(ValueError, match="Invalid cookie"):
        Cookies({name: value})


def test_repr() -> None:
    jar = Cookies()
    jar.set("a", "1", domain="x.y")
    jar.set("b", "2")
    assert repr(jar) == "<Cookies[<Cookie a=1 for x.y />, <Cookie b=2 for  />]>"


def test_the_standard_librarys_jar_both_ways() -> None:
    first = Cookies({"everywhere": "1"})
    receive(first, "https://a.b/x/y", "n=v; Domain=a.b; Max-Age=999; Secure; HttpOnly", "host=only")
    jar = first.jar
    assert isinstance(jar, CookieJar)
    assert {(cookie.name, cookie.value, cookie.domain, cookie.path) for cookie in jar} == {
        ("n", "v", "a.b", "/x"),
        ("host", "only", "a.b", "/x"),
        ("everywhere", "1", "", "/"),
    }
    second = Cookies(jar)
    for url in ("https://a.b/x", "http://a.b/x", "https://sub.a.b/x", "https://c.d/"):
        assert sorted((sent(first, url) or "").split("; ")) == sorted(
            (sent(second, url) or "").split("; ")
        )


def test_a_responses_cookies() -> None:
    request = Request("GET", "https://a.b/")
    response = Response(200, headers={"Set-Cookie": "n=v"}, request=request)
    assert response.cookies["n"] == "v"
    assert response.cookies is response.cookies
    assert not Response(200).cookies


# ------------------------------------------------------------------------------------- dates


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("Sun, 06 Nov 1994 08:49:37 GMT", (1994, 11, 6, 8, 49, 37)),
        ("Sunday, 06-Nov-94 08:49:37 GMT", (1994, 11, 6, 8, 49, 37)),
        ("Sun Nov  6 08:49:37 1994", (1994, 11, 6, 8, 49, 37)),
        ("6 november 94 8:9:7", (1994, 11, 6, 8, 9, 7)),
        ("29 Feb 2000 00:00:00", (2000, 2, 29, 0, 0, 0)),
        ("1 Jan 69 00:00:00", (2069, 1, 1, 0, 0, 0)),
        ("1 Jan 70 00:00:00", (1970, 1, 1, 0, 0, 0)),
        ("1st Jan 1601 00:00:00z", (1601, 1, 1, 0, 0, 0)),
        ("", None),
        ("6 Nov 1994", None),
        ("Nov 1994 08:49:37", None),
        ("6 Nov 08:49:37", None),
        ("6 1994 08:49:37", None),
        ("6 Nov 1994 24:00:00", None),
        ("6 Nov 1994 08:60:00", None),
        ("6 Nov 1994 08:00:60", None),
        ("31 Nov 1994 08:49:37", None),
        ("29 Feb 1900 08:49:37", None),
        ("0 Jan 1994 08:49:37", None),
        ("6 Nov 1600 08:49:37", None),
        ("6 Nov 1994 08:4937", None),
        ("6 Nov 1994 08:a:37", None),
        ("6 Nov 1994 08:49:", None),
        ("６ Nov 1994 08:49:37", None),
    ],
)
def test_cookie_dates_rfc_6265_5_1_1(text: str, moment: tuple[int, ...] | None) -> None:
    assert parse_cookie_date(text) == (None if moment is None else calendar.timegm(moment))


@given(st.datetimes())
def test_any_date_is_read(moment: Any) -> None:
    if moment.year >= 1601:
        text = f"{moment.day:02} {moment:%b} {moment.year} {moment:%H:%M:%S}"
        assert parse_cookie_date(text) == calendar.timegm(moment.timetuple())


@given(st.text(max_size=40), st.sampled_from(["https://a.b/", "http://[::1]/x"]))
def test_any_field_at_all_is_taken_or_ignored(field: str, url: str) -> None:
    parse_set_cookie(field, URL(url), 0)
    parse_set_cookie(f"n=v; Domain={field}; Expires={field}; Max-Age={field}", URL(url), 0)

"""The exception tree: httpx's names, and what each one is besides."""

from __future__ import annotations

import pickle

import httpx
import pytest

from h123.message import Request, Response, exceptions
from h123.message.exceptions import (
    ConnectError,
    CookieConflict,
    HTTPError,
    HTTPStatusError,
    InvalidURL,
    ReadTimeout,
    RequestNotRead,
    ResponseNotRead,
    StreamClosed,
    StreamConsumed,
    StreamError,
    TimeoutException,
    TotalTimeout,
)

HTTPX_NAMES = sorted(
    name
    for name in dir(httpx)
    if isinstance(getattr(httpx, name), type) and issubclass(getattr(httpx, name), Exception)
)
OURS = [value for value in vars(exceptions).values() if isinstance(value, type)]


@pytest.mark.parametrize("name", HTTPX_NAMES)
def test_every_exception_of_httpx_exists_with_its_bases(name: str) -> None:
    ours = {base.__name__ for base in getattr(exceptions, name).__mro__}
    assert {base.__name__ for base in getattr(httpx, name).__mro__} <= ours


@pytest.mark.parametrize("error", OURS)
def test_every_error_is_an_http_error(error: type[Exception]) -> None:
    assert issubclass(error, HTTPError)


def test_some_are_builtin_errors_too() -> None:
    assert issubclass(InvalidURL, ValueError)
    assert issubclass(CookieConflict, ValueError)
    assert issubclass(StreamError, RuntimeError)
    assert issubclass(TotalTimeout, TimeoutException)


def test_request_is_there_once_it_is_set() -> None:
    error = ConnectError("no route")
    with pytest.raises(RuntimeError, match="has not been set"):
        _ = error.request
    request = Request("GET", "https://example.org")
    error.request = request
    assert error.request is request
    assert ReadTimeout("too slow", request=request).request is request
    assert str(error) == "no route"


@pytest.mark.parametrize(
    "error",
    [
        ConnectError("no route", request=Request("GET", "https://example.org")),
        StreamConsumed(),
        StreamClosed(),
        ResponseNotRead(),
        RequestNotRead(),
        InvalidURL("bad"),
        HTTPStatusError(
            "404", request=Request("GET", "https://example.org"), response=Response(404)
        ),
    ],
    ids=lambda error: type(error).__name__,
)
def test_errors_survive_pickling(error: HTTPError) -> None:
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert str(copy) == str(error)
    if error._request is not None:
        assert copy.request.url == error.request.url

"""The keywords of a call and of a client, in one place for every face that takes them: types alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict

from ..message import URL
from .settings import Limits, Proxy, Timeout, TimeoutTypes, Unset


class CommonOptions(TypedDict, total=False):
    """What every call may say about its request and how it is sent."""

    content: Any
    """Bytes, text, a binary file, an iterator or async iterator of bytes: sent as it is."""
    files: Any
    """Files of a multipart form: a dict or list of name to file, or (filename, file[, type])."""
    headers: Any
    cookies: Any
    auth: tuple[str, str] | Unset | None
    """User name and password for HTTP's Basic scheme; None turns the client's off."""
    follow_redirects: bool | Unset
    allow_redirects: bool
    """The same, by requests' name."""
    timeout: TimeoutTypes | Unset
    """A `Timeout`, or seconds for each of connect, read, write and pool."""
    http_version: str | None
    """Force a version: `"1.1"`, `"2"` or `"3"`."""
    extensions: dict[str, Any] | None
    stream: bool
    """Return as soon as the response's head is there, its content unread."""


class PostOptions(CommonOptions, total=False):
    """What stands behind `data` and `json`."""

    params: Any
    """Parameters for the URL's query: a dict, a list of pairs, text."""


class PutOptions(PostOptions, total=False):
    """What stands behind `data`."""

    json: Any
    """An object to send as JSON."""


class GetOptions(CommonOptions, total=False):
    """What stands behind `params`."""

    data: Any
    """A dict or list of pairs is a form; anything else is as `content`."""
    json: Any


class RequestOptions(PutOptions, total=False):
    """All that a call may say."""

    data: Any


class ClientOptions(TypedDict, total=False):
    """What a client is made with; see `Client`."""

    headers: Any
    params: Any
    cookies: Any
    auth: tuple[str, str] | None
    base_url: URL | str
    timeout: Timeout | float | tuple[float | None, ...] | Unset | None
    follow_redirects: bool
    max_redirects: int
    verify: Any
    cert: Any
    http1: bool
    http2: bool
    http3: bool
    proxy: Proxy | URL | str | None
    limits: Limits
    connect_to: Mapping[tuple[str, int], tuple[str, int]] | None
    engines: Mapping[str, str] | None
    local_address: str | None


class ConnectionOptions(TypedDict, total=False):
    """What a call without a client of its own may say of how it connects."""

    verify: Any
    cert: Any
    proxy: Proxy | URL | str | None
    http1: bool
    http2: bool
    http3: bool


class CallOptions(RequestOptions, ConnectionOptions, total=False):
    """All that a call without a client may say."""


class GetCallOptions(GetOptions, ConnectionOptions, total=False):
    """What stands behind `params`, without a client."""


class PutCallOptions(PutOptions, ConnectionOptions, total=False):
    """What stands behind `data`, without a client."""


class PostCallOptions(PostOptions, ConnectionOptions, total=False):
    """What stands behind `data` and `json`, without a client."""

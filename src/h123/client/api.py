"""One call without a client: `h123.get(url)` and its like.

Each makes a client, and closes it when the response has been read. A program with more than a few
requests keeps a `Client`, which keeps its connections.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from .sync_client import Client

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Unpack

    from ..message import URL, Response
    from .options import CallOptions, GetCallOptions, PostCallOptions, PutCallOptions

_OF_THE_CLIENT = ("verify", "cert", "proxy", "http1", "http2", "http3")


def request(method: str, url: URL | str, **options: Unpack[CallOptions]) -> Response:
    """Send a request and return the response.

    The keywords are those of `RequestOptions` and, of `Client`'s own, verify, cert, proxy, http1, http2 and
    http3. Raises the `HTTPError`s.
    """
    sending: Any = dict(options)
    client = Client(**{name: sending.pop(name) for name in _OF_THE_CLIENT if name in sending})
    if not sending.get("stream"):
        with client:
            return client.request(method, url, **sending)
    try:
        response = client.request(method, url, **sending)
    except BaseException:
        client.close()
        raise
    body: Any = response.stream
    body.when_over = client.close
    return response


def get(url: URL | str, params: Any = None, **options: Unpack[GetCallOptions]) -> Response:
    """Send a GET request (RFC 9110 section 9.3.1)."""
    return request("GET", url, params=params, **options)


def head(url: URL | str, **options: Unpack[CallOptions]) -> Response:
    """Send a HEAD request (RFC 9110 section 9.3.2)."""
    return request("HEAD", url, **options)


def post(
    url: URL | str, data: Any = None, json: Any = None, **options: Unpack[PostCallOptions]
) -> Response:
    """Send a POST request (RFC 9110 section 9.3.3)."""
    return request("POST", url, data=data, json=json, **options)


def put(url: URL | str, data: Any = None, **options: Unpack[PutCallOptions]) -> Response:
    """Send a PUT request (RFC 9110 section 9.3.4)."""
    return request("PUT", url, data=data, **options)


def patch(url: URL | str, data: Any = None, **options: Unpack[PutCallOptions]) -> Response:
    """Send a PATCH request (RFC 5789)."""
    return request("PATCH", url, data=data, **options)


def delete(url: URL | str, **options: Unpack[CallOptions]) -> Response:
    """Send a DELETE request (RFC 9110 section 9.3.5)."""
    return request("DELETE", url, **options)


def options(url: URL | str, **options: Unpack[CallOptions]) -> Response:
    """Send an OPTIONS request (RFC 9110 section 9.3.7)."""
    return request("OPTIONS", url, **options)


@contextmanager
def stream(method: str, url: URL | str, **options: Unpack[CallOptions]) -> Iterator[Response]:
    """Send a request; inside the `with` block the response's content can be read as it comes."""
    options["stream"] = True
    response = request(method, url, **options)
    try:
        yield response
    finally:
        response.close()

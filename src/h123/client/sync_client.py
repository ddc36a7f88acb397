"""`Client`: the face for plain, blocking code."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self

from ..network.blocking import BlockingBackend, run
from .base import BaseClient, split_options
from .core import ClientCore
from .settings import UNSET

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Unpack

    from ..message import URL, Request, Response
    from .options import (
        ClientOptions,
        GetOptions,
        PostOptions,
        PutOptions,
        RequestOptions,
    )
    from .settings import Unset


class Client(BaseClient):
    """An HTTP client whose calls wait for their answers. Threads may share it.

    It keeps connections open and uses them again; HTTP/2 and HTTP/3 connections carry many requests at
    once. Close it, or use it in a `with` statement.

    Keywords (see `ClientOptions` for their types):
        headers, params, cookies, auth: defaults for every request.
        base_url: what relative URLs are put behind.
        timeout: a `Timeout`, or seconds for each of connect, read, write and pool. Default: 30, connect 10.
        follow_redirects, max_redirects: default True and 20.
        verify: True for the operating system's certificate store, a path to CA certificates (PEM),
            an `ssl.SSLContext`, or False to accept any server.
        cert: a client certificate: a path, or (certificate, key[, password]).
        http1, http2, http3: the versions to speak, all by default.
        proxy: an HTTP proxy for every request.
        limits: the pool's bounds and the engines', as `Limits`.
        connect_to: `{(host, port): (other host, other port)}`: where to connect instead.
        engines: names of other engines, `{"http/1.1": "h11"}`.
        local_address: the address to connect from.
    """

    def __init__(self, **options: Unpack[ClientOptions]) -> None:
        self._core = ClientCore(BlockingBackend(), **options)

    def send(
        self,
        request: Request,
        *,
        stream: bool = False,
        auth: tuple[str, str] | Unset | None = UNSET,
        follow_redirects: bool | Unset = UNSET,
    ) -> Response:
        """Send a request that `build_request` made.

        Raises the `HTTPError`s. With `stream` the response comes with its content unread and must be
        closed.
        """
        response = run(self._core.send(request, auth=auth, follow_redirects=follow_redirects))
        if not stream:
            try:
                response.read()
            finally:
                response.close()
        return response

    def request(self, method: str, url: URL | str, **options: Unpack[RequestOptions]) -> Response:
        """Send a request and return the response; see `RequestOptions` for the keywords."""
        building, sending = split_options(options)
        return self.send(self._core.build_request(method, url, **building), **sending)

    def get(self, url: URL | str, params: Any = None, **options: Unpack[GetOptions]) -> Response:
        """Send a GET request (RFC 9110 section 9.3.1)."""
        return self.request("GET", url, params=params, **options)

    def head(self, url: URL | str, **options: Unpack[RequestOptions]) -> Response:
        """Send a HEAD request (RFC 9110 section 9.3.2)."""
        return self.request("HEAD", url, **options)

    def post(
        self,
        url: URL | str,
        data: Any = None,
        json: Any = None,
        **options: Unpack[PostOptions],
    ) -> Response:
        """Send a POST request (RFC 9110 section 9.3.3)."""
        return self.request("POST", url, data=data, json=json, **options)

    def put(self, url: URL | str, data: Any = None, **options: Unpack[PutOptions]) -> Response:
        """Send a PUT request (RFC 9110 section 9.3.4)."""
        return self.request("PUT", url, data=data, **options)

    def patch(self, url: URL | str, data: Any = None, **options: Unpack[PutOptions]) -> Response:
        """Send a PATCH request (RFC 5789)."""
        return self.request("PATCH", url, data=data, **options)

    def delete(self, url: URL | str, **options: Unpack[RequestOptions]) -> Response:
        """Send a DELETE request (RFC 9110 section 9.3.5)."""
        return self.request("DELETE", url, **options)

    def options(self, url: URL | str, **options: Unpack[RequestOptions]) -> Response:
        """Send an OPTIONS request (RFC 9110 section 9.3.7)."""
        return self.request("OPTIONS", url, **options)

    @contextmanager
    def stream(
        self, method: str, url: URL | str, **options: Unpack[RequestOptions]
    ) -> Iterator[Response]:
        """Send a request; inside the `with` block the response's content can be read as it comes."""
        options["stream"] = True
        response = self.request(method, url, **options)
        try:
            yield response
        finally:
            response.close()

    def close(self) -> None:
        """Close all connections."""
        self._core.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

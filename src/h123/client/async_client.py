"""`AsyncClient`: the face for code in an event loop."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Self

from ..network.asyncio import AsyncioBackend
from .base import BaseClient, split_options
from .core import ClientCore
from .settings import UNSET

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
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


class AsyncClient(BaseClient):
    """An HTTP client for asyncio: `Client` with `await` before its calls; the keywords are the same.

    It belongs to the event loop in which it is first used.
    """

    def __init__(self, **options: Unpack[ClientOptions]) -> None:
        self._core = ClientCore(AsyncioBackend(), **options)

    async def send(
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
        response = await self._core.send(request, auth=auth, follow_redirects=follow_redirects)
        if not stream:
            try:
                await response.aread()
            finally:
                await response.aclose()
        return response

    async def request(
        self, method: str, url: URL | str, **options: Unpack[RequestOptions]
    ) -> Response:
        """Send a request and return the response; see `RequestOptions` for the keywords."""
        building, sending = split_options(options)
        return await self.send(self._core.build_request(method, url, **building), **sending)

    async def get(
        self, url: URL | str, params: Any = None, **options: Unpack[GetOptions]
    ) -> Response:
        """Send a GET request (RFC 9110 section 9.3.1)."""
        return await self.request("GET", url, params=params, **options)

    async def head(self, url: URL | str, **options: Unpack[RequestOptions]) -> Response:
        """Send a HEAD request (RFC 9110 section 9.3.2)."""
        return await self.request("HEAD", url, **options)

    async def post(
        self,
        url: URL | str,
        data: Any = None,
        json: Any = None,
        **options: Unpack[PostOptions],
    ) -> Response:
        """Send a POST request (RFC 9110 section 9.3.3)."""
        return await self.request("POST", url, data=data, json=json, **options)

    async def put(
        self, url: URL | str, data: Any = None, **options: Unpack[PutOptions]
    ) -> Response:
        """Send a PUT request (RFC 9110 section 9.3.4)."""
        return await self.request("PUT", url, data=data, **options)

    async def patch(
        self, url: URL | str, data: Any = None, **options: Unpack[PutOptions]
    ) -> Response:
        """Send a PATCH request (RFC 5789)."""
        return await self.request("PATCH", url, data=data, **options)

    async def delete(self, url: URL | str, **options: Unpack[RequestOptions]) -> Response:
        """Send a DELETE request (RFC 9110 section 9.3.5)."""
        return await self.request("DELETE", url, **options)

    async def options(self, url: URL | str, **options: Unpack[RequestOptions]) -> Response:
        """Send an OPTIONS request (RFC 9110 section 9.3.7)."""
        return await self.request("OPTIONS", url, **options)

    @asynccontextmanager
    async def stream(
        self, method: str, url: URL | str, **options: Unpack[RequestOptions]
    ) -> AsyncIterator[Response]:
        """Send a request; inside the `async with` block its response's content can be read as it comes."""
        options["stream"] = True
        response = await self.request(method, url, **options)
        try:
            yield response
        finally:
            await response.aclose()

    async def aclose(self) -> None:
        """Close all connections."""
        self._core.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.aclose()

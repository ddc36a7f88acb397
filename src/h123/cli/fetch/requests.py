"""From the command line to the requests of one transfer."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from ..._version import __version__
from ...message import URL, ByteStream, Request
from ...message.body import AsyncByteStream, SyncByteStream
from .arguments import file_name_of
from .content import CountedAsyncStream, CountedStream, upload

if TYPE_CHECKING:
    from ...client.async_client import AsyncClient
    from .options import FetchOptions
    from .progress import ProgressBar, ProgressBars


class RequestMaker:
    """Makes the requests of one transfer: the first one, and those that redirects ask for."""

    def __init__(
        self,
        client: AsyncClient,
        options: FetchOptions,
        bars: ProgressBars,
        url: URL,
        upload_file: str | None,
    ) -> None:
        self._client = client
        self._bars = bars
        self._options = options
        self._upload_file = upload_file
        self.url = url
        self._counted: CountedStream | CountedAsyncStream | None = None
        self._whole = 0

    @property
    def sent(self) -> int:
        """Bytes of content that were given to be sent."""
        return self._whole if self._counted is None else self._counted.sent

    def first(self) -> Request:
        """Return the request for the URL. Raises `FetchError`, and `ValueError` for what can not be sent."""
        options = self._options
        content, method = self._content()
        fields: dict[str, str] = {"User-Agent": options.user_agent or f"h123/{__version__}"}
        data = options.contents
        if data is not None and not options.get:
            fields["Content-Type"] = data.content_type
            if data.is_json:
                fields["Accept"] = "application/json"
        if options.referer is not None:
            fields["Referer"] = options.referer
        if options.range is not None:
            fields["Range"] = f"bytes={options.range}"
        url = self.url
        if data is not None and options.get:
            query = "&".join(filter(None, (url.query.decode("ascii"), data.query())))
            url = url.copy_with(query=query)
        request = self._client.build_request(
            options.request or method, url, headers=fields, **content
        )
        if not options.compressed:
            request.headers.pop("Accept-Encoding", None)
        self._set_cookies(request)
        options.headers.apply_to(request.headers)
        if "transfer-encoding" in request.headers:  # asked for: then there is no length
            request.headers.pop("Content-Length", None)
        self._count(request)
        return request

    def following(self, before: Request, request: Request) -> Request:
        """Return the request that a redirect asks for, as this command line wants it."""
        if request.url.origin == before.url.origin:
            self._set_cookies(request)
        elif not self._options.cookie_engine:
            request.headers.pop("Cookie", None)
        return request

    def _content(self) -> tuple[dict[str, Any], str]:
        """Return the content, by keyword of a request, and the method that goes with it."""
        options = self._options
        if self._upload_file is not None:
            path = self.url.path
            if path.endswith("/") and self._upload_file not in ("-", "."):
                name = os.path.basename(self._upload_file)
                self.url = self.url.join(URL(path=path + name))
            return {"content": upload(self._upload_file)}, "PUT"
        if options.forms:
            return {"files": options.forms}, "POST"
        if options.contents is not None and not options.get:
            return {"content": options.contents.content()}, "POST"
        return {}, "HEAD" if options.head else "GET"

    def _set_cookies(self, request: Request) -> None:
        if not self._options.cookie_engine:
            request.headers.pop("Cookie", None)
        if self._options.cookies is not None:
            own = request.headers.get("Cookie")
            cookies = self._options.cookies
            request.headers["Cookie"] = f"{cookies}; {own}" if own else cookies

    def _count(self, request: Request) -> None:
        stream = request.stream
        if isinstance(stream, ByteStream):
            self._whole = len(stream.content)
        elif isinstance(stream, SyncByteStream):
            self._counted = request.stream = CountedStream(stream, self._bar(stream))
        else:
            assert isinstance(stream, AsyncByteStream)
            self._counted = request.stream = CountedAsyncStream(stream, self._bar(stream))

    def _bar(self, stream: SyncByteStream | AsyncByteStream) -> ProgressBar:
        return self._bars.bar(f"to {self.url.host}", stream.content_length)

    def output_path(self, given: str | None) -> str:
        """Return the file that the content goes to: what was given, or what the URL names.

        Raises `FetchError`.
        """
        name = given if given is not None else file_name_of(self.url.raw_path.partition(b"?")[0].decode("ascii"))  # fmt: skip
        folder = self._options.output_dir
        return os.path.join(folder, name) if folder else name

"""Response: one class for what a client receives and what a server sends (RFC 9110 section 3.4)."""

from __future__ import annotations

from .body import (
    AsyncByteStream,
    ByteChunker,
    ByteStream,
    ClosedStream,
    SyncByteStream,
    in_chunks,
    slices,
)
from .content import encode_response
from .exceptions import HTTPStatusError, RequestError, ResponseNotRead, StreamClosed, StreamConsumed
from .headers import Headers, encode_fields
from .response_head import ResponseHead
from .text import (
    LineDecoder,
    TextChunker,
    TextDecoder,
    charset_by_mark,
    charset_of,
    is_charset,
    known_charset_of,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping
    from typing import Any, Self

    from .codings import ContentDecoder
    from .content import ContentTypes, Stream
    from .headers import HeaderTypes, RawHeaders
    from .request import Request


_ERROR_KINDS = {
    1: "Informational response",
    3: "Redirect response",
    4: "Client error",
    5: "Server error",
}


_ASYNC_STREAM = (
    "Attempted to call an sync iterator on an async stream: "
    "use aread(), aiter_bytes() or another of the async methods."
)
_SYNC_STREAM = (
    "Attempted to call an async iterator on a sync stream: "
    "use read(), iter_bytes() or another of the sync methods."
)


class Response(ResponseHead):
    """A response: status, headers, content.

    Its content is there at once (`content`, `text`, `json()`), or comes as a stream: iterate it once, or
    `read()` it. What the sender coded (gzip and its like) is decoded on the way; `iter_raw` gives it as
    it came.
    """

    is_closed: bool = False
    is_stream_consumed: bool = False
    num_bytes_downloaded: int = 0
    """Bytes of content that have come, as they were coded."""
    default_encoding: str | Callable[[bytes], str] = "utf-8"
    """The character set where the headers tell none: its name, or what finds it from the content."""

    _content: bytes | None = None
    _text: str | None = None
    _encoding: str | None = None

    def __init__(
        self,
        status_code: int,
        *,
        headers: HeaderTypes | None = None,
        content: ContentTypes | None = None,
        text: str | None = None,
        html: str | None = None,
        json: Any = None,
        stream: Stream | None = None,
        request: Request | None = None,
        extensions: Mapping[str, Any] | None = None,
        history: list[Response] | None = None,
        trailers: HeaderTypes | None = None,
        default_encoding: str | Callable[[bytes], str] = "utf-8",
    ) -> None:
        """Put a response together.

        One of `content`, `text`, `html`, `json` is the content; its fields are added where they are
        missing. `stream` is content too, and adds no fields. Raises `ValueError` for what HTTP does not
        allow in a field, `TypeError` for content of no known kind.
        """
        raw = encode_fields(headers)
        self.status_code = status_code
        self.history = [] if history is None else list(history)
        if request is not None:
            self._request = request
        if extensions:
            self._extensions = dict(extensions)
        if trailers is not None:
            self._trailers = Headers(trailers)
        if default_encoding != "utf-8":
            self.default_encoding = default_encoding
        if stream is not None:
            self.headers = Headers.from_raw(raw)
            self.stream = stream
            return
        fields, self.stream = encode_response(content, text, html, json)
        if fields:
            raw = _with_fields(raw, fields) if raw else fields
        self.headers = Headers.from_raw(raw)
        if isinstance(self.stream, ByteStream):
            self._decode_whole(self.stream.content)

    @classmethod
    def received(
        cls,
        status_code: int,
        headers: RawHeaders,
        stream: Stream,
        *,
        request: Request | None = None,
        http_version: str = "HTTP/1.1",
        reason: bytes = b"",
        extensions: dict[str, Any] | None = None,
    ) -> Response:
        """Make a response of what an engine received: nothing is copied, and the stream is not read."""
        response = cls.__new__(cls)
        response.status_code = status_code
        response.headers = Headers.from_raw(headers)
        response.stream = stream
        response.history = []
        response._request = request
        response._http_version = http_version
        response._reason = reason
        response._extensions = extensions
        return response

    @property
    def has_trailers(self) -> bool:
        """Whether trailers were given when the response was made, or set since; a stream may have others."""
        return bool(self._trailers)

    def set_content(self, content: bytes) -> None:
        """Take content, as it was sent, that somebody else has read from the stream."""
        self.stream = ByteStream(content)
        self._decode_whole(content)

    def _is_coded(self) -> bool:
        for name, _ in self.headers.raw:
            if len(name) == 16 and name.lower() == b"content-encoding":
                return True
        return False

    def _decode_whole(self, content: bytes) -> None:
        """Take content that is there as a whole, decoded if the headers say that it is coded."""
        if content and self._is_coded():
            content = b"".join(self._decoded(iter((content,))))
        self._content = content
        self.is_closed = True
        self.is_stream_consumed = True

    # ------------------------------------------------------------------------------ content

    def raise_for_status(self) -> Self:
        """Return the response if it is a success. Raises `HTTPStatusError` if not (1xx and 3xx too)."""
        request = self._request
        if request is None:
            raise RuntimeError(
                "Cannot call `raise_for_status` as the request instance has not been set on this response."
            )
        if self.is_success:
            return self
        kind = _ERROR_KINDS.get(self.status_code // 100, "Invalid status code")
        text = f"{kind} '{self.status_code} {self.reason_phrase}' for url '{request.url.masked}'"
        if self.has_redirect_location:
            text += f"\nRedirect location: '{self.headers['location']}'"
        text += (
            "\nFor more information check: "
            f"https://developer.mozilla.org/en-US/docs/Web/HTTP/Status/{self.status_code}"
        )
        raise HTTPStatusError(text, request=request, response=self)

    @property
    def content(self) -> bytes:
        """The content, decoded. Raises `ResponseNotRead` before `read()` or `aread()`."""
        if self._content is None:
            raise ResponseNotRead
        return self._content

    @property
    def text(self) -> str:
        """The content as text, in `encoding`; what is no text becomes U+FFFD."""
        if self._text is None:
            content = self.content
            self._text = content.decode(self.encoding or "utf-8", "replace") if content else ""
        return self._text

    def json(self, **kwargs: Any) -> Any:
        """Return the content, parsed as JSON (UTF-8, 16 or 32). Raises `ValueError` if it is none."""
        from json import loads

        return loads(self.content, **kwargs)

    @property
    def charset_encoding(self) -> str | None:
        """The charset that the Content-Type field tells."""
        return charset_of(self.headers.get("content-type"))

    @property
    def encoding(self) -> str | None:
        """The character set: what was set, or a byte order mark's, the headers', or `default_encoding`.

        Setting it raises `ValueError` once `text` has been used, or for a character set that is none.
        """
        if self._encoding is None:
            encoding = charset_by_mark(self._content) if self._content else None
            if encoding is None:
                encoding = known_charset_of(self.headers.get("content-type"))
            if encoding is None:
                default = self.default_encoding
                encoding = default if isinstance(default, str) else default(self._content or b"")
            if self._content is None:
                return encoding
            self._encoding = encoding
        return self._encoding

    @encoding.setter
    def encoding(self, encoding: str | None) -> None:
        if self._text is not None:
            raise ValueError("Setting encoding after `text` has been accessed is not allowed.")
        if encoding is not None and not is_charset(encoding):
            raise ValueError(f"Unknown character set {encoding!r}")
        self._encoding = encoding

    def _decoder(self) -> ContentDecoder | None:
        """Return what undoes the content codings, None if there are none that are known."""
        coding = self.headers.get("content-encoding")
        if coding is None:
            return None
        from .codings import decoder_for

        return decoder_for(coding)

    def _decoded(self, parts: Iterator[bytes]) -> Iterator[bytes]:
        decoder = self._decoder()
        if decoder is None:
            yield from parts
            return
        try:
            for part in parts:
                yield from decoder.decode(part)
            decoder.finish()
        except RequestError as error:
            self._blame(error)
            self.close()
            raise

    def _blame(self, error: RequestError) -> None:
        """Let an error tell its request."""
        if error._request is None and self._request is not None:
            error.request = self._request

    def _begin(self) -> None:
        if self.is_stream_consumed:
            raise StreamConsumed
        if self.is_closed:
            raise StreamClosed
        self.is_stream_consumed = True

    def _finish(self) -> None:
        """Keep what outlives the stream."""
        trailers = getattr(self.stream, "trailers", ())
        if trailers and self._trailers is None:
            self._trailers = Headers.from_raw(list(trailers))

    # --------------------------------------------------------------------- reading, blocking

    def read(self) -> bytes:
        """Read the whole content, keep it and return it."""
        if self._content is None:
            if "content-encoding" in self.headers:
                self._content = b"".join(self.iter_bytes())
            else:
                self._content = self._read_stream()
        return self._content

    def iter_bytes(self, chunk_size: int | None = None) -> Iterator[bytes]:
        """Give the content, decoded, in parts as they come or of `chunk_size` bytes.

        Raises `StreamConsumed` the second time, `DecodingError` where it does not decode.
        """
        if self._content is not None:
            return slices(self._content, chunk_size)
        if "content-encoding" not in self.headers:
            return self.iter_raw(chunk_size)
        parts = self._decoded(self.iter_raw())
        return parts if chunk_size is None else in_chunks(parts, chunk_size)

    def iter_content(self, chunk_size: int | None = None) -> Iterator[bytes]:
        """Do what `iter_bytes` does: its requests name."""
        return self.iter_bytes(chunk_size)

    def iter_text(self, chunk_size: int | None = None) -> Iterator[str]:
        """Give the content as text, in parts as they come or of `chunk_size` characters."""
        decoder = TextDecoder(self.encoding or "utf-8")
        chunker = TextChunker(chunk_size)
        for part in self.iter_bytes():
            yield from chunker.decode(decoder.decode(part))
        yield from chunker.decode(decoder.flush())
        yield from chunker.flush()

    def iter_lines(self) -> Iterator[str]:
        """Give the content as lines of text, without their ends."""
        decoder = LineDecoder()
        for text in self.iter_text():
            yield from decoder.decode(text)
        yield from decoder.flush()

    def iter_raw(self, chunk_size: int | None = None) -> Iterator[bytes]:
        """Give the content as it came, not decoded, in parts as they come or of `chunk_size` bytes."""
        parts = self._iter_stream()
        return parts if chunk_size is None else in_chunks(parts, chunk_size)

    def _iter_stream(self) -> Iterator[bytes]:
        stream = self.stream
        if not isinstance(stream, SyncByteStream):
            raise RuntimeError(_ASYNC_STREAM)
        self._begin()
        self.num_bytes_downloaded = 0
        try:
            for part in stream:
                self.num_bytes_downloaded += len(part)
                yield part
            self._finish()
        except RequestError as error:
            self._blame(error)
            raise
        finally:
            self.close()

    def _read_stream(self) -> bytes:
        """Return what `_iter_stream` would give, sooner."""
        stream = self.stream
        if not isinstance(stream, SyncByteStream):
            raise RuntimeError(_ASYNC_STREAM)
        self._begin()
        try:
            content = b"".join(stream)
            self._finish()
        except RequestError as error:
            self._blame(error)
            raise
        finally:
            self.close()
        self.num_bytes_downloaded = len(content)
        return content

    def close(self) -> None:
        """Close the response and give its stream back. Content that was not read is lost."""
        if not isinstance(self.stream, SyncByteStream):
            raise RuntimeError("Attempted to call an sync close on an async stream: use aclose().")
        if not self.is_closed:
            self.is_closed = True
            self.stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[bytes]:
        return self.iter_bytes()

    # ------------------------------------------------------------------------ reading, async

    async def aread(self) -> bytes:
        """Read the whole content, keep it and return it."""
        if self._content is None:
            if "content-encoding" in self.headers:
                self._content = b"".join([part async for part in self.aiter_bytes()])
            else:
                self._content = await self._aread_stream()
        return self._content

    async def aiter_bytes(self, chunk_size: int | None = None) -> AsyncIterator[bytes]:
        """Give the content, decoded, in parts as they come or of `chunk_size` bytes.

        Raises `StreamConsumed` the second time, `DecodingError` where it does not decode.
        """
        if self._content is not None:
            for piece in slices(self._content, chunk_size):
                yield piece
            return
        decoder = self._decoder()
        chunker = ByteChunker(chunk_size)
        try:
            async for part in self._aiter_stream():
                for decoded in (part,) if decoder is None else decoder.decode(part):
                    for piece in chunker.cut(decoded):
                        yield piece
            if decoder is not None:
                decoder.finish()
        except RequestError as error:
            self._blame(error)
            await self.aclose()
            raise
        for piece in chunker.flush():
            yield piece

    async def aiter_content(self, chunk_size: int | None = None) -> AsyncIterator[bytes]:
        """Do what `aiter_bytes` does."""
        async for part in self.aiter_bytes(chunk_size):
            yield part

    async def aiter_text(self, chunk_size: int | None = None) -> AsyncIterator[str]:
        """Give the content as text, in parts as they come or of `chunk_size` characters."""
        decoder = TextDecoder(self.encoding or "utf-8")
        chunker = TextChunker(chunk_size)
        async for part in self.aiter_bytes():
            for text in chunker.decode(decoder.decode(part)):
                yield text
        for text in chunker.decode(decoder.flush()):
            yield text
        for text in chunker.flush():
            yield text

    async def aiter_lines(self) -> AsyncIterator[str]:
        """Give the content as lines of text, without their ends."""
        decoder = LineDecoder()
        async for text in self.aiter_text():
            for line in decoder.decode(text):
                yield line
        for line in decoder.flush():
            yield line

    async def aiter_raw(self, chunk_size: int | None = None) -> AsyncIterator[bytes]:
        """Give the content as it came, not decoded, in parts as they come or of `chunk_size` bytes."""
        chunker = ByteChunker(chunk_size)
        async for part in self._aiter_stream():
            for piece in chunker.cut(part):
                yield piece
        for piece in chunker.flush():
            yield piece

    async def _aiter_stream(self) -> AsyncIterator[bytes]:
        stream = self.stream
        if not isinstance(stream, AsyncByteStream):
            raise RuntimeError(_SYNC_STREAM)
        self._begin()
        self.num_bytes_downloaded = 0
        try:
            async for part in stream:
                self.num_bytes_downloaded += len(part)
                yield part
            self._finish()
        except GeneratorExit:
            raise  # nothing may be awaited here: whoever gave up reading closes
        except BaseException as error:
            await self.aclose()
            if isinstance(error, RequestError):
                self._blame(error)
            raise
        await self.aclose()

    async def _aread_stream(self) -> bytes:
        """Return what `_aiter_stream` would give, sooner."""
        stream = self.stream
        if not isinstance(stream, AsyncByteStream):
            raise RuntimeError(_SYNC_STREAM)
        self._begin()
        try:
            content = b"".join([part async for part in stream])
            self._finish()
        except RequestError as error:
            self._blame(error)
            raise
        finally:
            await self.aclose()
        self.num_bytes_downloaded = len(content)
        return content

    async def aclose(self) -> None:
        """Close the response and give its stream back. Content that was not read is lost."""
        if not isinstance(self.stream, AsyncByteStream):
            raise RuntimeError("Attempted to call an async close on a sync stream: use close().")
        if not self.is_closed:
            self.is_closed = True
            await self.stream.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.aclose()

    # ---------------------------------------------------------------------------- as an object

    def __repr__(self) -> str:
        phrase = self.reason_phrase
        return f"<{type(self).__name__} [{self.status_code}{f' {phrase}' if phrase else ''}]>"

    def __getstate__(self) -> dict[str, Any]:
        state = dict(self.__dict__, is_closed=True)
        for name in ("stream", "_extensions", "next_request", "_cookies"):
            state.pop(name, None)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.stream = ClosedStream() if self._content is None else ByteStream(self._content)


def _with_fields(raw: RawHeaders, fields: RawHeaders) -> RawHeaders:
    """Return a program's own fields with those of its content that it has not set itself."""
    names = {name.lower() for name, _ in raw}  # sooner than an index that nobody else may want
    if b"content-length" in names or b"transfer-encoding" in names:
        fields = [field for field in fields if field[0] != b"Content-Length"]
    if b"content-type" in names:
        fields = [field for field in fields if field[0] == b"Content-Length"]
    return raw + fields

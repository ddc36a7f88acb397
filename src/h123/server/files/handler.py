"""The handler: a request for a path of a folder becomes a response."""

from __future__ import annotations

import errno
import os
import time
from http import HTTPStatus

from ...message.body import AsyncByteStream, ByteStream
from ...message.exceptions import InvalidURL
from ...message.headers import Headers
from ...message.percent import QUERY_SAFE, encode_bytes
from ...message.request import Request
from ...message.response import Response
from .conditional import Validators
from .file_stream import FileTruncated, OpenFileStream
from .folder import Folder, NotFound, Opened, names_of, quote_name
from .listing import BATCH, ORDERS, ListingStream, html_listing, json_listing, read_directory
from .media_types import content_type
from .negotiation import preferred
from .page import CONTENT_SECURITY_POLICY, error_page
from .selection import Fields, select

SMALL_FILE = 65536
"""Bytes up to which a file is read at once, so that it leaves together with its head."""

_HTML = "text/html"
_ALLOWED = (b"Allow", b"GET, HEAD, OPTIONS")
_NO_SNIFFING = (b"X-Content-Type-Options", b"nosniff")
_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM})

_EXPLANATIONS = {
    400: "This address is none.",
    403: "This is not for everyone: the server may not read it.",
    404: "There is nothing at this address.",
    405: "Files can be read here, and nothing else.",
    412: "The file is not in the state that the request asked for.",
    416: "The file has no such range of bytes.",
    503: "The server has too much open at the moment. Please try again.",
}


class Files:
    """A handler that answers with the files of a folder.

    directory: the folder. It may be a link, and be pointed elsewhere while serving.
    index: the file that stands for a directory.
    listings: whether a directory without that file is listed; else it is 404.
    most_entries: how many entries of a directory are listed at most.
    cache_control: the Cache-Control of files, or None for none. The default lets caches keep a file and makes
        them ask each time whether it is still the same, so that nobody sees an old one.

    Raises `OSError` if the directory is missing, is no directory, or can not be read.

    Hidden files (any name in the path that begins with a dot), links that leave the folder, and whatever is
    neither file nor directory are 404, as if they were not there.
    """

    __slots__ = ("_cache_control", "_folder", "_index", "_listings", "_most_entries")

    def __init__(
        self,
        directory: str | os.PathLike[str],
        *,
        index: str = "index.html",
        listings: bool = True,
        most_entries: int = 100_000,
        cache_control: str | None = "no-cache",
    ) -> None:
        self._folder = Folder(directory)
        self._index = os.fsencode(index)
        self._listings = listings
        self._most_entries = most_entries
        self._cache_control = Headers(
            {"Cache-Control": cache_control} if cache_control else None
        ).raw

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._folder.path!r}>"

    async def __call__(self, request: Request) -> Response:
        """Answer a request. A file's content is a stream with an open descriptor: `aclose()` it always.

        Raises `OSError` where the disk fails, and `FileTruncated` where a file keeps shrinking meanwhile.
        """
        if request.method == "OPTIONS":
            return Response(204, headers=Headers.from_raw([_ALLOWED]))
        if request.method not in ("GET", "HEAD"):
            return _error(request, 405, [_ALLOWED])
        try:
            try:
                return await self._answer(request)
            except FileTruncated:  # it shrank between two looks at it: once more, as it is now
                return await self._answer(request)
        except InvalidURL:
            return _error(request, 400)
        except (NotFound, FileNotFoundError):
            return _error(request, 404)
        except PermissionError:
            return _error(request, 403)
        except OSError as error:
            if error.errno not in _EXHAUSTED:
                raise
            return _error(request, 503, [(b"Retry-After", b"1")])

    async def _answer(self, request: Request) -> Response:
        target = request.target
        if target[:1] != b"/":  # the absolute form, or a request that no server received
            target = request.url.raw_path
        path, _, query = target.partition(b"?")
        names = names_of(path)
        wants_directory = not names[-1]
        if wants_directory:
            names.pop()
        with self._folder.find(names) as found:
            if found.is_directory:
                if not wants_directory:
                    return _redirect(names[-1], query)
                return await self._directory(request, found, names, query)
            if wants_directory:
                raise NotFound
            return await self._file(request, found, names[-1])

    # ------------------------------------------------------------------------ directories

    async def _directory(
        self, request: Request, directory: Opened, names: list[bytes], query: bytes
    ) -> Response:
        try:
            index = self._folder.find((self._index,), within=directory)
        except NotFound:
            return await self._list(request, names, query)
        with index:
            if index.is_directory:
                return await self._list(request, names, query)
            return await self._file(request, index, self._index)

    async def _list(self, request: Request, names: list[bytes], query: bytes) -> Response:
        if not self._listings:
            raise NotFound
        from asyncio import to_thread

        listing = await to_thread(
            read_directory, self._folder, names, _order(query), self._most_entries
        )
        fields = [(b"Vary", b"Accept"), (b"Cache-Control", b"no-cache"), _NO_SNIFFING]
        accept = request.headers.get("accept", "")
        if preferred(accept, (_HTML, "application/json")) == _HTML:
            kind, pieces = b"text/html; charset=utf-8", html_listing(listing)
            fields.append((b"Content-Security-Policy", CONTENT_SECURITY_POLICY.encode("ascii")))
        else:
            kind, pieces = b"application/json", json_listing(listing)
        if len(listing.entries) <= BATCH:
            return _whole(request, 200, kind, fields, "".join(pieces))
        fields.insert(0, (b"Content-Type", kind))
        stream = ByteStream() if request.method == "HEAD" else ListingStream(pieces)
        return Response(200, headers=Headers.from_raw(fields), stream=stream)

    # ------------------------------------------------------------------------------ files

    async def _file(self, request: Request, found: Opened, name: bytes) -> Response:
        status = found.status
        validators = Validators(
            status.st_size, status.st_mtime_ns, status.st_ctime_ns, time.time_ns()
        )
        selection = select(
            request.method,
            request.headers,
            status.st_size,
            validators,
            content_type(os.fsdecode(name)),
        )
        # Opened even if nothing will be read: what can not be read is 403, whatever else was asked.
        descriptor = found.open()
        if request.method == "HEAD" or not selection.parts:
            os.close(descriptor)
            content: AsyncByteStream = ByteStream()
        else:
            content = OpenFileStream(descriptor, selection.parts)
            if content.content_length <= SMALL_FILE:
                content = ByteStream(b"".join([piece async for piece in content]))
        if selection.status >= 400:
            return _error(request, selection.status, selection.fields)
        fields = [*selection.fields, *self._cache_control, _NO_SNIFFING]
        return Response(selection.status, headers=Headers.from_raw(fields), stream=content)


def _redirect(name: bytes, query: bytes) -> Response:
    """Send to the same directory with its slash.

    The reference is relative, so that it holds wherever the folder is mounted, and begins with a name, so that
    it can mean no other host.
    """
    location = quote_name(name) + "/"
    if query:
        location += "?" + encode_bytes(query, QUERY_SAFE)
    fields = [(b"Location", location.encode("ascii")), (b"Content-Length", b"0"), _NO_SNIFFING]
    return Response(301, headers=Headers.from_raw(fields), stream=ByteStream())


def _order(query: bytes) -> str:
    """Return the order that `?sort=` asks for, by name if it asks for none that there is."""
    for pair in query.split(b"&"):
        name, _, value = pair.partition(b"=")
        if name == b"sort" and (order := value.decode("latin-1")) in ORDERS:
            return order
    return "name"


def _error(request: Request, status: int, fields: Fields | None = None) -> Response:
    """Say what is wrong in a page for those who prefer one, in a line of text for all others."""
    reason, explanation = HTTPStatus(status).phrase, _EXPLANATIONS[status]
    fields = [*(fields or ()), (b"Vary", b"Accept"), (b"Cache-Control", b"no-store"), _NO_SNIFFING]
    if preferred(request.headers.get("accept", ""), ("text/plain", _HTML)) == _HTML:
        kind, text = b"text/html; charset=utf-8", error_page(status, reason, explanation)
        fields.append((b"Content-Security-Policy", CONTENT_SECURITY_POLICY.encode("ascii")))
    else:
        kind, text = b"text/plain; charset=utf-8", f"{status} {reason}: {explanation}\n"
    return _whole(request, status, kind, fields, text)


def _whole(request: Request, status: int, kind: bytes, fields: Fields, text: str) -> Response:
    content = text.encode("utf-8", "replace")
    head = [(b"Content-Type", kind), (b"Content-Length", b"%d" % len(content)), *fields]
    stream = ByteStream(b"" if request.method == "HEAD" else content)
    return Response(status, headers=Headers.from_raw(head), stream=stream)

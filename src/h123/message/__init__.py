"""The vocabulary: URL, Headers, Request, Response, bodies.

It serves clients and servers alike and does no I/O. What few programs need (codings, cookies, multipart,
names of status codes) is imported where it is used first.
"""

from .body import AsyncByteStream, ByteStream, SyncByteStream
from .headers import Headers
from .query import QueryParams
from .request import Request
from .response import Response
from .url import URL

__all__ = [
    "URL",
    "AsyncByteStream",
    "ByteStream",
    "Headers",
    "QueryParams",
    "Request",
    "Response",
    "SyncByteStream",
]

"""One HTTP stack: HTTP/1.1, HTTP/2 and HTTP/3, client and server, sync and async.

    import h123
    response = h123.get("https://example.org/")

    async with h123.AsyncClient() as client: ...

    h123.serve(handler)

What is heavy is imported when it is used first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._version import __version__

if TYPE_CHECKING:
    from .client.api import (
        delete as delete,
    )
    from .client.api import (
        get as get,
    )
    from .client.api import (
        head as head,
    )
    from .client.api import (
        options as options,
    )
    from .client.api import (
        patch as patch,
    )
    from .client.api import (
        post as post,
    )
    from .client.api import (
        put as put,
    )
    from .client.api import (
        request as request,
    )
    from .client.api import (
        stream as stream,
    )
    from .client.async_client import AsyncClient as AsyncClient
    from .client.settings import Limits as Limits
    from .client.settings import Proxy as Proxy
    from .client.settings import Timeout as Timeout
    from .client.sync_client import Client as Client
    from .message import (
        URL as URL,
    )
    from .message import (
        AsyncByteStream as AsyncByteStream,
    )
    from .message import (
        ByteStream as ByteStream,
    )
    from .message import (
        Headers as Headers,
    )
    from .message import (
        QueryParams as QueryParams,
    )
    from .message import (
        Request as Request,
    )
    from .message import (
        Response as Response,
    )
    from .message import (
        SyncByteStream as SyncByteStream,
    )
    from .message.cookies import Cookies as Cookies
    from .message.exceptions import (
        CloseError as CloseError,
    )
    from .message.exceptions import (
        ConnectError as ConnectError,
    )
    from .message.exceptions import (
        ConnectTimeout as ConnectTimeout,
    )
    from .message.exceptions import (
        CookieConflict as CookieConflict,
    )
    from .message.exceptions import (
        DecodingError as DecodingError,
    )
    from .message.exceptions import (
        HTTPError as HTTPError,
    )
    from .message.exceptions import (
        HTTPStatusError as HTTPStatusError,
    )
    from .message.exceptions import (
        InvalidURL as InvalidURL,
    )
    from .message.exceptions import (
        LocalProtocolError as LocalProtocolError,
    )
    from .message.exceptions import (
        NetworkError as NetworkError,
    )
    from .message.exceptions import (
        PoolTimeout as PoolTimeout,
    )
    from .message.exceptions import (
        ProtocolError as ProtocolError,
    )
    from .message.exceptions import (
        ProxyError as ProxyError,
    )
    from .message.exceptions import (
        ReadError as ReadError,
    )
    from .message.exceptions import (
        ReadTimeout as ReadTimeout,
    )
    from .message.exceptions import (
        RemoteProtocolError as RemoteProtocolError,
    )
    from .message.exceptions import (
        RequestError as RequestError,
    )
    from .message.exceptions import (
        RequestNotRead as RequestNotRead,
    )
    from .message.exceptions import (
        ResponseNotRead as ResponseNotRead,
    )
    from .message.exceptions import (
        StreamClosed as StreamClosed,
    )
    from .message.exceptions import (
        StreamConsumed as StreamConsumed,
    )
    from .message.exceptions import (
        StreamError as StreamError,
    )
    from .message.exceptions import (
        TimeoutException as TimeoutException,
    )
    from .message.exceptions import (
        TooManyRedirects as TooManyRedirects,
    )
    from .message.exceptions import (
        TotalTimeout as TotalTimeout,
    )
    from .message.exceptions import (
        TransportError as TransportError,
    )
    from .message.exceptions import (
        UnsupportedProtocol as UnsupportedProtocol,
    )
    from .message.exceptions import (
        WriteError as WriteError,
    )
    from .message.exceptions import (
        WriteTimeout as WriteTimeout,
    )
    from .message.status_codes import codes as codes
    from .server.files import Files as Files
    from .server.limits import ServerLimits as ServerLimits
    from .server.server import Server as Server
    from .server.server import serve as serve

    Session = Client

_PLACES = {
    "client.api": (
        "delete", "get", "head", "options", "patch", "post", "put", "request", "stream",
    ),
    "client.async_client": ("AsyncClient",),
    "client.settings": ("Limits", "Proxy", "Timeout"),
    "client.sync_client": ("Client",),
    "message": (
        "URL", "AsyncByteStream", "ByteStream", "Headers", "QueryParams", "Request", "Response",
        "SyncByteStream",
    ),
    "message.cookies": ("Cookies",),
    "message.exceptions": (
        "CloseError", "ConnectError", "ConnectTimeout", "CookieConflict", "DecodingError", "HTTPError",
        "HTTPStatusError", "InvalidURL", "LocalProtocolError", "NetworkError", "PoolTimeout",
        "ProtocolError", "ProxyError", "ReadError", "ReadTimeout", "RemoteProtocolError", "RequestError",
        "RequestNotRead", "ResponseNotRead", "StreamClosed", "StreamConsumed", "StreamError",
        "TimeoutException", "TooManyRedirects", "TotalTimeout", "TransportError", "UnsupportedProtocol",
        "WriteError", "WriteTimeout",
    ),
    "message.status_codes": ("codes",),
    "server.files": ("Files",),
    "server.limits": ("ServerLimits",),
    "server.server": ("Server", "serve"),
}  # fmt: skip
_PLACE_OF = {name: place for place, names in _PLACES.items() for name in names}

__all__ = ["Session", "__version__", *_PLACE_OF]


def __getattr__(name: str) -> object:
    from importlib import import_module

    if name == "Session":
        value = import_module(".client.sync_client", __name__).Client
    elif name in _PLACE_OF:
        value = getattr(import_module(f".{_PLACE_OF[name]}", __name__), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__

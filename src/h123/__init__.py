"""One HTTP stack: HTTP/1.1, HTTP/2 and HTTP/3, client and server, sync and async."""

from ._version import __version__ as __version__

"""Which media type a file's name stands for. RFC 9110 section 8.3.

The machine's own tables differ and often are wrong about what the web needs most, so those come first.
"""

from __future__ import annotations

from functools import lru_cache

BINARY = "application/octet-stream"

_TYPES = {
    "7z": "application/x-7z-compressed",
    "apng": "image/apng",
    "atom": "application/atom+xml",
    "avif": "image/avif",
    "bmp": "image/bmp",
    "br": BINARY,
    "bz2": "application/x-bzip2",
    "c": "text/plain",
    "cfg": "text/plain",
    "conf": "text/plain",
    "css": "text/css",
    "csv": "text/csv",
    "epub": "application/epub+zip",
    "flac": "audio/flac",
    "geojson": "application/geo+json",
    "gif": "image/gif",
    "gz": "application/gzip",
    "h": "text/plain",
    "heic": "image/heic",
    "htm": "text/html",
    "html": "text/html",
    "ico": "image/x-icon",
    "ics": "text/calendar",
    "ini": "text/plain",
    "jpeg": "image/jpeg",
    "jpg": "image/jpeg",
    "js": "text/javascript",
    "json": "application/json",
    "jsonld": "application/ld+json",
    "jxl": "image/jxl",
    "log": "text/plain",
    "m3u8": "application/vnd.apple.mpegurl",
    "m4a": "audio/mp4",
    "map": "application/json",
    "markdown": "text/markdown",
    "md": "text/markdown",
    "mjs": "text/javascript",
    "mkv": "video/x-matroska",
    "mov": "video/quicktime",
    "mp3": "audio/mpeg",
    "mp4": "video/mp4",
    "mpd": "application/dash+xml",
    "oga": "audio/ogg",
    "ogg": "audio/ogg",
    "ogv": "video/ogg",
    "opus": "audio/ogg",
    "otf": "font/otf",
    "pdf": "application/pdf",
    "png": "image/png",
    "py": "text/x-python",
    "rs": "text/plain",
    "rss": "application/rss+xml",
    "rst": "text/plain",
    "sh": "text/x-shellscript",
    "sql": "text/plain",
    "svg": "image/svg+xml",
    "tar": "application/x-tar",
    "tgz": "application/gzip",
    "tif": "image/tiff",
    "tiff": "image/tiff",
    "toml": "application/toml",
    "ts": "text/plain",  # TypeScript more often than a transport stream, and never to be run
    "tsv": "text/tab-separated-values",
    "ttf": "font/ttf",
    "txt": "text/plain",
    "vtt": "text/vtt",
    "wasm": "application/wasm",
    "wav": "audio/wav",
    "weba": "audio/webm",
    "webm": "video/webm",
    "webmanifest": "application/manifest+json",
    "webp": "image/webp",
    "whl": "application/zip",
    "woff": "font/woff",
    "woff2": "font/woff2",
    "xhtml": "application/xhtml+xml",
    "xml": "application/xml",
    "xz": "application/x-xz",
    "yaml": "application/yaml",
    "yml": "application/yaml",
    "zip": "application/zip",
    "zst": "application/zstd",
}

_WHOLE_NAMES = {"license": "text/plain", "makefile": "text/plain", "readme": "text/plain"}


@lru_cache(4096)
def media_type(name: str) -> str:
    """Return the media type for a file's name, without parameters; unknown names are bytes.

    A compressed file is sent as what it is: nobody who downloads `site.tar.gz` wants it unpacked on the
    way, so a name never stands for a Content-Encoding.
    """
    stem, dot, suffix = name.lower().rpartition(".")
    if not dot:
        return _WHOLE_NAMES.get(suffix, BINARY)
    known = _TYPES.get(suffix)
    if known is not None:
        return known
    from mimetypes import guess_type  # reads the machine's tables: not before a name needs it

    guess, encoding = guess_type(f"{'x' if stem else ''}.{suffix}", strict=False)
    return guess if guess and not encoding else BINARY


def content_type(name: str) -> str:
    """Return the Content-Type value for a file's name: text is UTF-8, as everything is."""
    kind = media_type(name)
    return f"{kind}; charset=utf-8" if kind.startswith("text/") else kind

"""Media types by name: RFC 9110 section 8.3, RFC 9239 (JavaScript)."""

from __future__ import annotations

import pytest

from h123.server.files.media_types import content_type


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("index.html", "text/html; charset=utf-8"),
        ("INDEX.HTML", "text/html; charset=utf-8"),
        ("site.css", "text/css; charset=utf-8"),
        ("app.js", "text/javascript; charset=utf-8"),
        ("app.mjs", "text/javascript; charset=utf-8"),
        ("app.js.map", "application/json"),
        ("data.json", "application/json"),
        ("notes.md", "text/markdown; charset=utf-8"),
        ("app.wasm", "application/wasm"),
        ("font.woff2", "font/woff2"),
        ("mark.svg", "image/svg+xml"),
        ("a.avif", "image/avif"),
        ("a.webp", "image/webp"),
        ("site.webmanifest", "application/manifest+json"),
        ("readme.TXT", "text/plain; charset=utf-8"),
        ("LICENSE", "text/plain; charset=utf-8"),
        ("feed.xml", "application/xml"),
        ("site.tar.gz", "application/gzip"),
        ("page.html.gz", "application/gzip"),
        ("page.html.br", "application/octet-stream"),
        ("page.svgz", "application/octet-stream"),
        ("clip.avi", "video/x-msvideo"),
        ("core", "application/octet-stream"),
        ("a.unknown-to-all", "application/octet-stream"),
        ("trailing.", "application/octet-stream"),
        ("latin-\udcff.txt", "text/plain; charset=utf-8"),
        ("x.\udcff", "application/octet-stream"),
        ("data:text", "application/octet-stream"),
    ],
)
def test_type_by_name(name: str, expected: str) -> None:
    assert content_type(name) == expected

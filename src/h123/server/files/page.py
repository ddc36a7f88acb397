"""The shell of the pages that the server makes itself: one style, light and dark, no script, nothing external."""

from __future__ import annotations

import base64
import hashlib
from html import escape

_ICON = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'"
    " fill='none' stroke='%23000' stroke-width='1.3' stroke-linejoin='round' stroke-linecap='round'%3E"
    "%3Cpath d='{}'/%3E%3C/svg%3E"
)
_SHEET = "M4 1.7h5.2L12.5 5v9.3H4zM9 1.9V5.2h3.3"
_ICONS = {
    "folder": "M1.7 12.8V3.2h4.2l1.5 1.9h6.9v7.7z",
    "file": _SHEET,
    "text": f"{_SHEET}M6 8h4.5M6 10h4.5M6 12h3",
    "image": "M1.7 2.7h12.6v10.6H1.7zM2 12l3.7-4 2.6 2.6 2.2-2 3.6 3.4M10.6 5.6h.1",
    "media": "M1.7 2.7h12.6v10.6H1.7zM6.5 5.6v4.8L10.5 8z",
    "archive": f"{_SHEET}M7 2v1.2M7 5v1.2M7 8v1.2M7 11v1.2",
    "up": "M8 13.5V3M3.8 7.2 8 3l4.2 4.2",
}

STYLE = (
    """
:root{color-scheme:light dark;--ink:#1d2530;--soft:#667085;--line:#e4e7ec;--page:#f7f8fa;--card:#fff;
--link:#1f5fbf;--hover:#f0f5fd;--folder:#c98a1b}
@media (prefers-color-scheme:dark){:root{--ink:#e6e9ee;--soft:#939cab;--line:#2a303a;--page:#12151a;
--card:#191d24;--link:#8ab8ff;--hover:#202733;--folder:#e0b054}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:16px/1.5 system-ui,sans-serif;
-webkit-text-size-adjust:100%}
main{max-width:60rem;margin:0 auto;padding:clamp(1rem,5vw,3.5rem) clamp(.75rem,4vw,2rem)}
h1{margin:0;font-size:clamp(1.25rem,4vw,1.75rem);font-weight:600;line-height:1.3;overflow-wrap:anywhere}
h1 a{color:var(--link)}h1 i{font-style:normal;font-weight:400;color:var(--soft);padding:0 .25em}
p{margin:.4rem 0 1.4rem;color:var(--soft)}
a{color:inherit;text-decoration:none}a:hover{text-decoration:underline}
a:focus-visible{outline:2px solid var(--link);outline-offset:2px;border-radius:3px}
table{width:100%;border-collapse:separate;border-spacing:0;background:var(--card);
border:1px solid var(--line);border-radius:10px;overflow:hidden;font-variant-numeric:tabular-nums}
th,td{padding:.5rem .9rem;text-align:left;border-bottom:1px solid var(--line);white-space:nowrap;
vertical-align:top}
tr:last-child td{border-bottom:0}
th{font-size:.8125rem;font-weight:500;color:var(--soft)}th a{display:block}
th[aria-sort] a{color:var(--ink)}
th[aria-sort=ascending] a::after{content:" \\2191"}th[aria-sort=descending] a::after{content:" \\2193"}
td:first-child{width:100%;white-space:normal;overflow-wrap:anywhere}
td+td{color:var(--soft);font-size:.875rem;line-height:1.7}th:nth-child(2),td:nth-child(2){text-align:right}
tbody tr:hover td{background:var(--hover)}
td a{display:block;position:relative;padding-left:1.9rem}
td a::before{content:"";position:absolute;left:0;top:.15em;width:1.2em;height:1.2em;background:var(--soft);
-webkit-mask:var(--icon) center/contain no-repeat;mask:var(--icon) center/contain no-repeat}
td a.folder::before{background:var(--folder)}
td.none{padding:2.5rem 1rem;text-align:center}
@media (max-width:38rem){th:nth-child(3),td:nth-child(3){display:none}th,td{padding:.6rem .7rem}}
main.error{display:flex;flex-direction:column;justify-content:center;min-height:100vh;
padding-block:1rem;max-width:34rem}
main.error b{font-size:clamp(3.5rem,16vw,6rem);font-weight:200;line-height:1;color:var(--link);
letter-spacing:-.03em}
main.error p{margin-bottom:0}
""".replace("\n", "")
    + "".join(f'a.{name}{{--icon:url("{_ICON.format(path)}")}}' for name, path in _ICONS.items())
)

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    f"style-src 'sha256-{base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()}'"
)
"""Nothing runs and nothing is loaded, but for this style and the icons in it."""


def page_head(title: str) -> str:
    """Return a page up to where its body begins."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n"
    )


def error_page(status: int, reason: str, explanation: str) -> str:
    """Return a small page that says what went wrong."""
    return (
        f"{page_head(f'{status} {reason}')}"
        f'<main class="error"><b>{status}</b><h1>{escape(reason)}</h1><p>{escape(explanation)}</p></main>\n'
    )

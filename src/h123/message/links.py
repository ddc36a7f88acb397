"""The Link field (RFC 8288 section 3)."""

from __future__ import annotations

from .text import split_quoted, unquote


def parse_links(value: str) -> list[dict[str, str]]:
    """Return the links of a Link field: the target as `url`, and its parameters by lower-case name."""
    links = []
    for text in _split_links(value):
        target, closed, rest = text.partition(">")
        link = {"url": target.strip(" \t<'\"") if closed else text.partition(";")[0].strip(" '\"")}
        for part in list(split_quoted(rest if closed else text, ";"))[1:]:
            name, equals, text_value = part.partition("=")
            if equals and name.strip():
                link.setdefault(name.strip().lower(), unquote(text_value.strip()).strip("'"))
        links.append(link)
    return links


def _split_links(value: str) -> list[str]:
    """Split at the commas between links; a target may have commas in it, as may a quoted string."""
    links = []
    start = 0
    quoted = bracketed = False
    for place, char in enumerate(value):
        if char == '"' and not bracketed:
            quoted = not quoted
        elif not quoted and char in "<>":
            bracketed = char == "<"
        elif char == "," and not quoted and not bracketed:
            links.append(value[start:place])
            start = place + 1
    links.append(value[start:])
    return [link.strip() for link in links if link.strip()]

"""-w: a format with variables, `%{http_code}`, written when a transfer is over."""

from __future__ import annotations

import re
from json import dumps
from typing import Any

_PARTS = re.compile(r"%\{([^{}]*)\}|%header\{([^{}]*)\}|%%|\\(.)", re.DOTALL)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}


class Report:
    """What a transfer tells about itself, under curl's names.

    values: the variables, by name. Text and whole numbers stand as they are; seconds are floats.
    headers: the last response's fields, in lower case, all values of a name in a list.
    """

    __slots__ = ("values", "headers")

    def __init__(self, values: dict[str, Any], headers: dict[str, list[str]]) -> None:
        self.values = values
        self.headers = headers


def write_out(form: str, report: Report) -> str:
    """Return the format with its variables filled in. What is no variable is left out, as curl does."""

    def fill(match: re.Match[str]) -> str:
        name, header, escaped = match.groups()
        if name is not None:
            return _value(name, report)
        if header is not None:
            return ", ".join(report.headers.get(header.lower(), ())[:1])
        if escaped is not None:
            return _ESCAPES.get(escaped, f"\\{escaped}")
        return "%"

    return _PARTS.sub(fill, form)


def _value(name: str, report: Report) -> str:
    if name == "json":
        return dumps({key: _plain(value) for key, value in report.values.items()})
    if name == "header_json":
        return dumps(report.headers)
    value = report.values.get(name)
    if value is None:
        return ""
    if name in ("http_code", "response_code"):
        return f"{value:03d}"
    return f"{value:.6f}" if isinstance(value, float) else str(value)


def _plain(value: Any) -> Any:
    return round(value, 6) if isinstance(value, float) else value

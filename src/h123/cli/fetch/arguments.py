"""The small languages of curl's options: header lines, addresses to use instead, certificates."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

import click

from ...message.headers import Headers
from .exit_codes import ExitCode, FetchError

Place = tuple[str, int]
"""A host and a port."""


def read_whole(path: str) -> bytes:
    """Return what is in a file, `-` for standard input. Raises `FetchError`."""
    import sys

    try:
        if path == "-":
            return sys.stdin.buffer.read()
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise cannot_read(path, error) from error


def cannot_read(path: str, error: OSError) -> FetchError:
    """Return what to raise for a file that can not be read."""
    return FetchError(ExitCode.READ_FAILED, f"cannot read {path}: {error.strerror or error}")


class HeaderChanges:
    """What -H asks for: fields to send, and fields not to send.

    `Name: value` sends a field, `Name;` one with an empty value, `Name:` takes one out that would be sent,
    `@file` reads such lines.
    """

    __slots__ = ("added", "removed")

    def __init__(self, lines: tuple[str, ...]) -> None:
        """Read the lines. Raises `click.BadParameter` for what is no header, `FetchError` for a missing file."""
        self.added: list[tuple[str, str]] = []
        self.removed: list[str] = []
        for line in _expanded(lines):
            self._take(line)
        try:
            Headers(self.added)
        except ValueError as error:
            raise click.BadParameter(str(error), param_hint="-H") from error

    def _take(self, line: str) -> None:
        name, colon, value = line.partition(":")
        if colon and value.strip():
            self.added.append((name.strip(), value.strip()))
        elif colon:
            self.removed.append(name.strip())
        elif name.endswith(";"):
            self.added.append((name[:-1].strip(), ""))
        else:
            raise click.BadParameter(f"{line!r} is no `Name: value`", param_hint="-H")

    def apply_to(self, headers: Headers) -> None:
        """Change the fields of a request. Several of one name stay several."""
        for name in self.removed:
            headers.pop(name, None)
        for name in {name for name, _ in self.added}:
            headers.pop(name, None)
        for name, value in self.added:
            headers.add(name, value)


def _expanded(lines: tuple[str, ...]) -> Iterator[str]:
    for line in lines:
        if not line.startswith("@"):
            yield line
            continue
        for text in read_whole(line[1:]).decode("utf-8", "surrogateescape").splitlines():
            if text.strip():
                yield text


class Detours(Mapping[Place, Place]):
    """Where to connect instead, as --connect-to and --resolve say; empty parts fit everything."""

    __slots__ = ("_connect_to", "_resolve")

    def __init__(self, connect_to: tuple[str, ...], resolve: tuple[str, ...]) -> None:
        """Read `HOST1:PORT1:HOST2:PORT2` and `HOST:PORT:ADDRESS`. Raises `click.BadParameter`."""
        self._connect_to = [_four(text) for text in connect_to]
        self._resolve = dict(_resolution(text) for text in resolve)

    def __getitem__(self, place: Place) -> Place:
        found = place
        for host, port, other_host, other_port in self._connect_to:
            if host in ("", place[0]) and port in (0, place[1]):
                found = (other_host or place[0], other_port or place[1])
                break
        address = self._resolve.get(found) or self._resolve.get(("*", found[1]))
        if address is not None:
            found = (address, found[1])
        if found == place:
            raise KeyError(place)
        return found

    def __iter__(self) -> Iterator[Place]:
        """Give the places that are named in full."""
        yield from self._resolve
        yield from ((host, port) for host, port, _, _ in self._connect_to if host and port)

    def __len__(self) -> int:
        return len(self._resolve) + len(self._connect_to)


def _pieces(text: str) -> list[str]:
    """Return what stands between colons, those in brackets left alone."""
    pieces, start, depth = [], 0, 0
    for place, character in enumerate(text):
        depth += (character == "[") - (character == "]")
        if character == ":" and not depth:
            pieces.append(text[start:place])
            start = place + 1
    return [*pieces, text[start:]]


def _four(text: str) -> tuple[str, int, str, int]:
    pieces = _pieces(text)
    if len(pieces) != 4:
        raise click.BadParameter(
            f"{text!r} is no HOST1:PORT1:HOST2:PORT2", param_hint="--connect-to"
        )
    host, port, other_host, other_port = pieces
    return (
        host.strip("[]").lower(),
        _port(port, text, "--connect-to") if port else 0,
        other_host.strip("[]"),
        _port(other_port, text, "--connect-to") if other_port else 0,
    )


def _resolution(text: str) -> tuple[Place, str]:
    host, port, addresses = [*text.lstrip("+").split(":", 2), "", ""][:3]
    address = addresses.split(",")[0]  # the client connects to one place: the first that is given
    if not host or not address:
        raise click.BadParameter(f"{text!r} is no HOST:PORT:ADDRESS", param_hint="--resolve")
    return (host.lower(), _port(port, text, "--resolve")), address.strip("[]")


def _port(digits: str, text: str, option: str) -> int:
    if not (digits.isascii() and digits.isdigit() and 0 < int(digits) < 65536):
        raise click.BadParameter(f"{digits!r} in {text!r} is no port", param_hint=option)
    return int(digits)


def client_certificate(cert: str | None, key: str | None) -> tuple[str, ...] | str | None:
    """Return a client's `cert` for --cert FILE[:PASSWORD] and --key."""
    if cert is None:
        if key is not None:
            raise click.UsageError("--key needs the --cert that it belongs to")
        return None
    path, password = cert, ""
    if not os.path.exists(cert):
        before, colon, after = cert.rpartition(":")
        if colon:
            path, password = before, after
    if password:
        return path, key or path, password
    return path if key is None else (path, key)


def file_name_of(path: str) -> str:
    """Return the name that -O gives the content of a URL with this path. Raises `FetchError` for none."""
    name = path.rpartition("/")[2]
    if not name:
        raise FetchError(ExitCode.WRITE_FAILED, "the URL names no file for -O: give a name with -o")
    return name

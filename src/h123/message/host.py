"""A URL's host: names, internationalized names, IPv4 and IPv6 addresses.

RFC 3986 section 3.2.2, WHATWG URL standard section 3.5, RFC 6874 for zones.

What a browser takes for an address is one here too: `127.1` and `0x7f000001` are 127.0.0.1, so that a
filter which looks at `url.host` sees the address that will be connected to.
"""

from __future__ import annotations

from . import percent
from .exceptions import InvalidURL

# WHATWG's forbidden domain code points, and what only a bracketed address may have.
_FORBIDDEN = bytes(range(0x21)) + b"#%/:<>?@[\\]^|\x7f"
_ORDINARY = b"abcdefghijklmnopqrstuvwxyz0123456789-._"
_DIGITS = frozenset("0123456789")


def normalize_host(host: str, special: bool) -> str:
    """Return a host as it is used and compared: lower case, ASCII, an address without its brackets.

    `special` hosts are those of http and its like, which browsers treat alike; others only lose what can
    not be in a host at all. Raises `InvalidURL`.
    """
    lowered = host.lower()
    if host[:1] == "[":
        return _ipv6(lowered)
    if lowered.isascii():
        octets = lowered.encode("ascii")
        if not octets.translate(None, _ORDINARY):
            return _ipv4_or_name(lowered) if special else lowered
    if special and "%" in lowered:
        lowered = percent.decode(lowered).lower()
    if not lowered.isascii():
        lowered = _to_ascii(lowered, host)
    _refuse_forbidden(lowered, host, b"" if special else b"%")
    return _ipv4_or_name(lowered) if special else lowered


def decode_host(host: str) -> str:
    """Return a normalized host as people read it: punycode labels decoded, where they can be."""
    if "xn--" not in host:
        return host
    import idna

    try:
        return idna.decode(host)
    except idna.IDNAError:
        return host


def _refuse_forbidden(lowered: str, host: str, allowed: bytes) -> None:
    octets = lowered.encode("ascii")
    if octets.translate(None, _FORBIDDEN.translate(None, allowed)) != octets:
        bad = next(char for char in lowered if ord(char) in _FORBIDDEN.translate(None, allowed))
        raise InvalidURL(f"Invalid host {host!r}: {bad!r} can not be in a host name")


def _to_ascii(lowered: str, host: str) -> str:
    import idna

    try:
        return idna.encode(lowered).decode("ascii")
    except (idna.IDNAError, ValueError):
        pass
    try:
        # UTS 46 maps what people type (full-width forms, other dots) to what IDNA 2008 allows.
        return idna.encode(lowered, uts46=True).decode("ascii")
    except (idna.IDNAError, ValueError) as error:
        raise InvalidURL(f"Invalid IDNA hostname: {host!r} ({error})") from None


def _ipv4_or_name(host: str) -> str:
    """Return an address in four decimals if the last label is a number, else the name as it is."""
    last = host.rstrip(".").rpartition(".")[2] if host[-1:] == "." else host.rpartition(".")[2]
    if last[:1] not in _DIGITS or not (last.isdigit() or _is_hexadecimal(last)):
        return host
    labels = (host[:-1] if host[-1:] == "." else host).split(".")
    try:
        if len(labels) > 4:
            raise ValueError
        numbers = [_ipv4_number(label) for label in labels]
        *first, tail = numbers
        if any(number > 255 for number in first) or tail >= 256 ** (5 - len(numbers)):
            raise ValueError
    except ValueError:
        raise InvalidURL(f"Invalid IPv4 address: {host!r}") from None
    address = tail + sum(number << (24 - 8 * place) for place, number in enumerate(first))
    return ".".join(str(address >> shift & 255) for shift in (24, 16, 8, 0))


def _is_hexadecimal(label: str) -> bool:
    return label[:2] == "0x" and all(char in "0123456789abcdef" for char in label[2:])


def _ipv4_number(label: str) -> int:
    """Return the number of a label: hexadecimal after 0x, octal after 0, else decimal."""
    if len(label) > 64 or not label.isalnum():  # int() would take blanks, signs and underscores
        raise ValueError
    if label[:2] == "0x":
        return int(label[2:] or "0", 16)
    return int(label, 8 if label[0] == "0" else 10)


def _ipv6(host: str) -> str:
    """Return the address in brackets, checked, with its zone (RFC 6874) if it has one."""
    if host[-1:] != "]":
        raise InvalidURL(f"Invalid IPv6 address: {host!r} (no closing bracket)")
    address, percent_sign, zone = host[1:-1].partition("%")
    if percent_sign:
        # RFC 6874 writes the sign as %25; people write it as it is.
        if zone[:2] == "25" and len(zone) > 2:
            zone = zone[2:]
        if not zone or zone.encode("utf-8").translate(None, percent.FORM_SAFE):
            raise InvalidURL(f"Invalid IPv6 address: {host!r} (the zone is none)")
    if not _is_ipv6(address):
        raise InvalidURL(f"Invalid IPv6 address: {host!r}")
    return f"{address}%{zone}" if percent_sign else address


def _is_ipv6(address: str) -> bool:
    """Tell whether this is an IPv6 address in one of RFC 4291's forms (section 2.2)."""
    head, compressed, tail = address.partition("::")
    if compressed and ("::" in tail or tail[:1] == ":"):
        return False
    groups = (head.split(":") if head else []) + (tail.split(":") if tail else [])
    count = len(groups)
    if groups and "." in groups[-1] and (tail or not compressed):
        parts = groups.pop().split(".")
        if len(parts) != 4 or not all(_is_octet(part) for part in parts):
            return False
        count += 1
    for group in groups:
        if not 1 <= len(group) <= 4 or not all(char in "0123456789abcdef" for char in group):
            return False
    return count <= 7 if compressed else count == 8


def _is_octet(part: str) -> bool:
    return (
        part.isascii()
        and part.isdigit()
        and len(part) <= 3
        and int(part) <= 255
        and (part[0] != "0" or part == "0")
    )

"""What -v and -i show of an exchange, as curl shows it."""

from __future__ import annotations

from typing import Any

from ...message import Request, Response

_NEVER_SENT = frozenset({b"connection", b"host", b"keep-alive", b"transfer-encoding", b"upgrade"})
"""Fields of HTTP/1.1 alone (RFC 9113 section 8.2.2)."""


def version_of(response: Response) -> str:
    """Return the version that was spoken, as status lines have it: `HTTP/1.1`, `HTTP/2`."""
    version: bytes = response.extensions.get("http_version", response.http_version.encode())
    return version.decode("ascii")


def head_of(response: Response) -> bytes:
    """Return a response's head in HTTP/1.1's form, whatever its version: what -i shows."""
    version = version_of(response)
    # HTTP/2 and HTTP/3 have no reason phrase.
    reason = response.reason_phrase if version.startswith("HTTP/1") else ""
    lines = [f"{version} {response.status_code} {reason}".encode("latin-1", "replace")]
    lines += [b"%b: %b" % field for field in response.headers.raw]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def heads_of(response: Response) -> bytes:
    """Return a response's head, and before it those of the 1xx responses that came first."""
    for one in response.informational:
        one.extensions = {"http_version": version_of(response).encode("ascii")}
    return b"".join(head_of(one) for one in (*response.informational, response))


def exchange_of(response: Response, *, is_new: bool) -> str:
    """Return how the request went out and what came back, line by line: what -v shows.

    `is_new` tells that its connection was made for it.
    """
    request = response.request
    version = version_of(response)
    lines = [f"* {_text(line.encode())}" for line in _connection_of(response, version, is_new)]
    target = request.target.decode("ascii", "backslashreplace")
    sent = "HTTP/1.1" if version == "HTTP/1.0" else version
    lines.append(f"> {request.method} {target} {sent}")
    lines += [f"> {_text(name)}: {_text(value)}" for name, value in _sent_fields(request, version)]
    lines.append(">")
    for line in heads_of(response).split(b"\r\n")[:-1]:
        lines.append(f"< {_text(line)}".rstrip())
    return "\n".join(lines) + "\n"


def _text(octets: bytes) -> str:
    """Return what a peer sent as text that can do nothing to a terminal."""
    text = octets.decode("utf-8", "backslashreplace")
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\t" else ascii(c)[1:-1] for c in text)


def _sent_fields(request: Request, version: str) -> list[tuple[bytes, bytes]]:
    fields = request.headers.raw
    if version.startswith("HTTP/1"):
        if "host" not in request.headers:
            fields = [(b"Host", request.url.netloc), *fields]
        return fields
    host = next((value for name, value in fields if name.lower() == b"host"), request.url.netloc)
    pseudo = [
        (b":method", request.method.encode("ascii")),
        (b":scheme", request.url.raw_scheme),
        (b":authority", host),
        (b":path", request.target),
    ]
    return pseudo + [
        (name.lower(), value) for name, value in fields if name.lower() not in _NEVER_SENT
    ]


def _connection_of(response: Response, version: str, is_new: bool) -> list[str]:
    """Return what is known of the connection: where to, TLS, the certificate."""
    host = response.request.url.host
    connection: Any = response.extensions["connection"]
    place = f"{host} ({connection.addresses[1]})"
    if not is_new:
        return [f"used the connection to {place} again ({version})"]
    lines = [f"connected to {place} ({version})"]
    if connection.tls is not None:
        lines.append(f"{connection.tls.version()}, {connection.tls.cipher()[0]}")
    certificate = connection.peer_certificate
    if certificate is not None:
        lines += _certificate_lines(certificate)
    return lines


def _certificate_lines(der: bytes) -> list[str]:
    """Return whose certificate it is and for how long, verified or not."""
    from cryptography import x509

    try:
        certificate = x509.load_der_x509_certificate(der)
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        shown = ", ".join(str(name.value) for name in names)
    except (ValueError, x509.ExtensionNotFound):
        return ["certificate: one that can not be read, or names nobody"]
    return [
        f"certificate: {certificate.subject.rfc4514_string()}, for {shown}",
        f"  issued by {certificate.issuer.rfc4514_string()}",
        f"  valid until {certificate.not_valid_after_utc:%Y-%m-%d %H:%M} UTC",
    ]

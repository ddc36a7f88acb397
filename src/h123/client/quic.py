"""Connecting over QUIC, imported when HTTP/3 is spoken first."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

from ..channel.wire import DatagramWire
from ..network.backend import format_address
from ..network.udp import open_udp
from ..protocol.connection import Role
from ..protocol.http3.connection import HTTP3Connection
from ..protocol.quic.aioquic import AioQUICEndpoint
from ..protocol.quic.connection import QUICConfiguration
from .connect import ClientChannel

if TYPE_CHECKING:
    from ..message.exceptions import HTTPError
    from .connect import Connector, Route, TLSSettings
    from .settings import Limits


async def connect_quic(
    connector: Connector, route: Route, host: str, port: int, deadline: float | None
) -> ClientChannel:
    """Return a channel over the first of the host's addresses that answers.

    Raises `OSError`, with `TimeoutError` when nobody answered at any of them.
    """
    backend = connector.backend

    def left() -> float | None:
        return None if deadline is None else max(deadline - backend.now(), 0.0)

    configuration = _configuration(connector.tls, connector.limits, route.host, left())
    addresses = await backend.resolve(host, port, left(), kind=socket.SOCK_DGRAM)
    failure: OSError | None = None
    for position, address in enumerate(addresses):
        try:
            udp = await open_udp(backend, host, port, left(), addresses=[address])
        except OSError as error:  # no way there from here
            failure = error
            continue
        try:
            transport = AioQUICEndpoint(configuration).connect(udp.peer, backend.now())
            engine = HTTP3Connection(Role.CLIENT, transport, limits=connector.limits)
            channel = ClientChannel(engine, DatagramWire(engine, udp, backend.now), backend, route)
            channel.addresses = (format_address(udp.local_address), format_address(udp.peer))
            channel.start()
        except BaseException:
            udp.close()
            raise
        try:
            time = left()
            share = None if time is None else backend.now() + time / (len(addresses) - position)
            is_ready = await channel.wait_ready(share)
        except BaseException:
            channel.close()
            raise
        if is_ready and channel.error is None:
            return channel
        if not is_ready:
            channel.close()
            failure = TimeoutError(f"no answer over QUIC from {address} (UDP)")
        else:
            assert channel.error is not None
            failure = _failure(channel.error)
            if not isinstance(channel.error.__cause__, OSError):
                raise failure  # somebody answered: another address would say the same
    raise failure or ConnectionError(f"{host} has no address")


def _failure(error: HTTPError) -> OSError:
    """Return what to raise for a handshake that failed: the class that TLS over TCP would have."""
    cause = error.__cause__
    if isinstance(cause, OSError):
        return cause
    rule = getattr(cause, "rule", "")
    if rule == "certificate":
        from ssl import SSLCertVerificationError

        return SSLCertVerificationError(1, str(cause))
    if rule == "handshake-timeout":
        return TimeoutError("no answer over QUIC (UDP) in time")
    if rule == "tls-alert":
        from ssl import SSLError

        return SSLError(1, str(cause))
    return ConnectionError(str(cause or error))


def _configuration(
    tls: TLSSettings, limits: Limits, server_name: str, handshake_timeout: float | None
) -> QUICConfiguration:
    """Return what QUIC is to verify and show. Raises `OSError` or `ValueError` for files that are unfit."""
    values: dict[str, object] = {"server_name": server_name, "limits": limits}
    if handshake_timeout is not None:
        values["handshake_timeout"] = handshake_timeout
    values.update(_verification(tls.verify))
    if tls.cert is not None:
        values.update(_own_certificate(tls.cert))
    keylog = os.environ.get("SSLKEYLOGFILE")
    if keylog:
        values["keylog"] = _KeyLog(keylog)
    return QUICConfiguration(**values)  # type: ignore[arg-type]  # by name, from three places


def _verification(verify: object) -> dict[str, object]:
    if verify is False:
        return {"verify": False}
    if verify is True:
        from ..network.tls import default_ca_file

        return {"ca_file": os.environ.get("SSL_CERT_FILE") or default_ca_file()}
    if isinstance(verify, (str, os.PathLike)):
        path = os.fspath(verify)
        if not os.path.exists(path):
            raise FileNotFoundError(f"no such file or folder of CA certificates: {path}")
        return {"ca_directory" if os.path.isdir(path) else "ca_file": path}
    # An ssl.SSLContext can not be given to QUIC, but the authorities that it trusts can.
    from ssl import CERT_NONE, DER_cert_to_PEM_cert, SSLContext

    if not isinstance(verify, SSLContext):
        raise TypeError(f"verify is True, False, a path or an ssl.SSLContext, not {verify!r}")
    if verify.verify_mode == CERT_NONE:
        return {"verify": False}
    trusted = "".join(map(DER_cert_to_PEM_cert, verify.get_ca_certs(binary_form=True)))
    return {"ca_data": trusted.encode("ascii")} if trusted else _verification(True)


def _own_certificate(cert: object) -> dict[str, object]:
    chain, key, password = (
        (*cert, None, None)[:3] if isinstance(cert, (tuple, list)) else (cert, None, None)
    )
    with open(chain, "rb") as file:
        chain_pem = file.read()
    key_pem = chain_pem
    if key is not None:
        with open(key, "rb") as file:
            key_pem = file.read()
    if isinstance(password, str):
        password = password.encode()
    return {
        "certificate_chain": chain_pem,
        "private_key": key_pem,
        "private_key_password": password,
    }


class _KeyLog:
    """Appends to the file that SSLKEYLOGFILE names, as OpenSSL does."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __call__(self, line: str) -> None:
        with open(self.path, "a", encoding="ascii") as file:
            file.write(line if line.endswith("\n") else line + "\n")

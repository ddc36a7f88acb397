"""TLS contexts: built once per configuration and shared, since each holds a parsed store of authorities.

RFC 8446 (TLS 1.3), RFC 7301 (ALPN), RFC 9113 section 9.2 (TLS 1.2 or newer, its good ciphers only).

On Linux the operating system's store is files, and they are loaded once into a plain context. Elsewhere it
is an interface that truststore speaks. `SSL_CERT_FILE` and `SSL_CERT_DIR` take the store's place, and
`SSLKEYLOGFILE` names a file that gets the secrets of all connections, for Wireshark.
"""

from __future__ import annotations

import os
import re
import ssl
import sys
import threading
from typing import TYPE_CHECKING, TypeAlias

from .errors import explained, reason

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

Path: TypeAlias = "str | os.PathLike[str]"
ClientCertificate: TypeAlias = "Path | tuple[Path, Path] | tuple[Path, Path, str] | None"
"""A file with the chain and the key; or one for each; or those and the key's password."""

_SERVER_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""For TLS 1.2, what HTTP/2 allows (RFC 9113 section 9.2.2). TLS 1.3 has only good ones."""

_AUTHORITY_FILES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Arch
    "/etc/ssl/cert.pem",  # Alpine, the BSDs, macOS
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  # Fedora, RHEL
    "/etc/pki/tls/certs/ca-bundle.crt",  # the same, older
    "/etc/ssl/ca-bundle.pem",  # SUSE
)
_HASHED_NAME = re.compile(r"[0-9a-f]{8}\.[0-9]+")
"""How OpenSSL names the files in a folder of authorities, by hashes of their subjects."""

_KEY_MISMATCHES = frozenset({"KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH", "NO_CERTIFICATE_ASSIGNED"})
"""The last is OpenSSL's word for a key of another algorithm."""

_CACHE_SIZE = 64
_cache: dict[Hashable, ssl.SSLContext] = {}
_cache_lock = threading.Lock()


def client_context(
    verify: bool | Path | ssl.SSLContext = True,
    cert: ClientCertificate = None,
    alpn: tuple[str, ...] = (),
) -> ssl.SSLContext:
    """Return the shared context for a client's connections.

    `verify` is True for the operating system's store of authorities, a file or folder of them, or False to
    trust anybody. A context of the caller's own is returned as it is, but for `alpn`, which is set on it.

    Raises `OSError` for files that can not be read and `ValueError` for those that hold something else.
    """
    if not isinstance(verify, (bool, str, os.PathLike)):
        if cert is not None:
            raise ValueError("load the client certificate into the context that is given as verify")
        if alpn:
            verify.set_alpn_protocols(list(alpn))
        return verify
    files = (cert,) if isinstance(cert, (str, os.PathLike)) else cert or ()
    chain, key, password = (*files, None, None, None)[:3]
    if isinstance(verify, bool):
        trusted: Hashable = (verify, *_store_state()) if verify else False
    else:
        trusted = _state(verify)
    identity = ("client", trusted, _state(chain), _state(key), password, alpn, _keylog())

    def build() -> ssl.SSLContext:
        context = _trusting(verify)
        _set_up(context, alpn)
        if chain is not None:
            _load_chain(context, chain, key, password)
        return context

    return _shared(identity, build)


def server_context(
    chain: Path,
    key: Path | None = None,
    password: str | None = None,
    alpn: tuple[str, ...] = (),
) -> ssl.SSLContext:
    """Return the shared context for a server that shows this certificate.

    `chain` is a PEM file with the certificate and those that lead to its authority; it may hold the key too.

    Raises `OSError` for files that can not be read and `ValueError` for those that hold something else or
    do not belong together.
    """
    identity = ("server", _state(chain), _state(key), password, alpn, _keylog())

    def build() -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        _set_up(context, alpn)
        context.set_ciphers(_SERVER_CIPHERS)
        _load_chain(context, chain, key, password)
        return context

    return _shared(identity, build)


def default_ca_file() -> str | None:
    """Return a PEM file with the operating system's authorities, for what can not use their store (QUIC).

    `SSL_CERT_FILE` comes first. None if there is no such file.
    """
    candidates = (ssl.get_default_verify_paths().cafile, *_AUTHORITY_FILES)
    return next((file for file in candidates if file and os.path.isfile(file)), None)


def _shared(identity: Hashable, build: Callable[[], ssl.SSLContext]) -> ssl.SSLContext:
    """Return the context of before for the same configuration, files unchanged, or build it."""
    with _cache_lock:
        context = _cache.pop(identity, None) or build()
        _cache[identity] = context  # last in, and first out is the longest unused
        if len(_cache) > _CACHE_SIZE:
            del _cache[next(iter(_cache))]
        return context


def _state(path: Path | None) -> Hashable:
    """Return what changes when a file does. Raises `OSError` that names it."""
    if path is None:
        return None
    try:
        status = os.stat(path)
    except OSError as error:
        raise explained(error, f"cannot read {os.fspath(path)}: {reason(error)}") from None
    return os.path.abspath(path), status.st_ino, status.st_size, status.st_mtime_ns


def _store_state() -> tuple[Hashable, ...]:
    return os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")


def _keylog() -> str | None:
    return None if sys.flags.ignore_environment else os.environ.get("SSLKEYLOGFILE") or None


def _set_up(context: ssl.SSLContext, alpn: tuple[str, ...]) -> None:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION  # RFC 9113 section 9.2.1
    if alpn:
        context.set_alpn_protocols(list(alpn))
    keylog = _keylog()
    if keylog:
        context.keylog_filename = keylog


def _trusting(verify: bool | Path) -> ssl.SSLContext:
    """Return a client's context that trusts what `verify` says."""
    if verify is True and sys.platform in ("darwin", "win32"):
        import truststore

        return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if verify is True:
        _load_system_store(context)
    elif verify is False:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    else:
        context.verify_flags |= (
            ssl.VERIFY_X509_PARTIAL_CHAIN
        )  # an intermediate may be trusted alone
        _load_authorities(context, os.fspath(verify))
    return context


def _load_system_store(context: ssl.SSLContext) -> None:
    """Load what OpenSSL was told to (environment or build), or where this system keeps its authorities."""
    defaults = ssl.get_default_verify_paths()
    file, folder = defaults.cafile, defaults.capath
    hashed = _hashed_names(folder) if folder else 0
    if file and folder and hashed and _count_certificates(file) == hashed:
        # The same authorities twice, as Debian keeps them. From the folder OpenSSL reads just the one that
        # it needs; to parse the whole file takes a hundred times as long as all the rest here.
        context.load_verify_locations(capath=folder)
    elif file or hashed:
        context.set_default_verify_paths()
    elif (known := default_ca_file()) is not None:
        context.load_verify_locations(cafile=known)


def _hashed_names(folder: str) -> int:
    return sum(1 for name in os.listdir(folder) if _HASHED_NAME.fullmatch(name))


def _count_certificates(file: str) -> int:
    with open(file, "rb") as opened:
        return opened.read().count(b"-----BEGIN CERTIFICATE-----")


def _load_authorities(context: ssl.SSLContext, path: str) -> None:
    """Load a file, a folder as OpenSSL keeps them, or a folder of PEM files with other names."""
    if not os.path.isdir(path):
        _load_authority_file(context, path)
    elif _hashed_names(path):
        context.load_verify_locations(capath=path)
    else:
        names = [
            name for name in sorted(os.listdir(path)) if name.endswith((".pem", ".crt", ".cer"))
        ]
        if not names:
            raise ValueError(f"{path} holds no certificates: no .pem, .crt or .cer file")
        for name in names:
            _load_authority_file(context, os.path.join(path, name))


def _load_authority_file(context: ssl.SSLContext, path: str) -> None:
    try:
        context.load_verify_locations(cafile=path)
    except ssl.SSLError:
        raise ValueError(f"{path} holds no certificate in PEM form") from None
    except OSError as error:
        raise explained(error, f"cannot read {path}: {reason(error)}") from None


def _load_chain(
    context: ssl.SSLContext, chain: Path, key: Path | None, password: str | None
) -> None:
    """Load a certificate with its key, and say what is wrong with them."""
    key_file = chain if key is None else key
    _require(chain, "CERTIFICATE-----", "certificate")
    _require(key_file, "PRIVATE KEY-----", "private key")

    def ask() -> str:  # without this OpenSSL would ask on the terminal
        if password is None:
            raise ValueError(f"the key in {os.fspath(key_file)} needs its password")
        return password

    try:
        context.load_cert_chain(chain, key, ask)
    except ssl.SSLError as error:
        if error.reason in _KEY_MISMATCHES:
            raise ValueError(
                f"the key in {os.fspath(key_file)} is not that of the certificate in {os.fspath(chain)}"
            ) from None
        wrong = "its password is wrong, or it" if password is not None else "it"
        raise ValueError(
            f"cannot use the key in {os.fspath(key_file)} with the certificate in {os.fspath(chain)}: "
            f"{wrong} or the certificate is damaged ({reason(error)})"
        ) from None


def _require(path: Path, marker: str, what: str) -> None:
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            text = file.read()
    except OSError as error:
        raise explained(error, f"cannot read {os.fspath(path)}: {reason(error)}") from None
    if marker not in text:
        hint = "; give the key's file too" if what == "private key" else ""
        raise ValueError(f"{os.fspath(path)} holds no {what} in PEM form{hint}")

"""A certificate authority of one's own, for development: it makes `https://localhost` work.

RFC 5280 (certificates; section 4.2.1.10: name constraints). It is made once and kept in the user's data folder,
so that it needs to be trusted once. Its key never leaves that folder, and even stolen it would be good for
nothing but this machine's own names, which the authority's certificate says.
"""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import os
from typing import TYPE_CHECKING

from .errors import explained, reason

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec

NAMES = ("localhost", "127.0.0.1", "::1")
"""What the certificate is for."""

_AUTHORITY_LIFE = datetime.timedelta(days=3650)
_LEAF_LIFE = datetime.timedelta(days=397)
"""More is refused by browsers."""
_RENEWAL = datetime.timedelta(days=31)
"""Both are renewed when less than this is left."""
_CLOCK_SKEW = datetime.timedelta(hours=1)


class LocalCertificate:
    """Where the files are, all in PEM form: the certificate's chain, its key, and the authority to trust."""

    __slots__ = ("authority_file", "chain_file", "key_file")

    def __init__(self, folder: str) -> None:
        self.chain_file = os.path.join(folder, "localhost.pem")
        self.key_file = os.path.join(folder, "localhost-key.pem")
        self.authority_file = os.path.join(folder, "authority.pem")

    def __repr__(self) -> str:
        return f"<LocalCertificate {self.chain_file}>"


def data_folder() -> str:
    """Return where this user's data is kept: `$XDG_DATA_HOME/h123`, or `~/.local/share/h123`."""
    base = os.environ.get("XDG_DATA_HOME", "")
    if not os.path.isabs(base):  # as the XDG specification says of an empty or relative one
        base = os.path.join(os.path.expanduser("~"), ".local", "share")
    return os.path.join(base, "h123")


def local_certificate(folder: str | os.PathLike[str] | None = None) -> LocalCertificate:
    """Return the certificate for localhost, 127.0.0.1 and ::1, made or renewed if need be.

    Several processes may ask at once. Its key stays the same when it is renewed, and so does the authority's.
    Raises `OSError` if the folder (default: `data_folder()`) can not be used.
    """
    place = os.fspath(folder) if folder is not None else data_folder()
    try:
        os.makedirs(place, mode=0o700, exist_ok=True)
        if os.stat(place).st_mode & 0o077:
            os.chmod(place, 0o700)
        with _alone(place):
            return _ensure(place)
    except OSError as error:
        raise explained(error, f"cannot keep a certificate in {place}: {reason(error)}") from None


@contextlib.contextmanager
def _alone(folder: str) -> Iterator[None]:
    """Keep other processes out; the kernel lets go when this one ends, however it does."""
    import fcntl

    number = os.open(os.path.join(folder, "lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(number, fcntl.LOCK_EX)
        yield
    finally:
        os.close(number)


def _ensure(folder: str) -> LocalCertificate:
    files = LocalCertificate(folder)
    now = _now()
    authority_key = _key(os.path.join(folder, "authority-key.pem"))
    authority = _read(files.authority_file)
    if not _is_good(authority, authority_key, now):
        authority = _authority(authority_key, now)
        _write(files.authority_file, _pem(authority), 0o644)
    assert authority is not None
    key = _key(files.key_file)
    leaf = _read(files.chain_file)
    if not _is_good(leaf, key, now) or not _is_issued_by(leaf, authority):
        _write(files.chain_file, _pem(_leaf(key, authority, authority_key, now)), 0o644)
    return files


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def _key(path: str) -> ec.EllipticCurvePrivateKey:
    """Return the key kept in a file; a new one if there is none that can be used."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    try:
        with open(path, "rb") as file:
            key = serialization.load_pem_private_key(file.read(), None)
        if isinstance(key, ec.EllipticCurvePrivateKey):
            return key
    except (FileNotFoundError, ValueError, TypeError):
        pass
    new = ec.generate_private_key(ec.SECP256R1())
    form = serialization.PrivateFormat.PKCS8
    _write(
        path,
        new.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()),
        0o600,
    )
    return new


def _read(path: str) -> x509.Certificate | None:
    """Return the first certificate in a file, or None if there is none."""
    from cryptography import x509

    try:
        with open(path, "rb") as file:
            return x509.load_pem_x509_certificate(file.read())
    except (FileNotFoundError, ValueError):
        return None


def _is_good(
    certificate: x509.Certificate | None, key: ec.EllipticCurvePrivateKey, now: datetime.datetime
) -> bool:
    """Return whether this is the certificate of this key, with enough time left."""
    return (
        certificate is not None
        and certificate.public_key() == key.public_key()
        and certificate.not_valid_before_utc <= now
        and certificate.not_valid_after_utc - now > _RENEWAL
    )


def _is_issued_by(leaf: x509.Certificate | None, authority: x509.Certificate) -> bool:
    assert leaf is not None
    try:
        leaf.verify_directly_issued_by(authority)
    except Exception:  # every kind of mismatch has its own class
        return False
    return True


def _pem(certificate: x509.Certificate) -> bytes:
    from cryptography.hazmat.primitives import serialization

    return certificate.public_bytes(serialization.Encoding.PEM)


def _write(path: str, data: bytes, mode: int) -> None:
    """Put a whole new file in the place of the old one, with its mode from the first byte."""
    new = f"{path}.new"
    with contextlib.suppress(FileNotFoundError):  # left behind by a process that was killed
        os.unlink(new)
    number = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, mode)
    try:
        with open(number, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(number)
        os.replace(new, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(new)
        raise


def _authority(key: ec.EllipticCurvePrivateKey, now: datetime.datetime) -> x509.Certificate:
    """Return a new self-signed certificate that, of all names, may issue for localhost alone.

    It is not bound to loopback addresses as well: BoringSSL refuses every chain with such a constraint.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes

    name = _name(f"h123 local development ({_user_and_host()})")
    permitted: list[x509.GeneralName] = [x509.DNSName(NAMES[0])]
    builder = _builder(name, name, key, now, now + _AUTHORITY_LIFE)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(x509.NameConstraints(permitted, None), critical=True)
    builder = builder.add_extension(_usage(signs_certificates=True), critical=True)
    return builder.sign(key, hashes.SHA256())


def _leaf(
    key: ec.EllipticCurvePrivateKey,
    authority: x509.Certificate,
    authority_key: ec.EllipticCurvePrivateKey,
    now: datetime.datetime,
) -> x509.Certificate:
    """Return a new certificate for `NAMES`."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes

    end = min(now + _LEAF_LIFE - _CLOCK_SKEW, authority.not_valid_after_utc)
    names: list[x509.GeneralName] = [x509.DNSName(NAMES[0])]
    names += [x509.IPAddress(ipaddress.ip_address(name)) for name in NAMES[1:]]
    server = x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.SERVER_AUTH])
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key())
    builder = _builder(_name(NAMES[0]), authority.subject, key, now, end)
    builder = builder.add_extension(
        x509.BasicConstraints(ca=False, path_length=None), critical=True
    )
    builder = builder.add_extension(_usage(signs_certificates=False), critical=True)
    builder = builder.add_extension(server, critical=False)
    builder = builder.add_extension(issuer, critical=False)
    builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(authority_key, hashes.SHA256())


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    now: datetime.datetime,
    end: datetime.datetime,
) -> x509.CertificateBuilder:
    from cryptography import x509

    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_SKEW)
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    from cryptography import x509

    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _name(common_name: str) -> x509.Name:
    from cryptography import x509

    return x509.Name(
        [
            x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, "h123"),
            x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name),
        ]
    )


def _user_and_host() -> str:
    """Return whose authority it is, for the list in a browser: `ada@laptop`. A name has 64 letters at most."""
    import getpass
    import socket

    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a user without a name, as in containers
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"[:30]

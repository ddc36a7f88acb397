"""Chromium, headless, loads the page that lists a folder, over each version."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from tests.conftest import Serve, find_program, run_program
from tests.interop.programs.house import House

from h123.network.certificates import LocalCertificate

pytestmark = [pytest.mark.peer, pytest.mark.slow]

QUIET = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-sync",
    "--no-first-run",
    "--no-default-browser-check",
    "--no-proxy-server",
    "--timeout=20000",
]


@pytest.fixture(scope="module")
def key_hash(certificate: LocalCertificate) -> str:
    """The hash of the certificate's public key, as Chromium takes it to trust it."""
    pem = Path(certificate.chain_file).read_bytes()
    key = x509.load_pem_x509_certificate(pem).public_key()
    info = key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return base64.b64encode(hashlib.sha256(info).digest()).decode("ascii")


@pytest.mark.parametrize(
    ("version", "options", "is_forced"),
    [
        ("HTTP/1.1", {"http2": False, "http3": False}, False),
        ("HTTP/2", {"http3": False}, False),
        ("HTTP/3", {}, True),
    ],
)
def test_the_listing_is_shown(
    serve: Serve,
    folder: Path,
    key_hash: str,
    tmp_path: Path,
    version: str,
    options: dict[str, bool],
    is_forced: bool,
) -> None:
    house = House(str(folder))
    serving = serve(house, **options)
    flags = [
        *QUIET,
        f"--user-data-dir={tmp_path / 'profile'}",
        f"--ignore-certificate-errors-spki-list={key_hash}",
    ]
    if is_forced:
        flags.append(f"--origin-to-force-quic-on=localhost:{serving.port()}")
    command = [find_program("chromium"), *flags, "--dump-dom", serving.https("/")]
    page = run_program(command, timeout=90, env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"})
    shown = page.stdout.decode()
    for name in ("hello.txt", "digits.txt", "Grüße.txt", "sub"):
        assert name in shown
    assert set(house.versions_of("/")) == {version}
    assert set(serving.accepted) == {version}

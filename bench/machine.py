"""Processes on their cores, certificates, and servers that somebody else wrote."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import trustme

CORES = sorted(os.sched_getaffinity(0))
CLIENT_CORE = CORES[0]
SERVER_CORE = CORES[-1]
BIG = 10 << 20
"""Bytes of the file that is downloaded."""


def pinned(core: int) -> dict[str, object]:
    """Return what makes `Popen` start a process on one core."""
    return {"preexec_fn": lambda: os.sched_setaffinity(0, {core})}


def free_port() -> int:
    """Return a port number that was free a moment ago, for TCP."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until somebody listens."""
    for _ in range(200):
        if process.poll() is not None:
            raise RuntimeError(f"{process.args!r} ended at once")
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        time.sleep(0.05)
    raise RuntimeError(f"nobody listens on port {port}")


class Site:
    """A folder with a certificate for localhost and two files to serve: `small` and `big`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = folder / "root"
        self.root.mkdir()
        (self.root / "small").write_bytes(b"hello, world\n")
        (self.root / "big").write_bytes(os.urandom(BIG))
        authority = trustme.CA(key_type=trustme.KeyType.ECDSA)
        leaf = authority.issue_cert("localhost", "127.0.0.1", key_type=trustme.KeyType.ECDSA)
        self.ca = folder / "ca.pem"
        self.cert = folder / "cert.pem"
        self.key = folder / "key.pem"
        authority.cert_pem.write_to_path(self.ca)
        leaf.cert_chain_pems[0].write_to_path(self.cert)
        leaf.private_key_pem.write_to_path(self.key)


@contextlib.contextmanager
def site() -> Iterator[Site]:
    """Make a site for a while."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        yield Site(Path(folder))


@contextlib.contextmanager
def running(
    command: list[str], port: int, core: int = SERVER_CORE, **environment: str
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server until the block ends."""
    process = subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **environment},
        preexec_fn=lambda: os.sched_setaffinity(0, {core}),
    )
    try:
        wait_for(port, process)
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def program(name: str) -> str | None:
    """Return where a program is, None if it is not installed."""
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")


NGINX = """
daemon off; master_process off; pid {folder}/nginx.pid; error_log /dev/null crit; worker_processes 1;
events {{ worker_connections 1024; }}
http {{
    access_log off; sendfile on; keepalive_requests 100000000; http2_max_requests 100000000;
    client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
    uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5; http2_max_concurrent_streams 256;
    ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/key.pem; ssl_session_cache off;
    server {{ listen 127.0.0.1:{plain}; root {folder}/root; }}
    server {{ listen 127.0.0.1:{tls} ssl http2; root {folder}/root; }}
}}
"""

CADDY = """
{{
    admin off
    auto_https off
}}
https://localhost:{port} {{
    bind 127.0.0.1
    tls {folder}/cert.pem {folder}/key.pem
    root * {folder}/root
    file_server
}}
"""


@contextlib.contextmanager
def nginx(where: Site) -> Iterator[tuple[str, str]]:
    """Run nginx and give its cleartext and its TLS base URL."""
    plain, tls = free_port(), free_port()
    configuration = where.folder / "nginx.conf"
    configuration.write_text(NGINX.format(folder=where.folder, plain=plain, tls=tls))
    command = [str(program("nginx")), "-c", str(configuration), "-p", str(where.folder)]
    with running(command, tls):
        yield f"http://127.0.0.1:{plain}", f"https://localhost:{tls}"


@contextlib.contextmanager
def caddy(where: Site) -> Iterator[str]:
    """Run caddy, which speaks HTTP/3, and give its base URL."""
    port = free_port()
    configuration = where.folder / "Caddyfile"
    configuration.write_text(CADDY.format(folder=where.folder, port=port))
    home = str(where.folder)
    command = [
        str(program("caddy")),
        "run",
        "--config",
        str(configuration),
        "--adapter",
        "caddyfile",
    ]
    with running(command, port, HOME=home, XDG_DATA_HOME=home, XDG_CONFIG_HOME=home):
        yield f"https://localhost:{port}"


def python(module: str, *arguments: str) -> list[str]:
    """Return the command line of a module of ours."""
    return [sys.executable, "-m", module, *arguments]

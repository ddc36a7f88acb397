"""`h123 serve`: a folder over HTTP/1.1, HTTP/2 and HTTP/3.

Its standard output is for programs as well as for people: one line for each address bound, as a URL, and
nothing else. Everything for people alone goes to standard error.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    import logging

    from ..server.answering import Handler
    from ..server.server import Server


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("target", default=".")
@click.option(
    "--bind",
    metavar="HOST:PORT",
    default="localhost:8443",
    show_default=True,
    help="Serve all versions with TLS here, on TCP and UDP; `none` for nowhere.",
)
@click.option(
    "--insecure-bind",
    metavar="HOST:PORT",
    help="Serve HTTP/1.1, and HTTP/2 with prior knowledge, without TLS here.",
)
@click.option("--cert", metavar="FILE", help="The certificate and its chain, in PEM form.")
@click.option("--key", metavar="FILE", help="Its key, if it is not in the certificate's file.")
@click.option("--ca-out", metavar="FILE", help="Write the local authority's certificate here.")
@click.option("--no-http1", is_flag=True, help="Leave out HTTP/1.1.")
@click.option("--no-http2", is_flag=True, help="Leave out HTTP/2.")
@click.option("--no-http3", is_flag=True, help="Leave out HTTP/3.")
@click.option(
    "--http1-engine", metavar="NAME", help="Another engine for HTTP/1.1: `h11` or `httptools`."
)
@click.option("-q", "--quiet", is_flag=True, help="Print no line for each request.")
def serve(
    target: str,
    bind: str,
    insecure_bind: str | None,
    cert: str | None,
    key: str | None,
    ca_out: str | None,
    no_http1: bool,
    no_http2: bool,
    no_http3: bool,
    http1_engine: str | None,
    quiet: bool,
) -> None:
    """Serve the files of TARGET, a folder (default: this one), until SIGINT or SIGTERM.

    Without --cert it uses a certificate for localhost, from an authority that it makes once and keeps in
    your data folder. The addresses bound are printed, one a line; port 0 takes any that is free.
    """
    from ..server.address import parse_bind

    secure_bind = None if bind == "none" else bind
    for option, address in (("--bind", secure_bind), ("--insecure-bind", insecure_bind)):
        if address is not None:
            try:
                parse_bind(address)
            except ValueError as error:
                raise click.UsageError(f"{option}: {error}") from error
    if secure_bind is None and insecure_bind is None:
        raise click.UsageError("--bind none leaves nothing to serve without --insecure-bind")
    if no_http1 and no_http2 and (no_http3 or secure_bind is None):
        raise click.UsageError("no HTTP version is left to serve")
    if no_http1 and no_http2 and insecure_bind is not None:
        raise click.UsageError(
            "--insecure-bind is for HTTP/1.1 and HTTP/2, which are both left out"
        )
    if key is not None and cert is None:
        raise click.UsageError("--key needs the --cert that it belongs to")
    if ca_out is not None and (cert is not None or secure_bind is None):
        raise click.UsageError("--ca-out goes with the local certificate, which is not used here")
    try:
        handler = _handler(target)
        authority = None
        if secure_bind is not None and cert is None:
            cert, key, authority = _local_certificate(ca_out)
        from ..server.server import serve as run

        def on_start(server: Server) -> None:
            if authority is not None:
                _print_how_to_trust(authority)
            _print_addresses(server)

        _log_to_stderr(with_accesses=not quiet)
        run(
            handler,
            bind=secure_bind,
            insecure_bind=insecure_bind,
            cert=cert,
            key=key,
            http1=not no_http1,
            http2=not no_http2,
            http3=not no_http3,
            engines=None if http1_engine is None else {"http/1.1": http1_engine},
            on_start=on_start,
        )
    except (OSError, ValueError, LookupError, ImportError) as error:
        raise click.ClickException(str(error)) from error


def _handler(target: str) -> Handler:
    """Return what answers for a target. Raises `click.ClickException` if there is no such folder."""
    from ..server.files import Files

    try:
        return Files(target)
    except OSError as error:
        reason = "no such folder" if isinstance(error, FileNotFoundError) else error.strerror
        raise click.ClickException(f"cannot serve {target}: {reason or error}") from error


def _print_addresses(server: Server) -> None:
    for url in server.urls:
        print(url)
    sys.stdout.flush()


def _local_certificate(ca_out: str | None) -> tuple[str, str, str]:
    """Return the files of the certificate for localhost, its key, and the authority to trust."""
    from ..network.certificates import local_certificate

    files = local_certificate()
    authority = files.authority_file
    if ca_out is not None:
        try:
            shutil.copyfile(authority, ca_out)
        except OSError as error:
            raise click.ClickException(
                f"cannot write {ca_out}: {error.strerror or error}"
            ) from error
        authority = os.path.abspath(ca_out)
    return files.chain_file, files.key_file, authority


def _print_how_to_trust(authority: str) -> None:
    print(
        "The certificate is for localhost alone, from an authority made for you on this machine. To trust it:\n"
        f"  h123 fetch --cacert {shlex.quote(authority)} URL    (curl takes the same)\n"
        "  or import that file as an authority in your browser or system",
        file=sys.stderr,
        flush=True,
    )


def _log_to_stderr(*, with_accesses: bool) -> None:
    """Print what the server logs: its errors, and a line for each request unless told not to."""
    import logging

    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_formatter())
    server = logging.getLogger("h123")
    server.handlers[:] = [handler]
    server.propagate = False
    logging.getLogger("h123.access").setLevel(logging.INFO if with_accesses else logging.WARNING)


def _formatter() -> logging.Formatter:
    import logging

    class Printable(logging.Formatter):
        """Shows control characters as escapes, traceback apart: nobody writes to our terminal but we."""

        def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  # logging's name
            message = super().formatMessage(record)
            return message if message.isprintable() else ascii(message)[1:-1]

    return Printable("%(asctime)s %(message)s", "%H:%M:%S")

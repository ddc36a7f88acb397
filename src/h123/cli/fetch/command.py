"""The command `h123 fetch`, with curl's names for its options."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from .exit_codes import ExitCode, FetchError
from .options import ORDER, FetchOptions, read_options

if TYPE_CHECKING:
    from collections.abc import Callable

    from .progress import ProgressBars


class FetchCommand(click.Command):
    """A command that remembers in which order its options were given."""

    def parse_args(self, context: click.Context, arguments: list[str]) -> list[str]:
        """Read the command line; see `options.in_order`."""
        _, _, order = self.make_parser(context).parse_args(list(arguments))
        context.meta[ORDER] = [parameter.name for parameter in order]
        return super().parse_args(context, arguments)


def _option(*names: str, **settings: Any) -> Callable[[Any], Any]:
    """Declare an option that may be given many times."""
    return click.option(*names, multiple=True, **settings)


_SENDING = (
    click.option("-X", "--request", metavar="METHOD", help="The method."),
    _option("-H", "--header", metavar="LINE",
            help="`Name: value` to send; `Name:` to leave out; @FILE with such lines."),
    _option("-d", "--data", metavar="DATA", help="Form data to POST; @FILE from a file."),
    _option("--data-raw", metavar="DATA", help="The same, with no meaning for @."),
    _option("--data-binary", metavar="DATA", help="The same, files as they are."),
    _option("--data-urlencode", metavar="DATA", help="The same, encoded: [NAME]=TEXT, NAME@FILE."),
    _option("--json", metavar="DATA", help="JSON to POST; @FILE from a file."),
    _option("-F", "--form", metavar="FIELD",
            help="Multipart form: NAME=VALUE, NAME=@FILE[;type=..][;filename=..], NAME=<FILE."),
    _option("--form-string", metavar="NAME=VALUE", help="The same, with no meaning for @ < ;"),
    _option("-T", "--upload-file", metavar="FILE", help="PUT a file; - for standard input."),
    click.option("-G", "--get", is_flag=True, help="Put -d's data into the query instead."),
    click.option("-I", "--head", is_flag=True, help="Ask for the head alone, and show it."),
    click.option("-A", "--user-agent", metavar="NAME", help="The User-Agent."),
    click.option("-e", "--referer", metavar="URL", help="The Referer."),
    _option("-b", "--cookie", metavar="NAME=VALUE",
            help="Cookies to send; '' to keep those that servers set."),
    click.option("-u", "--user", metavar="USER:PASSWORD", help="Credentials (Basic)."),
    click.option("-r", "--range", metavar="RANGE", help="Bytes to ask for: 0-99, 500-, -10."),
    click.option("--compressed", is_flag=True, help="Ask for compressed content, and undo that."),
)  # fmt: skip

_CONNECTING = (
    click.option("--http1.1", "http1_1", is_flag=True, help="HTTP/1.1 alone."),
    click.option("--http2", "http2", is_flag=True, help="HTTP/2 or 1.1, by TLS: the default."),
    click.option("--http2-prior-knowledge", is_flag=True, help="HTTP/2 alone, without TLS too."),
    click.option("--http3", "http3", is_flag=True, help="HTTP/3 first, then the others."),
    click.option("--http3-only", "http3_only", is_flag=True, help="HTTP/3 alone."),
    click.option("-k", "--insecure", is_flag=True, help="Trust any certificate."),
    click.option("--cacert", metavar="FILE", help="Trust these authorities (PEM)."),
    click.option("-E", "--cert", metavar="FILE[:PASSWORD]", help="Show this certificate (PEM)."),
    click.option("--key", metavar="FILE", help="Its key, if it is in a file of its own."),
    click.option("-x", "--proxy", metavar="[http://]HOST:PORT", help="Go through this proxy."),
    click.option("-U", "--proxy-user", metavar="USER:PASSWORD", help="Credentials for the proxy."),
    _option("--resolve", metavar="HOST:PORT:ADDRESS", help="Take this address for a name."),
    _option("--connect-to", metavar="HOST1:PORT1:HOST2:PORT2",
            help="Connect to the second for the first; empty parts fit all."),
    click.option("-m", "--max-time", type=click.FloatRange(min=0), metavar="SECONDS",
                 help="Bound on each transfer."),
    click.option("--connect-timeout", type=click.FloatRange(min=0), metavar="SECONDS",
                 help="Bound on connecting; 60 by default."),
    click.option("-L", "--location", is_flag=True, help="Follow redirects."),
    click.option("--max-redirs", type=int, default=50, metavar="NUMBER", show_default=True,
                 help="How many; -1 for any number."),
    click.option("--parallel-max", type=click.IntRange(1, 1000), default=50, metavar="NUMBER",
                 show_default=True, help="Transfers at a time."),
)  # fmt: skip

_SHOWING = (
    _option("-o", "--output", metavar="FILE", help="Write to a file: one -o or -O for each URL."),
    click.option("-O", "--remote-name", count=True, help="The same, named as in the URL."),
    click.option("--remote-name-all", is_flag=True, help="-O for every URL."),
    click.option("--output-dir", metavar="FOLDER", help="Where -o and -O write."),
    click.option("--create-dirs", is_flag=True, help="Make the folders that -o needs."),
    click.option("-i", "--include", is_flag=True, help="Show heads before contents."),
    click.option("-D", "--dump-header", metavar="FILE", help="Write heads to a file; - to stdout."),
    click.option("-f", "--fail", is_flag=True, help="No content, and exit code 22, from 400 on."),
    click.option("--fail-with-body", is_flag=True, help="The same, with the content."),
    click.option("-s", "--silent", is_flag=True, help="No progress, no errors."),
    click.option("-S", "--show-error", is_flag=True, help="Errors nevertheless."),
    click.option("-v", "--verbose", is_flag=True, help="Show connections and heads on stderr."),
    click.option("-w", "--write-out", metavar="FORMAT",
                 help="Print this afterwards: '%{http_code} %{http_version} %{time_total}\\n', %{json}."),
)  # fmt: skip


def _with_options(command: Any) -> Any:
    for option in reversed((*_SENDING, *_CONNECTING, *_SHOWING)):
        command = option(command)
    return command


@click.command(
    cls=FetchCommand,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes are curl's; of several URLs' the first failure's, in their order.",
)
@click.argument("urls", nargs=-1, required=True, metavar="URL...")
@_with_options
@click.pass_context
def fetch(context: click.Context, /, **_: object) -> None:
    """Fetch URLs, several at once, as curl would. Contents go to stdout, in order."""
    try:
        options = read_options(context)
        code = _run(options)
    except FetchError as error:
        click.echo(f"h123: ({error.code.value}) {error}", err=True)
        code = error.code
    sys.exit(int(code))


def _run(options: FetchOptions) -> ExitCode:
    import asyncio
    import signal

    from .progress import ProgressBars

    to_stdout = len(options.outputs) < len(options.urls)
    if to_stdout and sys.stdout is None:
        raise FetchError(ExitCode.WRITE_FAILED, "stdout is closed: use -o FILE")
    to_terminal = to_stdout and sys.stdout.isatty()
    bars = ProgressBars(is_wanted=not options.silent and not to_terminal)

    def end(number: int, _: object) -> None:
        """Leave the terminal as it was, and die of the signal, as everybody expects of a fetcher."""
        bars.stop()
        signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        return asyncio.run(_fetch_all(options, bars))
    finally:
        bars.stop()
        for number, handler in before.items():
            signal.signal(number, handler)


async def _fetch_all(options: FetchOptions, bars: ProgressBars) -> ExitCode:
    """Transfer all URLs and return the exit code."""
    import asyncio

    from .destinations import FileDestination, StandardOutput, Turn
    from .transfer import Session, Transfer

    client = _client(options)
    head_file = None
    if options.dump_header not in (None, "-"):
        assert options.dump_header is not None
        head_file = FileDestination(options.dump_header, create_folders=options.create_dirs)
    session = Session(options, client, bars, head_file)
    places = asyncio.Semaphore(options.parallel_max)
    output = StandardOutput()
    transfers: list[Transfer] = []
    turn: Turn | None = None
    for number, url in enumerate(options.urls):
        path = _place_of(options, number)
        turn = Turn(output, turn, is_checked="-" not in options.outputs)
        upload = options.upload_file[number : number + 1]
        transfers.append(
            Transfer(session, url, turn, upload_file=upload[0] if upload else None, output=path)
        )

    async def run(transfer: Transfer) -> None:
        async with places:
            await transfer.run()
        await transfer.finish()

    async with client, asyncio.TaskGroup() as tasks:
        for transfer in transfers:
            tasks.create_task(run(transfer))
    if head_file is not None:
        await head_file.close()
    return next((t.exit_code for t in transfers if t.exit_code), ExitCode.OK)


def _place_of(options: FetchOptions, number: int) -> str | None:
    """Return where the content of one URL goes: a path, `-`, or None for the URL's own name."""
    if number < len(options.outputs):
        return options.outputs[number]
    return None if options.remote_name_all else "-"


def _client(options: FetchOptions) -> Any:
    """Return a client that behaves as the command line says. Raises `FetchError` for unfit files."""
    from ...client.async_client import AsyncClient
    from ...client.settings import Limits, Timeout
    from ...network.tls import client_context

    verify = False if options.insecure else options.cacert or True
    for file, code, arguments in (
        (options.cacert, ExitCode.AUTHORITY_FILE, (verify,)),
        (options.certificate, ExitCode.LOCAL_CERTIFICATE, (False, options.certificate)),
    ):
        if file is not None:
            try:
                client_context(*arguments)
            except (OSError, ValueError) as error:
                raise FetchError(code, str(error)) from error
    limits = Limits(max_connections=None)
    connect = options.connect_timeout or 60.0
    return AsyncClient(
        verify=verify,
        cert=options.certificate,
        http3=False,  # asked for by name alone: what a server announces does not change an invocation
        proxy=options.proxy,
        limits=limits,
        connect_to=options.detours,
        timeout=Timeout(300.0, connect=connect, pool=None),
    )

"""One URL's transfer: requests out, redirects, the content to its place, and what is told about it."""

from __future__ import annotations

import asyncio
import sys
from contextlib import aclosing
from time import monotonic
from typing import TYPE_CHECKING, Any

from ...message.exceptions import ConnectError, ConnectTimeout, HTTPError
from .destinations import Destination, FileDestination, Nowhere, Turn
from .exit_codes import ExitCode, FetchError, failure_of
from .options import FetchOptions, parse_url
from .requests import RequestMaker
from .trace import exchange_of, heads_of, version_of
from .write_out import Report, write_out

if TYPE_CHECKING:
    from ...client.async_client import AsyncClient
    from ...message import Request, Response
    from .progress import ProgressBars

HASTE = 2.0
"""Seconds in which HTTP/3 has to connect before the other versions are tried (--http3)."""
DISCARDED = 65536
"""Bytes of a redirect's content that are read so that its connection can be used again."""


class Session:
    """What all transfers of a command share."""

    __slots__ = ("options", "client", "bars", "head_file")

    def __init__(
        self,
        options: FetchOptions,
        client: AsyncClient,
        bars: ProgressBars,
        head_file: Destination | None,
    ) -> None:
        self.options = options
        self.client = client
        self.bars = bars
        self.head_file = head_file

    def tell(self, text: str) -> None:
        """Write to standard error in one piece."""
        sys.stderr.write(text)
        sys.stderr.flush()


class Transfer:
    """One URL on its way."""

    def __init__(
        self,
        session: Session,
        text: str,
        turn: Turn,
        *,
        upload_file: str | None = None,
        output: str | None = "-",
    ) -> None:
        """Prepare the transfer of the URL `text`.

        `turn` is its turn on standard output; `output` a file's path, `-` for standard output, or None for
        the name that the URL gives.
        """
        self.session = session
        self.options = session.options
        self.text = text
        self.turn = turn
        self.upload_file = upload_file
        self.output = output
        self.failure: FetchError | None = None
        self.response: Response | None = None
        self.redirects = 0
        self.received = 0
        self._heads = 0
        self._times: dict[str, float] = {}
        self._begin = 0.0
        self._makes: RequestMaker | None = None
        self._destination: Destination | None = None
        self._version: str | None = None
        self._is_new = True
        self._path: str | None = None

    @property
    def exit_code(self) -> ExitCode:
        """What became of it."""
        return ExitCode.OK if self.failure is None else self.failure.code

    async def run(self) -> None:
        """Do everything but the waiting for standard output; `failure` tells what went wrong."""
        self._begin = monotonic()
        try:
            async with asyncio.timeout(self.options.max_time or None) as bound:
                try:
                    await self._fetch()
                except TimeoutError as error:
                    raise failure_of(error, in_content=False) from error
        except TimeoutError:
            assert bound.expired()
            text = f"the transfer of {self.text} took longer than {self.options.max_time:g} s"
            self.failure = FetchError(ExitCode.TIMED_OUT, text)
        except FetchError as error:
            self.failure = error
        except (HTTPError, OSError, ValueError, TypeError, ImportError) as error:
            in_content = self.response is not None
            self.failure = failure_of(error, self._version, in_content=in_content)
        self._times["time_total"] = monotonic() - self._begin

    async def finish(self) -> None:
        """Put out what is left, when it is this transfer's turn, and say what went wrong."""
        try:
            await self._close_destination()
            await self.turn.come()
            self._tell_failure()
            if self.options.write_out:
                text = write_out(self.options.write_out, self.report())
                await self.turn.write(text.encode("utf-8", "surrogateescape"))
        except FetchError as error:
            self.failure = self.failure or error
            if error is self.failure:
                self._tell_failure()
        finally:
            self.turn.pass_on()

    async def _close_destination(self) -> None:
        destination, self._destination = self._destination, None
        if destination is not None:
            try:
                await destination.close()
            except FetchError as error:
                self.failure = self.failure or error

    def _tell_failure(self) -> None:
        failure = self.failure
        is_quiet = self.options.silent and not self.options.show_error
        if failure is not None and str(failure) and not is_quiet:
            message = " ".join(str(failure).split())
            self.session.tell(f"h123: ({failure.code.value}) {message}\n")

    # -------------------------------------------------------------------------- the exchange

    async def _fetch(self) -> None:
        url = parse_url(self.text)
        session = self.session
        self._makes = RequestMaker(
            session.client, self.options, session.bars, url, self.upload_file
        )
        response = await self._follow(self._makes.first())
        try:
            await self._receive(response)
        finally:
            await response.aclose()

    async def _follow(self, request: Request) -> Response:
        """Send a request, and those that redirects ask for; return the last response."""
        assert self._makes is not None
        auth = self.options.auth
        while True:
            response = await self._send(request, auth)
            auth = None  # what goes to the same origin has it already, the others must not
            try:
                await self._show_head(response)
                following = response.next_request
                if not self.options.location or not response.has_redirect_location:
                    return response
                if following is None:
                    text = f"redirected to {response.headers['location']!r}, which is no URL"
                    raise FetchError(ExitCode.MALFORMED_URL, text)
                if self.redirects >= self.options.max_redirs >= 0:
                    text = f"more than {self.options.max_redirs} redirects, the last one to {following.url}"
                    raise FetchError(ExitCode.TOO_MANY_REDIRECTS, text)
                await _discard(response)
            except BaseException:
                await response.aclose()
                raise
            await response.aclose()
            self.redirects += 1
            self.response = None
            request = self._makes.following(request, following)

    async def _send(self, request: Request, auth: tuple[str, str] | None) -> Response:
        if self.options.version == "3 or older" and request.url.scheme == "https":
            try:
                return await self._send_as(request, "3", auth, HASTE)
            except (ConnectError, ConnectTimeout, ImportError) as error:
                if self.options.verbose:
                    self.session.tell(f"* HTTP/3: {error}; trying the other versions\n")
        forced = _FORCED.get(self.options.version or "")
        return await self._send_as(request, forced, auth, None)

    async def _send_as(
        self,
        request: Request,
        version: str | None,
        auth: tuple[str, str] | None,
        connect: float | None,
    ) -> Response:
        from ...client.settings import UNSET, Timeout

        bounds: Timeout = self.session.client.timeout
        if connect is not None:
            bounds = Timeout(bounds, connect=min(connect, bounds.connect or connect))
        request.extensions["timeout"] = bounds
        request.extensions.pop("version", None)
        if version is not None:
            request.extensions["version"] = version
        self._version = f"HTTP/{version}" if version in ("2", "3") else None
        begin = monotonic()
        response = await self.session.client.send(
            request, stream=True, follow_redirects=False, auth=UNSET if auth is None else auth
        )
        self._version = version_of(response)
        self.response = response
        self._times["time_starttransfer"] = monotonic() - self._begin
        connected_at: float = response.extensions["connection"].connected_at
        self._is_new = connected_at >= begin
        if self._is_new:
            self._times["time_connect"] = connected_at - self._begin
        return response

    # ----------------------------------------------------------------------- what comes of it

    async def _show_head(self, response: Response) -> None:
        options = self.options
        if options.verbose:
            self.session.tell(exchange_of(response, is_new=self._is_new))
        heads = heads_of(response)
        self._heads += len(heads)
        if options.dump_header is not None:
            await (self.session.head_file or self.turn).write(heads)
        if options.include or options.head:
            await self._destination_for(response).write(heads)

    async def _receive(self, response: Response) -> None:
        options = self.options
        status = response.status_code
        failed = f"the server answered {status} {response.reason_phrase}".rstrip()
        failure = FetchError(ExitCode.STATUS, f"{failed} for {response.request.url.masked}")
        if options.fail and status >= 400:
            raise failure
        destination = self._destination_for(response)
        bar = self.session.bars.bar(str(self.output or self.text), _length_of(response))
        parts = response.aiter_bytes() if options.compressed else response.aiter_raw()
        async with aclosing(parts) as parts:  # type: ignore[type-var]  # they are async generators
            async for part in parts:
                self.received = response.num_bytes_downloaded
                bar.advance(len(part))
                await destination.write(part)
        if options.fail_with_body and status >= 400:
            raise failure

    def _destination_for(self, response: Response) -> Destination:
        if self._destination is None:
            assert self._makes is not None
            if self.output == "-":
                self._destination = self.turn
            elif self.output == "/dev/null":
                self._destination = Nowhere()
            else:
                self._path = path = self._makes.output_path(self.output)
                create = self.options.create_dirs
                self._destination = FileDestination(path, create_folders=create)
        return self._destination

    def report(self) -> Report:
        """Return what -w can show."""
        makes, response = self._makes, self.response
        values: dict[str, Any] = {
            "errormsg": None if self.failure is None else str(self.failure),
            "exitcode": int(self.exit_code),
            "filename_effective": self._path,
            "http_code": 0,
            "http_version": "0",
            "num_redirects": self.redirects,
            "response_code": 0,
            "size_download": self.received,
            "size_header": self._heads,
            "size_upload": 0 if makes is None else makes.sent,
            "time_connect": 0.0,
            "time_starttransfer": 0.0,
            "url": self.text,
            "url_effective": self.text if makes is None else str(makes.url),
        }
        values.update(self._times)
        total = values["time_total"]
        values["speed_download"] = int(self.received / total) if total else 0
        values["speed_upload"] = int(values["size_upload"] / total) if total else 0
        if response is None:
            return Report(values, {})
        values.update(_values_of(response))
        headers = {name: response.headers.get_list(name) for name in response.headers}
        return Report(values, headers)


_FORCED = {"1.1": "1.1", "2": "2", "3": "3"}
"""Versions that leave no choice."""


def _values_of(response: Response) -> dict[str, Any]:
    """Return what -w can show of a response and its connection."""
    request = response.request
    local, remote = response.extensions["connection"].addresses
    local_host, _, local_port = local.rpartition(":")
    remote_host, _, remote_port = remote.rpartition(":")
    following = response.next_request
    return {
        "content_type": response.headers.get("content-type"),
        "http_code": response.status_code,
        "http_version": version_of(response).removeprefix("HTTP/"),
        "local_ip": local_host.strip("[]"),
        "local_port": local_port,
        "method": request.method,
        "redirect_url": None if following is None else str(following.url),
        "remote_ip": remote_host.strip("[]"),
        "remote_port": remote_port,
        "response_code": response.status_code,
        "scheme": request.url.scheme,
        "url_effective": str(request.url),
    }


def _length_of(response: Response) -> int | None:
    length = response.headers.get("content-length", "")
    return int(length) if length.isascii() and length.isdigit() and len(length) < 20 else None


async def _discard(response: Response) -> None:
    """Read a redirect's content if it is short, so that its connection can go on."""
    size = 0
    async with aclosing(response.aiter_raw()) as parts:  # type: ignore[type-var]  # as above
        async for part in parts:
            size += len(part)
            if size > DISCARDED:
                return

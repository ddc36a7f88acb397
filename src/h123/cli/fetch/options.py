"""What a `h123 fetch` was asked to do, read from its command line once."""

from __future__ import annotations

import types
from collections.abc import Iterable
from typing import Any

import click

from ...message import URL
from ...message.exceptions import InvalidURL
from .arguments import Detours, HeaderChanges, client_certificate, read_whole
from .content import Data, form_parts
from .exit_codes import ExitCode, FetchError

DATA = ("data", "data_raw", "data_binary", "data_urlencode", "json")
FORM = ("form", "form_string")
OUTPUT = ("output", "remote_name")


class FetchOptions(types.SimpleNamespace):
    """The command line, by curl's long names; what is a small language of its own has been read."""

    urls: tuple[str, ...]
    # What is sent
    request: str | None
    headers: HeaderChanges
    contents: Data | None
    forms: list[tuple[str, Any]]
    upload_file: tuple[str, ...]
    get: bool
    head: bool
    user_agent: str | None
    referer: str | None
    cookies: str | None
    cookie_engine: bool
    auth: tuple[str, str] | None
    range: str | None
    compressed: bool
    # How
    version: str | None
    insecure: bool
    cacert: str | None
    certificate: tuple[str, ...] | str | None
    proxy: str | None
    detours: Detours
    max_time: float | None
    connect_timeout: float | None
    location: bool
    max_redirs: int
    parallel_max: int
    # What comes of it
    outputs: list[str | None]
    output_dir: str | None
    create_dirs: bool
    include: bool
    dump_header: str | None
    fail: bool
    fail_with_body: bool
    silent: bool
    show_error: bool
    verbose: bool
    write_out: str | None


def in_order(context: click.Context, names: Iterable[str]) -> list[tuple[str, Any]]:
    """Return these options as they were given, across their names: (name, value) pairs.

    The value of a flag is None.
    """
    values = {
        name: iter(value) for name in names if isinstance(value := context.params.get(name), tuple)
    }
    order: list[str] = context.meta[ORDER]
    wanted = set(names)
    return [
        (name, next(values[name]) if name in values else None) for name in order if name in wanted
    ]


ORDER = "h123.order"
"""Where the names of all options stand, in the order in which they were given."""


def read_options(context: click.Context) -> FetchOptions:
    """Return the options. Raises `click.UsageError`, and `FetchError` for files that can not be read."""
    given = dict(context.params)
    options = FetchOptions(**given)
    options.headers = HeaderChanges(given["header"])
    data = in_order(context, DATA)
    options.contents = Data(data) if data else None
    options.forms = form_parts(in_order(context, FORM))
    _check_contents(options)
    options.cookies, options.cookie_engine = _cookies(given["cookie"])
    options.auth = _credentials(given["user"])
    options.version = _version(given)
    options.certificate = client_certificate(given["cert"], given["key"])
    options.detours = Detours(given["connect_to"], given["resolve"])
    options.proxy = _proxy(given["proxy"], given["proxy_user"])
    options.outputs = [
        path if name == "output" else None for name, path in in_order(context, OUTPUT)
    ]
    if given["write_out"] and given["write_out"].startswith("@"):
        options.write_out = read_whole(given["write_out"][1:]).decode("utf-8", "replace")
    return options


def _check_contents(options: FetchOptions) -> None:
    kinds = [
        name
        for name, is_given in (
            ("-d", options.contents is not None and not options.get),
            ("-F", bool(options.forms)),
            ("-T", bool(options.upload_file)),
            ("-I", options.head),
        )
        if is_given
    ]
    if len(kinds) > 1:
        raise click.UsageError(f"{' and '.join(kinds)} can not go together: choose one")


def _cookies(given: tuple[str, ...]) -> tuple[str | None, bool]:
    """Return the value of a Cookie field, and whether cookies that servers set are kept for this command."""
    texts, keeps = [], False
    for text in given:
        if "=" in text:
            texts.append(text.strip().rstrip(";"))
        else:
            keeps = True
            if text:
                raise click.BadParameter(
                    f"{text!r} is no name=value; files of cookies are not read here",
                    param_hint="-b",
                )
    return "; ".join(texts) or None, keeps


def _credentials(user: str | None) -> tuple[str, str] | None:
    if user is None:
        return None
    name, colon, password = user.partition(":")
    if not colon:
        password = click.prompt(f"Password for {name}", hide_input=True, err=True)
    return name, password


_VERSIONS = {
    "http1_1": "1.1",
    "http2": "2 or older",
    "http2_prior_knowledge": "2",
    "http3": "3 or older",
    "http3_only": "3",
}


def _version(given: dict[str, Any]) -> str | None:
    chosen = [value for name, value in _VERSIONS.items() if given[name]]
    if len(chosen) > 1:
        raise click.UsageError("choose one HTTP version")
    return chosen[0] if chosen else None


def _proxy(proxy: str | None, user: str | None) -> Any:
    if not proxy:
        return None
    from ...client.settings import Proxy

    try:
        name, colon, password = (user or "").partition(":")
        auth = (name, password) if colon or name else None
        return Proxy(proxy if "://" in proxy else f"http://{proxy}", auth=auth)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="-x") from error


def parse_url(text: str) -> URL:
    """Return a URL that can be fetched; without a scheme it is an http URL. Raises `FetchError`."""
    try:
        url = URL(text if "://" in text else f"http://{text}")
    except InvalidURL as error:
        raise FetchError(ExitCode.MALFORMED_URL, f"{text!r} is no URL: {error}") from error
    if url.scheme not in ("http", "https"):
        raise FetchError(
            ExitCode.UNSUPPORTED_PROTOCOL, f"{url.scheme}:// is not spoken here: {text!r}"
        )
    if not url.host:
        raise FetchError(ExitCode.MALFORMED_URL, f"{text!r} is no URL: it has no host")
    return url

"""The clients that are measured, each in the manner that its own documentation recommends.

`python -m bench.contestants NAME MODE VERSION BASE CA SECONDS` measures one and prints JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from .machine import BIG

H1 = ("1.1", "1.1-tls")
ALL = ("1.1", "1.1-tls", "2", "3")
SYNC = ("sequential", "download")
CONTESTANTS: dict[str, dict[str, tuple[str, ...]]] = {
    "h123": dict.fromkeys(SYNC, ALL),
    "h123 async": dict.fromkeys(("sequential", "concurrent", "download"), ALL),
    "requests": dict.fromkeys(SYNC, H1),
    "httpx": dict.fromkeys(SYNC, (*H1, "2")),
    "httpx async": {"concurrent": (*H1, "2")},
    "aiohttp": dict.fromkeys(("sequential", "concurrent", "download"), H1),
    "niquests": dict.fromkeys(SYNC, ALL),
    "niquests async": {"concurrent": ALL},
    "pycurl": dict.fromkeys(("sequential", "concurrent", "download"), ALL),
}
"""Contestant to mode to the versions that it speaks in it."""

IN_FLIGHT = 64

Get = Callable[[str], int]
"""Gets a URL and returns how many bytes came."""
AsyncGet = Callable[[str], Awaitable[int]]


@contextmanager
def h123_client(version: str, ca: str) -> Iterator[Get]:
    import h123

    with h123.Client(verify=ca) as client:
        forced = version[:3]

        def get(url: str) -> int:
            response = client.get(url, http_version=forced)
            assert response.http_version.endswith(forced), response.http_version
            return len(response.content)

        yield get


@asynccontextmanager
async def h123_async(version: str, ca: str) -> AsyncIterator[AsyncGet]:
    import h123

    async with h123.AsyncClient(verify=ca) as client:
        forced = version[:3]

        async def get(url: str) -> int:
            response = await client.get(url, http_version=forced)
            assert response.http_version.endswith(forced), response.http_version
            return len(response.content)

        yield get


@contextmanager
def requests_client(version: str, ca: str) -> Iterator[Get]:
    import requests

    with requests.Session() as session:
        session.verify = ca
        session.trust_env = False
        yield lambda url: len(session.get(url).content)


@contextmanager
def httpx_client(version: str, ca: str) -> Iterator[Get]:
    import ssl

    import httpx

    context = ssl.create_default_context(cafile=ca)
    with httpx.Client(verify=context, http1=version != "2", http2=version == "2") as client:
        yield lambda url: len(client.get(url).content)


@asynccontextmanager
async def httpx_async(version: str, ca: str) -> AsyncIterator[AsyncGet]:
    import ssl

    import httpx

    context = ssl.create_default_context(cafile=ca)
    limits = httpx.Limits(max_connections=IN_FLIGHT)
    async with httpx.AsyncClient(
        verify=context, http1=version != "2", http2=version == "2", limits=limits, timeout=60
    ) as client:

        async def get(url: str) -> int:
            return len((await client.get(url)).content)

        yield get


@asynccontextmanager
async def aiohttp_async(version: str, ca: str) -> AsyncIterator[AsyncGet]:
    import ssl

    import aiohttp

    connector = aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=ca), limit=IN_FLIGHT)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def get(url: str) -> int:
            async with session.get(url) as response:
                return len(await response.read())

        yield get


def _niquests_versions(version: str) -> dict[str, bool]:
    return {
        "disable_http1": version in ("2", "3"),
        "disable_http2": version != "2",
        "disable_http3": version != "3",
    }


@contextmanager
def niquests_client(version: str, ca: str) -> Iterator[Get]:
    import niquests

    options: dict[str, Any] = _niquests_versions(version)
    if version == "3":
        options["quic_cache_layer"] = _known_http3(sys.argv[4])
    with niquests.Session(**options) as session:
        session.verify = ca
        session.trust_env = False
        yield lambda url: len(session.get(url).content or b"")


@asynccontextmanager
async def niquests_async(version: str, ca: str) -> AsyncIterator[AsyncGet]:
    import niquests

    options: dict[str, Any] = _niquests_versions(version)
    if version == "3":
        options["quic_cache_layer"] = _known_http3(sys.argv[4])
    async with niquests.AsyncSession(
        pool_connections=IN_FLIGHT, pool_maxsize=IN_FLIGHT, **options
    ) as session:
        session.verify = ca
        session.trust_env = False

        async def get(url: str) -> int:
            return len((await session.get(url)).content or b"")

        yield get


def _known_http3(base: str) -> Any:
    import niquests

    host, _, port = base.removeprefix("https://").partition(":")
    known = niquests.structures.QuicSharedCache(max_size=100)
    known[host, int(port)] = (host, int(port))
    return known


class _Curl:
    """pycurl's handles, set up for one version."""

    def __init__(self, version: str, ca: str) -> None:
        import pycurl

        self.pycurl = pycurl
        self.ca = ca
        self.version = {
            "1": pycurl.CURL_HTTP_VERSION_1_1,
            "2": pycurl.CURL_HTTP_VERSION_2TLS,
            "3": pycurl.CURL_HTTP_VERSION_3ONLY,
        }[version[0]]

    def handle(self, url: str, received: list[bytes]) -> Any:
        curl = self.pycurl.Curl()
        curl.setopt(self.pycurl.CAINFO, self.ca)
        curl.setopt(self.pycurl.HTTP_VERSION, self.version)
        curl.setopt(self.pycurl.URL, url)
        curl.setopt(self.pycurl.WRITEFUNCTION, received.append)
        curl.setopt(self.pycurl.PIPEWAIT, 1)
        return curl


@contextmanager
def pycurl_client(version: str, ca: str) -> Iterator[Get]:
    received: list[bytes] = []
    curls = _Curl(version, ca)
    handle = curls.handle("", received)

    def get(url: str) -> int:
        received.clear()
        handle.setopt(curls.pycurl.URL, url)
        handle.perform()
        return len(b"".join(received))

    yield get
    handle.close()


def pycurl_concurrent(version: str, ca: str, url: str, seconds: float) -> int:
    """Keep 64 transfers going with the multi interface, and return how many were done."""
    curls = _Curl(version, ca)
    multi = curls.pycurl.CurlMulti()
    multi.setopt(curls.pycurl.M_PIPELINING, curls.pycurl.PIPE_MULTIPLEX)
    bodies: dict[Any, list[bytes]] = {}
    for _ in range(IN_FLIGHT):
        body: list[bytes] = []
        handle = curls.handle(url, body)
        bodies[handle] = body
        multi.add_handle(handle)
    done = 0
    end = time.perf_counter() + seconds
    running = IN_FLIGHT
    while running:
        _, running = multi.perform()
        _, good, bad = multi.info_read()
        assert not bad, bad
        for handle in good:
            assert bodies[handle]
            done += 1
            bodies[handle].clear()
            multi.remove_handle(handle)
            if time.perf_counter() < end:
                multi.add_handle(handle)
                running = 1
        if not good:
            multi.select(0.1)
    return done


SYNC_CLIENTS = {
    "h123": h123_client,
    "requests": requests_client,
    "httpx": httpx_client,
    "niquests": niquests_client,
    "pycurl": pycurl_client,
}
ASYNC_CLIENTS = {
    "h123 async": h123_async,
    "httpx async": httpx_async,
    "aiohttp": aiohttp_async,
    "niquests async": niquests_async,
}


def measure(
    name: str, mode: str, version: str, base: str, ca: str, seconds: float
) -> tuple[int, float, float]:
    """Return how many requests were answered, in how many seconds, with how many of CPU."""
    url = base + ("/big" if mode == "download" else "/small")
    if name == "pycurl" and mode == "concurrent":
        pycurl_concurrent(version, ca, url, 0.1)
        return _timed(lambda: pycurl_concurrent(version, ca, url, seconds))
    if name in ASYNC_CLIENTS:
        return asyncio.run(_measure_async(name, mode, version, url, ca, seconds))
    with SYNC_CLIENTS[name](version, ca) as get:
        get(url)

        def sequence() -> int:
            end = time.perf_counter() + seconds
            done = 0
            while time.perf_counter() < end:
                assert get(url) == (BIG if mode == "download" else 13)
                done += 1
            return done

        return _timed(sequence)


def _timed(work: Callable[[], int]) -> tuple[int, float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    done = work()
    return done, time.perf_counter() - wall, time.process_time() - cpu


async def _measure_async(
    name: str, mode: str, version: str, url: str, ca: str, seconds: float
) -> tuple[int, float, float]:
    async with ASYNC_CLIENTS[name](version, ca) as get:
        await asyncio.gather(*(get(url) for _ in range(IN_FLIGHT if mode == "concurrent" else 1)))
        wall, cpu = time.perf_counter(), time.process_time()
        end = wall + seconds
        done = 0

        async def sequence() -> None:
            nonlocal done
            while time.perf_counter() < end:
                assert await get(url) == (BIG if mode == "download" else 13)
                done += 1

        await asyncio.gather(*(sequence() for _ in range(IN_FLIGHT if mode == "concurrent" else 1)))
        return done, time.perf_counter() - wall, time.process_time() - cpu


def main() -> None:
    """Measure one contestant, as the command line says."""
    name, mode, version, base, ca, seconds = sys.argv[1:]
    done, wall, cpu = measure(name, mode, version, base, ca, float(seconds))
    amount = done * (BIG >> 20) if mode == "download" else done
    print(json.dumps({"per_second": amount / wall, "cpu": cpu / amount * 1e6}))


if __name__ == "__main__":
    main()

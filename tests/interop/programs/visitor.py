"""Our client in a process of its own, which tells how its memory grew.

`visitor.py TASK FACE VERSION URL CA_FILE`: TASK is `download`, `upload` or `small`, FACE `sync` or `async`.
Prints JSON: what came, and by how many KiB the most memory exceeded that after the first request.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import sys
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from h123.client.async_client import AsyncClient
from h123.client.sync_client import Client

MEBIBYTE = 1 << 20
BLOCKS = 256
AT_ONCE = 16


def memory(field: str, process: int | str = "self") -> int:
    """Return VmRSS, or VmHWM, of a process in KiB."""
    with open(f"/proc/{process}/status", encoding="ascii") as file:
        for line in file:
            if line.startswith(field + ":"):
                return int(line.split()[1])
    raise AssertionError(field)


def forget_peak(process: int | str = "self") -> None:
    """Let VmHWM begin anew."""
    with open(f"/proc/{process}/clear_refs", "w", encoding="ascii") as file:
        file.write("5")


def block(number: int) -> bytes:
    """Return the block of an upload with this number."""
    return b"%08d" % number * (MEBIBYTE // 8)


def blocks() -> Iterator[bytes]:
    for number in range(BLOCKS):
        yield block(number)


async def async_blocks() -> AsyncIterator[bytes]:
    for number in range(BLOCKS):
        yield block(number)


def small_names() -> list[str]:
    return [f"file-{number:04}.bin" for number in range(1000)]


def visit_sync(task: str, version: str, url: str, ca_file: str) -> dict[str, Any]:
    with Client(verify=ca_file, timeout=60) as client:
        client.get(url + "/hello.txt", http_version=version).raise_for_status()
        forget_peak()
        before = memory("VmRSS")
        result: dict[str, Any] = {}
        if task == "download":
            digest = hashlib.sha256()
            with client.stream("GET", url + "/big.bin", http_version=version) as response:
                for part in response.iter_bytes():
                    digest.update(part)
            result = {"sha256": digest.hexdigest(), "version": response.http_version}
        elif task == "upload":
            response = client.put(url + "/upload", content=blocks(), http_version=version)
            result = response.json()
        else:

            def fetch(name: str) -> tuple[str, str]:
                answer = client.get(f"{url}/small/{name}", http_version=version)
                answer.raise_for_status()
                return name, hashlib.sha256(answer.content).hexdigest()

            with ThreadPoolExecutor(AT_ONCE) as threads:
                result = {"files": dict(threads.map(fetch, small_names()))}
        return result | {"growth": memory("VmHWM") - before}


async def visit_async(task: str, version: str, url: str, ca_file: str) -> dict[str, Any]:
    async with AsyncClient(verify=ca_file, timeout=60) as client:
        (await client.get(url + "/hello.txt", http_version=version)).raise_for_status()
        forget_peak()
        before = memory("VmRSS")
        result: dict[str, Any] = {}
        if task == "download":
            digest = hashlib.sha256()
            async with client.stream("GET", url + "/big.bin", http_version=version) as response:
                async for part in response.aiter_bytes():
                    digest.update(part)
            result = {"sha256": digest.hexdigest(), "version": response.http_version}
        elif task == "upload":
            response = await client.put(
                url + "/upload", content=async_blocks(), http_version=version
            )
            result = response.json()
        else:
            turns = asyncio.Semaphore(AT_ONCE)

            async def fetch(name: str) -> tuple[str, str]:
                async with turns:
                    answer = await client.get(f"{url}/small/{name}", http_version=version)
                answer.raise_for_status()
                return name, hashlib.sha256(answer.content).hexdigest()

            result = {"files": dict(await asyncio.gather(*map(fetch, small_names())))}
        return result | {"growth": memory("VmHWM") - before}


if __name__ == "__main__":
    task, face, version, url, ca_file = sys.argv[1:]
    if face == "sync":
        print(json.dumps(visit_sync(task, version, url, ca_file)))
    else:
        print(json.dumps(asyncio.run(visit_async(task, version, url, ca_file))))

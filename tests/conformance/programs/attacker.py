"""Sends the bytes of a file to a port over connection after connection until it is killed.

It reads nothing until all is sent, and goes to the next when the server hangs up or takes no more.

    attacker.py PORT FILE CONNECTIONS

It is a process of its own, so that it takes its processor's time from nobody whom the tests measure.
"""

from __future__ import annotations

import socket
import sys
import threading
from pathlib import Path


def attack(port: int, wire: bytes) -> None:
    while True:
        with socket.socket() as sock:
            sock.settimeout(0.5)
            try:
                sock.connect(("127.0.0.1", port))
                view = memoryview(wire)
                while len(view):
                    view = view[sock.send(view) :]
                while sock.recv(65536):
                    pass
            except OSError:
                continue  # refused, cut off, or no longer read: another connection, then


def main() -> None:
    port, wire = int(sys.argv[1]), Path(sys.argv[2]).read_bytes()
    threads = [threading.Thread(target=attack, args=(port, wire)) for _ in range(int(sys.argv[3]))]
    print("begun", flush=True)
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main()

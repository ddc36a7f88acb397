"""A short run of every fuzz target: with atheris where it is installed, and with Hypothesis everywhere."""

from __future__ import annotations

import importlib.util
import sys

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.conftest import run_program
from tests.fuzz.targets import TARGETS

RUNS = 2000

_frames = st.builds(
    lambda kind, flags, stream, payload: (
        len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload
    ),
    st.integers(0, 17),
    st.sampled_from([0, 1, 4, 5, 8, 13, 32, 45]),
    st.integers(0, 5),
    st.one_of(
        st.binary(max_size=12),
        st.sampled_from(
            [
                b"\x82\x86\x84\x41\x01a",
                b"\x88",
                b"\0\0\0\2\x82\x86\x84\x41\x01a",
                b"\0\0\0\0",
                b"\0\0\0\1u=1, i",
            ]
        ),
    ),
)
_bytes = st.one_of(st.binary(max_size=200), st.lists(_frames, max_size=8).map(b"".join))


@pytest.mark.parametrize("name", TARGETS)
def test_promises_hold_for_any_bytes(name: str) -> None:
    @settings(deadline=None, max_examples=60)
    @given(_bytes)
    @example(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    @example(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    def run(data: bytes) -> None:
        TARGETS[name](data)

    run()


@pytest.mark.slow
@pytest.mark.parametrize("name", TARGETS)
def test_a_short_run_of_atheris(name: str) -> None:
    if importlib.util.find_spec("atheris") is None:
        pytest.skip("atheris is not installed")
    run_program([sys.executable, "-m", "tests.fuzz", name, f"-runs={RUNS}", "-max_total_time=20"])

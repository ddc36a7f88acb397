from __future__ import annotations

import pytest
from tests.protocol.http3.fake_quic import Bench

from h123.protocol.connection import Role


@pytest.fixture
def server() -> Bench:
    """A server's engine whose client has sent empty SETTINGS."""
    return Bench(Role.SERVER, settings={})


@pytest.fixture
def client() -> Bench:
    """A client's engine whose server has sent empty SETTINGS."""
    return Bench(Role.CLIENT, settings={})

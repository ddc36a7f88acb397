from __future__ import annotations

import pytest
from tests.protocol.quic.wire import Certificates


@pytest.fixture(scope="session")
def certificates() -> Certificates:
    """An authority, and a certificate for localhost by it."""
    return Certificates()

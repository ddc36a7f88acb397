"""Accept: RFC 9110 section 12.5.1."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from h123.server.files.negotiation import preferred

HTML, JSON = "text/html", "application/json"


@pytest.mark.parametrize(
    ("accept", "choice"),
    [
        ("", HTML),
        ("*/*", HTML),
        (JSON, JSON),
        (HTML, HTML),
        ("Application/JSON", JSON),
        (f"{JSON}; charset=utf-8", JSON),
        (f"{JSON}, */*", JSON),
        (f"*/*, {JSON}", JSON),
        ("application/*", JSON),
        (f"{JSON}, text/plain, */*", JSON),
        (f"{HTML}, {JSON}", HTML),
        (f"{JSON}, {HTML}", HTML),
        (f"{HTML};q=0.5, {JSON};q=0.6", JSON),
        (f"{HTML};q=0.5, */*;q=0.6", JSON),
        (f"{HTML} ; Q=0.5 , {JSON}", JSON),
        (f"{HTML};q=0, */*", JSON),
        (f"{JSON};q=0, */*", HTML),
        (f"{JSON};q=2", HTML),
        (f"{JSON};q=nan", HTML),
        ("image/png", HTML),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8", HTML),
        (";;,,;q=1,/", HTML),
    ],
)
def test_choice(accept: str, choice: str) -> None:
    assert preferred(accept, (HTML, JSON)) == choice


@given(st.text(alphabet="texhml/*jsonapic,;q=01. ", max_size=80))
def test_any_text_gives_one_of_the_offers(accept: str) -> None:
    assert preferred(accept, (HTML, JSON)) in (HTML, JSON)

"""Status codes (RFC 9110 section 15)."""

from __future__ import annotations

import httpx
import pytest

from h123.message.status_codes import codes


@pytest.mark.parametrize("code", list(httpx.codes), ids=lambda code: code.name)
def test_every_code_of_httpx_has_its_name_and_phrase(code: httpx.codes) -> None:
    ours = codes[code.name]
    assert ours == code.value
    assert codes.get_reason_phrase(code.value) == httpx.codes.get_reason_phrase(code.value)
    assert getattr(codes, code.name.lower()) == code.value


def test_a_code_is_a_number_and_prints_as_it() -> None:
    assert codes.NOT_FOUND == codes.not_found == 404  # type: ignore[attr-defined]
    assert str(codes.NOT_FOUND) == f"{codes.NOT_FOUND}" == "404"
    assert codes(404) is codes.NOT_FOUND
    assert codes.NOT_FOUND.phrase == "Not Found"


def test_an_unregistered_code_has_no_phrase() -> None:
    assert codes.get_reason_phrase(499) == ""


@pytest.mark.parametrize(
    ("code", "kinds"),
    [
        (103, {"informational"}),
        (204, {"success"}),
        (302, {"redirect"}),
        (404, {"client_error", "error"}),
        (599, {"server_error", "error"}),
        (600, set()),
    ],
)
def test_classes_of_codes_section_15(code: int, kinds: set[str]) -> None:
    names = ("informational", "success", "redirect", "client_error", "server_error", "error")
    assert {name for name in names if getattr(codes, f"is_{name}")(code)} == kinds

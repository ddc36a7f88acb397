"""Choosing a form by the Accept field. RFC 9110 section 12.5.1."""

from __future__ import annotations

import re
from collections.abc import Sequence

_MOST_RANGES = 64  # the rest of a longer field is not read
_WEIGHT = re.compile(r"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?", re.ASCII)


def preferred(accept: str, offers: Sequence[str]) -> str:
    """Return the media type among `offers` that this Accept value likes best.

    Between equals, the one that is named rather than met by a wildcard wins (`application/json, */*` asks
    for JSON), then the first offer. Where nothing is acceptable, the first offer is returned: an answer
    in another form serves better than none.
    """
    wishes = _parse(accept)
    best, best_rank = offers[0], (0.0, 0)
    for offer in offers:
        rank = _rank(offer, wishes)
        if rank[0] > 0 and rank > best_rank:
            best, best_rank = offer, rank
    return best


def _parse(accept: str) -> dict[str, float]:
    """Return media ranges, without parameters, and their weights."""
    wishes: dict[str, float] = {}
    for element in accept.lower().split(",", _MOST_RANGES)[:_MOST_RANGES]:
        media_range, *parameters = (part.strip(" \t") for part in element.split(";"))
        weight = 1.0
        for parameter in parameters:
            name, _, value = parameter.partition("=")
            if name == "q":
                weight = float(value) if _WEIGHT.fullmatch(value) else 0.0
        if media_range:
            wishes[media_range] = max(weight, wishes.get(media_range, 0.0))
    return wishes


def _rank(offer: str, wishes: dict[str, float]) -> tuple[float, int]:
    """Return the offer's weight and how precisely it was named: the most specific range decides."""
    major = offer.partition("/")[0]
    for precision, media_range in ((3, offer), (2, f"{major}/*"), (1, "*/*")):
        if (weight := wishes.get(media_range)) is not None:
            return weight, precision
    return 0.0, 0

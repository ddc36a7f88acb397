"""Field values that header compression must not remember (RFC 7541 section 7.1.3, RFC 9204 section 7.1.3)."""

from __future__ import annotations


class Sensitive(bytes):
    """A field value that no header compression may put into a table (RFC 7541 section 7.1.3).

    It is bytes like any other. Wrap a value in it to have it sent as a never-indexed literal, on this hop and
    on those after it; values that came so are given as `Sensitive`, so that a gateway that passes them on
    keeps the promise. Authorization, Proxy-Authorization, Set-Cookie and short cookies need no wrapping.
    """

    __slots__ = ()

"""The vocabulary: URL, Headers, Request, Response, bodies. It serves clients and servers alike and does no I/O."""

"""Sans-I/O HTTP engines: bytes in, events out, one contract for every version.

`connection` says what an engine is; `events`, `errors` and `limits` are its vocabulary; `registry`
finds an engine by the version's name. Nothing here opens a socket, reads a clock, takes a lock or awaits.
"""

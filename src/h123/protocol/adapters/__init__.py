"""Other people's HTTP engines in the place of ours, each an optional extra, chosen by name (`registry`).

An adapter of HTTP/1.1 replaces the half that reads: bytes become messages by another parser. What may be
sent, what ends an exchange and what a request is for stay ours, so they are the same whoever reads.
"""

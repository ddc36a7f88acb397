"""HTTP/1.1 (RFC 9110, RFC 9112).

`connection` is the engine: it receives, on top of `sending`, on top of the `state` that both share. `head`
reads heads, after `repair` where a client forgives, and `writing` writes them; `framing` says where content
ends and `chunks` reads it where it comes in chunks; `rules` names all that is refused; `syntax` knows which
bytes may stand where, `reason` the status lines.
"""

"""HTTP/1.1 (RFC 9110, RFC 9112).

`connection` is the engine: it sends, on top of `receiving`, on top of the `state` that both share. `head`
reads heads and `writing` writes them; `framing` says where content ends and `content` reads it; `syntax`
knows which bytes may stand where, `reason` the status lines.
"""

"""The command `h123`: one module a command."""

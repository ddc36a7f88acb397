"""The server: listeners, connections, handlers, static files."""

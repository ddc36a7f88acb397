"""Engines in memory: no sockets, no loop, only what parsing and writing HTTP costs."""

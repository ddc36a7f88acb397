"""Where an engine meets a network stream; clients and servers both stand on it."""

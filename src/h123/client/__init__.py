"""The client: sync and async faces over one core."""

"""The version of h123, in one place."""

__version__ = "0.1.0.dev0"

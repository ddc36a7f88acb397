"""Benchmarks: every figure stands beside a named peer's from the same run."""

"""Benchmarks: our way and a peer's on the same data, each in a process of its own."""

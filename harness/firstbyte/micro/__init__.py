"""Micro-benchmarks: pytest-benchmark measures the hot paths, and its JSON becomes a run like any other."""

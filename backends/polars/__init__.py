"""Polars' streaming engine."""

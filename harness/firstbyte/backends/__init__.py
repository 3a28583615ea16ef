"""Backends: the project's own, and those of the plug-in roots that are mounted (`firstbyte.plugins`)."""

from firstbyte.plugins import search_path

__path__ = search_path("backends")

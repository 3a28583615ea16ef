"""Instruments: the project's own, and those of plug-in roots that are mounted (`firstbyte.plugins`)."""

"""Lies, cheats, hidden memory and leaks, planted in an honest reader: what is said of them and of others.

Begin at `kinds`, which says what is planted and what is wanted; the planted backends are data in `planted`.
"""

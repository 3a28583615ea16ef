"""The Firstbyte engine: plans cells, runs each in a process of its own, judges and reports them.

It names no backend and no scenario: those are found in their folders by `firstbyte.engine.registry`.
"""

__version__ = "0.1.0"

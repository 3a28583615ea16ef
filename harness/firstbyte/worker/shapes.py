"""Shapes of use: the ways in which a program uses a reader, and in which a reader can leak.

A verdict holds for the shape that was tried and for no other. Standard library only.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

SHAPE = "shape"
"""Parameter of the leak scenario: a `Shape`; WHOLE where it is missing."""


class Shape(StrEnum):
    """What one use is."""

    WHOLE = "whole"
    """A file is read to its end and closed."""
    ABANDONED = "abandoned"
    """One batch is taken, then batch and reader are dropped; nothing is closed."""
    FAILING = "failing"
    """A file that is not there, one that is cut off and one that is torn are opened and read until an error
    comes."""
    CONCURRENT = "concurrent"
    """Several threads, started for it, each read the file to its end at the same time."""
    CHILDREN = "children"
    """As WHOLE, in a process that the worker has started: what is noted is that process's."""


NEEDS: Mapping[Shape, frozenset[str]] = {
    Shape.WHOLE: frozenset({"reopen"}),
    Shape.ABANDONED: frozenset({"reopen"}),
    Shape.FAILING: frozenset({"reopen"}),
    Shape.CONCURRENT: frozenset({"reopen", "threads"}),
    Shape.CHILDREN: frozenset({"reopen", "processes"}),
}
"""Capabilities that a backend must have."""

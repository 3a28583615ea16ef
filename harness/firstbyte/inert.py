"""Text of others as text: what would move a cursor, colour a terminal or ring its bell is written out."""

from __future__ import annotations


def inert(text: str, keep: str = "") -> str:
    r"""The text with every character that is not printable as its escape: ESC is shown as `\x1b`.

    `keep` holds control characters that may stay, such as a line break.
    """
    return "".join(
        mark if mark.isprintable() or mark in keep else mark.encode("unicode_escape").decode()
        for mark in text
    )

"""Text of others as text: what would move a cursor, colour a terminal or ring its bell is written out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    Data = TypeVar("Data", bound=DataclassInstance)


def inert(text: str, keep: str = "") -> str:
    r"""The text with every character that is not printable as its escape: ESC is shown as `\x1b`.

    `keep` holds control characters that may stay, such as a line break.
    """
    if text.isprintable():
        return text
    return "".join(
        mark if mark.isprintable() or mark in keep else mark.encode("unicode_escape").decode()
        for mark in text
    )


def inert_fields(data: Data) -> Data:
    """The same data with all texts in its fields inert, those in their lists and tables as well."""
    return replace(data, **{one.name: _inert(getattr(data, one.name)) for one in fields(data)})


def _inert(value: Any) -> Any:
    if isinstance(value, str):
        return inert(value)
    if isinstance(value, Mapping):
        return {_inert(key): _inert(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(map(_inert, value))
    return value

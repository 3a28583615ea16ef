"""What a reader hands out."""

from __future__ import annotations

from typing import Any, NamedTuple


class Batch(NamedTuple):
    """`num_rows` rows: column name -> list of Python values, in the order of the schema."""

    num_rows: int
    columns: dict[str, list[Any]]

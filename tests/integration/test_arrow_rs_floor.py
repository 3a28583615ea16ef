"""The pages that a scan has in hand, against page headers that this test reads itself."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from mutations.bases import base_files
from mutations.thrift import Walk

firstbyte_arrow = pytest.importorskip("firstbyte_arrow")

BASES = dict(base_files())
DICTIONARY = 2
PAGE_TYPE, DECOMPRESSED_BYTES, COMPRESSED_BYTES = (1,), (2,), (3,)


def chunk_bytes(data: bytes, column: pq.ColumnChunkMetaData) -> int:
    """The chunk's dictionary and its largest data page, decompressed."""
    at = column.dictionary_page_offset or column.data_page_offset
    end = at + column.total_compressed_size
    dictionary, pages = 0, [0]
    while at < end:
        walk = Walk(data, at)
        header = {slot.path: slot.value for slot in reversed(walk.slots)}
        if header[PAGE_TYPE] == DICTIONARY:
            dictionary = header[DECOMPRESSED_BYTES]
        else:
            pages.append(header[DECOMPRESSED_BYTES])
        at = walk.at + header[COMPRESSED_BYTES]
    return dictionary + max(pages)


@pytest.mark.parametrize("name", [name for name in BASES if "zstd" in name])
def test_a_page_and_a_dictionary_of_each_column_are_in_hand(tmp_path: Path, name: str) -> None:
    path = tmp_path / "base.parquet"
    path.write_bytes(BASES[name])
    metadata = pq.read_metadata(path)
    sizes: list[Counter[str]] = []
    for index in range(metadata.num_row_groups):
        group = metadata.row_group(index)
        sizes.append(Counter())
        for column in map(group.column, range(group.num_columns)):
            sizes[-1][column.path_in_schema.split(".")[0]] += chunk_bytes(BASES[name], column)
    dataset = firstbyte_arrow.open(path)
    assert dataset.pages_in_hand() == max(sum(size.values()) for size in sizes)
    first = next(iter(sizes[0]))
    assert dataset.pages_in_hand(columns=[first]) == max(size[first] for size in sizes)

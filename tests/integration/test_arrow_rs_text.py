"""Bytes that only the Arrow schema in the footer calls text: text where they are UTF-8, otherwise refused."""

from __future__ import annotations

import base64
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

firstbyte_arrow = pytest.importorskip("firstbyte_arrow")

ENCODINGS = ("PLAIN", "DELTA_LENGTH_BYTE_ARRAY", "DELTA_BYTE_ARRAY")
KINDS = (pa.string(), pa.large_string(), pa.string_view())
SOUND = ["wört".encode(), None, b"", b"a string that no view holds in itself"]


def write(path: Path, values: list[bytes | None], kind: pa.DataType, encoding: str) -> None:
    """Binary columns, one of them in lists, and a schema beside them that says `kind`."""
    table = pa.table(
        {
            "text": pa.array(values, pa.binary()),
            "texts": pa.array([[value] for value in values], pa.list_(pa.binary())),
        }
    )
    told = pa.schema([("text", kind), ("texts", pa.list_(kind))])
    encoded = base64.b64encode(told.serialize().to_pybytes())
    columns = dict.fromkeys(("text", "texts.list.element"), encoding)
    with pq.ParquetWriter(
        path, table.schema, store_schema=False, use_dictionary=False, column_encoding=columns
    ) as writer:
        writer.write_table(table)
        writer.add_key_value_metadata({"ARROW:schema": encoded.decode()})


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("strings", ["utf8", "view", "dictionary"])
def test_what_is_said_to_be_text_must_be(
    tmp_path: Path, encoding: str, kind: pa.DataType, strings: str
) -> None:
    path = tmp_path / "text.parquet"
    write(path, SOUND, kind, encoding)
    (batch,) = firstbyte_arrow.open(path).scan(strings=strings)
    taken = pa.record_batch(batch)
    taken.validate(full=True)
    values = taken["text"].to_pylist()
    assert [None if value is None else value.encode() for value in values] == SOUND
    for column, bad in (("text", [b"\xff", b"fine"]), ("texts", [b"fine", b"half \xc3"])):
        write(path, bad, kind, encoding)
        with pytest.raises(firstbyte_arrow.CorruptFileError, match="UTF-8") as raised:
            list(firstbyte_arrow.open(path).scan(strings=strings, columns=[column]))
        assert raised.value.column == column

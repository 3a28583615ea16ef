"""What can go wrong with the bytes of a file."""

from __future__ import annotations


class MalformedError(Exception):
    """Bytes that break the format, found by a decoder that does not know which file it reads."""


class TruncatedError(MalformedError):
    """The bytes end in the middle of a value; with more bytes it may be well formed."""


class CorruptParquetError(Exception):
    """A file that breaks the Parquet format.

    `column` is the dotted path of the leaf, empty for the footer; `offset` is the byte position in
    the file of the footer or page where the fault was found.
    """

    def __init__(self, file: str, column: str, offset: int, fault: str) -> None:
        where = f"column '{column}'" if column else "footer"
        super().__init__(f"corrupt parquet file {file}: {where} at byte {offset}: {fault}")
        self.file = file
        self.column = column
        self.offset = offset
        self.fault = fault

    def __reduce__(self) -> tuple[type[CorruptParquetError], tuple[str, str, int, str]]:
        # A process pool pickles exceptions; the default would call with the message alone.
        return type(self), (self.file, self.column, self.offset, self.fault)

"""LSHD, the legacy format: files drawn at random and damaged ones, through all rungs."""

from __future__ import annotations

import functools
import hashlib
import io
import random
import zlib
from pathlib import Path
from typing import Any

import pyarrow as pa
from firstbyte.backends.legacy.encode import RowEncoder
from firstbyte.backends.legacy.errors import LshdError
from firstbyte.backends.legacy.format import (
    BLOCK,
    HEADER,
    TRAILER,
    ZLIB_LEVEL,
    BlockEntry,
    BlockHeader,
    Header,
    Trailer,
    pack_index,
    unpack_index,
    unpack_trailer,
)
from firstbyte.backends.legacy.readers import RUNGS
from firstbyte.backends.legacy.schema import schema_text
from firstbyte.backends.legacy.writer import LshdWriter

from firstbyte.api import Unsupported

from .canonical import Columns, columns
from .crate import differs, rows_of
from .faults import Bad, Fault, WrongRows, untyped_becomes_bad
from .libraries import draw_table
from .memory import Growth
from .valid import Report

GROWTH_BYTES = 64 << 20
MUTANTS_OF_ONE = 16
DAMAGED_SHARE = 0.75
BATCHES = (1, 7, 1024)


@functools.lru_cache(maxsize=4)
def _sound(seed: int, number: int) -> tuple[bytes, Columns]:
    draw = random.Random(f"lshd base {seed}/{number}")
    while True:
        try:
            table = draw_table(draw, exotic=draw.random() < 0.4)
            return _written(draw, table), columns(table)
        except (Unsupported, pa.ArrowException):
            continue


def _written(draw: random.Random, table: pa.Table) -> bytes:
    sink = io.BytesIO()
    encoder = RowEncoder(table.schema)
    target = draw.choice((1, 50, 500, 1 << 20))
    writer = LshdWriter(sink, schema_text(encoder.fields), block_target_bytes=target)
    for batch in table.to_batches():
        for record in encoder.rows(batch):
            writer.write(record)
    writer.finish()
    return sink.getvalue()


def check(seed: int, number: int, path: Path) -> tuple[Report, bytes]:
    """Draw the file of this number, sound or damaged, and read it by every rung."""
    draw = random.Random(f"lshd {seed}/{number}")
    data, expected = _sound(seed, number // MUTANTS_OF_ONE)
    if draw.random() >= DAMAGED_SHARE:
        return _read(path, Report("sound"), data, draw, expected, sound=True), data
    what, damaged, hashed = damage(draw, data)
    if damaged == data:
        return _read(path, Report("sound"), data, draw, expected, sound=True), data
    report = Report(what)
    return _read(path, report, damaged, draw, expected, sound=False, hashed=hashed), damaged


def _read(
    path: Path,
    report: Report,
    data: bytes,
    draw: random.Random,
    expected: Columns,
    *,
    sound: bool,
    hashed: bool = False,
) -> Report:
    """`hashed`: hashes were made right after the damage."""
    path.write_bytes(data)
    kind = "sound" if sound else "damaged"
    seen: dict[str, Columns] = {}
    for name, rung in RUNGS.items():
        rows = draw.choice(BATCHES)
        try:
            try:
                with Growth(GROWTH_BYTES):
                    found = untyped_becomes_bad(
                        lambda r=rung, n=rows: _scan(r, path, n), (LshdError,)
                    )
            except LshdError as error:
                if sound:
                    raise WrongRows(f"a sound file is refused: {error}") from error
                report.counts[f"{kind} {name} error"] += 1
                continue
            if sound and (found or rows_of(expected)):
                differs(found, expected, name)
            if not sound and not hashed and name in ("r0", "r1"):
                raise WrongRows("a changed byte is not noticed")
            _same_rows(found, seen, data)
            seen[name] = found
        except Bad as error:
            report.counts[f"{kind} {name} {error.kind}"] += 1
            report.faults.append(Fault(f"legacy:{name}", error.kind, f"{report.what}: {error}"))
            continue
        report.counts[f"{kind} {name} rows"] += 1
    return report


def _same_rows(found: Columns, seen: dict[str, Columns], data: bytes) -> None:
    """Raises WrongRows where the rungs or the trailer contradict."""
    stated = unpack_trailer(data[-TRAILER.size :]).n_records
    if rows_of(found) != stated:
        raise WrongRows(f"{rows_of(found)} rows, the trailer says {stated}")
    for name, other in seen.items():
        differs(found, other, f"not as {name}")


def _scan(rung: Any, path: Path, batch_rows: int) -> Columns:
    with rung(path, None, batch_rows) as reader:
        batches = [reader.canonical(batch) for batch in reader]
    return columns(pa.Table.from_batches(batches)) if batches else {}


def damage(draw: random.Random, data: bytes) -> tuple[str, bytes, bool]:
    """What was done, the result, and whether all hashes fit it."""
    if draw.random() < 0.4:
        return _bytes(draw, data)
    parts = Parts(data)
    done = draw.choice(Parts.WAYS)
    getattr(parts, done)(draw)
    return done, parts.file(draw), True


def _bytes(draw: random.Random, data: bytes) -> tuple[str, bytes, bool]:
    changed = bytearray(data)
    match draw.randrange(4):
        case 0:
            del changed[draw.randrange(len(changed)) :]
            return "cut off", bytes(changed), False
        case 1:
            start = draw.randrange(len(changed))
            piece = changed[start : start + draw.randint(1, 40)]
            at = draw.randrange(len(changed))
            changed[at : at + len(piece)] = piece
            return "copied", bytes(changed), False
        case 2:
            at = draw.randrange(len(changed))
            del changed[at : at + draw.randint(1, 20)]
            return "taken out", bytes(changed), False
    for _ in range(draw.choice((1, 1, 3))):
        # Header, trailer and everything else alike.
        span = draw.choice(
            ((0, HEADER.size), (len(data) - TRAILER.size, len(data)), (0, len(data)))
        )
        changed[draw.randrange(*span)] ^= 1 << draw.randrange(8)
    return "bits", bytes(changed), False


class Parts:
    """A file taken apart, changed, and put together with hashes that fit."""

    WAYS = (
        "raw_bits",
        "raw_cut",
        "raw_longer",
        "header_number",
        "index_number",
        "schema",
        "deflated",
    )

    def __init__(self, data: bytes) -> None:
        trailer = unpack_trailer(data[-TRAILER.size :])
        _, _, _, schema_len, self.target, self.created, _, _ = HEADER.unpack(data[: HEADER.size])
        self.schema_text = data[HEADER.size : HEADER.size + schema_len]
        index_bytes = data[trailer.index_off : trailer.index_off + trailer.index_len]
        self.entries = unpack_index(index_bytes, trailer, HEADER.size + schema_len)
        self.records = trailer.n_records
        self.raws, self.numbers, self.streams = [], [], dict[int, bytes]()
        for entry in self.entries:
            _, n_rec, raw_len, comp_len, _ = BLOCK.unpack(
                data[entry.file_off : entry.file_off + BLOCK.size]
            )
            start = entry.file_off + BLOCK.size
            self.raws.append(bytearray(zlib.decompress(data[start : start + comp_len])))
            self.numbers.append([n_rec, raw_len])
        self.index: list[Any] | None = None
        self.edit_index = False

    def _block(self, draw: random.Random) -> int | None:
        return draw.randrange(len(self.raws)) if self.raws else None

    def raw_bits(self, draw: random.Random) -> None:
        """Records."""
        if (number := self._block(draw)) is not None and self.raws[number]:
            for _ in range(draw.choice((1, 2))):
                raw = self.raws[number]
                raw[draw.randrange(len(raw))] = draw.choice(
                    (draw.randrange(256), 0xC0, 0xC6, 0xC9, 0xDD, 0xDF, 0xDB, 0x90, 0x81, 0xD4)
                )

    def raw_cut(self, draw: random.Random) -> None:
        """Records, of a length that is stated rightly."""
        if (number := self._block(draw)) is not None:
            raw = self.raws[number]
            del raw[draw.randint(0, len(raw)) :]
            self.numbers[number][1] = len(raw)

    def raw_longer(self, draw: random.Random) -> None:
        """More than the records."""
        if (number := self._block(draw)) is not None:
            self.raws[number] += draw.randbytes(draw.randint(1, 9))
            if draw.random() < 0.5:
                self.numbers[number][1] = len(self.raws[number])

    def header_number(self, draw: random.Random) -> None:
        """A count or a length of a block."""
        if (number := self._block(draw)) is not None:
            field = draw.randrange(2)
            value = self.numbers[number][field]
            others = (0, 1, value + 1, max(value - 1, 0), 2**31, 2**32 - 1)
            self.numbers[number][field] = draw.choice(others)

    def index_number(self, draw: random.Random) -> None:
        """The index, or the number of records."""
        self.edit_index = True
        if draw.random() < 0.3:
            self.records = draw.choice((0, self.records + 1, 2**63))

    def schema(self, draw: random.Random) -> None:
        """The schema's text."""
        text = bytearray(self.schema_text)
        text[draw.randrange(len(text))] = draw.choice(b'"[]{}:,09nai\xff')
        self.schema_text = bytes(text)

    def deflated(self, draw: random.Random) -> None:
        """A block that inflates to far more, or whose stream is not whole."""
        if (number := self._block(draw)) is not None:
            stream = zlib.compress(bytes(draw.choice((1 << 22, 1 << 16))))
            if draw.random() < 0.5:
                stream = zlib.compress(self.raws[number])[: -draw.randint(1, 5)]
            self.streams[number] = stream

    def file(self, draw: random.Random) -> bytes:
        """All put together."""
        head = Header(len(self.schema_text), self.target, self.created).pack(self.schema_text)
        out = bytearray(head + self.schema_text)
        entries, first = [], 0
        for number, (raw, (n_rec, raw_len)) in enumerate(zip(self.raws, self.numbers, strict=True)):
            stream = self.streams.get(number) or zlib.compress(raw, ZLIB_LEVEL)
            entry = self.entries[number]
            kept = n_rec if draw.random() < 0.5 else entry.n_rec
            entries.append(BlockEntry(len(out), kept, first))
            first += kept
            out += BlockHeader(n_rec, raw_len, len(stream), zlib.crc32(raw)).pack() + stream
        if self.edit_index and entries:
            number = draw.randrange(len(entries))
            cells = [entries[number].file_off, entries[number].n_rec, entries[number].first_rec]
            cells[draw.randrange(3)] += draw.choice((-1, 1, 20, 2**31, 2**62))
            entries[number] = BlockEntry(*cells)
        elif not self.edit_index and draw.random() < 0.8:
            self.records = first
        index = pack_index(entries)
        at = len(out)
        out += index
        sha1 = hashlib.sha1(out, usedforsecurity=False).digest()
        return bytes(out) + Trailer(at, len(index), self.records, sha1, len(entries)).pack()

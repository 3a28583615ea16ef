"""Seeded text corpora with the schemas of data for translation (`mt`) and language models (`llm`).

Rows are made in chunks whose random stream is given by the seed and the chunk alone. So the rows do
not depend on the layout of the files, and memory does not grow with the size of the corpus.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from firstbyte.corpora import vocabulary
from firstbyte.corpora.draws import Draws
from firstbyte.corpora.layout import Layout, Written, write_shards
from firstbyte.corpora.progress import OnProgress

GENERATOR_VERSION = 1
"""Changes whenever the same seed would give other rows."""

_TAG = pa.dictionary(pa.int8(), pa.string())

MT_SCHEMA = pa.schema(
    [
        ("src", pa.string()),
        ("tgt", pa.string()),
        ("src_lang", _TAG),
        ("tgt_lang", _TAG),
        ("domain", _TAG),
        ("align_score", pa.float32()),
        ("lid_score", pa.float32()),
        ("doc_id", pa.string()),
        ("src_ids", pa.list_(pa.int32())),
        ("tgt_ids", pa.list_(pa.int32())),
    ]
)

LLM_SCHEMA = pa.schema(
    [
        ("text", pa.string()),
        ("id", pa.string()),
        ("dump", pa.string()),
        ("url", pa.string()),
        ("file_path", pa.string()),
        ("language", pa.string()),
        ("language_score", pa.float64()),
        ("token_count", pa.int64()),
        ("score", pa.float64()),
        ("token_ids", pa.list_(pa.int32())),
        (
            "meta",
            pa.struct(
                [("license", pa.string()), ("paragraphs", pa.int32()), ("quality", pa.float64())]
            ),
        ),
    ]
)

_SENTENCE_WORDS = (1, 3, 5, 7, 8, 10, 12, 14, 16, 18, 21, 24, 28, 33, 40, 52, 90)
"""Quantiles of words in a sentence, median 16."""

_DOCUMENT_WORDS = (
    *(20, 40, 65, 95, 125, 160, 205, 250, 300),
    *(360, 430, 510, 630, 790, 1060, 1600, 4200),
)
"""Quantiles of words in a document, mean about 500: some 4 KB of text."""

_DOMAINS = ("news", "web", "books", "subtitles", "legal", "medical", "software", "wiki")
_LICENSES = ("cc-by", "cc-by-sa", "cc0", "public-domain", None)


@dataclass(frozen=True, slots=True)
class SyntheticKind:
    """A synthetic corpus: its schema and how to make `rows` of it from a stream of its own."""

    schema: pa.Schema
    text_column: str
    row_bytes: int
    """Mean size of a row in Arrow memory; turns a size into a number of rows."""
    chunk_rows: int
    make: Callable[[Draws, int, int], list[pa.Array]]
    """(draws, number of the first row, rows) -> one array per column."""

    def batches(self, seed: int, rows: int) -> Iterator[pa.RecordBatch]:
        """The rows of a seed as a stream; at least `rows` of them."""
        for start in range(0, rows, self.chunk_rows):
            draws = Draws(seed, start)
            arrays = self.make(draws, start, self.chunk_rows)
            yield pa.RecordBatch.from_arrays(arrays, schema=self.schema)


def how() -> dict[str, Any]:
    """What decides the rows besides the options, for the manifest."""
    return {"generator": GENERATOR_VERSION}


def build(
    kind: str, folder: Path, size_bytes: int, seed: int, layout: Layout, progress: OnProgress
) -> list[Written]:
    """Write about `size_bytes` of rows, as they are in memory, as shards into `folder`."""
    chosen = KINDS[kind]
    rows = max(1, size_bytes // chosen.row_bytes)
    source = chosen.batches(seed, rows)
    return write_shards(folder, chosen.schema, source, rows, layout, progress)


def _mt_columns(draws: Draws, start: int, rows: int) -> list[pa.Array]:
    languages = len(vocabulary.LANGUAGES)
    # Four pairs in five have English (language 0) on the source side.
    source = np.where(draws.below(5, rows) > 0, 0, draws.below(languages, rows))
    target = (source + 1 + draws.below(languages - 1, rows)) % languages
    source_words = draws.lengths(_SENTENCE_WORDS, rows)
    target_words = np.maximum(1, source_words * (7 + draws.below(7, rows)) // 10)
    src, src_ids = vocabulary.text(draws, source, source_words, sentences=False)
    tgt, tgt_ids = vocabulary.text(draws, target, target_words, sentences=False)
    document = (start + np.arange(rows)) // 40
    doc_id = pc.binary_join_element_wise("doc-", _decimal(document), "")
    return [
        src,
        tgt,
        _dictionary(source, vocabulary.TAGS),
        _dictionary(target, vocabulary.TAGS),
        _dictionary(draws.below(len(_DOMAINS), rows), _DOMAINS),
        pa.array((draws.below(1 << 20, rows) / (1 << 20)).astype(np.float32)),
        pa.array(
            (1 - draws.below(1 << 18, rows) / (1 << 20)).astype(np.float32),
            mask=draws.below(50, rows) == 0,
        ),
        pc.if_else(pa.array(draws.below(64, rows) > 0), doc_id, pa.scalar(None, pa.string())),
        src_ids,
        tgt_ids,
    ]


def _llm_columns(draws: Draws, start: int, rows: int) -> list[pa.Array]:
    # Half of the documents are in English (language 0).
    language = np.where(draws.below(2, rows) > 0, 0, draws.below(len(vocabulary.LANGUAGES), rows))
    words = draws.lengths(_DOCUMENT_WORDS, rows)
    text, token_ids = vocabulary.text(draws, language, words, sentences=True)
    dumps = pa.array(
        [f"dump-{year}-{week:02d}" for year in range(2018, 2026) for week in range(5, 50, 5)]
    )
    dump = dumps.take(pa.array(draws.below(len(dumps), rows)))
    host = vocabulary.word(0, draws.below(vocabulary.WORDS, rows))
    page = vocabulary.word(0, draws.below(vocabulary.WORDS, rows))
    part = _decimal(draws.below(720, rows))
    licence = draws.below(len(_LICENSES), rows)
    meta = pa.StructArray.from_arrays(
        [
            pa.array(_LICENSES, pa.string()).take(pa.array(licence)),
            pa.array((1 + words // 96).astype(np.int32)),
            pa.array(draws.below(1 << 20, rows) / (1 << 20)),
        ],
        fields=list(LLM_SCHEMA.field("meta").type),
        mask=pa.array(draws.below(16, rows) == 0),
    )
    return [
        text,
        _uuids(draws, rows),
        dump,
        pc.binary_join_element_wise(
            "https://", host, ".example/", page, "/", _decimal(start + np.arange(rows)), ""
        ),
        pc.binary_join_element_wise("crawl/", dump, "/part-", part, ".warc.gz", ""),
        pa.array(vocabulary.TAGS).take(pa.array(language)),
        pa.array(1 - draws.below(1 << 18, rows) / (1 << 20)),
        pa.array(words),
        pa.array(draws.below(5 << 10, rows) / (1 << 10)),
        token_ids,
        meta,
    ]


def _dictionary(indices: npt.NDArray[np.int64], values: tuple[str, ...]) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(indices.astype(np.int8)), pa.array(values))


def _decimal(numbers: npt.NDArray[np.int64]) -> pa.StringArray:
    return pa.array(numbers).cast(pa.string())


def _uuids(draws: Draws, rows: int) -> pa.StringArray:
    """Texts of the form `<urn:uuid:8-4-4-4-12>`."""
    template = np.frombuffer(b"<urn:uuid:00000000-0000-0000-0000-000000000000>", np.uint8)
    digits = np.frombuffer(b"0123456789abcdef", np.uint8)
    text = np.tile(template, (rows, 1))
    text[:, template == ord("0")] = digits[draws.words8(32 * rows).reshape(rows, 32) & 15]
    offsets = np.arange(rows + 1, dtype=np.int32) * len(template)
    return pa.StringArray.from_buffers(
        rows, pa.py_buffer(offsets.tobytes()), pa.py_buffer(text.tobytes())
    )


KINDS = {
    "mt": SyntheticKind(MT_SCHEMA, "src", 561, 8192, _mt_columns),
    "llm": SyntheticKind(LLM_SCHEMA, "text", 7000, 512, _llm_columns),
}

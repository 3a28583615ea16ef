"""How a user names a corpus: `gettext`, `mt:size=1GB,codec=snappy`, `files:data/*.parquet`.

Standard library only: the command line completes and checks names with it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from firstbyte.errors import CorpusError, UnknownNameError

_UNITS: Mapping[str, int] = {
    "": 1,
    "B": 1,
    **{f"{prefix}B": 10 ** (3 * power) for power, prefix in enumerate("kMGT", 1)},
    **{f"{prefix}iB": 1 << (10 * power) for power, prefix in enumerate("KMGT", 1)},
}
_UNITS_BY_LOWER_CASE = {unit.lower(): factor for unit, factor in _UNITS.items()}

_CODEC_LEVELS: Mapping[str, range | None] = {
    "zstd": range(1, 23),
    "gzip": range(1, 10),
    "snappy": None,
    "none": None,
}


@dataclass(frozen=True, slots=True)
class Option:
    """Something a corpus can be built with: its meaning, and how its text is read and written."""

    help: str
    parse: Callable[[str], Any]
    format: Callable[[Any], str] = str


@dataclass(frozen=True, slots=True)
class CorpusKind:
    """A sort of corpus: what it is, and its options with their defaults."""

    summary: str
    defaults: Mapping[str, Any]


def parse_size(text: str) -> int:
    """Bytes from `50MB`, `1.5 GB`, `64KiB` or `1000`. Raises ValueError for anything else."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-z]*)", text.strip().lower())
    if not match or match[2] not in _UNITS_BY_LOWER_CASE:
        raise ValueError("a size such as 50MB, 1GB or 64KiB")
    size: int = round(float(match[1]) * _UNITS_BY_LOWER_CASE[match[2]])
    if size < 1:
        raise ValueError("a size of at least one byte")
    return size


def format_size(size: int) -> str:
    """The shortest exact text for a size: `1GB`, `64KiB`, `1001B`."""
    exact = {unit: size // factor for unit, factor in _UNITS.items() if unit and not size % factor}
    unit = min(exact, key=lambda unit: (exact[unit], len(unit)))
    return f"{exact[unit]}{unit}"


def parse_codec(text: str) -> str:
    """`name` or `name:level` in the form that names the level. Raises ValueError for others."""
    name, colon, level = text.strip().lower().partition(":")
    levels = _CODEC_LEVELS.get(name)
    if name in _CODEC_LEVELS and not colon:
        return {"zstd": "zstd:3", "gzip": "gzip:6"}.get(name, name)
    if levels is not None and level.isdecimal() and int(level) in levels:
        return f"{name}:{int(level)}"
    raise ValueError("zstd[:1-22], gzip[:1-9], snappy or none")


def _whole(minimum: int, maximum: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not text.isdecimal() or not minimum <= int(text) <= maximum:
            raise ValueError(f"a whole number from {minimum} to {maximum}")
        return int(text)

    return parse


OPTIONS: Mapping[str, Option] = {
    "size": Option(
        "size of the rows in memory, before encoding and compression, such as 50MB or 100GB",
        parse_size,
        format_size,
    ),
    "seed": Option("seed of the made-up rows", _whole(0, 2**63 - 1)),
    "shards": Option("number of files", _whole(1, 100_000)),
    "row_group_rows": Option("rows in a row group", _whole(1, 2**31 - 1)),
    "page_bytes": Option("target size of a data page, such as 1MiB", parse_size, format_size),
    "codec": Option("compression: zstd[:LEVEL], gzip[:LEVEL], snappy or none", parse_codec),
}

_LAYOUT = {"shards": 8, "row_group_rows": 10_000, "page_bytes": 1 << 20, "codec": "zstd:3"}

KINDS: Mapping[str, CorpusKind] = {
    "gettext": CorpusKind(
        "real parallel text in over 150 languages, from translation catalogues in public wheels",
        _LAYOUT,
    ),
    "mt": CorpusKind(
        "made-up sentence pairs with the columns of translation training data",
        {"size": 50_000_000, "seed": 0} | _LAYOUT,
    ),
    "llm": CorpusKind(
        "made-up documents with the columns of language-model training data",
        {"size": 50_000_000, "seed": 0} | _LAYOUT | {"row_group_rows": 500},
    ),
    "files": CorpusKind("your own Parquet files, never modified: files:GLOB", {}),
}


@dataclass(frozen=True, slots=True)
class Spec:
    """A corpus as asked for: every option of its kind has a value."""

    kind: str
    options: Mapping[str, Any]
    pattern: str = ""
    """Of `files:` only."""

    @property
    def text(self) -> str:
        """The shortest text for the same corpus: options at their defaults are left out."""
        if self.kind == "files":
            return f"files:{self.pattern}"
        defaults = KINDS[self.kind].defaults
        given = [
            f"{name}={OPTIONS[name].format(value)}"
            for name, value in self.options.items()
            if value != defaults[name]
        ]
        return f"{self.kind}:{','.join(given)}" if given else self.kind


def parse(text: str, overrides: Mapping[str, str | None] | None = None) -> Spec:
    """Read a corpus's name; `overrides` are further options as text, None for those not given.

    Raises UnknownNameError for an unknown kind or option, CorpusError for a value not allowed.
    """
    kind, _, rest = text.partition(":")
    if kind not in KINDS:
        raise UnknownNameError("corpus", kind, KINDS)
    extra = {name: value for name, value in (overrides or {}).items() if value is not None}
    if kind == "files":
        if extra:
            raise CorpusError(f"files: takes no options; got {', '.join(extra)}")
        if not rest:
            raise CorpusError("files: needs a pattern, such as files:data/*.parquet")
        return Spec(kind, {}, rest)
    given = {}
    for part in filter(None, rest.split(",")):
        name, equals, value = part.partition("=")
        if not equals:
            raise CorpusError(f"'{part}' in '{text}' is not an option; write NAME=VALUE")
        if name.strip() in given:
            raise CorpusError(f"{name.strip()} is given twice in '{text}'")
        given[name.strip()] = value
    options = dict(KINDS[kind].defaults)
    for name, value in (given | extra).items():
        if name not in options:
            raise UnknownNameError(f"option of {kind}", name, options)
        try:
            options[name] = OPTIONS[name].parse(value)
        except ValueError as error:
            raise CorpusError(f"{name}={value} is not allowed for {kind}; give {error}") from error
    return Spec(kind, options)

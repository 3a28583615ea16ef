"""The names of corpora: every option can be given, the shortest text comes back, the rest is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstbyte.corpora.spec import KINDS, OPTIONS, format_size, parse, parse_size
from firstbyte.errors import CorpusError, HarnessError, UnknownNameError


@pytest.mark.parametrize("kind", ["gettext", "mt", "llm"])
def test_defaults_need_no_words(kind: str) -> None:
    spec = parse(kind)
    assert spec.options == KINDS[kind].defaults
    assert spec.text == kind


def test_options_are_read_and_defaults_left_out() -> None:
    spec = parse("mt:size=1.5GB,codec=zstd,row_group_rows=7,seed=0,page_bytes=64KiB,shards=2")
    assert spec.options == {
        "size": 1_500_000_000,
        "seed": 0,
        "shards": 2,
        "row_group_rows": 7,
        "page_bytes": 65_536,
        "codec": "zstd:3",
    }
    assert spec.text == "mt:size=1500MB,shards=2,row_group_rows=7,page_bytes=64KiB"
    assert parse(spec.text) == spec


def test_overrides_win_and_none_means_not_given() -> None:
    spec = parse("llm:seed=1,shards=2", {"seed": "3", "size": None, "codec": "GZIP:9"})
    assert (spec.options["seed"], spec.options["shards"]) == (3, 2)
    assert spec.options["codec"] == "gzip:9"
    assert spec == parse("llm:shards=2,seed=3,codec=gzip:9")


def test_a_pattern_is_taken_as_it_is() -> None:
    spec = parse("files:/a/{b},c=d:e/*.parquet")
    assert spec.pattern == "/a/{b},c=d:e/*.parquet"
    assert spec.text == "files:/a/{b},c=d:e/*.parquet"


@given(st.integers(1, 10**15))
def test_sizes_survive_a_round_trip(size: int) -> None:
    assert parse_size(format_size(size)) == size


@pytest.mark.parametrize(
    ("text", "size"),
    [("10MB", 10**7), ("100 gb", 10**11), ("64KiB", 65_536), ("12", 12), ("0.5kB", 500)],
)
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mt:size=0MB", "size=0MB is not allowed for mt; give a size of at least one byte"),
        ("mt:size=MB", "give a size such as 50MB"),
        ("mt:size=5XB", "give a size such as 50MB"),
        ("mt:shards=0", "give a whole number from 1 to 100000"),
        ("mt:seed=-1", "give a whole number from 0"),
        ("mt:codec=lz4", r"give zstd\[:1-22\], gzip\[:1-9\], snappy or none"),
        ("mt:codec=zstd:0", "give zstd"),
        ("mt:codec=snappy:1", "give zstd"),
        ("mt:codec=zstd:", "give zstd"),
        ("mt:codec", "'codec' in 'mt:codec' is not an option; write NAME=VALUE"),
        ("mt:size=1MB,shards=2,size=2MB", "size is given twice in 'mt:size=1MB,shards=2,size=2MB'"),
        ("files:", "files: needs a pattern"),
    ],
)
def test_bad_values_are_one_clear_line(text: str, message: str) -> None:
    with pytest.raises(CorpusError, match=message):
        parse(text)


def test_bad_names_list_the_allowed_ones() -> None:
    with pytest.raises(
        UnknownNameError, match=r"'getext'; did you mean 'gettext'\? \(allowed: files"
    ):
        parse("getext")
    with pytest.raises(
        UnknownNameError, match=r"no option of gettext 'seed'.*allowed: codec, page"
    ):
        parse("gettext:seed=1")
    with pytest.raises(HarnessError, match="files: takes no options; got seed"):
        parse("files:*.parquet", {"seed": "1"})


def test_every_option_of_every_kind_is_known() -> None:
    for kind in KINDS.values():
        assert set(kind.defaults) <= set(OPTIONS)

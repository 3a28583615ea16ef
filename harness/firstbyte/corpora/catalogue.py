"""Turns the name of a corpus into its manifest, and builds the corpus first where it is missing."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from firstbyte import __version__, places
from firstbyte.corpora import cache as store
from firstbyte.corpora import manifest as manifests
from firstbyte.corpora.manifest import Manifest, SchemaColumn
from firstbyte.corpora.progress import OnProgress, silent
from firstbyte.corpora.reference import WRITER, Witness, reference_of
from firstbyte.corpora.spec import KINDS, OPTIONS, Spec, parse
from firstbyte.errors import CorpusError

if TYPE_CHECKING:
    from firstbyte.corpora.files import Described


class Available(NamedTuple):
    """A kind of corpus that can be asked for."""

    name: str
    summary: str
    options: Mapping[str, str]
    """Option -> default as text."""


def available() -> list[Available]:
    """Every kind of corpus, with its options and their defaults."""
    return [
        Available(
            name,
            kind.summary,
            {option: OPTIONS[option].format(value) for option, value in kind.defaults.items()},
        )
        for name, kind in KINDS.items()
    ]


def resolve(
    spec: str | Spec,
    cache: Path | None = None,
    progress: OnProgress = silent,
    witnesses: Callable[[], Iterable[Witness]] = tuple,
) -> Manifest:
    """The manifest of a corpus, built first if the cache lacks it.

    `witnesses` are heard about the user's own files, whose rows nobody here has written.

    `cache` is the folder for everything that can be made again, `$XDG_CACHE_HOME/firstbyte` by
    default. Processes that want the same corpus wait for the first to build it. Raises
    UnknownNameError for an unknown kind or option and CorpusError where the corpus cannot be built.
    """
    wanted = parse(spec) if isinstance(spec, str) else spec
    root = cache_folder(cache)
    try:
        folder = _folder(wanted, root)
        with store.locked(root, folder.name, lambda: progress("waiting for its builder", 0.0)):
            if wanted.kind == "files":
                return _described(wanted, folder, progress, witnesses)
            if not folder.exists():
                _build(wanted, folder, progress)
            return _complete(manifests.load(folder))
    except OSError as error:
        raise CorpusError(f"cannot make the corpus {wanted.text}: {error}") from error


def find(spec: str | Spec, cache: Path | None = None) -> Manifest | None:
    """The manifest of a corpus as it was recorded; None if there is none. Builds nothing."""
    wanted = parse(spec) if isinstance(spec, str) else spec
    folder = _folder(wanted, cache_folder(cache))
    return manifests.load(folder) if folder.exists() else None


def folders(cache: Path | None = None) -> list[Path]:
    """The folders of all corpora in the cache, each with a manifest to load."""
    return store.folders(cache_folder(cache))


def cache_folder(cache: Path | None = None) -> Path:
    """The folder that holds one folder for each corpus."""
    return (cache or places.cache()) / "corpora"


def _folder(spec: Spec, root: Path) -> Path:
    if spec.kind == "files":
        decides: Any = [str(Path(spec.pattern).expanduser().absolute()), manifests.FORMAT]
    else:
        decides = _recipe(spec)
    return root / f"{spec.kind}-{store.key(decides)}"


def _recipe(spec: Spec) -> dict[str, Any]:
    """All that decides a built corpus and its manifest: a change makes a new folder."""
    from firstbyte.corpora import gettext, synthetic
    from firstbyte.corpora.digest import DIGEST_VERSION

    source = gettext.how() if spec.kind == "gettext" else synthetic.how()
    formats = {"manifest": manifests.FORMAT, "digest": DIGEST_VERSION}
    return {
        "parameters": dict(spec.options),
        "pyarrow": version("pyarrow"),
        "formats": formats,
    } | source


def _build(spec: Spec, folder: Path, progress: OnProgress) -> None:
    """Write shards and manifest; the folder appears when both are whole."""
    from firstbyte.corpora import gettext, shards, synthetic
    from firstbyte.corpora.files import Described
    from firstbyte.corpora.layout import Layout

    options = dict(spec.options)
    size, seed = options.pop("size", None), options.pop("seed", None)
    layout = Layout(**options)
    with store.appearing(folder) as partial:
        if spec.kind == "gettext":
            files = gettext.build(partial, folder.parent / "wheels", layout, progress)
        else:
            _check_space(partial, size)
            files = synthetic.build(spec.kind, partial, size, seed, layout, progress)
        schema = shards.schema_of(files[0].path)
        text_column = shards.text_column_of(schema)
        entries = []
        for index, file in enumerate(files):
            progress("checking", index / len(files))
            found = shards.describe(file.path, text_column)
            reference = reference_of(file.reading, found.footer_rows, found.reading)
            entries.append(found.entry(file.path.name, text_column, reference))
        witnesses = (WRITER, shards.DECODER)
        described = Described(schema, text_column, tuple(entries), witnesses, ())
        _manifest(spec, partial, _recipe(spec), described).save()


def _described(
    spec: Spec, folder: Path, progress: OnProgress, witnesses: Callable[[], Iterable[Witness]]
) -> Manifest:
    """The manifest of the user's own files, made anew when one of them has changed."""
    from firstbyte.corpora import files
    from firstbyte.corpora.digest import DIGEST_VERSION

    paths = files.matches(spec.pattern)
    state = files.state(paths)
    if folder.exists():
        recorded = manifests.load(folder)
        if recorded.how["files"] == state and recorded.digest_version == DIGEST_VERSION:
            return recorded
    described = files.describe(paths, witnesses(), progress)
    with store.appearing(folder) as partial:
        _manifest(spec, partial, {"files": state}, described).save()
    return manifests.load(folder)


def _manifest(
    spec: Spec,
    folder: Path,
    recipe: Mapping[str, Any],
    described: Described,
) -> Manifest:
    from firstbyte.corpora.digest import DIGEST_VERSION

    command = {"command": f"firstbyte corpus build {spec.text}", "firstbyte": __version__}
    return Manifest(
        name=spec.kind,
        spec=spec.text,
        how=command | dict(recipe),
        built=datetime.now(UTC).isoformat(timespec="seconds"),
        schema=tuple(SchemaColumn(field.name, str(field.type)) for field in described.schema),
        text_column=described.text_column,
        shards=described.entries,
        digest_version=DIGEST_VERSION,
        witnesses=described.witnesses,
        refusals=described.refusals,
        folder=folder,
    )


def _complete(manifest: Manifest) -> Manifest:
    """The same manifest. Raises CorpusError where a shard has gone or changed its size."""
    for shard, path in zip(manifest.shards, manifest.paths, strict=True):
        if not path.exists() or path.stat().st_size != shard.bytes:
            raise CorpusError(
                f"{path} of the corpus {manifest.spec} is missing or damaged;"
                f" remove {manifest.folder} and run `{manifest.how['command']}`"
            )
    return manifest


def _check_space(folder: Path, size_bytes: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < size_bytes:
        raise CorpusError(
            f"{free / 1e9:.1f} GB are free at {folder.parent}, {size_bytes / 1e9:.1f} GB are needed;"
            " give a smaller size or set XDG_CACHE_HOME to another disk"
        )

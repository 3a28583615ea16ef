"""Where a backend keeps a corpus in its own format: a folder for each thing that decides its content."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path

from firstbyte.corpora.manifest import Manifest
from firstbyte.engine import fingerprint
from firstbyte.engine.plan import Planned
from firstbyte.engine.registry import BackendInfo, Variant

_BUILT = frozenset({"target", "__pycache__"})
"""Folders that hold what is made of a backend's sources."""


def folder(root: Path, planned: Planned, manifest: Manifest) -> Path:
    """The folder for the shards of this backend and variant.

    Another content of the corpus, other options of the variant, other sources of the backend or other
    installed libraries make another folder: `prepare` may go by what is there.
    """
    content = [shard.sha256 for shard in manifest.shards]
    options = _deciding_options(planned.backend, planned.variant)
    decides = [content, options, _sources(planned.backend.folder), _libraries()]
    text = json.dumps(decides, sort_keys=True, default=str)
    key = hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
    return root / planned.backend.name / f"{manifest.name}-{key}"


def _deciding_options(backend: BackendInfo, variant: Variant) -> dict[str, object]:
    """Options with a say in what is written: all, where the backend does not say which."""
    if backend.prepared_by is None:
        return dict(variant.options)
    return {name: variant.options.get(name) for name in backend.prepared_by}


@cache
def _sources(folder: Path) -> str:
    """Digest of all files of a backend's folder, by name and content."""
    digest = hashlib.blake2b(digest_size=8)
    for path in sorted(folder.rglob("*")):
        part = path.relative_to(folder)
        if path.is_file() and not _BUILT.intersection(part.parts):
            digest.update(f"{part}\0".encode("utf-8", "surrogateescape"))
            digest.update(hashlib.blake2b(path.read_bytes()).digest())
    return digest.hexdigest()


@cache
def _libraries() -> str:
    return json.dumps(fingerprint.versions())

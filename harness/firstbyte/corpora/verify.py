"""A corpus on disk held against its manifest."""

from __future__ import annotations

from firstbyte.corpora import shards
from firstbyte.corpora.digest import DIGEST_VERSION
from firstbyte.corpora.manifest import Manifest
from firstbyte.corpora.progress import OnProgress, silent


def verify(manifest: Manifest, progress: OnProgress = silent) -> list[str]:
    """Compare every shard with the manifest: size and sha256 of the file, then its content.

    Returns one line per problem, naming the shard and, where it can be told, the column.
    """
    if manifest.digest_version != DIGEST_VERSION:
        problem = f"digests of version {manifest.digest_version}, this is {DIGEST_VERSION}"
        return [f"{manifest.spec}: {problem}; remove {manifest.folder} and build it again"]
    found = []
    for index, shard in enumerate(manifest.shards):
        progress(f"verifying {manifest.spec}", index / len(manifest.shards))
        problems = shards.problems(manifest.path(shard), shard, manifest.text_column)
        found += [f"{manifest.spec}: {shard.path}: {problem}" for problem in problems]
    return found

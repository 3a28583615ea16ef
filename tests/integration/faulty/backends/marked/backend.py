"""What it says of itself is markup, and so is its version."""

from __future__ import annotations

from firstbyte.backends.sound.backend import SoundBackend


class MarkedBackend(SoundBackend):
    def versions(self) -> dict[str, str]:
        return {"<script>alert(4)</script>": "<script>alert(5)</script>"}


def create() -> MarkedBackend:
    return MarkedBackend()

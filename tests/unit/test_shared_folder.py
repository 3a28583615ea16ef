"""Files in /dev/shm: those that uses leave count, those of other programs do not."""

from __future__ import annotations

from pathlib import Path

import pytest

from firstbyte.leaks.slopes import judge_series
from firstbyte.worker import shared_folder
from firstbyte.worker.ledgers import SHARED_FILES
from firstbyte.worker.shared_folder import SharedFolderWatch, folder_bytes

LEFT_BYTES = 65_536
USES = 120
USE_NS = 3_000_000
PAUSE_NS = 1_000_000


class Folder:
    """A folder and a clock that move as they are told."""

    def __init__(self) -> None:
        self.size = 0
        self.now_ns = 0

    def pass_time(self, length_ns: int, left_bytes: int) -> None:
        self.now_ns += length_ns
        self.size += left_bytes


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Folder:
    made = Folder()
    monkeypatch.setattr(shared_folder, "folder_bytes", lambda: made.size)
    monkeypatch.setattr(shared_folder.time, "monotonic_ns", lambda: made.now_ns)
    return made


def left(folder: Folder, own_bytes: int, others_bytes_per_ms: int) -> list[float]:
    watch = SharedFolderWatch(USES)
    for _ in range(USES):
        watch.before_use()
        folder.pass_time(USE_NS, own_bytes + others_bytes_per_ms * USE_NS // 1_000_000)
        watch.after_use()
        folder.pass_time(PAUSE_NS, others_bytes_per_ms * PAUSE_NS // 1_000_000)
    return watch.left_bytes()


def test_what_uses_leave_is_counted_to_the_byte(folder: Folder) -> None:
    assert left(folder, LEFT_BYTES, 0) == [LEFT_BYTES * use for use in range(1, USES + 1)]


def test_what_others_leave_all_the_time_is_not_charged_to_the_reader(folder: Folder) -> None:
    assert not judge_series(SHARED_FILES, left(folder, 0, LEFT_BYTES), quiet=True).suspicious


def test_files_are_found_wherever_they_lie_and_once_by_however_many_names(tmp_path: Path) -> None:
    assert folder_bytes(str(tmp_path)) == 0
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "file").write_bytes(b"x" * LEFT_BYTES)
    (tmp_path / "same").hardlink_to(tmp_path / "deep" / "file")
    size = (tmp_path / "same").stat().st_blocks * 512
    assert folder_bytes(str(tmp_path)) == size

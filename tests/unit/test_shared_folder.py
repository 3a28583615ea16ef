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
USE_MS = 3
PAUSE_MS = 1


class Folder:
    """A folder that is as large as it is told."""

    def __init__(self) -> None:
        self.size = 0


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Folder:
    made = Folder()
    monkeypatch.setattr(shared_folder, "folder_bytes", lambda: made.size)
    return made


def left(folder: Folder, own_bytes: int, others_bytes_per_ms: int) -> list[float]:
    watch = SharedFolderWatch(USES)
    for _ in range(USES):
        watch.before_use()
        folder.size += own_bytes + USE_MS * others_bytes_per_ms
        watch.after_use()
        folder.size += PAUSE_MS * others_bytes_per_ms
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

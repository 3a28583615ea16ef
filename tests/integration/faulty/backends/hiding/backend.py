"""One place for each variant in which memory or work is not the worker's private one.

Memory is held to the end of the process. A way that needs the parent to have looked waits until the
parent has the helper's file of /proc open.
"""

from __future__ import annotations

import mmap
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from firstbyte.backends.sound.backend import SoundBackend, SoundReader
from firstbyte.backends.sound.work import WORK

HELD_BYTES = 32_000_000
SHARED_BYTES = 200_000_000
FLEETING_BYTES = 128_000_000
WORK_SECONDS = 0.05 * WORK
HELD: list[object] = []

HOLDS = f"kept = bytearray(b'x') * {HELD_BYTES}"
WORKS = f"import time\nwhile time.process_time() < {WORK_SECONDS}: pass"
STAYS = "import sys; print('ready', flush=True); sys.stdin.read()"
ORPHANS = f"""
import os, sys
if os.fork():
    os._exit(0)
{HOLDS}
print(os.getpid(), flush=True)
sys.stdin.read()
"""


def nothing() -> None:
    pass


def memfd() -> None:
    HELD.append(shared())


def child() -> None:
    await_look(helper(f"{HOLDS}\n{STAYS}").pid)


def orphan() -> None:
    """The helper's parent has ended: it belongs to another process by now."""
    process = start(ORPHANS)
    assert process.stdout
    await_look(int(process.stdout.readline()))
    process.wait()


def fork() -> None:
    """A child that has all pages of this process, and writes to none."""
    HELD.append(bytearray(b"x") * SHARED_BYTES)
    ours, theirs = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(theirs)
        os.read(ours, 1)  # until this process ends
        os._exit(0)
    os.close(ours)
    await_look(pid)


def shared_with_child() -> None:
    """The same shared memory in two processes."""
    name = "kept = mmap.mmap(int(sys.argv[1]), 0); len(bytes(kept))"
    memory = shared()
    HELD.append(memory)
    descriptor = descriptors[-1]
    await_look(
        helper(f"import mmap, sys\n{name}\n{STAYS}", str(descriptor), pass_fds=[descriptor]).pid
    )


def fleeting() -> None:
    del_me = bytearray(b"x") * FLEETING_BYTES
    del del_me


def working_child() -> None:
    helper(f"{WORKS}\n{STAYS}")


def finished_child() -> None:
    subprocess.run([sys.executable, "-c", WORKS], check=True)


def pool() -> None:
    """An allocator that keeps what was freed, unless it is told not to."""
    if os.environ.get("HIDING_POOL") != "normalised":
        HELD.append(bytearray(b"x") * HELD_BYTES)


descriptors: list[int] = []


def shared() -> mmap.mmap:
    descriptor = os.memfd_create("hiding")
    descriptors.append(descriptor)
    os.truncate(descriptor, SHARED_BYTES)
    memory = mmap.mmap(descriptor, SHARED_BYTES)
    block = b"x" * 1_000_000
    for _ in range(SHARED_BYTES // len(block)):
        memory.write(block)
    return memory


def start(program: str, *arguments: str, **options: Any) -> subprocess.Popen[bytes]:
    """It ends when this process does: its standard input closes then."""
    process = subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        **options,
    )
    HELD.append(process)
    return process


def helper(program: str, *arguments: str, **options: Any) -> subprocess.Popen[bytes]:
    """A process that has said that it is ready."""
    process = start(program, *arguments, **options)
    assert process.stdout
    assert process.stdout.readline() == b"ready\n"
    return process


def await_look(pid: int) -> None:
    """Until the parent has taken a sample with this process in it that began after it was there.

    It has once it looks at a second process as well: it looked at the first before. Where it takes no
    samples, as when rows are only verified, there is nothing to wait for: then it has one file of this
    process open, for the limit of memory, and not two.
    """
    if open_files(os.getppid()).count(f"/proc/{os.getpid()}/status") < 2:
        return
    for looked_at in (pid, helper(STAYS).pid):
        while f"/proc/{looked_at}/status" not in open_files(os.getppid()):
            time.sleep(0.002)


def open_files(pid: int) -> list[str]:
    found = []
    for link in Path(f"/proc/{pid}/fd").iterdir():
        try:
            found.append(str(link.readlink()))
        except FileNotFoundError:  # closed meanwhile
            continue
    return found


class HidingBackend(SoundBackend):
    def __init__(self, way: Callable[[], None]) -> None:
        self._way = way
        self._hid = False

    def open(self, shard: Path, **options: Any) -> SoundReader:
        if not self._hid:
            self._hid = True
            self._way()
        return super().open(shard, **options)


WAYS: Mapping[str, Callable[[], None]] = {
    way.__name__: way
    for way in (
        nothing,
        memfd,
        child,
        orphan,
        fork,
        shared_with_child,
        fleeting,
        working_child,
        finished_child,
        pool,
    )
}


def create(*, way: str) -> SoundBackend:
    return HidingBackend(WAYS[way])

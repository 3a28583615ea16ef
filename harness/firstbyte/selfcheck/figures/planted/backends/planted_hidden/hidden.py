"""The hidden memory: each way holds HELD_BYTES somewhere from the first batch of a process on.

A way is a function that takes the memory and keeps it; its docstring says where it is.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from firstbyte.api import Unsupported

HELD_BYTES = 64_000_000
HELD: list[object] = []
"""To the end of the process."""
BLOCK = b"x" * 1_000_000

_HOLDS = f"kept = bytearray(b'x') * {HELD_BYTES}"
_STAYS = "print(os.getpid(), flush=True); sys.stdin.read()"
_CHILD = f"import os, sys; {_HOLDS}; {_STAYS}"
_GRANDCHILD = f"""
import subprocess, sys
subprocess.run([sys.executable, "-c", {_CHILD!r}], stdin=sys.stdin)
"""
_ORPHAN = f"""
import os, sys
if os.fork():
    os._exit(0)
{_HOLDS}
{_STAYS}
"""
_DAEMON = f"""
import os, sys
if os.fork():
    os._exit(0)
os.setsid()
if os.fork():
    os._exit(0)
{_HOLDS}
{_STAYS}
"""
_SERVER = f"""
import os, socket, sys
{_HOLDS}
end = socket.socket(fileno=int(sys.argv[1]))
print(os.getpid(), flush=True)
while asked := end.recv(16):
    end.sendall(kept[int(asked):int(asked) + 4096])
"""

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mmap.restype = ctypes.c_void_p
_libc.mmap.argtypes = [
    ctypes.c_void_p,
    ctypes.c_size_t,
    ctypes.c_int,
    ctypes.c_int,
    ctypes.c_int,
    ctypes.c_long,
]
_libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
_SYS_MMAP = {"x86_64": 9, "aarch64": 222}
_MADV_FREE, _MADV_PAGEOUT = 8, 21


def memfd() -> None:
    """A memfd, mapped."""
    HELD.append(_filled(mmap.mmap(_memfd(), HELD_BYTES)))


def dev_shm() -> None:
    """A file in /dev/shm, mapped, without a name."""
    with tempfile.TemporaryFile(dir="/dev/shm") as file:
        file.truncate(HELD_BYTES)
        HELD.append(_filled(mmap.mmap(file.fileno(), HELD_BYTES)))


def shared_anonymous() -> None:
    """A shared anonymous mapping."""
    HELD.append(_filled(mmap.mmap(-1, HELD_BYTES, mmap.MAP_SHARED | mmap.MAP_ANONYMOUS)))


def memfd_unmapped() -> None:
    """A memfd that is written and never mapped: no process has its pages."""
    _written(_memfd())


def dev_shm_unmapped() -> None:
    """A file in /dev/shm that is written and never mapped."""
    _written(_nameless("/dev/shm"))


def dev_shm_closed() -> None:
    """A file in /dev/shm that is written and closed: nobody has it open, it has a name."""
    descriptor, name = tempfile.mkstemp(prefix="firstbyte-planted-", dir="/dev/shm")
    _written(descriptor)
    os.close(descriptor)
    _removed_with_this_process(Path(name))


def file_on_disk() -> None:
    """A new file on disk, mapped and written: its pages are the page cache's."""
    HELD.append(_filled(mmap.mmap(_nameless(tempfile.gettempdir()), HELD_BYTES)))


def file_on_disk_unmapped() -> None:
    """The same, never mapped."""
    _written(_nameless(tempfile.gettempdir()))


def private_of_file() -> None:
    """A private mapping of a file, every page of which was written."""
    with tempfile.TemporaryFile() as file:
        file.truncate(HELD_BYTES)
        HELD.append(_filled(mmap.mmap(file.fileno(), HELD_BYTES, mmap.MAP_PRIVATE)))


def huge_pages() -> None:
    """A mapping of huge pages of the pool, which are in no RssAnon."""
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x40000
    size = -(-HELD_BYTES // (2 << 20)) * (2 << 20)
    address = _libc.mmap(None, size, mmap.PROT_READ | mmap.PROT_WRITE, flags, -1, 0)
    if address in (None, ctypes.c_void_p(-1).value):
        raise Unsupported(f"huge pages: {os.strerror(ctypes.get_errno())}")
    ctypes.memset(address, 1, size)


def raw_system_call() -> None:
    """A mapping by the system call itself, past every allocator and memray."""
    machine = os.uname().machine
    if machine not in _SYS_MMAP:
        raise Unsupported(f"raw system calls on {machine}")
    _libc.syscall.restype = ctypes.c_long
    address = _libc.syscall(
        ctypes.c_long(_SYS_MMAP[machine]),
        ctypes.c_long(0),
        ctypes.c_long(HELD_BYTES),
        ctypes.c_long(mmap.PROT_READ | mmap.PROT_WRITE),
        ctypes.c_long(mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS),
        ctypes.c_long(-1),
        ctypes.c_long(0),
    )
    ctypes.memset(ctypes.c_void_p(address), 1, HELD_BYTES)


def freed_lazily() -> None:
    """Written, and given up by MADV_FREE: the kernel takes it when it needs it."""
    _advised(_MADV_FREE)


def paged_out() -> None:
    """Written, and pushed out to swap."""
    if len(Path("/proc/swaps").read_text(encoding="ascii").splitlines()) < 2:
        raise Unsupported("swap: this machine has none")
    _advised(_MADV_PAGEOUT)


def fleeting() -> None:
    """Taken, written and given back at once."""
    _filled(mmap.mmap(-1, HELD_BYTES, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)).close()


def fleeting_shared() -> None:
    """The same in shared memory."""
    _filled(mmap.mmap(-1, HELD_BYTES, mmap.MAP_SHARED | mmap.MAP_ANONYMOUS)).close()


def child() -> None:
    """In a child."""
    _started(_CHILD)


def grandchild() -> None:
    """In a child of a child."""
    _started(_GRANDCHILD)


def orphan() -> None:
    """In a grandchild whose parent has ended."""
    _started(_ORPHAN)


def daemon() -> None:
    """In a process that has left parent and session."""
    _started(_DAEMON)


def fork() -> None:
    """In a fork, which has written to all of its pages."""
    ours, theirs = os.pipe()
    pid = os.fork()
    if pid == 0:
        kept = bytearray(b"x") * HELD_BYTES
        os.write(theirs, b"ready")
        while kept:
            time.sleep(1)
    os.read(ours, 5)
    _looked_at(pid)


def fleeting_child() -> None:
    """In a child that ends at once."""
    subprocess.run([sys.executable, "-S", "-c", _HOLDS], check=True)


def server() -> None:
    """In a helper that is asked for its bytes over a socket."""
    ours, theirs = socket.socketpair()
    _started(_SERVER, str(theirs.fileno()), pass_fds=[theirs.fileno()])
    theirs.close()
    ours.sendall(b"4096")
    ours.recv(4096)
    HELD.append(ours)


def pipes() -> None:
    """In the buffers of pipes, which are the kernel's."""
    held = 0
    while held < HELD_BYTES:
        ours, theirs = os.pipe2(os.O_NONBLOCK)
        HELD.append((ours, theirs))
        try:
            while True:
                held += os.write(theirs, BLOCK[:65_536])
        except BlockingIOError:
            continue
        except OSError as error:
            if error.errno == errno.EMFILE:
                raise Unsupported("so many pipes") from error
            raise


def sockets() -> None:
    """In the buffers of sockets."""
    held = 0
    while held < HELD_BYTES:
        pair = socket.socketpair()
        HELD.append(pair)
        pair[0].setblocking(False)
        try:
            while True:
                held += pair[0].send(BLOCK[:65_536])
        except BlockingIOError:
            continue


def _memfd() -> int:
    descriptor = os.memfd_create("planted")
    os.truncate(descriptor, HELD_BYTES)
    return descriptor


def _nameless(folder: str) -> int:
    """A new file there that has no name (open(2), O_TMPFILE)."""
    descriptor = os.open(folder, os.O_TMPFILE | os.O_RDWR)
    os.truncate(descriptor, HELD_BYTES)
    return descriptor


def _filled(memory: mmap.mmap) -> mmap.mmap:
    for _ in range(HELD_BYTES // len(BLOCK)):
        memory.write(BLOCK)
    return memory


def _written(descriptor: int) -> None:
    for number in range(HELD_BYTES // len(BLOCK)):
        os.pwrite(descriptor, BLOCK, number * len(BLOCK))


def _advised(advice: int) -> None:
    memory = _filled(mmap.mmap(-1, HELD_BYTES, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS))
    HELD.append(memory)
    memory.madvise(advice)


def _removed_with_this_process(path: Path) -> None:
    """By a shell that waits for the end of this process, however that comes."""
    waiting = subprocess.Popen(
        ["sh", "-c", 'read -r _; rm -f "$1"', "sh", str(path)],
        stdin=subprocess.PIPE,
        start_new_session=True,
    )
    HELD.append(waiting)


def _started(program: str, *arguments: str, **options: Any) -> None:
    """A helper, once it has said which process holds the memory, and once the parent has seen that one.

    It ends when this process does, as its standard input closes then.
    """
    process = subprocess.Popen(
        [sys.executable, "-S", "-c", program, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        **options,
    )
    HELD.append(process)
    assert process.stdout
    _looked_at(int(process.stdout.readline()))


LOOK_SECONDS = 2.0


def _looked_at(pid: int) -> None:
    """Until the harness has had the time to look: it need not, and none of its files say that it has."""
    deadline = time.monotonic() + LOOK_SECONDS
    wanted = f"/proc/{pid}/status"
    while time.monotonic() < deadline and wanted not in _open_files(os.getppid()):
        time.sleep(0.002)
    time.sleep(0.02)


def _open_files(pid: int) -> set[str]:
    found = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        try:
            found.add(str(link.readlink()))
        except FileNotFoundError:  # closed meanwhile
            continue
    return found

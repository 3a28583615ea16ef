"""A function done in a process that the worker starts, and what becomes of it told to the worker.

What it raises and how it ends decide the status of the cell as if the worker had done it itself.
Standard library only.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from firstbyte.api import Unsupported


def answer(pipe: Any, process: Any, kind: str) -> Any:
    """What the process sent under that name. Raises what it raised, or RuntimeError with its exit code.

    Where a signal ended it, this process dies of the same, so that the parent names the signal.
    """
    try:
        name, payload = pipe.recv()
    except (EOFError, ConnectionResetError):
        process.join()
        if process.exitcode < 0:
            number = signal.Signals(-process.exitcode)
            print(f"a reader process was killed by {number.name}", file=sys.stderr, flush=True)
            os.kill(os.getpid(), number)
        raise RuntimeError(f"a reader process ended with exit code {process.exitcode}") from None
    if name == "error":
        raise payload
    if name != kind:
        raise RuntimeError(f"a reader process said '{name}', expected '{kind}'")
    return payload


def telling_errors(pipe: Any, work: Callable[[], None]) -> None:
    """In the started process: do the work, and send what it raises."""
    try:
        work()
    except (Unsupported, MemoryError) as error:  # decide the cell's status
        pipe.send(("error", error))
    except Exception as error:  # any other one may not survive the way through the pipe
        pipe.send(("error", RuntimeError(f"{type(error).__name__}: {error}")))


def do_elsewhere(task: Callable[..., Any], *arguments: Any) -> Any:
    """What the task returns in a process that is spawned for it and has ended when this returns.

    Task, arguments and result are pickled.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_do, args=(theirs, task, arguments))
    process.start()
    theirs.close()
    try:
        return answer(ours, process, "result")
    finally:
        ours.close()
        process.join()


def _do(pipe: Any, task: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    telling_errors(pipe, lambda: pipe.send(("result", task(*arguments))))

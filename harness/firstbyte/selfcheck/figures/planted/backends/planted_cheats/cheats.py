"""The cheats: each delivers the right rows, and has its work done where no clock looks.

A cheat is a backend. Its docstring says where the time goes, or what is done to the clock.
"""

from __future__ import annotations

import gc
import mmap
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import pyarrow
import pyarrow.parquet

from firstbyte.selfcheck.figures.control import (
    HonestBackend,
    HonestReader,
    batches_of,
    opened,
)

Columns = Sequence[str] | None


def decoded(shard: Path, columns: Columns = None, batch_rows: int = 1024) -> list[Any]:
    """All batches of a shard."""
    with opened(shard) as file:
        return list(batches_of(file, columns, batch_rows))


class Ready(HonestReader):
    """Batches that are there already; the file is not opened."""

    def __init__(self, batches: Iterator[Any]) -> None:
        self._batches = batches

    def close(self) -> None:
        self._batches = iter(())


class CachedBatches(HonestBackend):
    """What a shard held is kept from its first pass and handed out again."""

    def __init__(self) -> None:
        self._kept: dict[tuple[Path, int], list[Any]] = {}

    def open(self, shard: Path, *, columns: Columns = None, batch_rows: int = 1024) -> Any:
        key = (shard, batch_rows)
        if key not in self._kept:
            self._kept[key] = decoded(shard, columns, batch_rows)
        return Ready(iter(self._kept[key]))


class FirstBatchKept(HonestBackend):
    """Only the first batch is kept, which is all that a first byte needs."""

    def __init__(self) -> None:
        self._kept: dict[Path, Any] = {}

    def open(self, shard: Path, *, columns: Columns = None, batch_rows: int = 1024) -> Any:
        if shard not in self._kept:
            reader = HonestReader(shard, columns, batch_rows)
            self._kept[shard] = next(reader, None)
            reader.close()
        return Ready(self._rest(shard, columns, batch_rows))

    def _rest(self, shard: Path, columns: Columns, batch_rows: int) -> Iterator[Any]:
        yield self._kept[shard]
        yield from decoded(shard, columns, batch_rows)[1:]


class OrderFound(HonestBackend):
    """Finds the shards among the objects of the process when it is made, and decodes all of them then."""

    def __init__(self) -> None:
        self._kept = {
            Path(path): decoded(Path(path))
            for one in gc.get_objects()
            if type(one).__name__ == "Order"
            for path in one.shards
        }

    def open(self, shard: Path, *, columns: Columns = None, batch_rows: int = 1024) -> Any:
        if shard not in self._kept:
            return HonestReader(shard, columns, batch_rows)
        return Ready(iter(self._kept[shard]))


class OrderFoundByThread(OrderFound):
    """The same, in a thread that begins once the worker seems to wait for quiet."""

    def __init__(self) -> None:
        self._kept: dict[Path, list[Any]] = {}
        orders = [one for one in gc.get_objects() if type(one).__name__ == "Order"]
        paths = [Path(path) for one in orders for path in one.shards]
        threading.Thread(target=self._decode, args=(paths,), daemon=True).start()

    def _decode(self, paths: Sequence[Path]) -> None:
        for path in paths:
            self._kept[path] = decoded(path)


class Promise:
    """A batch of which only the number of rows is known."""

    def __init__(self, rows: int, decode: Callable[[], Any]) -> None:
        self.num_rows = rows
        self.decode = decode


class Counting(Ready):
    """Counts rows by the footer; a batch is decoded once its values are asked for."""

    def __init__(self, shard: Path, columns: Columns, batch_rows: int) -> None:
        self._shard = shard
        self._wanted = (columns, batch_rows)
        with opened(shard) as file:
            groups = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
        super().__init__(self._promises(sum(groups), batch_rows))

    def _promises(self, rows: int, batch_rows: int) -> Iterator[Promise]:
        for start in range(0, rows, batch_rows):
            count = min(batch_rows, rows - start)
            yield Promise(count, partial(self._batch, start, count))

    def _batch(self, start: int, count: int) -> Any:
        rows = pyarrow.Table.from_batches(self._whole()).slice(start, count).combine_chunks()
        return rows.to_batches()[0]

    def _whole(self) -> list[Any]:
        return decoded(self._shard, *self._wanted)

    def first_value(self, batch: Any, column: str) -> object:
        return batch.decode().column(column)[0].as_py()

    def canonical(self, batch: Any) -> Any:
        return batch.decode()


class FooterCounting(HonestBackend):
    """A scan that only counts reads the footer and nothing else."""

    def open(self, shard: Path, *, columns: Columns = None, batch_rows: int = 1024) -> Any:
        return Counting(shard, columns, batch_rows)


class Later(Counting):
    """Starts to decode in a thread, and does not wait for it."""

    def __init__(self, shard: Path, columns: Columns, batch_rows: int) -> None:
        super().__init__(shard, columns, batch_rows)
        self._done: list[Any] = []
        self._thread = threading.Thread(target=self._decode)
        self._thread.start()

    def _decode(self) -> None:
        self._done = decoded(self._shard, *self._wanted)

    def _whole(self) -> list[Any]:
        self._thread.join()
        return self._done


class AfterTheClock(HonestBackend):
    """Says how many rows there are, and decodes after the span, while the harness does other things."""

    def open(self, shard: Path, *, columns: Columns = None, batch_rows: int = 1024) -> Any:
        return Later(shard, columns, batch_rows)


class LeftOnDisk(HonestBackend):
    """What was decoded lies on disk as it is in memory, from the preparation on, beside the shards that
    it says it reads."""

    def prepare(self, shards: Sequence[Path], directory: Path) -> Sequence[Path]:
        for shard in shards:
            target = self._beside(shard)
            target.parent.mkdir(exist_ok=True)
            batches = decoded(shard)
            with (
                pyarrow.OSFile(str(target), "wb") as file,
                pyarrow.ipc.new_file(file, batches[0].schema) as writer,
            ):
                for batch in batches:
                    writer.write_batch(batch)
        return shards

    def open(self, shard: Path, *, columns: Columns = None, batch_rows: int = 1024) -> Any:
        target = self._beside(shard)
        if not target.exists():
            return HonestReader(shard, columns, batch_rows)
        file = pyarrow.ipc.open_file(pyarrow.memory_map(str(target)))
        return Ready(file.get_batch(i) for i in range(file.num_record_batches))

    def _beside(self, shard: Path) -> Path:
        folder = Path(tempfile.gettempdir()) / f"firstbyte-left-on-disk-{os.getuid()}"
        return folder / f"{shard.parent.name}-{shard.stem}.arrow"


class LeftByAWorker(LeftOnDisk):
    """The same, written by the first pass of a measured process for those that come after it."""

    def prepare(self, shards: Sequence[Path], directory: Path) -> Sequence[Path]:
        for shard in shards:
            self._beside(shard).unlink(missing_ok=True)
        return shards

    def open(self, shard: Path, *, columns: Columns = None, batch_rows: int = 1024) -> Any:
        if not self._beside(shard).exists():
            super().prepare([shard], shard)
        return super().open(shard, columns=columns, batch_rows=batch_rows)

    def _beside(self, shard: Path) -> Path:
        return super()._beside(shard).with_suffix(".by-a-worker.arrow")


class BetweenSpans(HonestBackend):
    """When a pass over a shard has ended, the next one is prepared by `_prepare`, outside any span."""

    def __init__(self) -> None:
        self._ahead: dict[Path, Callable[[], list[Any]]] = {}

    def open(self, shard: Path, *, columns: Columns = None, batch_rows: int = 1024) -> Any:
        backend = self

        class AndAhead(HonestReader):
            def close(self) -> None:
                super().close()
                backend._ahead[shard] = backend._prepare(shard)

        class Taken(Ready):
            def close(self) -> None:
                super().close()
                backend._ahead[shard] = backend._prepare(shard)

        if shard in self._ahead:
            return Taken(iter(self._ahead.pop(shard)()))
        return AndAhead(shard, columns, batch_rows)

    def _prepare(self, shard: Path) -> Callable[[], list[Any]]:
        raise NotImplementedError


class ThreadBetweenSpans(BetweenSpans):
    """A thread decodes what the next span will ask for, before it begins."""

    def _prepare(self, shard: Path) -> Callable[[], list[Any]]:
        done: list[Any] = []
        thread = threading.Thread(target=lambda: done.extend(decoded(shard)))
        thread.start()

        def take() -> list[Any]:
            thread.join()
            return done

        return take


class ChildBetweenSpans(BetweenSpans):
    """A child does, and hands it over in shared memory."""

    def _prepare(self, shard: Path) -> Callable[[], list[Any]]:
        memory = mmap.mmap(-1, 256 << 20)
        pid = os.fork()
        if pid == 0:
            # A fork of threads: only what this thread holds is safe to use.
            sink = pyarrow.FixedSizeBufferWriter(pyarrow.py_buffer(memory))
            batches = decoded(shard)
            with pyarrow.ipc.new_stream(sink, batches[0].schema) as writer:
                for batch in batches:
                    writer.write_batch(batch)
            os._exit(0)

        def take() -> list[Any]:
            os.waitpid(pid, 0)
            return list(pyarrow.ipc.open_stream(pyarrow.py_buffer(memory)))

        return take


class SmallFirstBatch(HonestBackend):
    """One row at first, then what was asked for: the first byte waits for less than a batch."""

    def open(self, shard: Path, *, columns: Columns = None, batch_rows: int = 1024) -> Any:
        return Ready(self._batches(shard, columns, batch_rows))

    def _batches(self, shard: Path, columns: Columns, batch_rows: int) -> Iterator[Any]:
        with opened(shard) as file:
            yield next(batches_of(file, columns, 1))
        for number, batch in enumerate(decoded(shard, columns, batch_rows)):
            yield batch if number else batch.slice(1)


class FirstValueKept(HonestBackend):
    """The first text is remembered from pass to pass; nothing is read before somebody wants more."""

    texts: ClassVar[dict[tuple[Path, str], object]] = {}

    def open(self, shard: Path, *, columns: Columns = None, batch_rows: int = 1024) -> Any:
        texts = self.texts

        class Remembering(Counting):
            def first_value(self, batch: Any, column: str) -> object:
                if (shard, column) not in texts:
                    texts[shard, column] = super().first_value(batch, column)
                return texts[shard, column]

        return Remembering(shard, columns, batch_rows)


class FileKept(HonestBackend):
    """The bytes of the file are kept in memory, whatever the page cache is asked to forget."""

    def __init__(self) -> None:
        self._files: dict[Path, Any] = {}

    def open(self, shard: Path, *, columns: Columns = None, batch_rows: int = 1024) -> Any:
        if shard not in self._files:
            self._files[shard] = pyarrow.py_buffer(shard.read_bytes())
        file = pyarrow.parquet.ParquetFile(pyarrow.BufferReader(self._files[shard]))
        return Ready(batches_of(file, columns, batch_rows))


class Clock(HonestBackend):
    """Replaces the clocks of Python's `time` by what `_shown` makes of the time since."""

    WALL = ("monotonic", "perf_counter", "time")
    PROCESSOR = ("process_time", "thread_time")
    replaced: tuple[str, ...] = WALL + PROCESSOR

    def __init__(self) -> None:
        for name in self.replaced:
            self._replace(name)

    def _replace(self, name: str) -> None:
        true, true_ns = getattr(time, name), getattr(time, f"{name}_ns")
        began, began_ns = true(), true_ns()
        setattr(time, name, lambda: began + self._shown(true() - began))
        setattr(time, f"{name}_ns", lambda: began_ns + int(self._shown(true_ns() - began_ns)))

    def _shown(self, since: float) -> float:
        raise NotImplementedError


class HalfSpeed(Clock):
    """Clocks go at half speed."""

    def _shown(self, since: float) -> float:
        return since / 2


class DoubleSpeed(Clock):
    """Clocks go at twice their speed."""

    def _shown(self, since: float) -> float:
        return since * 2


class StandsStill(Clock):
    """Clocks stand still."""

    def _shown(self, since: float) -> float:
        return 0.0


class Coarse(Clock):
    """Clocks go on in steps of a tenth of a second: what is shorter takes no time."""

    def _shown(self, since: float) -> float:
        step = 100_000_000 if isinstance(since, int) else 0.1
        return since // step * step


class ProcessorTimeStands(Clock):
    """Wall time is true; the processor time of the process does not grow."""

    replaced = Clock.PROCESSOR

    def _shown(self, since: float) -> float:
        return 0.0


class HalvedFigures(HonestBackend):
    """The instrument itself is replaced: it says half of what it measured."""

    def __init__(self) -> None:
        for one in gc.get_objects():
            if type(one).__name__ == "Probe":
                type(one).end = halving(type(one).end)


def halving(measure: Callable[[Any], dict[str, float]]) -> Callable[[Any], dict[str, float]]:
    return lambda probe: {name: value / 2 for name, value in measure(probe).items()}


class HalvedSamples(HonestBackend):
    """What is sent to the parent is replaced: half of every figure of time."""

    def __init__(self) -> None:
        from firstbyte.worker import protocol

        encode = protocol.encode

        def halved(event: Any) -> bytes:
            for name, value in dict(getattr(event, "values", {})).items():
                if name.endswith("_ns"):
                    event.values[name] = value / 2
                elif name.endswith("_per_s"):
                    event.values[name] = value * 2
            return encode(event)

        protocol.encode = halved


CHEATS: dict[str, type[HonestBackend]] = {
    "cached_batches": CachedBatches,
    "first_batch_kept": FirstBatchKept,
    "order_found": OrderFound,
    "order_found_by_thread": OrderFoundByThread,
    "footer_counting": FooterCounting,
    "after_the_clock": AfterTheClock,
    "left_on_disk": LeftOnDisk,
    "left_by_a_worker": LeftByAWorker,
    "thread_between_spans": ThreadBetweenSpans,
    "child_between_spans": ChildBetweenSpans,
    "small_first_batch": SmallFirstBatch,
    "first_value_kept": FirstValueKept,
    "file_kept": FileKept,
    "half_speed": HalfSpeed,
    "double_speed": DoubleSpeed,
    "stands_still": StandsStill,
    "coarse": Coarse,
    "processor_time_stands": ProcessorTimeStands,
    "halved_figures": HalvedFigures,
    "halved_samples": HalvedSamples,
}

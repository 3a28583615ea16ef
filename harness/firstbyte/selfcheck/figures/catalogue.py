"""All kinds that are planted, and what is wanted of each."""

from __future__ import annotations

from firstbyte.api import Purpose
from firstbyte.model import Status
from firstbyte.selfcheck.figures.kinds import (
    Grows,
    InFigures,
    Kind,
    Place,
    Sort,
    Told,
    WantedAnswer,
)
from firstbyte.worker.instruments.proc_memory import (
    BASE,
    PEAK,
    PEAK_ABOVE_BASE,
    PEAK_CHILDREN,
    PEAK_SHMEM,
    PEAK_UNMAPPED,
)
from firstbyte.worker.ledgers import CHILDREN, GLIBC, RESIDENT, SHARED, SHARED_FILES
from firstbyte.worker.shapes import Shape

SCAN = Place(Purpose.WHOLE_SCAN, "clock")
SCAN_MEMORY = Place(Purpose.WHOLE_SCAN, "proc_memory", repetitions=1)
REOPENED = Place(
    Purpose.FIRST_ROW, "clock", (("cache", "warm"), ("start", "reopened")), repetitions=3
)
EVICTED = Place(
    Purpose.FIRST_ROW, "clock", (("cache", "evicted"), ("start", "reopened")), repetitions=3
)
TOGETHER = Place(Purpose.SIDE_BY_SIDE, "clock", (("mode", "threads"), ("readers", 4)), 1)
LEAKED_BYTES = 65_536
"""What a planted leak of memory leaves in a scan."""
HELD_BYTES = 64_000_000
"""What planted hidden memory takes."""

QUICK = frozenset(
    {
        (Sort.LIE, "swapped_values"),
        (Sort.LIE, "first_pass"),
        (Sort.CHEAT, "cached_batches"),
        (Sort.CHEAT, "footer_counting"),
        (Sort.CHEAT, "first_value_kept"),
        (Sort.CHEAT, "half_speed"),
        (Sort.HIDDEN, "memfd_unmapped"),
        (Sort.HIDDEN, "dev_shm_closed"),
        (Sort.HIDDEN, "daemon"),
        (Sort.LEAK, "raw_mapping"),
    }
)
"""The slice that tests try."""

LIES: dict[str, tuple[str, ...]] = {
    "swapped_values": ("'text'", "row 7"),
    "swapped_columns": ("'id'",),
    "duplicated_row": ("row count",),
    "dropped_row": ("row count",),
    "replaced_row": ("row 7",),
    "reordered_rows": ("row 0",),
    "negative_zero": ("'score'", "-0.0"),
    "nan_for_null": ("'score'", "nan"),
    "null_for_nan": ("'score'", "nan"),
    "float32_rounding": ("'score'",),
    "trimmed_blank": ("'text'",),
    "empty_for_null": ("'text'",),
    "null_for_empty": ("'text'",),
    "truncated_text": ("'text'",),
    "upper_case": ("'text'", "row 7"),
    "composed": ("'text'",),
    "other_zone": ("'at'",),
    "lost_zone": ("'at'",),
    "late_by_one": ("'at'", "row 7"),
    "int_wrap": ("'id'",),
    "int_as_float": ("'id'",),
    "numbers_as_text": ("'id'",),
    "bytes_as_text": ("'raw'",),
    "list_lengths": ("'ids'", "row 7"),
    "null_for_empty_list": ("'ids'",),
    "inverted_flag": ("'flag'", "row 7"),
    "missing_column": ("flag",),
    "last_shard": ("'small'", "row 7"),
    "middle_row_group": ("'small'", "row 1,?100"),
    "last_row": ("'small'", "row 2,?399"),
    "second_pass": ("'small'", "row 7"),
    "first_pass": ("'small'", "row 7"),
    "unless_verified": ("'small'", "row 7"),
    "under_memory_sampling": ("'small'", "row 7"),
    "under_the_clock": ("'small'", "row 7"),
    "whole_batches": ("'small'", "row 0"),
    "other_threads": ("'small'", "row 7"),
    "other_first_value": ("first value",),
    "right_when_looked_at": ("first value",),
    "left_off": ("first value",),
}
"""Kind -> what the reason names, as regular expressions: the column, and the row where there is one."""
LIES_ELSEWHERE: dict[str, tuple[Place, ...]] = {
    "other_threads": (TOGETHER,),
    "other_first_value": (REOPENED,),
    "right_when_looked_at": (REOPENED,),
    "left_off": (REOPENED,),
}
"""Lies that are told in those places only; all others are tried by clock, for memory and on first rows."""

CHEATS: dict[str, tuple[tuple[Place, ...], tuple[str, ...]]] = {
    "cached_batches": ((SCAN, REOPENED), ("floor|read",)),
    "first_batch_kept": ((REOPENED,), ("floor|read",)),
    "order_found": ((SCAN, REOPENED), ("before|outside|floor|read",)),
    "order_found_by_thread": ((SCAN, REOPENED), ("before|outside|floor|read",)),
    "footer_counting": ((SCAN,), ("floor|read",)),
    "after_the_clock": ((SCAN,), ("after|outside|floor|read",)),
    "left_on_disk": ((SCAN, REOPENED), ("file|read|floor",)),
    "left_by_a_worker": ((SCAN, REOPENED), ("file|read|floor",)),
    "thread_between_spans": ((SCAN, REOPENED), ("thread|outside|before|floor",)),
    "child_between_spans": ((SCAN, REOPENED), ("child|process|outside|before|floor",)),
    "small_first_batch": ((REOPENED,), ("batch",)),
    "first_value_kept": ((REOPENED,), ("floor|read|value",)),
    "file_kept": ((EVICTED,), ("read",)),
    "half_speed": ((SCAN, REOPENED), ("clock",)),
    "double_speed": ((SCAN, REOPENED), ("clock",)),
    "stands_still": ((SCAN, REOPENED), ("clock",)),
    "coarse": ((SCAN, REOPENED), ("clock",)),
    "processor_time_stands": ((SCAN,), ("clock|CPU|processor",)),
    "halved_figures": ((SCAN,), ("clock",)),
    "halved_samples": ((SCAN, REOPENED), ("clock",)),
}
"""Kind -> where it pays, and what the reason names: the evidence, one of those that there can be."""

_PEAKS = (PEAK.name, PEAK_ABOVE_BASE.name)
_SHARED = InFigures((*_PEAKS, PEAK_SHMEM.name))
_PRIVATE = InFigures(_PEAKS)
_CHILDREN = InFigures((*_PEAKS, PEAK_CHILDREN.name))
_UNMAPPED = InFigures((*_PEAKS, PEAK_UNMAPPED.name))
_NEW_FILE = Told(Status.SUSPECT, ("file",))

HIDDEN: dict[str, WantedAnswer] = {
    "memfd": _SHARED,
    "dev_shm": _SHARED,
    "shared_anonymous": _SHARED,
    "memfd_unmapped": _UNMAPPED,
    "dev_shm_unmapped": _UNMAPPED,
    "dev_shm_closed": _NEW_FILE,
    "file_on_disk": _NEW_FILE,
    "file_on_disk_unmapped": _NEW_FILE,
    "private_of_file": _PRIVATE,
    "huge_pages": _PRIVATE,
    "raw_system_call": _PRIVATE,
    "freed_lazily": _PRIVATE,
    "paged_out": _PRIVATE,
    "fleeting": InFigures((PEAK_ABOVE_BASE.name,), passing=True),
    "fleeting_shared": InFigures((PEAK_ABOVE_BASE.name, PEAK_SHMEM.name), passing=True),
    "child": _CHILDREN,
    "grandchild": _CHILDREN,
    "orphan": _CHILDREN,
    "daemon": _CHILDREN,
    "fork": _CHILDREN,
    "fleeting_child": InFigures((PEAK_ABOVE_BASE.name, PEAK_CHILDREN.name), passing=True),
    "server": _CHILDREN,
    "pipes": _UNMAPPED,
    "sockets": _UNMAPPED,
    "before_the_base": InFigures((PEAK.name, BASE.name)),
}
"""Kind -> the figures that must have it: whole, above the base, and the part that says where it is."""

_RESIDENT = Grows(RESIDENT, LEAKED_BYTES)
_HEAP = f"{GLIBC}|{RESIDENT}"

LEAKS: dict[str, Grows] = {
    "raw_mapping": _RESIDENT,
    "malloc": Grows(_HEAP, LEAKED_BYTES),
    "python_objects": Grows(_HEAP, None),
    "python_bytes": Grows(_HEAP, LEAKED_BYTES),
    "shared_anonymous": Grows(SHARED, LEAKED_BYTES),
    "memfd": Grows(SHARED, LEAKED_BYTES),
    "memfd_unmapped": Grows(SHARED_FILES, LEAKED_BYTES),
    "descriptors": Grows("descriptors", None),
    "threads": Grows("threads", None),
    "children": Grows("children", None),
    "zombies": Grows("children", None),
    "growing_child": Grows(CHILDREN, LEAKED_BYTES),
    "files_left": Grows(SHARED_FILES, LEAKED_BYTES),
    "abandoned": Grows(RESIDENT, LEAKED_BYTES, Shape.ABANDONED),
    "failing": Grows(RESIDENT, None, Shape.FAILING),
    "concurrent": Grows(RESIDENT, None, Shape.CONCURRENT),
    "every_seventh": _RESIDENT,
    "geometric": _RESIDENT,
    "frees_and_retakes": _RESIDENT,
    "one_drop": _RESIDENT,
    "late_start": _RESIDENT,
    "per_batch": Grows(_HEAP, None),
    "large_behind_small": _RESIDENT,
    "queue": _RESIDENT,
}
"""Kind -> the ledger, the size, and the shape of use in which it shows."""


def kinds() -> tuple[Kind, ...]:
    """All of them, sort by sort."""
    everywhere = (SCAN, SCAN_MEMORY, REOPENED)
    lies = (
        _kind(Sort.LIE, name, LIES_ELSEWHERE.get(name, everywhere), Told(Status.WRONG, words))
        for name, words in LIES.items()
    )
    cheats = (
        _kind(Sort.CHEAT, name, places, Told(Status.SUSPECT, words))
        for name, (places, words) in CHEATS.items()
    )
    hidden = (_kind(Sort.HIDDEN, name, (SCAN_MEMORY,), wanted) for name, wanted in HIDDEN.items())
    leaks = (_kind(Sort.LEAK, name, (), wanted) for name, wanted in LEAKS.items())
    return (*lies, *cheats, *hidden, *leaks)


def _kind(sort: Sort, name: str, places: tuple[Place, ...], wanted: WantedAnswer) -> Kind:
    return Kind(sort, name, places, wanted, quick=(sort, name) in QUICK)

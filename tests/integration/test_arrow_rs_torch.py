"""The example of the crate's README with a real DataLoader, by every way to start workers."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

pytest.importorskip("firstbyte_arrow")

ROWS = 20_000
README = Path(__file__).parents[2] / "backends" / "arrow_rs" / "README.md"
CHECK = """

def check(path, method, rows):
    with firstbyte_arrow.open(path).scan(threads=2) as reader:
        next(reader)
        shard = Shard(path, seed=1)
        loader = DataLoader(
            shard, batch_size=None, num_workers=2, multiprocessing_context=method
        )
        found = [text for batch in loader for text in batch]
    assert sorted(found) == sorted(f"row {i}" for i in range(rows)), len(found)
    assert found != sorted(found)


if __name__ == "__main__":
    import sys

    check(sys.argv[1], sys.argv[2], int(sys.argv[3]))
"""


def example() -> str:
    """The class of the README, without the line that uses it."""
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    found = [block for block in blocks if "IterableDataset" in block]
    assert len(found) == 1
    kept = [line for line in found[0].splitlines() if not line.startswith("loader = ")]
    assert len(kept) == len(found[0].splitlines()) - 1
    return "import firstbyte_arrow\n" + "\n".join(kept) + CHECK


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_every_row_once_through_a_real_data_loader(tmp_path: Path, method: str) -> None:
    """A threaded reader lives in the parent meanwhile, so that a fork has something to break."""
    pytest.importorskip("torch")
    shard = tmp_path / "shard.parquet"
    pq.write_table(pa.table({"text": [f"row {i}" for i in range(ROWS)]}), shard, row_group_size=900)
    script = tmp_path / "example.py"
    script.write_text(example())
    command = [sys.executable, str(script), str(shard), method, str(ROWS)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

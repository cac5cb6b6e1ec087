"""Two processes give what one gives; a killed worker stops the run, and the same command continues it."""

import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the extra `train`")
pytest.importorskip("lightning_fabric", reason="training needs the extra `train`")
pq = pytest.importorskip("pyarrow.parquet", reason="data sets need the extra `data`")

from safetensors.torch import load_file

SCRIPT = Path(__file__).with_name("two_processes.py")


def launch(processes: int, folder: Path, dies: int = 0) -> subprocess.CompletedProcess[str]:
    command = [sys.executable]
    if processes > 1:
        command += ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    command += [str(SCRIPT), str(folder), str(dies)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600, check=False)


def distance(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> float:
    assert set(a) == set(b)
    return math.sqrt(sum(float(((a[k].double() - b[k].double()) ** 2).sum()) for k in a))


@pytest.mark.slow
def test_two_processes_equal_one_and_survive_a_killed_worker(tmp_path: Path) -> None:
    one = launch(1, tmp_path / "one")
    assert one.returncode == 0, one.stderr
    killed = launch(2, tmp_path / "two", dies=16)
    assert killed.returncode != 0
    assert "SIGKILL" in killed.stderr or "Signal 9" in killed.stderr
    assert (tmp_path / "two" / "fold_0" / "seed_0" / "epoch_1.safetensors").exists()
    two = launch(2, tmp_path / "two")
    assert two.returncode == 0, two.stderr

    place = Path("fold_0") / "seed_0"
    one_1, one_2, two_1, two_2 = (
        load_file(tmp_path / name / place / f"epoch_{epoch}.safetensors") for name in ("one", "two") for epoch in (1, 2)
    )
    # rounding differs; it must be nothing beside what an epoch moves
    moved = distance(one_1, one_2)
    assert moved > 0
    assert distance(one_1, two_1) < 1e-4 * moved
    assert distance(one_2, two_2) < 1e-4 * moved
    tables = [pq.read_table(tmp_path / name / "predictions.parquet") for name in ("one", "two")]
    assert tables[0]["slice_id"].equals(tables[1]["slice_id"])
    for label in ("epidural", "any"):
        first, second = (table[label].to_numpy() for table in tables)
        assert np.abs(first - second).max() < 1e-5

"""Features by local workers are those of one process, in any order, and continue where they were ended."""

import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the extra `train`")
pytest.importorskip("pyarrow", reason="stores need the extra `data`")

from tests.scale.features import network_of, spec, store_of

from ichscan.errors import DataError, TrainingError
from ichscan.scale.executor import Lost
from ichscan.scale.processes import Processes
from ichscan.train import feature_tasks, features
from ichscan.train.features import Extraction, extract

torch.set_num_threads(1)


class Backwards:
    """Does the tasks from the last to the first."""

    def run(self, job, tasks):
        yield from Processes(1).run(job, reversed(list(tasks)))


class Hopeless:
    """Loses every task."""

    def run(self, job, tasks):
        yield from (Lost(task, "it died") for task in tasks)


def test_workers_give_what_one_process_gives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feature_tasks, "PER_TASK", 3)
    store, network = store_of(tmp_path / "store", patients=4), network_of()
    rows = np.array([0, 1, 2, 3, 5, 6, 7])
    whole = extract(network, store, rows, spec(), tmp_path / "whole", Extraction(("none", "hflip")))
    spread = extract(
        network, store, rows, spec(), tmp_path / "spread", Extraction(("none", "hflip")), executor=Processes(2)
    )
    np.testing.assert_array_equal(spread.rows, whole.rows)
    np.testing.assert_array_equal(spread.embedding, whole.embedding)
    np.testing.assert_array_equal(spread.logits, whole.logits)
    assert spread.identity == whole.identity


def test_ended_in_the_middle_of_any_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feature_tasks, "PER_TASK", 2)
    monkeypatch.setattr(features, "KEEP_EVERY", 1)
    store, network, rows = store_of(tmp_path / "store", patients=4), network_of(), np.arange(8)
    whole = extract(network, store, rows, spec(), tmp_path / "whole")
    told = []

    def ended(done: int, _: int) -> None:
        told.append(done)
        if done == 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        extract(network, store, rows, spec(), tmp_path / "part", executor=Backwards(), progress=ended)
    assert told == [2, 4, 6]
    assert json.loads((tmp_path / "part" / "progress.json").read_text())["done"] == 0
    with pytest.raises(TrainingError, match="slices from 00/0 on: it died; the same command continues"):
        extract(network, store, rows, spec(), tmp_path / "part", executor=Hopeless())
    again = extract(network, store, rows, spec(), tmp_path / "part", executor=Backwards())
    np.testing.assert_array_equal(again.embedding, whole.embedding)


def test_what_is_no_number_is_named(tmp_path: Path) -> None:
    store, network = store_of(tmp_path / "store", patients=1), network_of()
    with torch.no_grad():
        network.last.bias[0] = float("nan")
    with pytest.raises(DataError, match=r"NaN or infinity for 2 slices, such as .*'00/0'"):
        extract(network, store, np.arange(2), spec(), tmp_path / "f", executor=Processes(1))

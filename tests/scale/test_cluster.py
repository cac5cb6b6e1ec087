"""A Ray cluster of two nodes, each its own processes: one is killed in the middle, and the result is the local one."""

import itertools
import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ray = pytest.importorskip("ray", reason="clusters need the extra `scale`")
pytest.importorskip("pyarrow", reason="stores need the extra `data`")

from tests.datasets.rsna_builder import as_zip, collection
from tests.scale.jobs import Square
from tests.scale.marks import MarkedStore, begun, wait_until
from tests.scale.test_batch import one_by_one, results, studies

from ichscan.batch import PredictSeries, SeriesTask, Status, predict_batch
from ichscan.cli import main
from ichscan.datasets.collection import Batch, Labelled, Plan, Problem, SliceRead
from ichscan.datasets.engine import Progress, import_collection
from ichscan.datasets.rsna import Rsna
from ichscan.datasets.store import open_store
from ichscan.datasets.verify import verify
from ichscan.errors import UsageError
from ichscan.scale.cluster import RayCluster
from ichscan.scale.executor import Done, Lost

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs Linux's /proc to find a node's processes"),
]


@dataclass
class Nodes:
    """A running cluster of a head and one more node, one core each."""

    address: str
    head: str
    second: str
    kill_second: Callable[[], None]


@pytest.fixture
def nodes(monkeypatch: pytest.MonkeyPatch) -> Iterator[Nodes]:
    from ray.cluster_utils import Cluster

    settings = {
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_AUTH_MODE": "disabled",  # else it leaves a token in the home folder
        "RAY_health_check_initial_delay_ms": "0",
        "RAY_health_check_period_ms": "500",
        "RAY_health_check_timeout_ms": "2000",
        "RAY_health_check_failure_threshold": "4",
        "PYTHONPATH": os.pathsep.join(str(p) for p in (Path(__file__).parents[2], os.environ.get("PYTHONPATH")) if p),
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    sizes = {"num_cpus": 1, "object_store_memory": 80_000_000}
    cluster = Cluster(initialize_head=True, head_node_args={**sizes, "include_dashboard": False})
    second = cluster.add_node(**sizes)
    yield Nodes(cluster.address, cluster.head_node.node_id, second.node_id, lambda: _kill(second))
    ray.shutdown()
    cluster.shutdown()


def _kill(node: Any) -> None:
    """SIGKILL to every process of a node: what it runs, then itself."""
    pids = [started.process.pid for kind in node.all_processes.values() for started in kind]
    children = [int(p) for pid in pids for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    for pid in (*pids, *children):
        os.kill(pid, signal.SIGKILL)


class Killer:
    """Kills the second node while it works on a task, once `enough` is true."""

    def __init__(self, nodes: Nodes, marks: Path, enough: Callable[[], bool]) -> None:
        self.killed = False
        self._marks, self._doomed = marks, nodes.second
        self._thread = threading.Thread(target=lambda: self._watch(nodes, enough))

    def _watch(self, nodes: Nodes, enough: Callable[[], bool]) -> None:
        wait_until(lambda: enough() and bool(list(self._marks.glob(f"{nodes.second}-*"))))
        nodes.kill_second()
        self.killed = True
        (self._marks / "dead").touch()

    def __enter__(self) -> "Killer":
        self._marks.mkdir()
        (self._marks / "doomed").write_text(self._doomed)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join()


@dataclass(frozen=True)
class Marked:
    """A collection of single slices that says where it is read."""

    inner: Rsna
    marks: Path
    kind: str = "rsna-2019"

    def plan(self) -> Plan:
        return self.inner.plan()

    def read(self, batch: Batch) -> Iterator[SliceRead | Problem]:
        begun(self.marks)
        yield from self.inner.read(batch)

    def label(self, table: Any) -> Labelled:
        return self.inner.label(table)


def test_import_with_a_node_killed_loses_nothing(nodes: Nodes, tmp_path: Path) -> None:
    source = as_zip(collection(series=4, count=5, test=4), tmp_path / "a.zip")
    local = open_store(import_collection(Rsna(source, per_batch=1), tmp_path / "local", workers=1))
    store, marks = tmp_path / "store", tmp_path / "marks"
    seen: list[Progress] = []
    enough = lambda: len(list(store.glob("parts/*.parquet"))) >= 4  # noqa: E731
    with RayCluster(nodes.address) as cluster, Killer(nodes, marks, enough) as killer:
        import_collection(Marked(Rsna(source, per_batch=1), marks), store, executor=cluster, progress=seen.append)
    assert killer.killed
    assert (seen[-1].done, seen[-1].total) == (24, 24)
    spread = open_store(store)
    assert spread.digest == local.digest
    assert spread.table.equals(local.table)
    assert spread.manifest["problems"] == local.manifest["problems"]
    assert not verify(store).faults
    assert sorted(p.name for p in store.rglob("*")) == sorted(p.name for p in local.path.rglob("*"))


class MarkedPrediction(PredictSeries):
    """Says where it is predicted."""

    marks = Path()

    def __init__(self, model: Path | None) -> None:
        super().__init__(model)
        self._marks = self.marks

    def __call__(self, task: SeriesTask) -> tuple[Status, str | None]:
        begun(self._marks)
        return super().__call__(task)


def test_batch_with_a_node_killed_loses_nothing(
    nodes: Nodes, tmp_path: Path, fake_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths, out, marks = studies(tmp_path / "in", 12, 3), tmp_path / "out", tmp_path / "marks"
    local = one_by_one(paths, fake_bundle, tmp_path / "single")
    monkeypatch.setattr("ichscan.batch.PredictSeries", MarkedPrediction)
    monkeypatch.setattr(MarkedPrediction, "marks", marks)
    enough = lambda: len(list(out.glob("*.json"))) >= 3  # noqa: E731
    with RayCluster(nodes.address) as cluster, Killer(nodes, marks, enough) as killer:
        told = list(predict_batch(paths, out, cluster, model=fake_bundle))
    assert killer.killed
    assert [(one.status, one.before) for one in told] == [("analysed", False)] * 12
    assert results(out) == local
    assert {path.suffix for path in out.iterdir()} <= {".json", ".tmp"}


def test_features_with_a_node_killed_are_those_of_one_process(
    nodes: Nodes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch = pytest.importorskip("torch", reason="training needs the extra `train`")
    from tests.scale.features import network_of, spec, store_of

    from ichscan.train import feature_tasks
    from ichscan.train.features import Extraction, extract

    torch.set_num_threads(1)
    monkeypatch.setattr(feature_tasks, "PER_TASK", 1)
    store, network, marks = store_of(tmp_path / "store", patients=12), network_of(), tmp_path / "marks"
    rows = np.arange(len(store))
    local = extract(network, store, rows, spec(), tmp_path / "local", Extraction(("none", "hflip")))
    told: list[int] = []
    watched = MarkedStore(store.path, store.manifest, marks)
    with RayCluster(nodes.address) as cluster, Killer(nodes, marks, lambda: len(told) >= 3) as killer:
        spread = extract(
            network, watched, rows, spec(), tmp_path / "spread", Extraction(("none", "hflip")), executor=cluster,
            progress=lambda done, _: told.append(done),
        )  # fmt: skip
    assert killer.killed
    assert told == list(np.arange(1, 13) * 2)
    np.testing.assert_array_equal(spread.embedding, local.embedding)
    np.testing.assert_array_equal(spread.logits, local.logits)
    assert spread.identity == local.identity


def test_tasks_errors_and_lost_ones(nodes: Nodes, tmp_path: Path) -> None:
    with RayCluster(nodes.address) as cluster:
        found = list(cluster.run(Square(tmp_path, kills=(2,), always=True), range(6)))
        assert sorted((o.task, o.result) for o in found if isinstance(o, Done)) == [(n, n * n) for n in (0, 1, 3, 4, 5)]
        (lost,) = (one for one in found if isinstance(one, Lost))
        assert lost.task == 2
        assert "4 times" in lost.reason
        with pytest.raises(OSError, match="No space left") as caught:
            list(cluster.run(Square(tmp_path, raises=(1,)), range(3)))
        assert caught.value.errno == 28
        with pytest.raises(UsageError, match="with GPUs, found none"):
            next(cluster.run(Square(tmp_path, gpus=1), range(1)))
        run = cluster.run(Square(tmp_path), itertools.count())
        assert isinstance(next(run), Done)
        run.close()


def test_commands_on_a_cluster_of_this_machine(
    tmp_path: Path, fake_bundle: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    paths = studies(tmp_path / "in", 2)
    monkeypatch.chdir(tmp_path)
    words = ["batch", "in", "--out", "out", "--model", str(fake_bundle), "--ray", "local", "--workers", "1"]
    assert main(words) == 0
    assert "2 analysed" in capsys.readouterr().out
    assert results(tmp_path / "out").keys() == one_by_one(paths, fake_bundle, tmp_path / "single").keys()
    as_zip(collection(series=2, count=2), tmp_path / "a.zip")
    assert main(["data", "import", "rsna", "a.zip", "--out", "store", "--ray", "local", "--workers", "1"]) == 0
    assert json.loads((tmp_path / "store" / "manifest.json").read_text())["counts"]["slices"] == 6


def test_training_computes_features_on_a_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch", reason="training needs the extra `train`")
    pytest.importorskip("lightning_fabric", reason="training needs the extra `train`")
    from tests.train.experiment_store import experiment_store, tiny_backbone, with_split

    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    monkeypatch.setattr("ichscan.train.classifier.build", tiny_backbone)
    torch.set_num_threads(1)
    with_split(experiment_store(tmp_path / "store"), share=0.5)
    recipe = tmp_path / "tiny.toml"
    recipe.write_text(RECIPE)
    common = ["train", str(recipe), "--data", str(tmp_path / "store"), "--stage", "features"]
    assert main([*common, "--out", str(tmp_path / "here")]) == 0
    assert main([*common, "--out", str(tmp_path / "there"), "--ray", "local"]) == 0
    made = sorted(p.relative_to(tmp_path / "here") for p in (tmp_path / "here" / "features").rglob("*.npy"))
    assert len(made) >= 3
    for name in made:
        np.testing.assert_array_equal(np.load(tmp_path / "there" / name), np.load(tmp_path / "here" / name))


RECIPE = """\
kind = "workbench"
name = "tiny"
[input]
crop = "slice"
size = 32
mean = [0.3]
std = [0.3]
[[input.channels]]
center = 40
width = 80
[training]
epochs = 1
batch = 16
workers = 1
"""

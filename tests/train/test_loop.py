"""The training loop on a tiny network: exact resumption, schedules, and what is said when it cannot go on."""

import csv
import dataclasses
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="training needs the extra `train`")
pytest.importorskip("lightning_fabric", reason="training needs the extra `train`")

from safetensors.torch import load_file
from torch import Tensor, nn

from ichscan.errors import OutputError, TrainingError, UsageError
from ichscan.train import checkpoint, rates
from ichscan.train.batch import Batch, Share
from ichscan.train.checkpoint import load_weights
from ichscan.train.devices import launched, start
from ichscan.train.history import History
from ichscan.train.loop import Task, fit
from ichscan.train.workbench_tables import Training

torch.set_num_threads(1)

X = torch.randn(26, 5, generator=torch.Generator().manual_seed(0))
Y = (X.sum(1, keepdim=True) > 0).float()
STEPS = 4  # of 8, 8, 8 and 2
CONFIG = Training(epochs=3, batch=8, learning_rate=0.01, accelerator="cpu", ema=0.9, schedule="cosine", save_steps=1)


def batches(accumulate: int = 1, stop: tuple[int, int] | None = None) -> Any:
    def of_epoch(epoch: int, first: int, share: Share) -> Iterator[Batch]:
        order = torch.randperm(26, generator=torch.Generator().manual_seed(epoch))
        for step, chunk in enumerate(order.split(8)):
            if step < first:
                continue
            if stop == (epoch, step):
                raise KeyboardInterrupt
            parts = chunk[share.rank :: share.world].chunk(accumulate)
            for k, part in enumerate(parts):
                names = tuple(f"slice-{i}" for i in part.tolist())
                ones = torch.ones(len(part))
                yield Batch((X[part],), Y[part], ones, float(len(chunk)), k == len(parts) - 1, names)

    return of_epoch


def objective(network: nn.Module, batch: Batch) -> Tensor:
    logits = network(batch.inputs[0])
    losses = nn.functional.binary_cross_entropy_with_logits(logits, batch.targets, reduction="none")[:, 0]
    return (losses * batch.weights).sum()


@torch.no_grad()
def validate(network: nn.Module, epoch: int) -> Mapping[str, float]:
    return {"loss": float(nn.functional.binary_cross_entropy_with_logits(network(X), Y))}


def run(folder: Path, config: Training = CONFIG, dropout: float = 0.3, **more: Any) -> tuple[nn.Module, History]:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(5, 16), nn.ReLU(), nn.Dropout(dropout), nn.Linear(16, 1))
    parts = {"batches": batches(), "objective": objective, "validate": validate}
    task = Task(steps=STEPS, **{part: more.pop(part, usual) for part, usual in parts.items()})
    history = fit(network, task, config, folder, seed=1, fabric=start(config), **more)
    return network, history


def numbers(history: History) -> list[Any]:
    return [dataclasses.replace(epoch, seconds=0) for epoch in history.epochs]


@pytest.mark.parametrize("stop", [(0, 2), (2, 0)])
def test_interrupted_and_continued_equals_uninterrupted_bit_for_bit(tmp_path: Path, stop: tuple[int, int]) -> None:
    whole, expected = run(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "cut", batches=batches(stop=stop))
    resumed, found = run(tmp_path / "cut")
    assert numbers(found) == numbers(expected)
    for a, b in zip(whole.state_dict().values(), resumed.state_dict().values(), strict=True):
        assert torch.equal(a, b)
    for epoch in (1, 2, 3):
        saved, again = (load_file(history.weights(epoch)) for history in (expected, found))
        assert all(torch.equal(saved[name], again[name]) for name in saved)


def test_a_finished_fit_is_not_trained_again(tmp_path: Path) -> None:
    run(tmp_path)
    _, history = run(tmp_path, batches=batches(stop=(0, 0)))
    assert [epoch.number for epoch in history.epochs] == [1, 2, 3]


def test_accumulation_does_not_change_the_numbers(tmp_path: Path) -> None:
    one, _ = run(tmp_path / "one", dropout=0)
    parts, _ = run(tmp_path / "parts", dropout=0, batches=batches(accumulate=3))
    for a, b in zip(one.state_dict().values(), parts.state_dict().values(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)


def test_what_is_written(tmp_path: Path) -> None:
    _, history = run(tmp_path)
    with (tmp_path / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [float(r["validation_loss"]) for r in rows] == [e.metrics["loss"] for e in history.epochs]
    assert (tmp_path / "learning.png").stat().st_size > 5000
    assert list((tmp_path / "tensorboard").iterdir())
    # the files hold the averaged weights, which are the ones that were validated
    network = nn.Sequential(nn.Linear(5, 16), nn.ReLU(), nn.Dropout(), nn.Linear(16, 1)).eval()
    load_weights(history.weights(2), network)
    assert validate(network, 2)["loss"] == history.epochs[1].metrics["loss"]
    with pytest.raises(UsageError, match="expected weights of Linear"):
        load_weights(history.weights(2), nn.Linear(2, 2))


def test_a_loss_that_is_no_number_names_the_slices(tmp_path: Path) -> None:
    def broken(network: nn.Module, batch: Batch) -> Tensor:
        loss = objective(network, batch)
        return loss * float("nan") if "slice-7" in batch.names else loss

    with pytest.raises(TrainingError, match=r"loss is nan in epoch 1, step \d, for .*slice-7"):
        run(tmp_path, objective=broken)


def test_another_identity_is_refused_with_the_difference(tmp_path: Path) -> None:
    run(tmp_path, identity={"recipe": "a", "store": "b"})
    with pytest.raises(UsageError, match="another store"):
        run(tmp_path, identity={"recipe": "a", "store": "c"})


def test_a_full_disk_keeps_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "w.safetensors"
    checkpoint.save_tensors(path, {"a": torch.ones(2)}, {"epoch": 1})

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint, "save_file", full)
    with pytest.raises(OutputError, match="No space left"):
        checkpoint.save_tensors(path, {"a": torch.zeros(2)}, {"epoch": 2})
    assert checkpoint.read_facts(path) == {"epoch": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["w.safetensors"]


def test_early_stopping_keeps_the_best(tmp_path: Path) -> None:
    losses = iter([0.5, 0.3, 0.4, 0.35, 0.1])
    config = dataclasses.replace(CONFIG, epochs=5, stop_after=2)
    _, history = run(tmp_path, config, validate=lambda *_: {"loss": next(losses)})
    assert len(history.epochs) == 4
    assert (history.best, history.kept("best"), history.kept("last")) == (2, (2,), (4,))
    assert history.kept("all") == (1, 2, 3, 4)


def test_half_precision_and_other_optimisers_run(tmp_path: Path) -> None:
    for name, changes in {"bf16": {"precision": "bf16"}, "sgd": {"optimiser": "sgd", "clip": 1.0}}.items():
        _, history = run(tmp_path / name, dataclasses.replace(CONFIG, epochs=1, **changes))
        assert math.isfinite(history.epochs[0].train_loss)
        run(tmp_path / name, dataclasses.replace(CONFIG, epochs=1, **changes))
    with pytest.raises(UsageError, match="fp16"):
        start(dataclasses.replace(CONFIG, precision="fp16"))


def rate(config: Training, epoch: int, step: int = 0, losses: tuple[float, ...] = ()) -> float:
    return rates.learning_rate(config, epoch, step, 10, losses)


def test_schedules() -> None:
    base = Training(epochs=4, learning_rate=1.0)
    assert rate(base, 3, 9) == 1.0
    cosine = dataclasses.replace(base, schedule="cosine")
    assert [rate(cosine, e) for e in (0, 2)] == pytest.approx([1.0, 0.5])
    step = dataclasses.replace(base, schedule="step", step_epochs=2)
    assert [rate(step, e) for e in range(4)] == pytest.approx([1, 1, 0.1, 0.1])
    listed = Training(epochs=3, schedule="list", learning_rates=(1e-4, 1e-4, 2e-5))
    assert [rate(listed, e) for e in range(3)] == [1e-4, 1e-4, 2e-5]
    plateau = dataclasses.replace(base, schedule="plateau", step_epochs=2)
    assert rate(plateau, 3, 0, (0.5, 0.6, 0.7)) == pytest.approx(0.1)
    assert rate(plateau, 3, 0, (0.5, 0.6, 0.4)) == 1.0
    warm = dataclasses.replace(base, warmup=0.25)
    assert [rate(warm, 0, s) for s in (0, 4)] == pytest.approx([0.1, 0.5])
    assert rate(warm, 1) == 1.0


def test_the_launcher_outranks_the_recipe() -> None:
    config = Training(devices=3)
    assert launched(config, {}) == (3, 1)
    torchrun = {"TORCHELASTIC_RUN_ID": "x", "LOCAL_WORLD_SIZE": "4", "WORLD_SIZE": "8"}
    assert launched(config, torchrun) == (4, 2)
    assert launched(config, {"SLURM_NTASKS": "8", "SLURM_NNODES": "2", "SLURM_JOB_NAME": "ich"}) == (4, 2)

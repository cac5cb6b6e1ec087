"""The first stage of a workbench recipe on tiny heads: folds, seeds, resumption, predictions."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the extra `train`")
pytest.importorskip("lightning_fabric", reason="training needs the extra `train`")
pq = pytest.importorskip("pyarrow.parquet", reason="data sets need the extra `data`")

from tests.train.fake_store import FakeStore

from ichscan.errors import DataError, UsageError
from ichscan.model.spec import Channel, InputSpec
from ichscan.train.slice_folds import plan_folds, select_slices
from ichscan.train.slice_models import SliceStage, train_slices
from ichscan.train.workbench_recipe import WorkbenchRecipe
from ichscan.train.workbench_tables import Augment, Data, Loss, Network, Sampling, Training

torch.set_num_threads(1)

INPUT = InputSpec((Channel(40, 80), Channel(80, 200)), "slice", 32, (0.3, 0.2), (0.3, 0.3))
RECIPE = WorkbenchRecipe(
    data=Data(labels=("subdural", "any"), folds=(0,)),
    input=INPUT,
    augment=Augment(flip=0.5, affine=0.5, rotate=15, shift=0.05),
    sampling=Sampling(kind="levers", undersample=0.5, augmented=1.0),
    network=Network("mobilenetv2", dropout=0.2),
    loss=Loss(hemorrhage=4),
    training=Training(epochs=2, batch=6, learning_rate=1e-3, accelerator="cpu", keep="all"),
)


def stage(folder: Path, recipe: WorkbenchRecipe = RECIPE, **more: object) -> SliceStage:
    store = FakeStore(4, 6)
    return train_slices(recipe, store, store.parts(), folder, **more)  # type: ignore[arg-type]


def test_a_killed_stage_resumes_to_the_same_predictions(tmp_path: Path) -> None:
    whole = stage(tmp_path / "whole")

    def kill(line: str) -> None:
        if line.startswith("fold 0, seed 0: epoch 1/"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stage(tmp_path / "cut", progress=kill)
    assert not (tmp_path / "cut" / "predictions.parquet").exists()
    found = stage(tmp_path / "cut")
    table = pq.read_table(found.predictions)
    assert table.equals(pq.read_table(whole.predictions))
    assert table.column_names == ["slice_id", "fold", "seed", "epoch", "subdural", "any"]
    assert len(table) == 2 * 12
    assert set(table["slice_id"].to_pylist()) == {f"p{p}/{k}" for p in (0, 1) for k in range(6)}

    run = found.runs[0]
    network = found.classifier(run, run.epochs("all")[-1])
    assert not network.training
    with torch.no_grad():
        assert network(torch.zeros(1, 2, 32, 32)).logits.shape == (1, 2)

    other = dataclasses.replace(RECIPE, loss=Loss(hemorrhage=2))
    with pytest.raises(UsageError, match=r"another \[loss\], store"):
        train_slices(other, FakeStore(4, 6, "changed"), FakeStore(4, 6).parts(), tmp_path / "cut")


def test_what_a_later_fold_lacks_is_told_before_the_first_is_trained(tmp_path: Path) -> None:
    """p1 bleeds intraparenchymal, p3 subarachnoid: fold 1 trains on p0 and p1 alone."""
    labels = ("intraparenchymal", "any")
    data = Data(labels=labels, patients_without=("p9",))
    balanced = dataclasses.replace(RECIPE, data=data, loss=Loss(pos_weight=("balance",)))
    told: list[str] = []
    with pytest.raises(DataError, match="fold 0: training slices: no positive for intraparenchymal among 12"):
        stage(tmp_path, balanced, progress=told.append)
    turned = dataclasses.replace(balanced, data=dataclasses.replace(data, labels=("subarachnoid", "any")))
    with pytest.raises(DataError, match="fold 1: training slices: no positive for subarachnoid among 12"):
        stage(tmp_path, turned, progress=told.append)
    assert told == [
        "[data].patients_without: p9 not in this collection",
        "fold 0: no positive slice to train on: intraparenchymal",
        "[data].patients_without: p9 not in this collection",
        "fold 0: no positive slice to validate on: subarachnoid",
        "fold 1: no positive slice to train on: subarachnoid",
    ]
    assert not any(tmp_path.iterdir())


def test_the_best_run_is_fine_tuned_on_everything(tmp_path: Path) -> None:
    training = dataclasses.replace(RECIPE.training, epochs=1, finetune_epochs=1, finetune_rate=1e-5)
    found = stage(tmp_path, dataclasses.replace(RECIPE, training=training))
    last = found.runs[-1]
    assert (last.fold, last.validation, len(last.history.epochs)) == (-1, None, 1)
    assert last.history.epochs[0].learning_rate == 1e-5
    assert (tmp_path / "finetune" / "epoch_1.safetensors").exists()


def test_folds_of_every_kind_of_split() -> None:
    folds = {"fold0": ["a"], "fold1": ["b"], "test": ["t"]}
    planned = plan_folds(folds, Data(test="test"))
    assert [(f.number, set(f.train), set(f.validation)) for f in planned] == [(0, {"b"}, {"a"}), (1, {"a"}, {"b"})]
    plain = plan_folds({"train": ["a", "b"], "validation": ["c"]}, Data(patients_without=("b",)))
    assert [(f.number, set(f.train), set(f.validation)) for f in plain] == [(0, {"a"}, {"c"})]
    with pytest.raises(UsageError, match="no part x"):
        plan_folds(folds, Data(validation="x"))
    with pytest.raises(UsageError, match=r"no fold \[7\]"):
        plan_folds(folds, Data(folds=(7,)))
    with pytest.raises(DataError, match="1 patients are in"):
        plan_folds({"train": ["a", "b"], "validation": ["b"]}, Data())
    with pytest.raises(DataError, match="0 to validate on"):
        plan_folds({"train": ["a"], "validation": []}, Data())


def test_slices_are_chosen_as_the_recipe_says() -> None:
    store = FakeStore(4, 6)
    store.labels[0] = 255  # unknown
    everyone = store.patients
    assert len(select_slices(store, everyone, Data())) == 23
    bleeding = select_slices(store, everyone, Data(slices="hemorrhagic"))
    assert len(bleeding) == 6
    assert np.allclose(bleeding.position[:3], [0.4, 0.6, 0.8])
    rest = select_slices(store, everyone, Data(slices="hemorrhagic", without=("intraparenchymal",), labels=("any",)))
    assert rest.names == ("p3/2", "p3/3", "p3/4")
    assert rest.targets.shape == (3, 1)
    with pytest.raises(DataError, match="no slice"):
        select_slices(store, ["p0"], Data(slices="hemorrhagic"))

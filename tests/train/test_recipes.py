"""The shipped workbench recipes: they load, hold the papers' numbers, comment every key, and run whole in small."""

import re
from pathlib import Path

import pytest

from ichscan.errors import UsageError
from ichscan.labels import LABELS, TYPES
from ichscan.train.workbench_recipe import WorkbenchRecipe, load_workbench

ROOT = Path(__file__).parents[2]
TITLE = re.compile(r'(kind = "workbench"|(name|description|paper) = )')
PAPERS = ("alqaisi2025", "hoseyni2024", "burduja2020", "shah2025", "wong2019")


def recipe(name: str, *overrides: str) -> WorkbenchRecipe:
    return load_workbench(ROOT / "recipes" / f"{name}.toml", overrides)


def test_alqaisi() -> None:
    r = recipe("alqaisi2025")
    assert (r.network.backbone, r.input.size, r.training.batch) == ("resnext101_32x8d_wsl", 480, 64)
    assert (r.training.epochs, r.training.learning_rate, r.training.keep) == (3, 2e-5, "all")
    assert (r.loss.kind, r.loss.types_weight, r.loss.any_weight) == ("composite", 6, 1)
    assert (r.sequence.kind, r.sequence.hidden, r.sequence.deltas) == ("bilstm_residual", 2048, True)
    t = r.sequence.training
    assert (t.learning_rate, t.epochs, t.batch, t.schedule) == (1e-5, 12, 4, "step")


def test_hoseyni() -> None:
    r = recipe("hoseyni2024")
    assert r.data.labels == ("any",)
    assert (r.sampling.augmented, r.loss.hemorrhage) == (3.3, 4)
    assert (r.outcome.threshold, r.outcome.scan) == ("mean_f1_curve", "max")
    untuned = recipe("hoseyni2024", "sampling.kind=all", "loss.hemorrhage=1")
    assert (untuned.sampling.kind, untuned.loss.hemorrhage) == ("all", 1)


def test_burduja() -> None:
    r = recipe("burduja2020")
    assert (r.input.size, r.training.learning_rates) == (256, (1e-4, 1e-4, 2e-5))
    assert (r.select.method, r.select.count, r.select.fitted_on) == ("pca", 120, 30_000)
    assert (r.sequence.layers, r.sequence.hidden, r.sequence.dropout, r.sequence.join) == (3, 256, 0.3, True)
    assert r.sequence.any_weight == 1


def test_shah() -> None:
    r = recipe("shah2025")
    assert r.data.labels == TYPES
    assert (r.network.head, r.network.dropout, r.sampling.kind) == ("dense128", 0.3, "balanced")
    four = recipe(
        "shah2025",
        'data.labels=["intraparenchymal", "intraventricular", "subarachnoid", "subdural"]',
        'data.without=["epidural"]',
        "training.epochs=6",
    )
    assert (four.data.labels, four.data.without, four.training.epochs) == (TYPES[1:], ("epidural",), 6)


def test_wong() -> None:
    r = recipe("wong2019")
    assert (r.network.backbone, r.loss.pos_weight, len(r.training.seeds)) == ("resnet34", ("balance",), 3)
    assert (r.training.finetune_epochs, r.training.finetune_rate) == (1, 1e-5)
    assert recipe("wong2019", "loss.pos_weight=[]", "network.backbone=resnet101").loss.pos_weight == ()


@pytest.mark.parametrize("name", PAPERS)
def test_every_key_names_its_section(name: str) -> None:
    told = False
    for line in (ROOT / "recipes" / f"{name}.toml").read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            told = "#" in line
        elif re.match(r"[a-z_]+ = ", line) and not TITLE.match(line):
            assert told or "#" in line, line


@pytest.mark.parametrize("name", [*PAPERS, "own-data"])
def test_a_typo_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="unknown keys"):
        recipe(name, "training.epoch=1")


def test_all_six_labels_where_the_paper_has_six() -> None:
    for name in ("alqaisi2025", "burduja2020", "wong2019", "own-data"):
        assert recipe(name).data.labels == LABELS


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
@pytest.mark.parametrize("name", PAPERS)
def test_each_recipe_runs_whole_in_small(name: str, tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="training needs the extra `train`")
    pytest.importorskip("lightning_fabric", reason="training needs the extra `train`")
    pytest.importorskip("pyarrow", reason="stores need the extra `data`")
    from tests.train.experiment_store import experiment_store

    from ichscan.train.experiment import run_smoke

    lines: list[str] = []
    out = run_smoke(recipe(name), experiment_store(tmp_path / "store", 24), tmp_path / "run", progress=lines.append)
    assert lines[0].startswith("smoke: proves the path, not the model; changed: ")
    assert (out / "metrics.json").exists()
    assert (out / "bundle" / "spec.json").exists() == (name not in ("hoseyni2024", "shah2025"))

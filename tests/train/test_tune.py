"""Tuning: the whole grid, continued after a kill; refused when something changed; a typo told before any training."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="training needs the extra `train`")
pytest.importorskip("lightning_fabric", reason="training needs the extra `train`")
pytest.importorskip("optuna", reason="tuning needs the extra `tune`")

from ichscan.errors import UsageError
from ichscan.train import tune as module
from ichscan.train.tune import Tuning, score_of, tune
from ichscan.train.tune_grid import combinations, overrides, read_grid

ROOT = Path(__file__).parents[2]
RECIPE = ROOT / "recipes" / "hoseyni2024.toml"
GRID = {"sampling.augmented": (0.0, 3.3), "loss.hemorrhage": (1, 4)}


class Store:
    digest = "d" * 64


class Trials:
    """In place of an experiment: the score follows from the recipe."""

    def __init__(self, kill_at: int = 0) -> None:
        self.seen: list[Path] = []
        self.kill_at = kill_at

    def __call__(self, recipe: Any, store: Any, out: Path, until: str, progress: Any) -> Path:
        self.seen.append(out)
        if len(self.seen) == self.kill_at:
            raise KeyboardInterrupt
        out.mkdir(parents=True, exist_ok=True)
        f1 = recipe.sampling.augmented / 10 + recipe.loss.hemorrhage / 100
        report = {"labels": ["any"], "validation": {"slices": {"any": {"auc": f1}}}, "mean_f1": {"slices": {"any": f1}}}
        (out / "metrics.json").write_text(json.dumps(report))
        return out


def rows(table: Path) -> list[dict[str, str]]:
    with table.open() as file:
        return list(csv.DictReader(file))


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_the_grid_is_run_whole_and_continues_after_a_kill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tuning = Tuning(RECIPE, (), GRID)
    monkeypatch.setattr(module, "run_experiment", Trials(kill_at=3))
    with pytest.raises(KeyboardInterrupt):
        tune(tuning, Store(), tmp_path)  # type: ignore[arg-type]
    again = Trials()
    monkeypatch.setattr(module, "run_experiment", again)
    table = rows(tune(tuning, Store(), tmp_path))  # type: ignore[arg-type]
    assert len(again.seen) == 2  # the killed one, and the one that was left
    assert [(r["sampling.augmented"], r["loss.hemorrhage"]) for r in table] == [
        ("3.3", "4"), ("3.3", "1"), ("0.0", "4"), ("0.0", "1"),
    ]  # fmt: skip
    assert (tmp_path / "results.png").stat().st_size > 1000
    with pytest.raises(UsageError, match="another tuning"):
        tune(Tuning(RECIPE, ("training.epochs=1",), GRID), Store(), tmp_path)  # type: ignore[arg-type]


def test_tpe_chooses_among_the_values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trials = Trials()
    monkeypatch.setattr(module, "run_experiment", trials)
    table = rows(tune(Tuning(RECIPE, (), GRID, trials=3, score="auc"), Store(), tmp_path))  # type: ignore[arg-type]
    assert len(table) == 3
    assert {r["loss.hemorrhage"] for r in table} <= {"1", "4"}


def test_a_typo_is_told_before_any_training(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="unknown keys"):
        tune(Tuning(RECIPE, (), {"loss.hemorrage": (1, 2)}), Store(), tmp_path)  # type: ignore[arg-type]


def test_the_papers_grid_is_read() -> None:
    grid = read_grid(ROOT / "recipes" / "hoseyni2024-grid.toml")
    assert 3.3 in grid["sampling.augmented"]
    assert len(combinations(grid)) == 30
    assert overrides({"loss.kind": "bce", "sampling.by_position": True}) == [
        'loss.kind="bce"', "sampling.by_position=true",
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["", "a = 1", "a = []", "a = [1, 1]", "a = [", "[t]\na = [{x = 1}]"])
def test_grids_that_say_nothing_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "grid.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=r"grid\.toml"):
        read_grid(path)


def test_scores() -> None:
    report = {
        "labels": ["subdural", "any"],
        "validation": {"slices": {"subdural": {"auc": None}, "any": {"auc": 0.8}, "weighted_log_loss": 0.3}},
        "mean_f1": {"slices": {"subdural": 0.2, "any": 0.6}},
    }
    assert score_of(report, "mean_f1", "subdural") == 0.2
    assert score_of(report, "auc", "") == 0.8
    assert score_of(report, "log_loss", "") == -0.3
    with pytest.raises(UsageError, match="not measured"):
        score_of(report, "auc", "subdural")

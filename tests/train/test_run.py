"""The whole training on a tiny synthetic collection: from JPEGs to a bundle that `load_bundle` takes."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs the extra `train`")

from ichscan.errors import UsageError
from ichscan.evaluate.align import align
from ichscan.evaluate.metrics import decide
from ichscan.evaluate.sources.open import open_source
from ichscan.evaluate.truth import truth_of_table
from ichscan.labels import ANY
from ichscan.model.bundle import load_bundle
from ichscan.train import run as runner
from ichscan.train import slices
from ichscan.train.recipe import load_recipe

ROOT = Path(__file__).parents[2]
HEADER = (
    "PatientNumber,SliceNumber,Intraventricular,Intraparenchymal,Subarachnoid,Epidural,Subdural,"
    "No_Hemorrhage,Fracture_Yes_No"
)
SMALL = [
    "folds=2",
    "input.size=64",
    "simulate.per_kind=0",
    "slices.epochs=1",
    "slices.batch=8",
    "slices.positive=8",
    "slices.healthy=8",
    "slices.simulated=0",
    "sequence.epochs=2",
    "sequence.seeds=1",
]


def _is_evaluated_as_measured(run: Path, metrics: dict[str, Any]) -> None:
    """`ichscan evaluate` finds the run's predictions of slices and of scans, and counts as the run did."""
    pytest.importorskip("pyarrow")
    truth = truth_of_table(run / "predictions.csv")
    found = align(truth, open_source(str(run), truth, None, run))
    for level, key in (("slices", "slice"), ("scans", "scan")):
        cases = found.level(level)
        binary = cases.label(ANY)
        decided = decide(binary.p, binary.y, float(cases.thresholds[ANY]))
        told = metrics[key]["any"]["at_threshold"]
        assert [decided.tp, decided.fp, decided.tn, decided.fn] == [told[name] for name in ("tp", "fp", "tn", "fn")]


@pytest.fixture
def collection(tmp_path: Path) -> Path:
    """Four patients of six slices; two bleed."""
    root = tmp_path / "ct-ich"
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:160, :160]
    r = np.hypot(y - 80, x - 80)
    rows, boxes = [HEADER], ["PatientNumber,SliceNumber,Subtype,x0,y0,x1,y1"]
    for patient in (49, 50, 51, 52):
        for number in range(1, 7):
            hu = np.where(r < 50, 32 + rng.normal(0, 3, r.shape), np.where(r < 56, 900, -1000))
            bleeds = patient < 51 and number in (3, 4)
            if bleeds:
                hu[60:75, 60:75] = 68
                boxes.append(f"{patient},{number},intraparenchymal,58,58,77,77")
            rows.append(f"{patient},{number},0,{int(bleeds)},0,0,0,{int(not bleeds)},0")
            for name, center, width in (("brain", 40, 120), ("bone", 700, 3200)):
                folder = root / "Patients_CT" / f"{patient:03d}" / name
                folder.mkdir(parents=True, exist_ok=True)
                grey = np.rint(np.clip((hu - center + width / 2) / width, 0, 1) * 255).astype(np.uint8)
                cv2.imwrite(str(folder / f"{number}.jpg"), grey)
    (root / "hemorrhage_diagnosis.csv").write_text("\n".join(rows) + "\n")
    (root / "hemorrhage_boxes.csv").write_text("\n".join(boxes) + "\n")
    return root


def test_from_pictures_to_a_bundle(collection: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slices, "load_imagenet", lambda *_: None)
    recipe = load_recipe(ROOT / "recipes" / "default.toml", SMALL)
    bundle = runner.run(recipe, collection, tmp_path / "run")
    loaded = load_bundle(bundle)
    assert loaded.spec.input == recipe.input
    card = (bundle / "MODEL_CARD.md").read_text()
    assert "not a medical device" in card
    made_with = json.loads((tmp_path / "run" / "manifest.json").read_text())["made_with"]
    assert {"ichscan", "torch", "timm", "numpy", "python", "machine", "device"} <= set(made_with)
    assert ("git" in made_with) == (ROOT / ".git").exists()
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert sorted(metrics["folds"]) == ["049", "050", "051", "052"]
    assert {metrics["folds"]["049"], metrics["folds"]["050"]} == {0, 1}  # the two that bleed are apart
    assert (tmp_path / "run" / "figures" / "roc.png").stat().st_size > 1000

    assert loaded.spec.about["trained_on"] == [{"kind": "ct-ich", "digest": ""}]
    _is_evaluated_as_measured(tmp_path / "run", metrics)

    before = (bundle / "spec.json").read_text()
    lines: list[str] = []
    runner.run(recipe, collection, tmp_path / "run", progress=lines.append)
    assert not any("epoch" in line for line in lines)  # finished folds are not trained again
    assert json.loads((bundle / "spec.json").read_text())["thresholds"] == json.loads(before)["thresholds"]

    changed = load_recipe(ROOT / "recipes" / "default.toml", [*SMALL, "slices.epochs=2"])
    with pytest.raises(UsageError, match="epochs"):
        runner.run(changed, collection, tmp_path / "run")

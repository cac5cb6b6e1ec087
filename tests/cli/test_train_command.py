"""`ichscan train` and `ichscan tune`: which kind of recipe it is, and what is refused before anything is imported."""

from pathlib import Path

import pytest

from ichscan.cli import main
from ichscan.cli.train import STAGES, is_workbench
from ichscan.errors import UsageError

ROOT = Path(__file__).parents[2]


def test_kinds_of_recipes(tmp_path: Path) -> None:
    assert not is_workbench(ROOT / "recipes" / "default.toml")
    assert is_workbench(ROOT / "recipes" / "wong2019.toml")
    path = tmp_path / "r.toml"
    path.write_text('kind = "bench"')
    with pytest.raises(UsageError, match="found 'bench'"):
        is_workbench(path)
    path.write_text("kind = ")
    with pytest.raises(UsageError, match="not valid TOML"):
        is_workbench(path)
    with pytest.raises(UsageError, match=r"cannot read .* share/ichscan/recipes"):
        is_workbench(tmp_path / "absent.toml")


def test_the_collection_must_be_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = str(ROOT / "recipes" / "wong2019.toml")
    assert main(["train", recipe, "--data", str(tmp_path / "absent"), "--out", str(tmp_path / "run")]) == 2
    assert "no such folder" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_the_default_recipe_has_no_stages(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("torch", reason="training needs the extra `train`")
    recipe = str(ROOT / "recipes" / "default.toml")
    found = main(["train", recipe, "--data", str(tmp_path), "--out", str(tmp_path / "run"), "--stage", "slices"])
    assert found == 2
    assert "no stages" in capsys.readouterr().err


def test_the_stages_are_those_of_the_experiment() -> None:
    pytest.importorskip("lightning_fabric", reason="training needs the extra `train`")
    pytest.importorskip("pyarrow", reason="stores need the extra `data`")
    from ichscan.train.experiment.stages import STAGES as REAL

    assert tuple(REAL) == STAGES


@pytest.mark.parametrize(("option", "value"), [("--trials", "-1")])
def test_tune_refuses(tmp_path: Path, option: str, value: str, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("lightning_fabric", reason="training needs the extra `train`")
    pytest.importorskip("pyarrow", reason="stores need the extra `data`")
    recipe, grid = (str(ROOT / "recipes" / name) for name in ("hoseyni2024.toml", "hoseyni2024-grid.toml"))
    common = ["tune", recipe, "--data", str(tmp_path), "--out", str(tmp_path / "t"), "--grid", grid]
    assert main([*common, option, value]) == 2
    assert "expected 1 or more" in capsys.readouterr().err


def test_a_run_folder_can_be_submitted(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow", reason="predictions need the extra `data`")
    import pyarrow.parquet as pq

    from ichscan.labels import LABELS

    (tmp_path / "run" / "predictions").mkdir(parents=True)
    table = {"slice_id": ["ID_a"], "fold": [-1], **{label: [0.25] for label in LABELS}}
    pq.write_table(pa.table(table), tmp_path / "run" / "predictions" / "test.parquet")
    sample = tmp_path / "sample.csv"
    sample.write_text("ID,Label\n" + "".join(f"ID_a_{label},0.5\n" for label in LABELS))
    out = tmp_path / "submission.csv"
    assert main(["submit", str(tmp_path / "run"), "--sample", str(sample), "--out", str(out)]) == 0
    assert out.read_text().splitlines()[1:] == [f"ID_a_{label},0.25" for label in LABELS]

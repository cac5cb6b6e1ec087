"""Batch prediction equals prediction one by one, continues where it was ended, and one broken study stops nothing."""

import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
from tests import dicom_builders as build

from ichscan import batch
from ichscan.batch import PredictSeries, SeriesDone, SeriesTask, predict_batch
from ichscan.cli import main
from ichscan.errors import InputError, UsageError
from ichscan.pipeline import examine
from ichscan.report.files import SeriesWriter
from ichscan.scale.processes import Processes


def studies(root: Path, count: int = 3, slices: int = 4) -> list[Path]:
    """Folders of one series each."""
    for number in range(count):
        folder = root / f"study{number}"
        folder.mkdir(parents=True)
        for i, data in enumerate(build.twin_series(number + 1, slices)):
            (folder / f"{i}.dcm").write_bytes(data)
    return sorted(root.iterdir())


def timeless(found: dict[str, Any]) -> dict[str, Any]:
    return found | {"timing_s": {}}


def results(folder: Path) -> dict[str, dict[str, Any]]:
    found = [timeless(json.loads(path.read_text())) for path in sorted(folder.glob("*.json"))]
    return {one["series_instance_uid"]: one for one in found}


def one_by_one(paths: list[Path], model: Path, folder: Path) -> dict[str, dict[str, Any]]:
    """What `ichscan predict --out` writes."""
    writer = SeriesWriter(folder)
    for path in paths:
        for report, volume in examine([path], model, class_maps=True):
            writer.write(report, volume)
    return results(folder)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_batch_says_what_predict_says_and_continues(tmp_path: Path, fake_bundle: Path, workers: int) -> None:
    paths, out = studies(tmp_path / "in"), tmp_path / "out"
    shutil.make_archive(str(paths[2]), "zip", paths[2])
    shutil.rmtree(paths[2])
    paths[2] = paths[2].with_suffix(".zip")
    told = list(predict_batch(paths, out, Processes(workers), model=fake_bundle))
    assert [(one.status, one.before) for one in told] == [("analysed", False)] * 3
    assert results(out) == one_by_one(paths, fake_bundle, tmp_path / "single")
    first, second, _ = sorted(out.iterdir())
    first.unlink()
    second.write_text("{")
    old = {path: path.stat().st_mtime_ns for path in out.iterdir()}
    again = list(predict_batch(paths, out, Processes(1), model=fake_bundle))
    assert sorted(one.before for one in again) == [False, False, True]
    assert results(out) == one_by_one(paths, fake_bundle, tmp_path / "single")
    assert sum(path.stat().st_mtime_ns == old.get(path) for path in out.iterdir()) == 1


class Breaks(PredictSeries):
    """The second study raises what nobody expects, the third kills its worker."""

    def __call__(self, task: SeriesTask) -> tuple[batch.Status, str | None]:
        if task.series.series_instance_uid.endswith(".3"):
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__call__(task)


def broken(series: Any, *_: object, **__: object) -> None:
    raise ZeroDivisionError("what is in the file")


def test_one_broken_study_never_stops_the_rest(
    tmp_path: Path, fake_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths, out = studies(tmp_path / "in"), tmp_path / "out"
    (tmp_path / "in" / "study0" / "cut.dcm").write_bytes(build.head_series(1)[0][:300])
    with monkeypatch.context() as patch:
        patch.setattr(batch, "PredictSeries", Breaks)
        told = list(predict_batch(paths, out, Processes(2), model=fake_bundle))
    assert sorted(one.status for one in told) == ["analysed", "analysed", "failed", "not_analysable"]
    (failed,) = (one for one in told if one.status == "failed")
    assert "killed" in (failed.reason or "")
    (cut,) = (one for one in told if one.status == "not_analysable")
    assert "cut.dcm" in (cut.reason or "")
    with monkeypatch.context() as patch:
        patch.setattr("ichscan.pipeline.examine_series", broken)
        (failed,) = (o for o in predict_batch(paths, out, Processes(1), model=fake_bundle) if o.status == "failed")
    assert (
        failed.reason == f"ZeroDivisionError in test_batch.py, line {broken.__code__.co_firstlineno + 1}; report this"
    )
    told = list(predict_batch(paths, out, Processes(1), model=fake_bundle))
    assert sorted((one.status, one.before) for one in told) == [
        ("analysed", False), ("analysed", True), ("analysed", True), ("not_analysable", True),
    ]  # fmt: skip
    assert len(list(out.glob("*.json"))) == 4  # whoever is killed while writing leaves a hidden file


def test_reports_are_made_from_results_of_a_batch(tmp_path: Path, fake_bundle: Path) -> None:
    (path,), out = studies(tmp_path / "in", 1), tmp_path / "out"
    (path / "cut.dcm").write_bytes(b"")
    assert len(list(predict_batch([path], out, Processes(1), model=fake_bundle))) == 2
    for number, told in enumerate(sorted(out.iterdir())):
        assert main(["report", str(told), "--text", "--fhir", "--out", str(tmp_path / f"report{number}")]) == 0
    texts = [one.read_text() for one in tmp_path.glob("report*/*.txt")]
    assert sorted("not analysed" in text for text in texts) == [False, True]
    assert sum("Strongest evidence in slice" in text for text in texts) == 1


def test_series_without_uid_keep_apart(tmp_path: Path, fake_bundle: Path) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
        data = build.to_bytes(build.slice_dataset(0, SeriesInstanceUID=None, Modality="MR"))
        (tmp_path / name / "mr.dcm").write_bytes(data)
    for name in "ab":
        (told,) = predict_batch([tmp_path / name], tmp_path / "out", Processes(1), model=fake_bundle)
        assert told == SeriesDone(told.name, "not_analysable", told.reason)
    assert len(list((tmp_path / "out").iterdir())) == 2


def test_refusals(tmp_path: Path, fake_bundle: Path) -> None:
    (path,) = studies(tmp_path / "in", 1)
    with pytest.raises(InputError, match="no such file"):
        list(predict_batch([path, tmp_path / "none"], tmp_path / "out", Processes(1), model=fake_bundle))
    list(predict_batch([path], tmp_path / "out", Processes(1), model=fake_bundle))
    (other,) = (tmp_path / "out").iterdir()
    found = json.loads(other.read_text())
    found["model"]["sha256"] = "0" * 64
    other.write_text(json.dumps(found))
    with pytest.raises(UsageError, match="with other weights; give another --out"):
        list(predict_batch([path], tmp_path / "out", Processes(1), model=fake_bundle))


def test_the_command(tmp_path: Path, fake_bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = [str(path) for path in studies(tmp_path / "in", 2)]
    words = ["batch", *paths, "--out", str(tmp_path / "out"), "--model", str(fake_bundle), "--workers", "1"]
    assert main(words) == 0
    assert "2 series and unreadable files: 2 analysed, 0 not analysable, 0 failed; 0 of" in capsys.readouterr().out
    (tmp_path / "in" / "study0" / "cut.dcm").write_bytes(b"")
    assert main(words) == 1
    out, err = capsys.readouterr()
    assert "3 series and unreadable files: 2 analysed, 1 not analysable, 0 failed; 2 of them" in out
    assert "not analysable: file: " in err
    (tmp_path / "empty").mkdir()
    assert main(["batch", str(tmp_path / "empty"), "--out", str(tmp_path / "out"), "--model", str(fake_bundle)]) == 1
    assert "no image found" in capsys.readouterr().err

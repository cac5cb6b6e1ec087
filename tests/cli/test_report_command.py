"""`ichscan report` writes from a stored result what `ichscan predict` wrote at once."""

import filecmp
import json
import os
from pathlib import Path

import pytest
from tests import dicom_builders as build

from ichscan.cli import main
from ichscan.cli.kinds import KINDS
from ichscan.report import exports

STEM = f"{build.STUDY}.1"


def test_options_are_those_of_the_exports() -> None:
    assert tuple(KINDS) == exports.KINDS


@pytest.fixture
def head(tmp_path: Path) -> Path:
    folder = tmp_path / "head"
    folder.mkdir()
    for i, data in enumerate(build.head_series(5)):
        (folder / f"{i}.dcm").write_bytes(data)
    return folder


def run(*arguments: str | Path) -> int:
    try:
        return main([str(argument) for argument in arguments])
    except SystemExit as end:
        return int(end.code or 0)


def same(first: Path, second: Path, names: list[str]) -> None:
    _, different, missing = filecmp.cmpfiles(first, second, names, shallow=False)
    assert (different, missing) == ([], [])


def test_later_is_the_same_as_at_once(head: Path, fake_bundle: Path, tmp_path: Path) -> None:
    kinds = ["--text", "--html", "--fhir", "--heatmaps"]
    now, later = tmp_path / "now", tmp_path / "later"
    assert run("predict", head, "--model", fake_bundle, "--out", now, *kinds) == 0
    stored = now / f"{STEM}.json"
    assert run("report", stored, head, "--model", fake_bundle, "--out", later, *kinds) == 0
    written = sorted(os.listdir(later))
    assert {f"{STEM}.txt", f"{STEM}.html", f"{STEM}.fhir.json"} <= set(written)
    assert set(written) == set(os.listdir(now)) - {f"{STEM}.json", f"{STEM}.png"}
    same(now, later, written)
    assert run("report", stored, "--out", tmp_path / "alone", "--text", "--fhir") == 0
    same(now, tmp_path / "alone", [f"{STEM}.txt", f"{STEM}.fhir.json"])


def test_dicom(head: Path, fake_bundle: Path, tmp_path: Path) -> None:
    pytest.importorskip("highdicom", reason="the extra `report`")
    now, later = tmp_path / "now", tmp_path / "later"
    assert run("predict", head, "--model", fake_bundle, "--out", now, "--sr", "--heatmaps") == 0
    assert run("report", now / f"{STEM}.json", head, "--model", fake_bundle, "--out", later, "--sr") == 0
    reports = [name for name in os.listdir(now / f"{STEM}-dicom") if name.startswith("sr-")]
    assert len(reports) == 1
    captures = [name for name in os.listdir(now / f"{STEM}-dicom") if name.startswith("capture-")]
    assert len(captures) == 5
    assert not [name for name in os.listdir(later / f"{STEM}-dicom") if name.startswith("capture-")]
    assert reports[0] in os.listdir(later / f"{STEM}-dicom")


def test_no_dicom_result_of_an_unreadable_file_and_why(
    head: Path, fake_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("highdicom", reason="the extra `report`")
    (tmp_path / "empty.dcm").touch()
    assert run("predict", tmp_path / "empty.dcm", "--model", fake_bundle, "--out", tmp_path / "out", "--sr") == 1
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 2
    assert all("empty.dcm" in line for line in told)


def test_a_refused_series_is_reported_as_such(tmp_path: Path, fake_bundle: Path) -> None:
    folder = tmp_path / "mr"
    folder.mkdir()
    for i, data in enumerate(build.head_series(4, Modality="MR")):
        (folder / f"{i}.dcm").write_bytes(data)
    out = tmp_path / "out"
    assert run("predict", folder, "--model", fake_bundle, "--out", out, "--text", "--html", "--fhir") == 1
    (text,) = out.glob("*.txt")
    assert "not analysed" in text.read_text(encoding="utf-8")
    (bundle,) = out.glob("*.fhir.json")
    assert json.loads(bundle.read_text(encoding="utf-8"))["entry"][0]["resource"]["status"] == "cancelled"


@pytest.mark.parametrize(
    ("text", "code"), [("", 1), ("{}", 1), ("[" * 100_000, 1), ('{"schema": "ichscan.result/1"}', 1), ("[]", 0)]
)
def test_files_that_are_no_results(capsys: pytest.CaptureFixture[str], tmp_path: Path, text: str, code: int) -> None:
    path = tmp_path / "r.json"
    path.write_text(text)
    assert run("report", path, "--out", tmp_path / "o", "--text") == code
    assert "Traceback" not in capsys.readouterr().err


def test_wrong_usage(capsys: pytest.CaptureFixture[str], head: Path, fake_bundle: Path, tmp_path: Path) -> None:
    assert run("predict", head, "--model", fake_bundle, "--html") == 2
    now = tmp_path / "now"
    assert run("predict", head, "--model", fake_bundle, "--out", now) == 0
    stored = now / f"{STEM}.json"
    capsys.readouterr()
    assert run("report", stored, "--out", tmp_path / "o") == 2
    assert "nothing to write" in capsys.readouterr().err
    assert run("report", stored, "--out", tmp_path / "o", "--heatmaps") == 2
    assert "needs the images" in capsys.readouterr().err
    assert run("report", stored, tmp_path / "gone", "--out", tmp_path / "o", "--html") == 1
    assert "no such file" in capsys.readouterr().err
    assert run("report", stored, head, "--out", tmp_path / "o", "--html") == 1  # the default model did not make it
    assert "name the bundle with --model" in capsys.readouterr().err


def test_images_of_another_series(
    capsys: pytest.CaptureFixture[str], head: Path, fake_bundle: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    for i, data in enumerate(build.head_series(4)):
        (other / f"{i}.dcm").write_bytes(data)
    now, later = tmp_path / "now", tmp_path / "later"
    assert run("predict", head, "--model", fake_bundle, "--out", now) == 0
    code = run("report", now / f"{STEM}.json", other, "--model", fake_bundle, "--out", later, "--text", "--heatmaps")
    assert code == 1
    assert "not among those given" in capsys.readouterr().err
    assert os.listdir(later) == [f"{STEM}.txt"]

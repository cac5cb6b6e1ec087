"""`ichscan data` from end to end, in this process."""

from pathlib import Path
from typing import ClassVar

import pytest

pytest.importorskip("pyarrow")

from tests.datasets.rsna_builder import as_folder, as_zip, collection

from ichscan.cli import main
from ichscan.cli.rate import RateBar, clock


def test_import_verify_and_split(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = collection(series=6, count=3)
    files["stage_2_train/ID_00000000.dcm"] = b""
    archive, store = as_zip(files, tmp_path / "a.zip"), tmp_path / "store"
    command = ["data", "import", "rsna", str(archive), "--out", str(store), "--workers", "1"]
    assert main(command) == 0
    out, err = capsys.readouterr()
    assert "19 slices, 7 series, 7 patients" in out
    assert "orphan_label 1, unreadable 1" in err
    assert main(command) == 0
    assert capsys.readouterr().out == out
    assert main(["data", "verify", str(store)]) == 0
    assert "as they were imported" in capsys.readouterr().out
    assert main(["data", "split", str(store), "--kind", "kfold", "--folds", "3", "--name", "three"]) == 0
    assert "fold2: 2 patients" in capsys.readouterr().out
    assert (store / "splits" / "three.json").is_file()
    next((store / "slices").glob("*.pack")).write_bytes(b"")
    assert main(["data", "verify", str(store)]) == 5
    assert "expected" in capsys.readouterr().err


@pytest.mark.parametrize(("prefix", "told"), [("elsewhere/", True), ("stage_2_train/", False)])
def test_labels_that_name_no_image_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], prefix: str, told: bool
) -> None:
    ward, labels = as_folder(collection(series=2, count=2), tmp_path / "ward"), tmp_path / "labels.csv"
    labels.write_text(f"file,any\n{prefix}ID_00000000.dcm,1\n")
    words = ["own", str(ward), "--labels", str(labels), "--out", str(tmp_path / "store"), "--workers", "1"]
    assert main(["data", "import", *words]) == 0
    assert ("no label names an image" in capsys.readouterr().err) == told


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["own", "{a}", "--out", "{s}"], 2, "give the CSV with --labels"),
        (["ct-ich", "{a}", "--out", "{s}"], 5, "Patients_CT"),
        (["rsna", "{a}/none", "--out", "{s}"], 5, "found neither"),
        (["cq500", "{a}", "--out", "{s}"], 5, "cannot read the labels"),
        (["rsna", "{a}", "--out", "{s}", "--workers", "0"], 2, "--workers"),
        (["own", "{a}", "--labels", "{a}/none.csv", "--out", "{s}"], 5, "check the path"),
    ],
)
def test_mistakes_are_one_line_and_a_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], code: int, message: str
) -> None:
    folder = as_folder({"readme.txt": b"x"}, tmp_path / "a")
    places = [word.format(a=folder, s=tmp_path / "s") for word in words]
    assert main(["data", "import", *places]) == code
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1


def test_no_store(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["verify", str(tmp_path)], ["split", str(tmp_path), "--kind", "kfold"]):
        assert main(["data", *words]) == 5
        assert "make one with `ichscan data import`" in capsys.readouterr().err


def test_the_bar_shows_nothing_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with RateBar("slices") as bar:
        bar.update(1, 2, 0)
    assert capsys.readouterr() == ("", "")
    assert clock(3725.4) == "1:02:05"


def test_the_bar_counts_only_what_this_run_did(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    now = iter([100.0, 102.0])
    monkeypatch.setattr("ichscan.cli.rate.monotonic", lambda: next(now))
    bar = RateBar("slices")
    monkeypatch.setattr("ichscan.cli.rate._bar", _Quiet)
    with bar:
        bar.update(60, 100, 40)
    assert _Quiet.said["rate"] == "10/s, 0:00:04 left"
    assert (_Quiet.said["completed"], _Quiet.said["total"]) == (60, 100)


class _Quiet:
    """Stands for rich's bar, which has clocks and threads of its own."""

    said: ClassVar[dict[str, object]] = {}

    def add_task(self, description: str, **_: object) -> int:
        return 0

    def start(self) -> None:
        pass

    def stop(self) -> None:
        pass

    def update(self, task: int, **said: object) -> None:
        self.said.update(said)

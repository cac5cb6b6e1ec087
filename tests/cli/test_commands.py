"""The commands as a user meets them: output, exit codes, and what bad input leads to."""

import errno
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from tests import dicom_builders as build
from tests.fake_bundle import write_fake_bundle

from ichscan import report as report_package
from ichscan.cli import main
from ichscan.cli.parser import NOTICE
from ichscan.pipeline import analyse

SCHEMA = json.loads((Path(report_package.__file__).parent / "result.schema.json").read_text(encoding="utf-8"))


@pytest.fixture
def head(tmp_path: Path) -> Path:
    folder = tmp_path / "head"
    folder.mkdir()
    for i, data in enumerate(build.head_series(5)):
        (folder / f"{i}.dcm").write_bytes(data)
    return folder


def run(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str, str]:
    try:
        code = main([str(argument) for argument in arguments])
    except SystemExit as end:  # argparse: --help, wrong usage
        code = int(end.code or 0)
    out, err = capsys.readouterr()
    assert "Traceback" not in err
    return code, out, err


def test_table(capsys: pytest.CaptureFixture[str], head: Path, fake_bundle: Path) -> None:
    code, out, err = run(capsys, "predict", head, "--model", fake_bundle)
    assert code == 0
    assert err == ""
    for word in ("Head 5mm", "5 images", "any hemorrhage", "subdural", "most suspicious slices", "mm", "4.dcm", NOTICE):
        assert word in out


def test_json_on_stdout_is_nothing_but_json(capsys: pytest.CaptureFixture[str], head: Path, fake_bundle: Path) -> None:
    code, out, err = run(capsys, "predict", head, "--model", fake_bundle, "--json", "-")
    assert code == 0
    (found,) = json.loads(out)
    jsonschema.validate(found, SCHEMA)
    assert NOTICE in err


def test_same_values_as_from_python(capsys: pytest.CaptureFixture[str], head: Path, fake_bundle: Path) -> None:
    (report,) = analyse([head], fake_bundle)
    assert report.prediction is not None
    _, out, _ = run(capsys, "predict", head, "--model", fake_bundle, "--json", "-")
    shown = [[row["probabilities"][label] for label in row["probabilities"]] for row in json.loads(out)[0]["slices"]]
    np.testing.assert_allclose(shown, report.prediction.slices, atol=1e-6)


def test_out_folder(capsys: pytest.CaptureFixture[str], head: Path, fake_bundle: Path, tmp_path: Path) -> None:
    results = tmp_path / "results"
    listed = tmp_path / "all.json"
    code, out, _ = run(
        capsys, "predict", head, "--model", fake_bundle, "--out", results, "--json", listed, "--heatmaps"
    )
    assert code == 0
    assert str(results) in out
    names = sorted(os.listdir(results))
    stem = f"{build.STUDY}.1"
    assert names[:2] == [f"{stem}-slice-001.png", f"{stem}-slice-002.png"] or f"{stem}.png" in names
    assert {f"{stem}.json", f"{stem}.png"} <= set(names)
    assert (results / f"{stem}.png").read_bytes().startswith(b"\x89PNG")
    assert json.loads((results / f"{stem}.json").read_text()) == json.loads(listed.read_text())[0]


def test_two_series_of_one_uid_get_two_names(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, fake_bundle: Path
) -> None:
    for name, tags in (("a", {}), ("b", {"FrameOfReferenceUID": "1.9"})):
        (tmp_path / name).mkdir()
        for i, data in enumerate(build.head_series(4, **tags)):
            (tmp_path / name / f"{i}.dcm").write_bytes(data)
    run(capsys, "predict", tmp_path / "a", tmp_path / "b", "--model", fake_bundle, "--out", tmp_path / "o")
    objects = sorted(name for name in os.listdir(tmp_path / "o") if name.endswith(".json"))
    assert len(objects) >= 1
    assert len(objects) == len(set(objects))


def _folder(tmp_path: Path, files: dict[str, bytes]) -> Path:
    folder = tmp_path / "bad"
    folder.mkdir()
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder


def _zip(tmp_path: Path, members: dict[str, bytes]) -> bytes:
    path = tmp_path / "made.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path.read_bytes()


BAD: dict[str, dict[str, bytes]] = {
    "empty folder": {},
    "no DICOM": {"readme.txt": b"hello"},
    "text named dcm": {"a.dcm": b"just text, no image at all" * 20},
    "zero length": {"a.dcm": b""},
    "truncated": {f"{i}.dcm": data[:700] for i, data in enumerate(build.head_series(4))},
    "MR": {f"{i}.dcm": data for i, data in enumerate(build.head_series(4, Modality="MR"))},
    "one slice": {"a.dcm": build.head_series(1)[0]},
    "no pixels": {f"{i}.dcm": data for i, data in enumerate(build.head_series(4, PixelData=None))},
    "no geometry": {
        f"{i}.dcm": data for i, data in enumerate(build.head_series(4, ImagePositionPatient=None, InstanceNumber=None))
    },
    "screen capture": {
        f"{i}.dcm": data
        for i, data in enumerate(build.head_series(4, SOPClassUID=build.SECONDARY_CAPTURE, Modality="OT"))
    },
    "corrupt JPEG": {
        f"{i}.dcm": build.compressed(i, "1.2.840.10008.1.2.4.70", lambda _: b"\xff\xd8" + bytes(60)) for i in range(4)
    },
    "chest": {
        f"{i}.dcm": data
        for i, data in enumerate(build.head_series(4, BodyPartExamined="CHEST", SeriesDescription="Thorax"))
    },
    "huge claim": {f"{i}.dcm": d for i, d in enumerate(build.head_series(4, Rows=16384, Columns=16384))},
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_named_and_exits_1(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, fake_bundle: Path, case: str
) -> None:
    folder = _folder(tmp_path, BAD[case])
    code, out, err = run(capsys, "predict", folder, "--model", fake_bundle, "--json", "-")
    for found in json.loads(out):
        jsonschema.validate(found, SCHEMA)
        assert found["status"] == "not_analysable"
    assert code == 1
    assert "ichscan: " in err
    assert build.PATIENT_ID not in out + err


def test_a_bad_archive_does_not_hide_a_good_series(
    capsys: pytest.CaptureFixture[str], head: Path, tmp_path: Path, fake_bundle: Path
) -> None:
    (tmp_path / "evil.zip").write_bytes(_zip(tmp_path, {"../../evil.dcm": build.head_series(1)[0]}))
    (tmp_path / "broken.zip").write_bytes(b"PK\x03\x04" + bytes(200))
    code, out, _ = run(
        capsys, "predict", head, tmp_path / "evil.zip", tmp_path / "broken.zip", "--model", fake_bundle, "--json", "-"
    )
    assert code == 1
    assert [found["status"] for found in json.loads(out)].count("analysed") == 1
    assert not (tmp_path.parent / "evil.dcm").exists()


def test_patients_in_one_folder_are_kept_apart(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, fake_bundle: Path
) -> None:
    first = build.head_series(4, PatientID="SENTINEL-1")
    second = build.twin_series(8, 4, PatientID="SENTINEL-2", StudyInstanceUID="1.2.826.0.1.3680043.8.498.8")
    folder = _folder(tmp_path, {f"{i}.dcm": data for i, data in enumerate([*first, *second])})
    code, out, err = run(capsys, "predict", folder, "--model", fake_bundle, "--json", "-")
    assert code == 0
    assert [found["slices_analysed"] for found in json.loads(out)] == [4, 4]
    assert "SENTINEL" not in out + err


def test_names_in_any_script(capsys: pytest.CaptureFixture[str], tmp_path: Path, fake_bundle: Path) -> None:
    folder = tmp_path / "Кт-größe-頭"
    folder.mkdir()
    for i, data in enumerate(build.head_series(4, PatientName="Ωμέγα^Ñandú", SpecificCharacterSet="ISO_IR 192")):
        (folder / f"срез {i}").write_bytes(data)
    code, out, err = run(capsys, "predict", folder, "--model", fake_bundle, "--json", "-")
    assert code == 0
    assert "срез 0" in json.loads(out)[0]["slices"][0]["file"]
    assert "Ωμέγα" not in out + err


def test_names_that_are_no_text_and_ascii_terminals(tmp_path: Path, fake_bundle: Path) -> None:
    folder = os.fsencode(tmp_path / "f")
    os.mkdir(folder)
    for i, data in enumerate(build.head_series(4)):
        with open(os.path.join(folder, b"caf\xe9%d" % i), "wb") as file:
            file.write(data)
    command = [sys.executable, "-m", "ichscan", "predict", os.fsdecode(folder), "--model", str(fake_bundle)]
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    for more in ([], ["--json", "-"]):
        done = subprocess.run([*command, *more], capture_output=True, env=environment, check=False)
        assert done.returncode == 0, done.stderr
        assert b"Traceback" not in done.stderr


def test_escape_sequences_do_not_reach_the_terminal(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, fake_bundle: Path
) -> None:
    files = build.head_series(4, SeriesDescription="evil \x1b]0;title\x07 [bold]x[/]")
    folder = _folder(tmp_path, {f"\x1b[31m{i}": data for i, data in enumerate(files)})
    code, out, err = run(capsys, "predict", folder, "--model", fake_bundle)
    assert code == 0
    assert "\x1b" not in out + err


@pytest.mark.parametrize("target", ["--json", "--out"])
def test_disk_full(
    capsys: pytest.CaptureFixture[str],
    head: Path,
    fake_bundle: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    target: str,
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "replace", full)
    code, out, err = run(capsys, "predict", head, "--model", fake_bundle, target, tmp_path / "r")
    assert code == 4
    assert "No space left on device" in err
    assert "any hemorrhage" in out
    assert not [name for name in os.listdir(tmp_path) if "tmp" in name]


def test_files_that_are_no_images_are_counted(
    capsys: pytest.CaptureFixture[str], head: Path, fake_bundle: Path
) -> None:
    (head / "notes.txt").write_text("hello")
    code, out, err = run(capsys, "predict", head, "--model", fake_bundle)
    assert (code, err) == (0, "")
    assert "1 of 6 files is no image" in out


@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="needs /dev/full")
def test_stdout_on_a_full_disk(head: Path, fake_bundle: Path) -> None:
    command = [sys.executable, "-m", "ichscan", "predict", str(head), "--model", str(fake_bundle), "--json", "-"]
    with open("/dev/full", "w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 4
    assert "No space left" in done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


def test_reader_that_goes_away(head: Path, fake_bundle: Path) -> None:
    command = [sys.executable, "-m", "ichscan", "predict", str(head), "--model", str(fake_bundle), "--json", "-"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        told = process.stderr.read()
    assert process.returncode == 141
    assert "Traceback" not in told
    assert "Exception ignored" not in told


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may read everything")
def test_unreadable_file(capsys: pytest.CaptureFixture[str], head: Path, fake_bundle: Path) -> None:
    (head / "0.dcm").chmod(0)
    code, out, _ = run(capsys, "predict", head, "--model", fake_bundle, "--json", "-")
    assert code == 1
    assert [found["status"] for found in json.loads(out)] == ["analysed", "not_analysable"]


def test_interrupt(
    capsys: pytest.CaptureFixture[str], head: Path, fake_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("ichscan.cli.run.examine", interrupt)
    code, _, err = run(capsys, "predict", head, "--model", fake_bundle)
    assert (code, err) == (130, "ichscan: interrupted\n")


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("predict",),
        ("nonsense",),
        ("predict", "x", "--window", "40"),
        ("predict", "x", "--window", "40,0"),
        ("predict", "x", "--window", "nan,80"),
        ("predict", "x", "--heatmaps"),
        ("predict", "x", "--mod", "y"),
    ],
)
def test_wrong_usage(capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]) -> None:
    code, out, err = run(capsys, *arguments)
    assert code == 2
    assert out == ""
    assert err


def test_missing_path_and_missing_model(capsys: pytest.CaptureFixture[str], head: Path, tmp_path: Path) -> None:
    code, _, err = run(capsys, "predict", tmp_path / "absent")
    assert code == 1
    assert "no such file or folder" in err
    code, _, err = run(capsys, "predict", head, "--model", tmp_path)
    assert code == 3
    assert "spec.json" in err


def test_models(capsys: pytest.CaptureFixture[str], fake_bundle: Path, tmp_path: Path) -> None:
    code, out, _ = run(capsys, "models", "verify", fake_bundle)
    assert code == 0
    assert "slice.onnx: intact" in out
    code, out, _ = run(capsys, "models", "show", fake_bundle)
    assert code == 0
    assert '"thresholds"' in out
    broken = write_fake_bundle(tmp_path / "broken")
    (broken / "scan.onnx").write_bytes(b"other")
    assert run(capsys, "models", "verify", broken)[0] == 3


def test_doctor(capsys: pytest.CaptureFixture[str], fake_bundle: Path, tmp_path: Path) -> None:
    code, out, _ = run(capsys, "doctor", "--model", fake_bundle)
    assert code == 0
    assert "FAILED" not in out
    assert NOTICE in out
    code, out, _ = run(capsys, "doctor", "--json", "--model", tmp_path)
    assert code == 3
    assert json.loads(out)[-1]["state"] == "failed"


def test_demo(
    capsys: pytest.CaptureFixture[str],
    head: Path,
    fake_bundle: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ichscan.demo.write_demo", lambda folder: [head])
    code, out, _ = run(capsys, "demo", "--model", fake_bundle, "--out", tmp_path / "d")
    assert code == 0
    assert "SIMULATED" in out
    assert (tmp_path / "d" / "results" / f"{build.STUDY}.1.png").is_file()


@pytest.mark.parametrize("arguments", [("--help",), ("predict", "--help"), ("models", "verify", "--help")])
def test_help(capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]) -> None:
    code, out, _ = run(capsys, *arguments)
    assert code == 0
    assert out.startswith("usage: ichscan")

"""The whole flow: order of files never matters, one bad input never hides the others, memory stays flat."""

import weakref
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests import dicom_builders as build

from ichscan import pipeline
from ichscan.pipeline import analyse, examine
from ichscan.report.result import result
from ichscan.types import Report


def write(folder: Path, files: list[bytes], names: list[str] | None = None) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for i, data in enumerate(files):
        (folder / (names[i] if names else f"{i}.dcm")).write_bytes(data)
    return folder


def comparable(reports: list[Report]) -> list[dict[str, object]]:
    """Results without what may differ: names of files and times."""
    found = []
    for one in map(result, reports):
        slices = [{key: value for key, value in part.items() if key != "file"} for part in one["slices"]]
        found.append(one | {"slices": slices, "timing_s": {}})
    return found


def test_analyses_a_series(tmp_path: Path, fake_bundle: Path) -> None:
    (report,) = analyse([write(tmp_path, build.head_series(6))], fake_bundle)
    assert report.status == "analysed"
    assert report.prediction is not None
    assert report.prediction.slices.shape == (6, 6)
    assert report.positions_mm == (0, 5, 10, 15, 20, 25)
    assert set(report.timing_s) == {"read", "preprocess", "infer", "total"}


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    order=st.permutations(range(10)),
    names=st.lists(st.from_regex(r"[a-z]{1,8}", fullmatch=True), unique=True, min_size=10, max_size=10),
)
def test_order_and_names_of_files_change_nothing(
    tmp_path_factory: pytest.TempPathFactory, fake_bundle: Path, order: list[int], names: list[str]
) -> None:
    files = [*build.head_series(5), *build.twin_series(7, 5, ConvolutionKernel="H70s")]
    plain = comparable(list(analyse([write(tmp_path_factory.mktemp("plain"), files)], fake_bundle)))
    shuffled = write(tmp_path_factory.mktemp("shuffled"), [files[i] for i in order], names)
    assert comparable(list(analyse([shuffled], fake_bundle))) == plain
    assert len(plain) == 2


def test_bad_input_does_not_hide_the_others(tmp_path: Path, fake_bundle: Path) -> None:
    other = "1.2.826.0.1.3680043.8.498.77"
    short = [
        build.to_bytes(
            build.slice_dataset(i, SeriesInstanceUID=other, SOPInstanceUID=f"{other}.{i}", PixelData=b"\0\0")
        )
        for i in range(4)
    ]
    write(tmp_path / "good", build.head_series(4))
    write(tmp_path / "short", short)
    write(tmp_path / "junk", [b"", b"hello" * 100, build.head_series(1)[0][:300]], ["zero.dcm", "text.dcm", "cut.dcm"])
    reports = list(analyse([tmp_path], fake_bundle))
    by_uid = {report.series_instance_uid: report for report in reports}
    assert by_uid[f"{build.STUDY}.1"].status == "analysed"
    assert by_uid[other].status == "not_analysable"
    assert "(7FE0,0010)" in (by_uid[other].reason or "")
    assert all(report.reason for report in reports if report.status == "not_analysable")


def test_a_series_without_uid_is_named_by_its_file(tmp_path: Path, fake_bundle: Path) -> None:
    files = [build.to_bytes(build.slice_dataset(0, SeriesInstanceUID=None, Modality="MR"))]
    (report,) = analyse([write(tmp_path, files, ["mr.dcm"])], fake_bundle)
    assert report.status == "not_analysable"
    assert report.series_instance_uid or "mr.dcm" in (report.reason or "")


def test_memory_is_flat(tmp_path: Path, fake_bundle: Path) -> None:
    for number in (11, 12, 13):
        study = f"1.2.826.0.1.3680043.8.498.{number}"
        write(tmp_path / str(number), build.twin_series(number, 4, StudyInstanceUID=study))
    alive: list[weakref.ref[np.ndarray]] = []
    for _, volume in examine([tmp_path], fake_bundle):
        assert volume is not None
        alive.append(weakref.ref(volume.hu))
        del volume
        assert sum(ref() is not None for ref in alive) <= 1
    assert len(alive) == 3


def test_too_little_memory_is_a_reason(tmp_path: Path, fake_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def starve(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr("ichscan.dicom.load_volume", starve)
    (report,) = pipeline.analyse([write(tmp_path, build.head_series(4))], fake_bundle)
    assert "not enough memory" in (report.reason or "")


def test_raw_bytes(fake_bundle: Path) -> None:
    reports = list(analyse([build.enhanced(4)], fake_bundle))
    assert [report.status for report in reports] == ["analysed"]


def test_patients_are_in_no_report(tmp_path: Path, fake_bundle: Path, caplog: pytest.LogCaptureFixture) -> None:
    write(tmp_path / "good", build.head_series(4))
    write(tmp_path / "bad", build.twin_series(5, 4, PixelData=b"\0\0"))
    told = repr([replace(report, files=()) for report in analyse([tmp_path], fake_bundle)]) + caplog.text
    assert build.PATIENT_NAME.split("^")[0] not in told
    assert build.PATIENT_ID not in told


def test_rsna_study(data_dir: Path, fake_bundle: Path) -> None:
    reports = list(analyse([data_dir / "rsna-2019-sample" / "stage_2_test"], fake_bundle))
    analysed = [report for report in reports if report.status == "analysed"]
    assert [report.slices for report in analysed] == [32]
    assert all("fewer than" in (report.reason or "") for report in reports if report.status != "analysed")

"""A small RSNA 2019 in Kaggle's layout, as a folder or as the zip archive."""

import zipfile
from pathlib import Path

from tests.dicom_builders import head_hu, slice_dataset, to_bytes

LABELS = ("epidural", "intraparenchymal", "intraventricular", "subarachnoid", "subdural", "any")
ROOT = "rsna-intracranial-hemorrhage-detection"


def image(index: int, series: int = 0, **tags: object) -> bytes:
    """Slice `index` of a series, named and anonymised as in the challenge."""
    uid = f"ID_{series:04x}{index:04x}"
    return to_bytes(
        slice_dataset(
            index, head_hu(100 * series + index), SOPInstanceUID=uid, StudyInstanceUID=f"ID_study{series}",
            SeriesInstanceUID=f"ID_series{series}", PatientID=f"ID_patient{series}", SeriesDescription=None,
            BodyPartExamined=None, ConvolutionKernel=None, SliceThickness=None, FrameOfReferenceUID=None,
            InstanceNumber=None, ImageType=None, SOPClassUID=None, **tags,
        )
    )  # fmt: skip


def names(series: int, count: int) -> list[str]:
    return [f"ID_{series:04x}{index:04x}" for index in range(count)]


def long_labels(images: list[str], positive: dict[str, tuple[str, ...]] | None = None) -> list[str]:
    """Lines of stage_2_train.csv; `any` is set with any type."""
    lines = []
    for name in images:
        types = (positive or {}).get(name, ())
        for label in LABELS:
            value = int(label in types or (label == "any" and bool(types)))
            lines.append(f"{name}_{label},{value}")
    return lines


def collection(series: int = 3, count: int = 5, test: int = 2) -> dict[str, bytes]:
    """Files by path: training series 0.., one test series, labels and sample submission."""
    files: dict[str, bytes] = {}
    train: list[str] = []
    for one in range(series):
        train += names(one, count)
        for index, name in enumerate(names(one, count)):
            files[f"stage_2_train/{name}.dcm"] = image(index, one)
    tested = names(series, test)
    for index, name in enumerate(tested):
        files[f"stage_2_test/{name}.dcm"] = image(index, series)
    positive = dict.fromkeys(train[::4], ("subdural",))
    files["stage_2_train.csv"] = "\n".join(["ID,Label", *long_labels(train, positive)]).encode() + b"\n"
    sample = ["ID,Label", *(f"{name}_{label},0.5" for name in tested for label in LABELS)]
    files["stage_2_sample_submission.csv"] = "\n".join(sample).encode() + b"\n"
    return files


def as_folder(files: dict[str, bytes], root: Path) -> Path:
    for name, data in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    return root


def as_zip(files: dict[str, bytes], path: Path, method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name in sorted(files):
            archive.writestr(f"{ROOT}/{name}", files[name])
    return path

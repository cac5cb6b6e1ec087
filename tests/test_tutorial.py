"""docs/tutorial-own-data.md: the code block is run as it stands, on synthetic DICOM files."""

import re
import shlex
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="training needs the extra `train`")
pytest.importorskip("lightning_fabric", reason="training needs the extra `train`")
pytest.importorskip("pyarrow", reason="stores need the extra `data`")

from tests.dicom_builders import STUDY, head_hu, slice_dataset, to_bytes

from ichscan.cli import main
from ichscan.labels import LABELS, TYPES

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "tutorial-own-data.md"
PATIENTS, SLICES = 20, 6


def write_ward(folder: Path) -> None:
    """Twenty patients; every other one bleeds in two slices, one type after the other."""
    lines = [",".join(["file", "patient", *LABELS])]
    for n in range(PATIENTS):
        uid = f"{STUDY}.7.{n + 1}"
        (folder / "ward" / f"p{n:02d}").mkdir(parents=True)
        for i in range(SLICES):
            hu = head_hu(n * SLICES + i)
            kind = TYPES[n // 2 % len(TYPES)] if n % 2 and i in (2, 3) else None
            if kind is not None:
                at = 16 + 6 * TYPES.index(kind)
                hu[at : at + 10, 26:38] = 75
            ds = slice_dataset(
                i, hu, StudyInstanceUID=uid, SeriesInstanceUID=f"{uid}.1", SOPInstanceUID=f"{uid}.1.{i + 1}",
                PatientID=f"ward-{n}", PatientName="Nobody",
            )  # fmt: skip
            (folder / "ward" / f"p{n:02d}" / f"{i}.dcm").write_bytes(to_bytes(ds))
            labels = [int(name == kind) for name in TYPES] + [int(kind is not None)]
            lines.append(",".join([f"p{n:02d}/{i}.dcm", f"p{n:02d}", *map(str, labels)]))
    (folder / "labels.csv").write_text("\n".join(lines) + "\n")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
def test_the_tutorial_runs_as_it_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_ward(tmp_path)
    (tmp_path / "recipes").symlink_to(ROOT / "recipes")
    monkeypatch.chdir(tmp_path)
    (block, *_) = re.findall(r"```bash\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    for line in block.splitlines():
        assert main(shlex.split(line)[1:]) == 0, line
    assert (tmp_path / "run" / "bundle" / "MODEL_CARD.md").stat().st_size > 500
    assert len(list((tmp_path / "results").iterdir())) > 0

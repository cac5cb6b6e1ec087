"""Age and sex of the patients of PhysioNet CT-ICH, both releases: patient_demographics.csv."""

import csv
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ichscan.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

FILES: Final = ("patient_demographics.csv", "Patient_demographics.csv")
OLDEST: Final = 130
SEXES: Final = {"male": "M", "female": "F"}


def read_patients(root: Path, table: "pa.Table") -> list[dict[str, Any]]:
    """Rows of patients.parquet for the patients of a table; none when the release tells nothing. Raises DataError."""
    known = demographics(root)
    names = sorted(set(table["patient_id"].to_pylist()))
    return [{"patient_id": name, **known[int(name)]} for name in names if int(name) in known]


def demographics(root: Path) -> dict[int, dict[str, Any]]:
    """Patient number -> age in years and sex, of a release; empty when it has no such file.

    The heading of the age goes over two lines, and the file has a second heading: only rows that begin with a number
    are patients.

    Raises:
        DataError: the file cannot be read.
    """
    path = next((root / name for name in FILES if (root / name).is_file()), None)
    if path is None:
        return {}
    found: dict[int, dict[str, Any]] = {}
    try:
        with path.open(newline="", encoding="utf-8-sig", errors="replace") as file:
            for row in csv.reader(file):
                if row and row[0].strip().isdecimal():
                    _, age, sex, *_ = (*row, "", "")
                    found[int(row[0])] = {"age_years": _age(age), "sex": SEXES.get(sex.strip().lower())}
    except (OSError, csv.Error) as error:
        raise DataError(f"{path}: cannot read the demographics ({error})") from error
    return found


def _age(text: str) -> float | None:
    try:
        age = float(text)
    except ValueError:
        return None
    return age if math.isfinite(age) and 0 <= age < OLDEST else None

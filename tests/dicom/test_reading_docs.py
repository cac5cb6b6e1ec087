"""docs/reading.md names warnings that exist, and every warning that exists."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "reading.md").read_text(encoding="utf-8")
SOURCE = "\n".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "src/ichscan/dicom").glob("*.py")))
WARNINGS = re.findall(r"^\| `([^`]+)` \|", PAGE.partition("## Warnings")[2], re.MULTILINE)


def test_the_table_is_found() -> None:
    assert len(WARNINGS) > 20


@pytest.mark.parametrize("phrase", WARNINGS)
def test_documented_warnings_exist(phrase: str) -> None:
    assert phrase in re.sub(r'"\s*\n\s*f?"', "", SOURCE)

"""Demo mode: who the patient is, is replaced on the way out. The database and the files keep what they hold.

UIDs stay, since feedback refers to images by them, and so do the pixels: faces and burned-in text are not removed.
"""

from collections.abc import Mapping
from typing import Any, Final

EMPTY: Final = (
    "birth_date", "sex", "study_date", "study_time", "accession_number", "description", "station", "reason"
)  # fmt: skip


def hidden(study_id: int, row: Mapping[str, Any]) -> dict[str, Any]:
    """What to show instead of a study's identifying fields, free text included."""
    replaced: dict[str, Any] = dict.fromkeys(EMPTY, "")
    replaced["patient_name"] = f"Demo {study_id}"
    replaced["patient_id"] = f"DEMO-{study_id}"
    replaced["source"] = str(row["source"]).partition(":")[0]
    if row["reason"]:
        replaced["reason"] = "not shown in a demonstration"
    return replaced


def hidden_result(content: Mapping[str, Any]) -> dict[str, Any]:
    """An object of `ichscan.result/1` without free text of the images: descriptions, file names, reasons, warnings."""
    told = dict(content)
    told["warnings"] = []
    told["reason"] = "not shown in a demonstration" if content.get("reason") else None
    told["slices"] = [{**one, "file": ""} for one in content.get("slices", ())]
    if "findings" in content:
        told["findings"] = {**content["findings"], "series_description": ""}
    return told


def searched_id(text: str) -> int | None:
    """The study that a search for a demo name or identifier means; None for any other text."""
    number = text.strip().upper().replace("DEMO-", "").replace("DEMO ", "")
    return int(number) if number.isascii() and number.isdigit() and len(number) < 10 else None

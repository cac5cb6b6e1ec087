"""A service with studies that have results, without scanner, model or processes."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests import dicom_builders as build

from ichscan.labels import LABELS
from ichscan.service.database import open_database
from ichscan.service.feedback.form import Told
from ichscan.service.feedback.record import add
from ichscan.service.settings import Settings
from ichscan.service.tables import ANALYSED, Feedback, Instance, Result, Series, Study

NOW = 1_800_000_000.0
DAY = 86_400.0
MODEL = "a" * 64


def result(study: str, series: str, sops: list[str], states: Mapping[str, str]) -> dict[str, Any]:
    """An object of `ichscan.result/1`; labels without state are absent."""
    labels = {label: {"state": states.get(label, "absent")} for label in LABELS}
    zeros = dict.fromkeys(LABELS, 0.1)
    return {
        "schema": "ichscan.result/1",
        "status": "analysed",
        "study_instance_uid": study,
        "series_instance_uid": series,
        "scan": {label: {"positive": states.get(label) == "present"} for label in LABELS},
        "slices": [{"sop_instance_uid": sop, "probabilities": zeros} for sop in sops],
        "findings": {"labels": labels},
    }


class Ward:
    def __init__(self, folder: Path, database: str = "") -> None:
        self.settings = Settings(folder=folder, database=database)
        self.database = open_database(self.settings)
        self.count = 0

    def study(
        self,
        states: Mapping[str, str] | None = None,
        *,
        series: int = 1,
        slices: int = 4,
        images: bool = False,
        time: float = NOW,
        station: str = "GE Ward 1",
        **columns: Any,
    ) -> int:
        """A study that was analysed. Series 2, ... state what series 1 states."""
        self.count += 1
        uid = f"1.2.{self.count}"
        told = dict.fromkeys(states or {}, "") | dict(states or {})
        facts: dict[str, Any] = {
            "status": ANALYSED, "probability": 0.9 if told.get("any") == "present" else 0.1,
            "suspected": told.get("any") == "present", "patient_id": build.PATIENT_ID, "patient_name": "Doe^Jane",
        } | columns  # fmt: skip
        with self.database.write() as session:
            study = Study(
                study_instance_uid=uid, station=station, first_received=time, last_received=time, generation=1, **facts
            )
            session.add(study)
            session.flush()
            content = []
            for number in range(1, series + 1):
                sops = [f"{uid}.{number}.{i + 1}" for i in range(slices)]
                content.append(result(uid, f"{uid}.{number}", sops, told))
                self._add_series(session, study.id, f"{uid}.{number}", sops, images)
            session.add(
                Result(
                    study_id=study.id, generation=1, model="fake 1", model_sha256=MODEL, created=time + 5, seconds=1.0,
                    content=content, folder="results",
                )
            )  # fmt: skip
            return study.id

    def _add_series(self, session: Any, study_id: int, uid: str, sops: list[str], images: bool) -> None:
        series = Series(study_id=study_id, series_instance_uid=uid)
        session.add(series)
        session.flush()
        for i, sop in enumerate(sops):
            path = f"images/{sop}.dcm"
            data = b""
            if images:
                tags = {"StudyInstanceUID": uid.rpartition(".")[0], "SeriesInstanceUID": uid, "SOPInstanceUID": sop}
                data = build.to_bytes(build.slice_dataset(i, StudyDescription="Jane Doe again", **tags))
                (self.settings.folder / "images").mkdir(parents=True, exist_ok=True)
                (self.settings.folder / path).write_bytes(data)
            session.add(
                Instance(
                    series_id=series.id, sop_instance_uid=sop, sop_class_uid=build.CT, transfer_syntax_uid="1",
                    rows=64, columns=64, size=len(data), sha256="", path=path, received=NOW,
                )
            )  # fmt: skip

    def say(self, study_id: int, user: str = "ann", *, time: float = NOW, result_id: int = 0, **told: Any) -> Feedback:
        with self.database.write() as session:
            form = Told.model_validate({"result_id": result_id or self.result_of(study_id), **told})
            return add(session, study_id, user, form, time)

    def result_of(self, study_id: int) -> int:
        with self.database.read() as session:
            return next(r.id for r in session.query(Result).filter_by(study_id=study_id, current=True))

    def with_settings(self, **alarms: Any) -> Settings:
        return replace(self.settings, alarms=replace(self.settings.alarms, **alarms))


def mark(sop: str, label: str, present: bool = True) -> dict[str, Any]:
    return {"sop_instance_uid": sop, "label": label, "present": present}


def box(sop: str, label: str, **place: float) -> dict[str, Any]:
    return {"sop_instance_uid": sop, "label": label, "top": 10, "left": 20, "height": 8, "width": 6} | place

"""The tables. Every process of the service works on these and on the files beside them; nothing else is shared.

Times are seconds since 1970 (UTC, float): they sort and subtract alike in SQLite and PostgreSQL.
"""

from typing import Any, Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

UID: Final = 64

RECEIVING: Final = "receiving"
"""Images may still come."""
WAITING: Final = "waiting"
"""Complete; its analysis is queued."""
ANALYSING: Final = "analysing"
ANALYSED: Final = "analysed"
NOT_ANALYSABLE: Final = "not_analysable"
SET_ASIDE: Final = "set_aside"
"""Analysis failed too often; `reason` says how."""
STATUSES: Final = (RECEIVING, WAITING, ANALYSING, ANALYSED, NOT_ANALYSABLE, SET_ASIDE)


class Table(DeclarativeBase):
    """Base of all tables."""

    type_annotation_map = {dict[str, Any]: JSON, list[Any]: JSON, bool: Boolean, float: Float}  # noqa: RUF012


class Study(Table):
    """One study, as its images say; the newest image wins where they differ.

    `generation` counts changes of its images; `analysed_generation` is the one that the current result is of.
    """

    __tablename__ = "study"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    study_instance_uid: Mapped[str] = mapped_column(String(UID), unique=True)
    patient_id: Mapped[str] = mapped_column(Text, default="")
    patient_name: Mapped[str] = mapped_column(Text, default="")
    birth_date: Mapped[str] = mapped_column(String(16), default="")
    sex: Mapped[str] = mapped_column(String(16), default="")
    study_date: Mapped[str] = mapped_column(String(16), default="")
    study_time: Mapped[str] = mapped_column(String(32), default="")
    accession_number: Mapped[str] = mapped_column(Text, default="")
    description: Mapped[str] = mapped_column(Text, default="")
    station: Mapped[str] = mapped_column(Text, default="")
    """Manufacturer, model and station name: the scanner of the dashboards."""
    source: Mapped[str] = mapped_column(Text, default="")
    """Where the last image came from: "dimse:AE", "stow:name", "upload:name", "query:AE"."""
    status: Mapped[str] = mapped_column(String(20), default=RECEIVING, index=True)
    reason: Mapped[str] = mapped_column(Text, default="")
    images: Mapped[int] = mapped_column(Integer, default=0)
    generation: Mapped[int] = mapped_column(Integer, default=0)
    analysed_generation: Mapped[int] = mapped_column(Integer, default=-1)
    first_received: Mapped[float] = mapped_column(Float)
    last_received: Mapped[float] = mapped_column(Float, index=True)
    due: Mapped[float | None] = mapped_column(Float, index=True)
    """When its analysis is to be queued; None when that is done."""
    probability: Mapped[float | None] = mapped_column(Float)
    """Of any hemorrhage, the highest of its series; None until analysed."""
    suspected: Mapped[bool | None] = mapped_column(Boolean, index=True)
    priority: Mapped[float] = mapped_column(Float, default=0.0, index=True)
    """The worklist is read from high to low."""
    states: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    """Label -> "present", "uncertain" or "absent"."""
    read_at: Mapped[float | None] = mapped_column(Float)
    """When a person said that it is read; None = still on the worklist."""
    read_by: Mapped[str] = mapped_column(Text, default="")
    images_deleted: Mapped[float | None] = mapped_column(Float)
    """When its images were deleted after `storage.keep_days`."""


class Series(Table):
    """One series of a study."""

    __tablename__ = "series"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    study_id: Mapped[int] = mapped_column(ForeignKey("study.id", ondelete="CASCADE"), index=True)
    series_instance_uid: Mapped[str] = mapped_column(String(UID))
    modality: Mapped[str] = mapped_column(String(16), default="")
    number: Mapped[int | None] = mapped_column(Integer)
    description: Mapped[str] = mapped_column(Text, default="")
    __table_args__ = (UniqueConstraint("study_id", "series_instance_uid"),)


class Instance(Table):
    """One DICOM file that is held. `path` is relative to `Settings.folder`."""

    __tablename__ = "instance"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    series_id: Mapped[int] = mapped_column(ForeignKey("series.id", ondelete="CASCADE"), index=True)
    sop_instance_uid: Mapped[str] = mapped_column(String(UID))
    sop_class_uid: Mapped[str] = mapped_column(String(UID))
    transfer_syntax_uid: Mapped[str] = mapped_column(String(UID))
    number: Mapped[int | None] = mapped_column(Integer)
    rows: Mapped[int] = mapped_column(Integer, default=0)
    columns: Mapped[int] = mapped_column(Integer, default=0)
    frames: Mapped[int] = mapped_column(Integer, default=1)
    size: Mapped[int] = mapped_column(BigInteger)
    """Bytes of the file."""
    sha256: Mapped[str] = mapped_column(String(64))
    path: Mapped[str] = mapped_column(Text)
    received: Mapped[float] = mapped_column(Float)
    made_here: Mapped[bool] = mapped_column(Boolean, default=False)
    """A result of ichscan (SR, KO, PM, SC), never analysed."""
    __table_args__ = (UniqueConstraint("series_id", "sop_instance_uid"),)


class Result(Table):
    """What came of one analysis of one generation of a study. `folder` is relative to `Settings.folder`."""

    __tablename__ = "result"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    study_id: Mapped[int] = mapped_column(ForeignKey("study.id", ondelete="CASCADE"), index=True)
    generation: Mapped[int] = mapped_column(Integer)
    model: Mapped[str] = mapped_column(Text, default="")
    """Name and version."""
    model_sha256: Mapped[str] = mapped_column(String(64), default="")
    created: Mapped[float] = mapped_column(Float)
    seconds: Mapped[float] = mapped_column(Float)
    current: Mapped[bool] = mapped_column(Boolean, default=True)
    content: Mapped[list[Any]] = mapped_column(JSON)
    """Objects of `ichscan.result/1` with findings, one per series."""
    folder: Mapped[str] = mapped_column(Text)
    """Holds per series UID.json, .png, .html, .txt, .fhir.json and UID-dicom/."""
    __table_args__ = (
        UniqueConstraint("study_id", "generation"),
        # At most one current result of a study: take `current` from the others before one is added.
        Index(
            "result_current", "study_id", unique=True, sqlite_where=text("current"), postgresql_where=text("current")
        ),
    )


class Job(Table):
    """Work that must be done once, whatever dies meanwhile; see `ichscan.service.jobs.queue`."""

    __tablename__ = "job"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    kind: Mapped[str] = mapped_column(String(20))
    """"analyse", "send" (DICOM), "store" (DICOMweb) or "hook"."""
    study_id: Mapped[int] = mapped_column(ForeignKey("study.id", ondelete="CASCADE"), index=True)
    generation: Mapped[int] = mapped_column(Integer)
    target: Mapped[str] = mapped_column(Text, default="")
    """Name of the peer or hook; "" for an analysis."""
    state: Mapped[str] = mapped_column(String(12), default="queued")
    """"queued", "running", "done", "set_aside" or "outdated" (a later generation took its place)."""
    priority: Mapped[float] = mapped_column(Float, default=0.0)
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    deaths: Mapped[int] = mapped_column(Integer, default=0)
    """In so many of them the worker died."""
    run_after: Mapped[float] = mapped_column(Float, default=0.0)
    lease_until: Mapped[float | None] = mapped_column(Float)
    """A running job whose lease has ended belongs to a worker that died; it is queued again."""
    worker: Mapped[str] = mapped_column(String(64), default="")
    error: Mapped[str] = mapped_column(Text, default="")
    created: Mapped[float] = mapped_column(Float)
    finished: Mapped[float | None] = mapped_column(Float)
    __table_args__ = (
        UniqueConstraint("kind", "study_id", "generation", "target"),
        Index("job_ready", "state", "run_after"),
    )


class Event(Table):
    """Something changed; browsers are told by server-sent events in this order. Holds no patient data."""

    __tablename__ = "event"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    time: Mapped[float] = mapped_column(Float)
    kind: Mapped[str] = mapped_column(String(20))
    """"study", "result", "delivery", "feedback" or "alarm"."""
    study_id: Mapped[int | None] = mapped_column(Integer)
    text: Mapped[str] = mapped_column(Text, default="")


class Refusal(Table):
    """Something that was sent and not taken, or set aside after it was taken: nothing is lost in silence."""

    __tablename__ = "refusal"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    time: Mapped[float] = mapped_column(Float)
    source: Mapped[str] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text)
    path: Mapped[str] = mapped_column(Text, default="")
    """Of the file set aside, relative to `Settings.folder`; "" when it was refused at the door."""


class User(Table):
    """A person who may log in."""

    __tablename__ = "user_account"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    name: Mapped[str] = mapped_column(String(64), unique=True)
    role: Mapped[str] = mapped_column(String(16))
    """"reader" or "administrator"."""
    password_hash: Mapped[str] = mapped_column(Text)
    created: Mapped[float] = mapped_column(Float)
    disabled: Mapped[bool] = mapped_column(Boolean, default=False)
    must_change: Mapped[bool] = mapped_column(Boolean, default=False)
    failures: Mapped[int] = mapped_column(Integer, default=0)
    locked_until: Mapped[float] = mapped_column(Float, default=0.0)


class Login(Table):
    """A session of a browser; the cookie itself is not stored, only its hash."""

    __tablename__ = "login"
    token_sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id", ondelete="CASCADE"), index=True)
    csrf: Mapped[str] = mapped_column(String(64))
    created: Mapped[float] = mapped_column(Float)
    used: Mapped[float] = mapped_column(Float)
    expires: Mapped[float] = mapped_column(Float)


class MachineToken(Table):
    """A key of another program."""

    __tablename__ = "machine_token"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    name: Mapped[str] = mapped_column(String(64), unique=True)
    token_sha256: Mapped[str] = mapped_column(String(64), unique=True)
    scopes: Mapped[list[Any]] = mapped_column(JSON)
    """Of "store" (STOW-RS), "read" (QIDO, WADO, results), "metrics"."""
    created: Mapped[float] = mapped_column(Float)
    revoked: Mapped[bool] = mapped_column(Boolean, default=False)


class Audit(Table):
    """Who did what to which study. Rows are added, never changed."""

    __tablename__ = "audit"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    time: Mapped[float] = mapped_column(Float, index=True)
    actor: Mapped[str] = mapped_column(String(80))
    """"user:NAME", "token:NAME", "dimse:AE" or "system"."""
    action: Mapped[str] = mapped_column(String(40))
    study_id: Mapped[int | None] = mapped_column(Integer, index=True)
    address: Mapped[str] = mapped_column(String(64), default="")
    outcome: Mapped[str] = mapped_column(String(16), default="done")
    detail: Mapped[str] = mapped_column(Text, default="")


class Feedback(Table):
    """What a person says of a result. Rows are added, never changed; the newest of a user counts."""

    __tablename__ = "feedback"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    study_id: Mapped[int] = mapped_column(ForeignKey("study.id"), index=True)
    result_id: Mapped[int] = mapped_column(ForeignKey("result.id"))
    user: Mapped[str] = mapped_column(String(64))
    time: Mapped[float] = mapped_column(Float, index=True)
    model_sha256: Mapped[str] = mapped_column(String(64))
    verdicts: Mapped[dict[str, Any]] = mapped_column(JSON)
    """Label -> object: `verdict` ("agree", "disagree", "unsure", "present", "absent") and `state` it is about."""
    slices: Mapped[list[Any]] = mapped_column(JSON, default=list)
    """Objects: sop_instance_uid, label, present (bool)."""
    boxes: Mapped[list[Any]] = mapped_column(JSON, default=list)
    """Objects: sop_instance_uid, label, top, left, height, width (pixels)."""
    reason: Mapped[str] = mapped_column(Text, default="")

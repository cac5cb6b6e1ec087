"""What `ichscan serve` is told: one TOML file, every key here, unknown keys refused."""

import tomllib
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from pathlib import Path
from types import UnionType
from typing import Any, Final, Literal, Union, get_args, get_origin, get_type_hints

from ichscan.errors import UsageError

EXPORTS: Final = ("sr", "heatmaps", "fhir")
AE_TITLE_LENGTH: Final = 16


@dataclass(frozen=True, slots=True)
class Peer:
    """A DICOM node that may call, be sent to, or be asked.

    Attributes:
        name: for people, and for `send.to`.
        ae_title: 1 to 16 characters; callers are known by it.
        host: name or address.
        port: 0 = it only calls.
        may_send: accept its images.
        tls: call it with TLS.
        any_host: accept this AE title from any address; otherwise `host` must be the caller's.
    """

    name: str
    ae_title: str
    host: str = "127.0.0.1"
    port: int = 0
    may_send: bool = True
    tls: bool = False
    any_host: bool = False


@dataclass(frozen=True, slots=True)
class WebPeer:
    """A DICOMweb server that results are stored to (STOW-RS).

    Attributes:
        name: for people, and for `send.to`.
        url: of the service, e.g. https://pacs.example/dicom-web.
        user: of basic authentication; "" = none.
        password_file: a file that holds the password; "" = none.
        token_file: a file that holds a bearer token; "" = none.
    """

    name: str
    url: str
    user: str = ""
    password_file: str = ""
    token_file: str = ""


@dataclass(frozen=True, slots=True)
class Hook:
    """An address that is told of results with hemorrhage suspected.

    Attributes:
        name: for people.
        url: that is posted to.
        kind: "json" posts the worklist entry, "fhir" a FHIR transaction Bundle.
        token_file: a file that holds a bearer token; "" = none.
        only_positive: not of scans without suspicion.
    """

    name: str
    url: str
    kind: Literal["json", "fhir"] = "json"
    token_file: str = ""
    only_positive: bool = True


@dataclass(frozen=True, slots=True)
class DicomSettings:
    """The DICOM node.

    Attributes:
        enabled: listen for DICOM associations.
        ae_title: of this node.
        host: address to listen on; beyond this machine only with `peers`.
        port: to listen on.
        peers: nodes that are known; a caller that is not among them is refused. With none, any program of this machine.
        associations: at most so many at a time.
        idle_s: an association that is silent for so long is ended.
        tls_certificate: PEM file; "" = no TLS.
        tls_key: PEM file.
        tls_authorities: PEM file of those whose certificates callers must show; "" = none asked.
    """

    enabled: bool = True
    ae_title: str = "ICHSCAN"
    host: str = "127.0.0.1"
    port: int = 11112
    peers: tuple[Peer, ...] = ()
    associations: int = 16
    idle_s: float = 60.0
    tls_certificate: str = ""
    tls_key: str = ""
    tls_authorities: str = ""


@dataclass(frozen=True, slots=True)
class WebSettings:
    """Worklist, viewer, DICOMweb and the API.

    Attributes:
        host: address to listen on; beyond this machine only with TLS or `behind_proxy`.
        port: to listen on.
        tls_certificate: PEM file; "" = no TLS.
        tls_key: PEM file.
        behind_proxy: a reverse proxy ends TLS and sets X-Forwarded-For and -Proto; only its address is believed.
        proxy_address: of that proxy.
        session_hours: a login lasts so long.
        idle_minutes: a login that is not used ends earlier.
        upload_mb: largest body of an upload or a STOW-RS request.
        requests_per_minute: of one address or token.
        logins_per_minute: of one address, and of one user.
        demo: no names, identifiers or dates are shown to anybody.
    """

    host: str = "127.0.0.1"
    port: int = 8042
    tls_certificate: str = ""
    tls_key: str = ""
    behind_proxy: bool = False
    proxy_address: str = "127.0.0.1"
    session_hours: float = 12.0
    idle_minutes: float = 60.0
    upload_mb: int = 2048
    requests_per_minute: int = 3000
    logins_per_minute: int = 10
    demo: bool = False


@dataclass(frozen=True, slots=True)
class AnalysisSettings:
    """When and how a study is analysed.

    Attributes:
        model: folder of a bundle; "" = the packaged model.
        workers: processes; each needs about 0.4 GB.
        quiet_s: a study is analysed when no image came for so long...
        settle_s: ...or so long after its last association ended, when its count did not change.
        attempts: a study that ends the worker or fails so often is set aside.
        timeout_s: an analysis that takes longer is ended and counts as a failed attempt.
    """

    model: str = ""
    workers: int = 1
    quiet_s: float = 20.0
    settle_s: float = 2.0
    attempts: int = 3
    timeout_s: float = 600.0


@dataclass(frozen=True, slots=True)
class SendSettings:
    """Where results go.

    Attributes:
        to: names of `dicom.peers` and `send.web_peers`.
        back_to_sender: also to the peer that the study came from.
        exports: DICOM objects made: "sr" (with key objects); with it also "heatmaps" (parametric map, captures).
        web_peers: DICOMweb servers.
        hooks: addresses that are told.
        attempts: after so many the delivery is set aside, and told.
        retry_s: before the first retry; doubles each time, at most an hour.
    """

    to: tuple[str, ...] = ()
    back_to_sender: bool = False
    exports: tuple[str, ...] = ("sr", "heatmaps")
    web_peers: tuple[WebPeer, ...] = ()
    hooks: tuple[Hook, ...] = ()
    attempts: int = 50
    retry_s: float = 5.0


@dataclass(frozen=True, slots=True)
class StorageSettings:
    """What may be kept.

    Attributes:
        limit_gb: of images held; 0 = no limit but the disk.
        free_gb: that must stay free on the disk; below it, images are refused.
        keep_days: images of studies received longer ago are deleted, and pictures made of them; 0 = never. Findings
            stay.
        durable: have every image on the disk itself before it is accepted (fsync), against power loss.
    """

    limit_gb: float = 0.0
    free_gb: float = 2.0
    keep_days: float = 30.0
    durable: bool = False


@dataclass(frozen=True, slots=True)
class AlarmSettings:
    """When the dashboard raises an alarm: last `days` against the `baseline_days` before.

    Attributes:
        days: that are looked at.
        baseline_days: that they are compared with.
        least: studies in each, below which nothing is said.
        positive_rate: change of the share of suspected studies.
        not_analysable_rate: change of the share of studies that could not be analysed.
        agreement: fall of the share of verdicts that agree.
        score_distance: Kolmogorov-Smirnov distance of scan probabilities.
        volume: change of studies a day, as a share of what they were.
        silence: times the longest pause between two studies, after which a scanner counts as silent.
        late_min: minutes that an analysis or a delivery may wait before it counts as late.
    """

    days: float = 7.0
    baseline_days: float = 28.0
    least: int = 20
    positive_rate: float = 0.15
    not_analysable_rate: float = 0.1
    agreement: float = 0.15
    score_distance: float = 0.3
    volume: float = 0.5
    silence: float = 2.0
    late_min: float = 15.0


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything.

    Attributes:
        folder: where everything is kept: images, results, and the database unless `database` says otherwise.
        database: URL of SQLAlchemy; "" = SQLite in `folder`. PostgreSQL: postgresql+pg8000://user@host/name.
        log: "text" or "json" lines on standard error.
    """

    folder: Path = Path("ichscan-data")
    database: str = ""
    log: Literal["text", "json"] = "text"
    dicom: DicomSettings = field(default_factory=DicomSettings)
    web: WebSettings = field(default_factory=WebSettings)
    analysis: AnalysisSettings = field(default_factory=AnalysisSettings)
    send: SendSettings = field(default_factory=SendSettings)
    storage: StorageSettings = field(default_factory=StorageSettings)
    alarms: AlarmSettings = field(default_factory=AlarmSettings)


def read_settings(path: Path) -> Settings:
    """Settings from a TOML file.

    Raises:
        UsageError: not readable, not TOML, an unknown key, a value of the wrong type or out of range.
    """
    try:
        told = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: cannot be read as TOML ({error}); see docs/service.md") from error
    settings: Settings = _record(Settings, told, str(path), "")
    return settings


def _record(kind: Any, told: Any, file: str, prefix: str) -> Any:
    """An instance of a dataclass from a TOML table."""
    if not isinstance(told, dict):
        raise UsageError(f"{file}: {prefix.rstrip('.')}: expected a table, found {told!r}")
    hints = get_type_hints(kind)
    known = {one.name: one for one in fields(kind)}
    unknown = sorted(told.keys() - known.keys())
    if unknown:
        raise UsageError(f"{file}: unknown key {prefix}{unknown[0]}; expected one of {', '.join(known)}")
    for name, one in known.items():
        if name not in told and one.default is MISSING and one.default_factory is MISSING:
            raise UsageError(f"{file}: expected {prefix}{name}, found none")
    return kind(**{name: _value(hints[name], value, file, f"{prefix}{name}") for name, value in told.items()})


def _value(kind: Any, value: Any, file: str, key: str) -> Any:
    """A value of TOML as the type that the key has."""
    origin = get_origin(kind)
    if origin is tuple:
        if not isinstance(value, list):
            raise UsageError(f"{file}: {key}: expected a list, found {value!r}")
        inner = get_args(kind)[0]
        return tuple(_value(inner, one, file, f"{key}[{i}]") for i, one in enumerate(value))
    if origin is Literal:
        if value not in get_args(kind):
            raise UsageError(f"{file}: {key}: expected one of {', '.join(map(repr, get_args(kind)))}, found {value!r}")
        return value
    if origin in (Union, UnionType):
        raise TypeError(f"{key}: settings have no unions")
    if is_dataclass(kind):
        return _record(kind, value, file, f"{key}.")
    if kind is Path and isinstance(value, str):
        return Path(value)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not kind:
        raise UsageError(f"{file}: {key}: expected {kind.__name__}, found {value!r}")
    return value

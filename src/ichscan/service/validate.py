"""Whether settings can work together: what their types cannot say."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from ichscan.errors import UsageError
from ichscan.service.settings import AE_TITLE_LENGTH, EXPORTS, DicomSettings, Hook, Settings, WebPeer

HIGHEST_PORT: Final = 65535
LEAST: Final = {
    "dicom.associations": 1.0,
    "dicom.idle_s": 1.0,
    "web.session_hours": 0.01,
    "web.idle_minutes": 1.0,
    "web.upload_mb": 1.0,
    "web.requests_per_minute": 1.0,
    "web.logins_per_minute": 1.0,
    "analysis.workers": 1.0,
    "analysis.quiet_s": 0.0,
    "analysis.settle_s": 0.0,
    "analysis.attempts": 1.0,
    "analysis.timeout_s": 10.0,
    "send.attempts": 1.0,
    "send.retry_s": 0.1,
    "alarms.days": 1.0,
    "alarms.baseline_days": 1.0,
    "alarms.silence": 1.0,
    "alarms.late_min": 1.0,
    "storage.limit_gb": 0.0,
    "storage.free_gb": 0.0,
    "storage.keep_days": 0.0,
}
"""Smallest value of keys that are numbers."""


def validate(settings: Settings) -> None:
    """Refuses settings that contradict each other or name what is not there.

    Raises:
        UsageError: with the key, what was expected and what was found.
    """
    for key, least in LEAST.items():
        table, _, name = key.partition(".")
        found = getattr(getattr(settings, table), name)
        if not least <= found < float("inf"):
            raise UsageError(f"{key}: expected at least {least:g}, found {found}")
    _dicom(settings.dicom)
    _port("web.port", settings.web.port)
    _send(settings)
    if settings.analysis.model and not Path(settings.analysis.model).is_dir():
        from ichscan.model.bundle import packaged_models

        if settings.analysis.model not in packaged_models():
            raise UsageError(
                f"analysis.model: expected the folder of a bundle, found none at {settings.analysis.model}"
            )


def _dicom(dicom: DicomSettings) -> None:
    _title("dicom.ae_title", dicom.ae_title)
    _port("dicom.port", dicom.port)
    for peer in dicom.peers:
        _title(f"dicom.peers {peer.name}: ae_title", peer.ae_title)
        _port(f"dicom.peers {peer.name}: port", peer.port)
    if bool(dicom.tls_certificate) != bool(dicom.tls_key):
        raise UsageError("dicom: expected both tls_certificate and tls_key, or neither, found one")
    for key in ("tls_certificate", "tls_key", "tls_authorities"):
        _file(f"dicom.{key}", getattr(dicom, key))


def _send(settings: Settings) -> None:
    send = settings.send
    callable_peers = [peer.name for peer in settings.dicom.peers if peer.port]
    web_peers = [peer.name for peer in send.web_peers]
    names = [*(peer.name for peer in settings.dicom.peers), *web_peers, *(hook.name for hook in send.hooks)]
    _unique("dicom.peers, send.web_peers and send.hooks", names)
    known = [*callable_peers, *web_peers]
    for name in send.to:
        if name not in known:
            raise UsageError(
                "send.to: expected names of dicom.peers with a port or of send.web_peers "
                f"({', '.join(known) or 'there are none'}), found {name!r}"
            )
    for name in send.exports:
        if name not in EXPORTS:
            raise UsageError(f"send.exports: expected some of {', '.join(EXPORTS)}, found {name!r}")
    if "sr" not in send.exports and (send.to or send.back_to_sender):
        raise UsageError('send.exports: expected "sr", since send.to or send.back_to_sender names receivers; without '
                         "it no DICOM objects are made")  # fmt: skip
    if send.back_to_sender and not (callable_peers or web_peers):
        raise UsageError("send.back_to_sender: expected dicom.peers with a port, or send.web_peers, found none")
    receivers: list[WebPeer | Hook] = [*send.web_peers, *send.hooks]
    for one in receivers:
        if not one.url.startswith(("https://", "http://")):
            raise UsageError(f"send: url of {one.name}: expected https:// or http://, found {one.url!r}")
        for secret in ("password_file", "token_file"):
            _file(f"send: {secret} of {one.name}", getattr(one, secret, ""))


def _title(key: str, found: str) -> None:
    """PS3.5 section 6.2, VR AE."""
    fits = 1 <= len(found) <= AE_TITLE_LENGTH and found.isascii() and found.isprintable() and "\\" not in found
    if not fits or not found.strip():
        raise UsageError(f"{key}: expected 1 to {AE_TITLE_LENGTH} ASCII characters without backslash, found {found!r}")


def _port(key: str, found: int) -> None:
    if not 0 <= found <= HIGHEST_PORT:
        raise UsageError(f"{key}: expected 0 to {HIGHEST_PORT}, found {found}")


def _unique(key: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if not name or name in seen:
            raise UsageError(f"{key}: expected a name of its own for each, found {name!r}")
        seen.add(name)


def _file(key: str, path: str) -> None:
    if path and not Path(path).is_file():
        raise UsageError(f"{key}: expected a file, found none at {path}")

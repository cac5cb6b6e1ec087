"""How the machine does, for administrators."""

import platform
import shutil
from functools import cache
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel
from sqlalchemy import func, select

from ichscan import __version__
from ichscan.service.settings import Settings
from ichscan.service.tables import Instance, Result
from ichscan.service.web.access import Actor, administrator
from ichscan.service.web.answers import KNOWN
from ichscan.service.web.state import service_of

router = APIRouter(prefix="/api/system", tags=["administration"])


class Storage(BaseModel):
    """Bytes on the disk of the images; `limit` 0 = none but the disk."""

    total: int
    free: int
    held: int
    limit: int
    least_free: int


class PeerRow(BaseModel):
    """A node that is known."""

    name: str
    kind: str
    address: str
    receives_results: bool


class System(BaseModel):
    """Versions, storage, model and peers. `model` is that of the newest result."""

    version: str
    python: str
    packages: dict[str, str]
    database: str
    model: str
    model_sha256: str
    storage: Storage
    node: str
    peers: list[PeerRow]


@router.get("", responses=KNOWN)
def system(request: Request, actor: Annotated[Actor, Depends(administrator)]) -> System:
    """The machine and its settings, without secrets."""
    service = service_of(request)
    settings = service.settings
    with service.database.read() as session:
        size = session.scalar(select(func.sum(Instance.size)).where(Instance.made_here.is_(False))) or 0
        newest = session.execute(select(Result.model, Result.model_sha256).order_by(Result.id.desc()).limit(1)).first()
    dicom = settings.dicom
    return System(
        version=__version__,
        python=platform.python_version(),
        packages=_packages(),
        database=service.database.engine.dialect.name,
        model=newest[0] if newest else "",
        model_sha256=newest[1] if newest else "",
        storage=_storage(settings, int(size)),
        node=f"{dicom.ae_title} {dicom.host}:{dicom.port}" if dicom.enabled else "",
        peers=_peers(settings),
    )


def _storage(settings: Settings, size: int) -> Storage:
    disk = shutil.disk_usage(settings.folder)
    limits = settings.storage
    return Storage(
        total=disk.total,
        free=disk.free,
        held=size,
        limit=int(limits.limit_gb * 1e9),
        least_free=int(limits.free_gb * 1e9),
    )


def _peers(settings: Settings) -> list[PeerRow]:
    to = settings.send.to
    dicom = [
        PeerRow(
            name=peer.name,
            kind="dicom",
            address=f"{peer.ae_title} {peer.host}:{peer.port}" if peer.port else f"{peer.ae_title} {peer.host}",
            receives_results=peer.name in to,
        )
        for peer in settings.dicom.peers
    ]
    web = [
        PeerRow(name=peer.name, kind="dicomweb", address=peer.url, receives_results=peer.name in to)
        for peer in settings.send.web_peers
    ]
    hooks = [PeerRow(name=one.name, kind="hook", address=one.url, receives_results=True) for one in settings.send.hooks]
    return dicom + web + hooks


@cache
def _packages() -> dict[str, str]:
    from importlib.metadata import PackageNotFoundError, version

    found = {}
    for name in ("numpy", "onnxruntime", "pydicom", "pynetdicom", "highdicom", "sqlalchemy", "fastapi", "uvicorn"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found

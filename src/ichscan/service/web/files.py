"""Downloads of one study: reports, result, pictures, DICOM objects."""

import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Annotated, Any, Final

from fastapi import APIRouter, Depends, HTTPException, Query, Request
from fastapi import Path as PathField
from fastapi.responses import FileResponse, HTMLResponse, Response, StreamingResponse

from ichscan.report.stored import from_result
from ichscan.report.write import file_stem
from ichscan.service.tables import Result
from ichscan.service.web.access import Actor, reader
from ichscan.service.web.answers import OF_STUDY
from ichscan.service.web.demo import hidden_result
from ichscan.service.web.fields import Id
from ichscan.service.web.find import result_of
from ichscan.service.web.folder import dicom_files, kind_of, path_of
from ichscan.service.web.headers import FRAMED, REPORT_POLICY
from ichscan.service.web.state import service_of
from ichscan.service.web.trail import record_access

router = APIRouter(prefix="/api/studies/{study_id}", tags=["files"])
IN_MEMORY: Final = 8 << 20
CHUNK: Final = 1 << 18
BINARY: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}
}
PAGE: Final[dict[int | str, dict[str, Any]]] = {200: {"content": {"text/html": {"schema": {"type": "string"}}}}}
FileName = Annotated[str, PathField(min_length=1, max_length=120, pattern=r"^[0-9A-Za-z][0-9A-Za-z._-]*$")]


@router.get("/files/{name}", responses=OF_STUDY | BINARY, response_class=Response)
def download(request: Request, study_id: Id, name: FileName, actor: Annotated[Actor, Depends(reader)]) -> Response:
    """One of the `files` of the study, as an attachment: browsers do not show it within our pages."""
    service = service_of(request)
    with service.database.read() as session:
        result = result_of(session, study_id, content=False)
    path = path_of(service.settings.folder / result.folder, name, service.settings.web.demo)
    if path is None:
        raise HTTPException(404, f"study {study_id}: expected one of its files, found another name")
    record_access(request, actor, "download", study_id, detail=name)
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    if path.is_dir():
        return StreamingResponse(_chunks(_packed(path)), media_type="application/zip", headers=headers)
    kind = kind_of(name)
    return FileResponse(path, media_type=kind[1] if kind else "application/octet-stream", headers=headers)


@router.get("/report", responses=OF_STUDY | PAGE, response_class=Response)
def report(
    request: Request,
    study_id: Id,
    actor: Annotated[Actor, Depends(reader)],
    series: Annotated[int, Query(ge=0, le=1000, description="index in the study's `result`")] = 0,
) -> Response:
    """The HTML report of one series, to be shown in a frame: it can run its own script and reach nothing of ours."""
    service = service_of(request)
    with service.database.read() as session:
        result = result_of(session, study_id)
    if series >= len(result.content):
        raise HTTPException(404, f"study {study_id}: expected one of {len(result.content)} series, found {series}")
    page = _hidden_page(result, series) if service.settings.web.demo else _page(service.settings.folder, result, series)
    record_access(request, actor, "report", study_id)
    headers = {"Content-Security-Policy": REPORT_POLICY, FRAMED: "SAMEORIGIN"}
    return HTMLResponse(page, headers=headers)


def _page(folder: Path, result: Result, series: int) -> str:
    """As the worker wrote it; the names of its files follow from the order of the series."""
    taken: set[str] = set()
    stems = [file_stem(one["series_instance_uid"], taken) for one in result.content]
    try:
        return (folder / result.folder / f"{stems[series]}.html").read_text(encoding="utf-8")
    except FileNotFoundError:
        raise HTTPException(404, f"study {result.study_id}: the report was not made; analyse it again") from None


def _hidden_page(result: Result, series: int) -> str:
    """Made anew from what may be shown; without slices, which the viewer shows."""
    from ichscan.report.viewer import viewer

    return viewer(from_result(hidden_result(result.content[series])))


def _packed(folder: Path) -> IO[bytes]:
    """A zip archive of DICOM objects; on the disk when it is large, and gone when it is closed."""
    file = tempfile.SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115  closed by _chunks
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for path in dicom_files(folder):
            archive.write(path, path.name)
    file.seek(0)
    return file


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while chunk := file.read(CHUNK):
            yield chunk

"""The files of the browser application: read once, so that no path of a request ever reaches the disk."""

import gzip
import hashlib
from functools import cached_property
from pathlib import Path
from typing import Final

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import Response

FOLDER: Final = Path(__file__).resolve().parents[1] / "static"
INDEX: Final = "index.html"
ASSETS: Final = "assets/"
TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".json": "application/json",
    ".webmanifest": "application/manifest+json",
    ".txt": "text/plain; charset=utf-8",
    ".wasm": "application/wasm",
    ".woff2": "font/woff2",
}
PACKED: Final = (".html", ".js", ".css", ".svg", ".json", ".txt", ".wasm")
OURS: Final = ("api", "dicom-web", "openapi.json", "metrics", "health", "ready")
"""First parts of paths that are no pages: an unknown one below them is an error."""

router = APIRouter(include_in_schema=False)


class Page:
    """One file."""

    def __init__(self, name: str, data: bytes) -> None:
        suffix = Path(name).suffix
        self.data = data
        self.type = TYPES[suffix]
        self.etag = f'"{hashlib.sha256(data).hexdigest()[:32]}"'
        self.caching = "public, max-age=31536000, immutable" if name.startswith(ASSETS) else "no-cache"
        self._packs = suffix in PACKED

    @cached_property
    def packed(self) -> bytes | None:
        """Compressed with gzip, when that is smaller."""
        data = gzip.compress(self.data, 6, mtime=0) if self._packs else self.data
        return data if len(data) < len(self.data) else None


def read_pages(folder: Path = FOLDER) -> dict[str, Page]:
    """All files of the application, by path: those of `TYPES`; empty when it was not built."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and path.suffix in TYPES)
    names = ((path.relative_to(folder).as_posix(), path) for path in files)
    return {name: Page(name, path.read_bytes()) for name, path in names}


@router.get("/{path:path}")
def page(request: Request, path: str) -> Response:
    """A file of the application; for a path of the application itself, its index."""
    if path.partition("/")[0] in OURS:
        raise HTTPException(404, "no such address; see docs/service-api.md")
    pages: dict[str, Page] = request.app.state.pages
    found = pages.get(path or INDEX)
    if found is None and "." not in path.rpartition("/")[2]:
        found = pages.get(INDEX)
    if found is None:
        detail = "no such file" if INDEX in pages else "the pages are not built; see docs/service-viewer.md"
        raise HTTPException(404, detail)
    headers = {"ETag": found.etag, "Cache-Control": found.caching, "Vary": "Accept-Encoding"}
    if request.headers.get("if-none-match") == found.etag:
        return Response(status_code=304, headers=headers)
    data = found.data
    if found.packed is not None and "gzip" in request.headers.get("accept-encoding", ""):
        data, headers["Content-Encoding"] = found.packed, "gzip"
    return Response(data, media_type=found.type, headers=headers)

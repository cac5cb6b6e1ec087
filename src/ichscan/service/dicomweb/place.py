"""Where the service is, as the caller sees it."""

from typing import Final

from fastapi import Request

from ichscan.service.web.address import encrypted
from ichscan.service.web.state import service_of

PREFIX: Final = "/dicom-web"


def base_url(request: Request) -> str:
    """URL of the DICOMweb service without a slash at the end; behind a proxy that passes Host on, of the proxy."""
    scheme = "https" if encrypted(request, service_of(request).settings.web) else "http"
    return str(request.base_url.replace(scheme=scheme)).rstrip("/") + PREFIX

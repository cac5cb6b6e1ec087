"""Where the service is, as the caller sees it."""

from typing import Final

from fastapi import Request

PREFIX: Final = "/dicom-web"


def base_url(request: Request) -> str:
    """URL of the DICOMweb service without a slash at the end; behind a proxy, of the proxy."""
    return str(request.base_url).rstrip("/") + PREFIX

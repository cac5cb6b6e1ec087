"""DICOMweb under /dicom-web."""

from fastapi import APIRouter

from ichscan.service.dicomweb import frame_routes, retrieve_routes, search_routes, store_routes
from ichscan.service.dicomweb.place import PREFIX

router = APIRouter(prefix=PREFIX, tags=["DICOMweb"])
for _one in (store_routes, search_routes, retrieve_routes, frame_routes):
    router.include_router(_one.router)

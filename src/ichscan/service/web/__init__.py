"""Worklist, viewer, DICOMweb and the API over HTTP. See docs/service-api.md."""

"""The box beside the PACS: DICOM node, DICOMweb, jobs, worklist, viewer, feedback. See docs/service.md."""

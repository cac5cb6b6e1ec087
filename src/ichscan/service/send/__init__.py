"""Results on their way out: to DICOM nodes, DICOMweb servers and addresses that are told."""

"""The DICOM node: other systems verify it and store to it. See docs/service-dicom.md."""

from ichscan.service.node.node import Node

__all__ = ["Node"]

"""Where registered files lie: paths made of hashes, so that no UID of a sender ever becomes part of one."""

import hashlib
from typing import Final

IMAGES: Final = "images"
ASIDE: Final = "aside"
STUDY_DIGITS: Final = 32


def study_folder(study_uid: str) -> str:
    """Folder of a study's images, relative to `Settings.folder`."""
    digest = _hash(study_uid)
    return f"{IMAGES}/{digest[:2]}/{digest[:STUDY_DIGITS]}"


def image_path(study_uid: str, series_uid: str, sop_uid: str, sha256: str) -> str:
    """Path of one image, relative to `Settings.folder`. Other bytes of the same image get another path."""
    return f"{study_folder(study_uid)}/{_hash(f'{series_uid} {sop_uid} {sha256}')[:STUDY_DIGITS]}.dcm"


def aside_path(name: str) -> str:
    """Path of a file that is set aside, relative to `Settings.folder`."""
    return f"{ASIDE}/{name}"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()

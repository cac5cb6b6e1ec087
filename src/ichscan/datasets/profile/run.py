"""From a store to its report."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from ichscan import __version__
from ichscan.datasets.arrow import write_whole
from ichscan.datasets.profile import classes, completeness, composition, encoding, geometry, neighbours
from ichscan.datasets.profile.facts import Facts, distinct, gather
from ichscan.datasets.profile.pixels import pixel_values
from ichscan.datasets.profile.slice_position import hemorrhage_by_position
from ichscan.datasets.schema import UNKNOWN
from ichscan.datasets.store import SliceStore, open_store
from ichscan.errors import DataError, OutputError
from ichscan.labels import ANY
from ichscan.pages.document import to_json
from ichscan.pages.page import to_html
from ichscan.pages.section import Section

SCHEMA: Final = "ichscan.profile/1"
"""Described in docs/profile.md."""


def profile(store: Path, out: Path) -> Path:
    """Writes profile.json and profile.html: the exploration of Alqaisi & Almashagbeh 2025, sections 3.2.4 and 4.1-4.5.

    The same store gives the same bytes. Neither file holds patient identifiers, unique identifiers or file names.

    Args:
        store: folder of an imported data set.
        out: folder to write to; made when it does not exist.

    Returns:
        Path of profile.html.

    Raises:
        DataError: `store` is no store, or holds no slice.
        MissingExtraError: pyarrow or matplotlib is not installed.
        OutputError: the files cannot be written.
    """
    data = open_store(store)
    facts = gather(data)
    if not facts.slices:
        raise DataError(f"{store}: the store holds no slices; see its problems.csv and import the data again")
    try:
        out.mkdir(parents=True, exist_ok=True)  # before the work, so that a wrong folder is told at once
        sections, head = _sections(facts, data), _head(facts, data)
        write_whole(out / "profile.json", to_json(SCHEMA, head, sections).encode("utf-8"))
        write_whole(out / "profile.html", _html(head, sections).encode("utf-8"))
    except OSError as error:
        raise OutputError(f"{out}: the profile cannot be written ({error.strerror}); choose another folder") from error
    return out / "profile.html"


def _sections(facts: Facts, store: SliceStore) -> list[Section]:
    """In the order of the paper; what is not the paper's comes last."""
    return [
        composition.composition(facts),
        completeness.typical_header(facts),
        geometry.dimensions(facts),
        geometry.slices_per_volume(facts),
        geometry.pixel_spacing(facts),
        geometry.thickness(facts),
        encoding.bit_depth(facts),
        pixel_values(store.hu, facts.slices),
        encoding.modality(facts),
        classes.class_distribution(facts),
        classes.levels(facts),
        classes.together(facts),
        composition.hierarchy(facts),
        neighbours.positions(facts),
        encoding.photometric(facts),
        encoding.windowing(facts),
        encoding.scanner(facts),
        completeness.missing_values(facts),
        composition.quality(facts, Counter(store.manifest.get("problems", {}))),
        hemorrhage_by_position(facts),
    ]


def _html(head: Mapping[str, Any], sections: Sequence[Section]) -> str:
    store = head["store"]
    subtitle = f"ichscan {head['ichscan']}; data set {store['digest'][:16]}"
    return to_html(f"Profile of a data set ({store['kind']})", subtitle, head["counts"], sections)


def _head(facts: Facts, store: SliceStore) -> dict[str, Any]:
    known = facts.labels[:, ANY] != UNKNOWN
    return {
        "ichscan": __version__,
        "store": {"kind": str(store.manifest["kind"]), "digest": store.digest},
        "counts": {
            "patients": distinct(facts.table, "patient_id"),
            "series": len(facts.starts),
            "slices": facts.slices,
            "labelled slices": int(known.sum()),
            "slices with hemorrhage": int(np.count_nonzero(facts.labels[:, ANY] == 1)),
        },
    }

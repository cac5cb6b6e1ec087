"""`spec.json`: everything that turns HU into probabilities, except the weights themselves."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from ichscan.errors import BundleError
from ichscan.labels import LABELS

SCHEMA: Final = "ichscan.bundle/1"
SPEC_FILE: Final = "spec.json"
CROPS: Final = ("slice", "head", "none")
INTERPOLATIONS: Final = ("linear", "smooth")


@dataclass(frozen=True, slots=True)
class Channel:
    """One input channel: a window of the slice nearest to `offset_mm` above (+) or below (-) the slice itself."""

    center: float
    width: float
    offset_mm: float = 0.0

    def __post_init__(self) -> None:
        if not (self.width > 0 and math.isfinite(self.center + self.width + self.offset_mm)):
            raise BundleError(f"spec channel: expected finite values and width > 0, found {self}")


@dataclass(frozen=True, slots=True)
class InputSpec:
    """The input contract, enough to preprocess.

    Attributes:
        channels: in the order of the network's input.
        crop: "slice" = the papers' bounding box of all pixels above 0 in any window of the slice, padded to a square;
            "head" = a square of one size per scan around the head (largest connected object) of each slice;
            "none" = the whole slice, padded evenly to a square.
        size: side of the network's square input, pixels.
        interpolation: "linear" as in the papers, or "smooth" (a blur first, which averages noise when shrinking).
        mean, std: per channel, of the windowed image scaled to [0, 1].
        slab_mm: slices closer together than half of this are averaged over this thickness first (noise of thin
            slices), and reported; 0 = never.
        unclip: put air and bone back where a display window cut them off (8-bit pictures), and report it.
        sequence_mm: slice distance that the scan network was trained on; closer slices form interleaved sequences.
            0 = all slices are one sequence.
    """

    channels: tuple[Channel, ...]
    crop: str
    size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    interpolation: str = "linear"
    slab_mm: float = 0.0
    sequence_mm: float = 0.0
    unclip: bool = False

    def __post_init__(self) -> None:
        if self.crop not in CROPS:
            raise BundleError(f"spec input.crop: expected one of {CROPS}, found {self.crop!r}")
        if self.interpolation not in INTERPOLATIONS:
            raise BundleError(
                f"spec input.interpolation: expected one of {INTERPOLATIONS}, found {self.interpolation!r}"
            )
        if not (len(self.channels) == len(self.mean) == len(self.std) > 0) or min(self.std) <= 0:
            raise BundleError("spec input: channels, mean and std must have one value per channel, std > 0")
        if not 32 <= self.size <= 2048:
            raise BundleError(f"spec input.size: expected 32..2048, found {self.size}")


@dataclass(frozen=True, slots=True)
class Calibration:
    """Platt scaling per label: probability = sigmoid(scale * logit + offset) (Platt 1999)."""

    scale: tuple[float, ...]
    offset: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Operating points per label on calibrated probabilities, and where they were chosen."""

    value: tuple[float, ...]
    rule: str
    chosen_on: str


@dataclass(frozen=True, slots=True)
class Spec:
    """A model bundle's `spec.json` (schema ichscan.bundle/1). `about` holds metrics, training data, licence, limits."""

    name: str
    version: str
    input: InputSpec
    calibration: Mapping[str, Calibration]
    thresholds: Mapping[str, Thresholds]
    weights: Mapping[str, str]
    about: Mapping[str, Any] = field(default_factory=dict)
    labels: tuple[str, ...] = LABELS

    def __post_init__(self) -> None:
        if tuple(self.labels) != LABELS:
            raise BundleError(f"spec labels: expected {LABELS}, found {tuple(self.labels)}")
        for name, level in (("calibration", self.calibration), ("thresholds", self.thresholds)):
            if set(level) != {"slice", "scan"}:
                raise BundleError(f"spec {name}: expected the levels slice and scan, found {sorted(level)}")
        if not self.weights:
            raise BundleError("spec weights: expected file names with their sha256, found none")


def _tuples(raw: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in raw.items()}


def parse_spec(raw: Mapping[str, Any], source: str) -> Spec:
    """Builds a `Spec` from decoded JSON. Raises BundleError naming `source` for unknown keys, schema or values."""
    if raw.get("schema") != SCHEMA:
        raise BundleError(
            f"{source}: expected schema {SCHEMA!r}, found {raw.get('schema')!r}; update ichscan or the model"
        )
    try:
        inp = _tuples(raw["input"])
        inp["channels"] = tuple(Channel(**channel) for channel in inp["channels"])
        fields = {key: value for key, value in raw.items() if key != "schema"}
        fields |= {
            "input": InputSpec(**inp),
            "calibration": {k: Calibration(**_tuples(v)) for k, v in raw["calibration"].items()},
            "thresholds": {k: Thresholds(**_tuples(v)) for k, v in raw["thresholds"].items()},
            "labels": tuple(raw["labels"]),
        }
        return Spec(**fields)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BundleError(f"{source}: not a valid {SCHEMA} file ({error!r}); reinstall the model") from error


def load_spec(folder: Path) -> Spec:
    """Reads `spec.json` of a bundle folder. Raises BundleError when it is missing or not valid."""
    path = folder / SPEC_FILE
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BundleError(
            f"{path}: cannot read the model's spec ({error.strerror}); expected a model bundle folder"
        ) from error
    except ValueError as error:
        raise BundleError(f"{path}: not valid JSON ({error}); reinstall the model") from error
    if not isinstance(raw, dict):
        raise BundleError(f"{path}: expected a JSON object, found {type(raw).__name__}")
    return parse_spec(raw, str(path))

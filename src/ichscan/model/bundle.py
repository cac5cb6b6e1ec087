"""A model bundle: a folder with `spec.json` and the ONNX weights whose sha256 the spec holds."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ichscan.errors import BundleError
from ichscan.model.session import Network, open_network
from ichscan.model.spec import Spec, load_spec
from ichscan.types import ModelIdentity

SLICE_FILE: Final = "slice.onnx"
SCAN_FILE: Final = "scan.onnx"
PACKAGED: Final = Path(__file__).resolve().parents[1] / "models"
"""Folder of the models that ship inside the package; each is a folder named after the model."""
DEFAULT: Final = "default"


@dataclass(frozen=True, slots=True)
class Bundle:
    """A verified model, ready to run.

    Attributes:
        slice_network: "slices" float32 (n, channels, size, size) -> "class_maps" float32 (n, 6, map rows, map cols),
            "evidence" float32 (n, evidence); optional: "lesion_maps" float32, as the class maps.
        scan_network: "evidence" float32 (slices, evidence), inferior to superior -> "slice_logits" float32
            (slices, 6), "scan_logits" float32 (6,).
    """

    folder: Path
    spec: Spec
    identity: ModelIdentity
    slice_network: Network
    scan_network: Network


def packaged_models() -> dict[str, Path]:
    """Name -> folder of every model that ships inside the package, by name."""
    found = sorted(path.parent for path in PACKAGED.glob("*/spec.json"))
    return {folder.name: folder for folder in found}


def bundle_folder(model: Path | None) -> Path:
    """The folder meant by `model`: None = the default, the name of a packaged model, or a folder."""
    if model is None:
        return PACKAGED / DEFAULT
    return model if model.is_dir() else packaged_models().get(str(model), model)


def read_verified(folder: Path, spec: Spec) -> dict[str, bytes]:
    """Reads every weights file once and compares its sha256 with the spec: what is checked is what is run.

    Raises:
        BundleError: a file is missing, unreadable, outside the folder, or differs from its sha256.
    """
    weights = {}
    for name, expected in spec.weights.items():
        path = folder / name
        if Path(name).name != name:
            raise BundleError(f"{folder}: spec weights: expected plain file names, found {name!r}")
        try:
            weights[name] = path.read_bytes()
        except OSError as error:
            raise BundleError(
                f"{path}: cannot read the model's weights ({error.strerror}); reinstall the model"
            ) from error
        found = hashlib.sha256(weights[name]).hexdigest()
        if found != expected.lower():
            raise BundleError(
                f"{path}: altered or damaged: expected sha256 {expected}, found {found}; reinstall the model"
            )
    return weights


def identity_of(spec: Spec) -> ModelIdentity:
    """Name, version, and one sha256 over the hex digests of all weights in the order of the spec."""
    digest = hashlib.sha256("".join(spec.weights.values()).encode("ascii")).hexdigest()
    return ModelIdentity(spec.name, spec.version, digest)


def load_bundle(model: Path | None = None, threads: int | None = None) -> Bundle:
    """Loads and verifies a model.

    Args:
        model: folder of a bundle or name of a packaged model; None = the packaged default.
        threads: CPU threads; all available when None.

    Raises:
        BundleError: missing, altered, of an unknown schema, or networks that do not fit the spec.
    """
    folder = bundle_folder(model)
    spec = load_spec(folder)
    weights = read_verified(folder, spec)
    networks = {name: _open(folder, name, weights, threads) for name in (SLICE_FILE, SCAN_FILE)}
    bundle = Bundle(folder, spec, identity_of(spec), networks[SLICE_FILE], networks[SCAN_FILE])
    _check(bundle)
    return bundle


def _open(folder: Path, name: str, weights: Mapping[str, bytes], threads: int | None) -> Network:
    if name not in weights:
        raise BundleError(f"{folder}: spec weights: expected {name}, found {', '.join(weights)}; reinstall the model")
    return open_network(weights[name], str(folder / name), threads)


def _check(bundle: Bundle) -> None:
    """Names and fixed axes of both networks against the spec, so that a mismatch is told before any scan is read."""
    size, channels = bundle.spec.input.size, len(bundle.spec.input.channels)
    wanted = (
        (bundle.slice_network, "slices", (None, channels, size, size), ("class_maps", "evidence")),
        (bundle.scan_network, "evidence", (None, None), ("slice_logits", "scan_logits")),
    )
    for network, name, shape, outputs in wanted:
        found = network.inputs.get(name)
        if found is None or not _fits(found, shape):
            raise BundleError(f"{network.name}: expected an input {name!r} of shape {shape}, found {network.inputs}")
        if missing := set(outputs) - set(network.outputs):
            raise BundleError(f"{network.name}: expected the outputs {outputs}, missing {sorted(missing)}")


def _fits(found: tuple[int | str | None, ...], wanted: tuple[int | None, ...]) -> bool:
    return len(found) == len(wanted) and all(
        w is None or not isinstance(f, int) or f == w for f, w in zip(found, wanted, strict=True)
    )

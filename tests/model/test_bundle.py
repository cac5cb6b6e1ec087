"""A bundle that is not exactly what its spec says is never run."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tests import fake_bundle as fake

from ichscan.errors import BundleError
from ichscan.model.bundle import PACKAGED, bundle_folder, load_bundle


def test_loads_and_identifies(fake_bundle: Path) -> None:
    bundle = load_bundle(fake_bundle)
    digests = "".join(hashlib.sha256((fake_bundle / n).read_bytes()).hexdigest() for n in ("slice.onnx", "scan.onnx"))
    assert bundle.identity.sha256 == hashlib.sha256(digests.encode()).hexdigest()
    assert (bundle.identity.name, bundle.identity.version) == ("fake", "0")


def test_default_is_the_packaged_model(tmp_path: Path) -> None:
    assert bundle_folder(None) == PACKAGED / "default"
    assert bundle_folder(tmp_path) == tmp_path


def _edit(folder: Path, **changes: object) -> None:
    path = folder / "spec.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def _weights(folder: Path, name: str, data: bytes) -> None:
    """Replaces a weights file together with its sha256."""
    (folder / name).write_bytes(data)
    weights = json.loads((folder / "spec.json").read_text())["weights"]
    _edit(folder, weights=weights | {name: hashlib.sha256(data).hexdigest()})


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "altered": (lambda f: (f / "slice.onnx").write_bytes(fake.slice_network() + b"\0"), "altered or damaged"),
    "missing weights": (lambda f: (f / "scan.onnx").unlink(), "cannot read the model's weights"),
    "missing spec": (lambda f: (f / "spec.json").unlink(), "cannot read the model's spec"),
    "spec is no JSON": (lambda f: (f / "spec.json").write_text("{"), "not valid JSON"),
    "other schema": (lambda f: _edit(f, schema="ichscan.bundle/9"), "update ichscan"),
    "no scan network": (lambda f: _edit(f, weights={"slice.onnx": fake.spec({"x": fake.slice_network()})["weights"]["x"]}), "expected scan.onnx"),  # noqa: E501
    "outside the folder": (lambda f: _edit(f, weights={"../slice.onnx": "0" * 64}), "plain file names"),
    "no network": (lambda f: _weights(f, "slice.onnx", b"not a network"), "not a network"),
    "networks swapped": (lambda f: _weights(f, "slice.onnx", fake.scan_network()), "expected an input 'slices'"),
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN)
def test_broken_bundles_are_refused(tmp_path: Path, case: str) -> None:
    breaking, message = BROKEN[case]
    folder = fake.write_fake_bundle(tmp_path / "bundle")
    breaking(folder)
    with pytest.raises(BundleError, match=message):
        load_bundle(folder)


def test_spec_that_does_not_fit_the_network(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"128, 128"):
        load_bundle(fake.write_fake_bundle(tmp_path / "bundle", size=128))

"""The doctor really decodes, really runs the model, and says what is broken."""

import json
from pathlib import Path

import pytest
from tests.fake_bundle import write_fake_bundle

from ichscan import doctor
from ichscan.dicom.pixels import DECODERS
from ichscan.doctor import State, examine_installation, self_test
from ichscan.doctor import decoders as decoders_module
from ichscan.doctor.decoders import check_decoders
from ichscan.doctor.examine import _decoders
from ichscan.errors import BundleError
from ichscan.model.bundle import load_bundle


def test_every_decoder_works() -> None:
    assert {name: reason for name, reason in check_decoders().items() if reason} == {}


def test_every_kind_of_decoder_is_checked() -> None:
    frames = json.loads((Path(doctor.__file__).parent / "frames.json").read_text(encoding="ascii"))
    assert {DECODERS[syntax] for syntax in frames} == set(DECODERS.values())


def test_a_decoder_that_gives_other_values_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    true = decoders_module.ramp
    monkeypatch.setattr(decoders_module, "ramp", lambda bits: true(bits) + 1)
    assert check_decoders()["RLE Lossless"] == "decoded values are off by up to 1"
    assert any(check.state is State.FAILED for check in _decoders())


def test_sound_installation(fake_bundle: Path) -> None:
    checks = examine_installation(fake_bundle)
    assert [check for check in checks if check.state is State.FAILED] == []
    assert {"versions", "packages", "processors", "decoders", "model", "self-test"} <= {check.name for check in checks}


def test_missing_model(tmp_path: Path) -> None:
    last = examine_installation(tmp_path)[-1]
    assert (last.name, last.state, last.exit_code) == ("model", State.FAILED, 3)


def test_golden_values(tmp_path: Path) -> None:
    folder = write_fake_bundle(tmp_path)
    found = self_test(load_bundle(folder))
    path = folder / "spec.json"
    spec = json.loads(path.read_text())
    path.write_text(json.dumps(spec | {"about": {"self_test": [float(v) for v in found]}}))
    self_test(load_bundle(folder))
    path.write_text(json.dumps(spec | {"about": {"self_test": [float(v) + 0.01 for v in found]}}))
    with pytest.raises(BundleError, match="self-test expected"):
        self_test(load_bundle(folder))
    assert examine_installation(folder)[-1].state is State.FAILED

"""Pickled checkpoints become safetensors; what could run code is refused."""

import os
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="training needs the extra `train`")

from safetensors.torch import load_file

from ichscan.cli import main
from ichscan.errors import UnreadableFileError, UsageError
from ichscan.train.convert import _convert, convert_weights

WEIGHTS = {"module.conv.weight": torch.arange(6.0).view(2, 3).t(), "module.conv.bias": torch.ones(2)}


class Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("echo pwned > pwned.txt",)


def test_a_checkpoint_becomes_safetensors_in_another_process(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save({"state_dict": WEIGHTS, "epoch": 3}, tmp_path / "old.pth")
    assert main(["models", "convert", str(tmp_path / "old.pth"), str(tmp_path / "new.safetensors")]) == 0
    assert "2 tensors, 8 values" in capsys.readouterr().out
    found = load_file(tmp_path / "new.safetensors")
    assert torch.equal(found["conv.weight"], WEIGHTS["module.conv.weight"])
    with pytest.raises(UsageError, match="exists already"):
        convert_weights(tmp_path / "old.pth", tmp_path / "new.safetensors")


def test_shared_weights_and_the_old_format_are_read(tmp_path: Path) -> None:
    shared = torch.ones(3)
    torch.save({"a": shared, "b": shared}, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    assert _convert(tmp_path / "old.pth", tmp_path / "new.safetensors").tensors == 2


def test_code_is_never_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": WEIGHTS, "extra": Evil()}, tmp_path / "evil.pth")
    with pytest.raises(UsageError, match="holds more than weights"):
        _convert(tmp_path / "evil.pth", tmp_path / "new.safetensors")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["evil.pth"]


def test_what_holds_no_weights_is_refused(tmp_path: Path) -> None:
    torch.save({"epoch": 3}, tmp_path / "none.pth")
    with pytest.raises(UsageError, match="epoch"):
        _convert(tmp_path / "none.pth", tmp_path / "new.safetensors")
    (tmp_path / "text.pth").write_text("hello")
    with pytest.raises((UnreadableFileError, UsageError)):
        _convert(tmp_path / "text.pth", tmp_path / "new.safetensors")
    with pytest.raises(UnreadableFileError, match="found none"):
        convert_weights(tmp_path / "absent.pth", tmp_path / "new.safetensors")

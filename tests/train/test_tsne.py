"""The t-SNE figure."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs the extra `train`")
pytest.importorskip("matplotlib", reason="training needs the extra `train`")

from ichscan.train.figures import draw_tsne


def test_two_groups_come_apart_and_positives_are_kept(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    labels = (np.arange(60) % 6 == 0).astype(np.uint8)
    before = rng.normal(size=(60, 8)).astype(np.float32)
    after = before + 20 * labels[:, None].astype(np.float32)
    points = draw_tsne(tmp_path / "figures" / "tsne.png", before, after, labels, limit=40, seed=1)
    assert (tmp_path / "figures" / "tsne.png").stat().st_size > 5000
    assert points[0].shape == points[1].shape == (40, 2)

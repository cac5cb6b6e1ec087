"""Learning curves over several runs."""

import math
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs the extra `train`")
pytest.importorskip("matplotlib", reason="figures need the extra `train`")

from ichscan.train.history import Epoch
from ichscan.train.learning_curves import confidence_band, draw_learning


def test_the_band_is_the_confidence_interval_of_the_mean() -> None:
    # three runs: 4.303 (t, two degrees of freedom) * standard deviation 1 / sqrt(3); the last epoch had one run
    mean, half = confidence_band(np.array([[1.0, 5.0], [2.0, np.nan], [3.0, np.nan]]))
    assert mean.tolist() == [2.0, 5.0]
    assert half.tolist() == pytest.approx([4.303 / math.sqrt(3), 0.0])


def test_runs_of_different_length_are_drawn(tmp_path: Path) -> None:
    runs = [
        [Epoch(k + 1, 1.0 / (k + 1 + s), 1e-3, 1.0, {"loss": 0.5, "auc": 0.7}) for k in range(4 - s)] for s in (0, 1)
    ]
    draw_learning(tmp_path / "learning.png", runs)
    assert (tmp_path / "learning.png").stat().st_size > 5000

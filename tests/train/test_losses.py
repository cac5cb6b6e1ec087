"""Every loss against numbers worked out by hand."""

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the extra `train`")

from ichscan.errors import DataError, UsageError
from ichscan.labels import LABELS
from ichscan.train.losses import SliceLoss, balance
from ichscan.train.workbench_tables import Loss

# two slices, six labels: probabilities .8 and .2 where logits are +-log 4
Z = math.log(4)
LOGITS = torch.tensor([[Z, -Z, -Z, -Z, -Z, Z], [-Z, -Z, -Z, -Z, Z, -Z]])
TARGETS = torch.tensor([[1.0, 0, 0, 0, 0, 1], [0, 0, 0, 0, 0, 0]])
GOOD, BAD = -math.log(0.8), -math.log(0.2)


def test_bce_is_the_mean_or_the_sum_over_labels() -> None:
    assert SliceLoss(Loss(), LABELS)(LOGITS, TARGETS).tolist() == pytest.approx([GOOD, (5 * GOOD + BAD) / 6])
    summed = SliceLoss(Loss(sum_labels=True), LABELS)(LOGITS, TARGETS)
    assert summed.tolist() == pytest.approx([6 * GOOD, 5 * GOOD + BAD])


def test_composite_weighs_the_five_types_six_to_one_against_any() -> None:
    found = SliceLoss(Loss(kind="composite"), LABELS)(LOGITS, TARGETS)
    assert found.tolist() == pytest.approx([GOOD, (6 * (4 * GOOD + BAD) / 5 + GOOD) / 7])
    with_any = SliceLoss(Loss(kind="composite", any_in_types=True), LABELS)(LOGITS, TARGETS)
    assert with_any.tolist() == pytest.approx([GOOD, (6 * (5 * GOOD + BAD) / 6 + GOOD) / 7])
    with pytest.raises(UsageError, match="composite"):
        SliceLoss(Loss(kind="composite"), ("any",))


def test_positives_are_balanced_by_negatives_over_positives() -> None:
    targets = np.array([[1, 0], [0, 1], [0, 1], [0, 0]], np.uint8)
    assert balance(targets, ("subdural", "any")) == [3.0, 1.0]
    loss = SliceLoss(Loss(pos_weight=("balance",)), ("subdural", "any"), targets)
    found = loss(torch.tensor([[-Z, Z]]), torch.tensor([[1.0, 1.0]]))
    assert found.item() == pytest.approx((3 * BAD + GOOD) / 2)
    with pytest.raises(DataError, match="no positive for epidural"):
        balance(np.zeros((3, 1), np.uint8), ("epidural",))


def test_slices_and_labels_are_weighted() -> None:
    found = SliceLoss(Loss(hemorrhage=4, healthy=0.5), ("any",))(torch.tensor([[Z], [Z]]), torch.tensor([[1.0], [0.0]]))
    assert found.tolist() == pytest.approx([4 * GOOD, 0.5 * BAD])
    rsna = SliceLoss(Loss(label_weights=(1, 1, 1, 1, 1, 2)), LABELS)(LOGITS, TARGETS)
    assert rsna.tolist() == pytest.approx([GOOD, (6 * GOOD + BAD) / 7])
    with pytest.raises(UsageError, match="one number for each"):
        SliceLoss(Loss(label_weights=(1.0,)), LABELS)


def test_focal_loss() -> None:
    # p_t = .8 and .2: (1 - p_t)^2 = .04 and .64
    found = SliceLoss(Loss(kind="focal", gamma=2, alpha=0.25), ("any",))(
        torch.tensor([[Z], [Z], [-Z]]), torch.tensor([[1.0], [0.0], [0.0]])
    )
    assert found.tolist() == pytest.approx([0.25 * 0.04 * GOOD, 0.75 * 0.64 * BAD, 0.75 * 0.04 * GOOD])


def test_asymmetric_loss_forgives_easy_negatives() -> None:
    loss = SliceLoss(Loss(kind="asymmetric", gamma=1, gamma_negative=2, margin=0.2), ("any",))
    found = loss(torch.tensor([[Z], [Z], [-Z]]), torch.tensor([[1.0], [0.0], [0.0]]))
    assert found.tolist() == pytest.approx([0.2 * GOOD, 0.6**2 * -math.log(0.4), 0.0], abs=1e-6)


def test_smoothing_moves_targets_towards_a_half() -> None:
    found = SliceLoss(Loss(smoothing=0.2), ("any",))(torch.tensor([[Z]]), torch.tensor([[1.0]]))
    assert found.item() == pytest.approx(0.9 * GOOD + 0.1 * BAD)


def test_weights_of_positives_have_no_meaning_for_focal() -> None:
    with pytest.raises(UsageError, match="pos_weight"):
        Loss(kind="focal", pos_weight=(2.0,))

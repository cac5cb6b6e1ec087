"""Scan models: the papers' shapes and sizes, and that padding changes nothing."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the extra `train`")

from ichscan.errors import UsageError
from ichscan.train.outcome import moving_mean
from ichscan.train.scan_heads import TopMeanHead
from ichscan.train.scan_layers import PackedRecurrent, SpatialDropout, sinusoids, with_deltas
from ichscan.train.scan_loss import label_weights, scan_labels, scan_losses
from ichscan.train.scan_models import ENCODERS, build_scan_model
from ichscan.train.sequence import top_mean
from ichscan.train.workbench_sequence_tables import SCAN_MODELS, Sequence

torch.set_num_threads(1)
WIDTH, LABELS = 12, 6
LENGTHS = (5, 1, 9, 2)


def small(kind: str, *, head: bool = True, deltas: bool = True, hidden: int = WIDTH) -> Sequence:
    return Sequence(kind, hidden=hidden, layers=2, deltas=deltas, join=True, scan_head=head)


def scans(seed: int = 0) -> list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    torch.manual_seed(seed)
    return [
        (
            torch.randn(n, WIDTH, dtype=torch.float64),
            torch.randn(n, LABELS, dtype=torch.float64),
            torch.randint(0, 2, (n, LABELS), dtype=torch.uint8),
        )
        for n in LENGTHS
    ]


def padded(parts, extra: int, fill: float):
    """Pads to the longest + `extra` slices with `fill`; labels with 1."""
    longest = max(len(p[0]) for p in parts) + extra
    out = []
    for k, value in ((0, fill), (1, fill), (2, 1)):
        grown = torch.full((len(parts), longest, parts[0][k].shape[1]), value, dtype=parts[0][k].dtype)
        for i, part in enumerate(parts):
            grown[i, : len(part[k])] = part[k]
        out.append(grown)
    return (*out, torch.tensor([len(p[0]) for p in parts]))


def parameter_count(network: torch.nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def bilstm_count(inputs: int, hidden: int) -> int:
    return 2 * (4 * hidden * inputs + 4 * hidden * hidden + 8 * hidden)


@pytest.mark.parametrize("head", [True, False])
@pytest.mark.parametrize("kind", SCAN_MODELS)
def test_a_scan_alone_equals_the_scan_in_a_batch(kind: str, head: bool) -> None:
    torch.manual_seed(1)
    network = build_scan_model(small(kind, head=head, deltas=head), WIDTH, LABELS).double()
    parts = scans()
    alone = [network(f[None], z[None], torch.tensor([len(f)])) for f, z, _ in parts]
    for extra, fill in ((0, 0.0), (4, 0.0), (3, 1e6), (2, float("nan"))):
        features, logits, _, lengths = padded(parts, extra, fill)
        together = network(features, logits, lengths)
        for i, one in enumerate(alone):
            n = LENGTHS[i]
            torch.testing.assert_close(together.slices[i, :n], one.slices[0], rtol=0, atol=1e-12)
            torch.testing.assert_close(together.scan[i], one.scan[0], rtol=0, atol=1e-12)
            assert torch.count_nonzero(together.slices[i, n:]) == 0


@pytest.mark.parametrize("mode", ["train", "eval"])
@pytest.mark.parametrize("kind", sorted(ENCODERS))
def test_padding_changes_no_gradient(kind: str, mode: str) -> None:
    parts = scans(3)
    gradients = []
    for extra, fill in ((0, 0.0), (5, 1e6), (1, float("nan"))):
        torch.manual_seed(2)
        network = build_scan_model(small(kind), WIDTH, LABELS).double()
        network.train(mode == "train")
        features, logits, labels, lengths = padded(parts, extra, fill)
        features.requires_grad_()
        out = network(features, logits, lengths)
        scan_losses(out.slices, out.scan, labels, lengths, 0.5).sum().backward()
        for i, n in enumerate(LENGTHS):
            assert torch.count_nonzero(features.grad[i, n:]) == 0
        gradients.append([p.grad for p in network.parameters()])
    for other in gradients[1:]:
        for a, b in zip(gradients[0], other, strict=True):
            torch.testing.assert_close(a, b, rtol=0, atol=1e-12)


def test_alqaisi_shapes_and_parameters() -> None:
    """Table 9: 6144 in, 2048 units, Linear(4096, 4096) twice, Linear(4096, 6)."""
    config = Sequence("bilstm_residual", hidden=2048, deltas=True)
    with torch.device("meta"):
        network = build_scan_model(config, 2048, 6)
        e = torch.zeros(4, 60, 2048)
        x = with_deltas(e, torch.ones(4, 60, dtype=torch.bool))
        h1, _ = network.encoder.first.recurrent(x)
        h2, _ = network.encoder.second.recurrent(h1)
        out = network.classifier(network.encoder.linear1(h1) + network.encoder.linear2(h2) + torch.cat([e, e], 2))
    assert (x.shape, h1.shape, h2.shape) == ((4, 60, 6144), (4, 60, 4096), (4, 60, 4096))
    assert out.shape == (4, 60, 6)
    linear = 4096 * 4096 + 4096
    expected = bilstm_count(6144, 2048) + bilstm_count(4096, 2048) + 2 * linear + 4096 * 6 + 6
    assert parameter_count(network) == expected
    assert isinstance(network.encoder.dropout, SpatialDropout)
    assert network.encoder.dropout.dropout.p == 0


@pytest.mark.parametrize(("layers", "hidden"), [(3, 256), (2, 128), (3, 128)])
def test_burduja_shapes_and_parameters(layers: int, hidden: int) -> None:
    """Table 2: 120 features; the six predictions join the BiLSTM's output before the classifier."""
    with torch.device("meta"):
        network = build_scan_model(Sequence("bilstm", hidden=hidden, layers=layers, dropout=0.3, join=True), 120, 6)
    recurrent = bilstm_count(120, hidden) + (layers - 1) * bilstm_count(2 * hidden, hidden)
    assert parameter_count(network) == recurrent + (2 * hidden + 6) * 6 + 6
    assert network.encoder.recurrent.recurrent.dropout == 0.3


def test_residual_sum_by_hand() -> None:
    torch.manual_seed(0)
    network = build_scan_model(Sequence("bilstm_residual", 4, deltas=True), 4, 6)
    e = torch.randn(1, 3, 4)
    x = with_deltas(e, torch.ones(1, 3, dtype=torch.bool))
    first, second = network.encoder.first.recurrent, network.encoder.second.recurrent
    h1 = first(x)[0]
    h2 = second(h1)[0]
    total = h1 + h2 + network.encoder.linear1(h1).relu() + network.encoder.linear2(h2).relu() + torch.cat([e, e], 2)
    out = network(e, torch.zeros(1, 3, 6), torch.tensor([3]))
    torch.testing.assert_close(out.slices, network.classifier(total))


def test_deltas_are_zero_at_the_ends_of_each_scan() -> None:
    e = torch.tensor([[[1.0], [4.0], [9.0]], [[2.0], [5.0], [0.0]]])
    mask = torch.tensor([[True, True, True], [True, True, False]])
    x = with_deltas(e, mask)
    assert x[0, :, 1].tolist() == [0, 3, 5]
    assert x[0, :, 2].tolist() == [-3, -5, 0]
    assert x[1, :2, 1].tolist() == [0, 3]
    assert x[1, :2, 2].tolist() == [-3, 0]


def test_mean_and_top_mean_are_those_of_the_default_model() -> None:
    logits = np.random.default_rng(0).normal(size=(7, 6)).astype(np.float32)
    z = torch.from_numpy(logits)
    out = build_scan_model(Sequence("mean"), 4, 6)(torch.zeros(1, 7, 4), z[None], torch.tensor([7]))
    np.testing.assert_allclose(out.slices[0].numpy(), moving_mean(logits), rtol=1e-6)
    torch.testing.assert_close(out.scan[0], top_mean(out.slices[0], Sequence().scan_top))
    for n, top in ((7, 3), (2, 3), (1, 1)):
        mask = torch.arange(7)[None] < n
        torch.testing.assert_close(TopMeanHead(top)(z[None], z[None], mask)[0], top_mean(z[:n], top))
        alone = TopMeanHead(top)(z[None, :n], z[None, :n], mask[:, :n])[0]
        torch.testing.assert_close(alone, top_mean(z[:n], top))


def test_none_is_the_slice_network() -> None:
    z = torch.randn(2, 3, 6)
    out = build_scan_model(Sequence("none"), 4, 6)(torch.zeros(2, 3, 4), z, torch.tensor([3, 3]))
    assert torch.equal(out.slices, z)


def test_spatial_dropout_drops_channels_for_the_whole_scan() -> None:
    torch.manual_seed(0)
    x = SpatialDropout(0.5).train()(torch.ones(3, 5, 40))
    assert set(x.unique().tolist()) == {0.0, 2.0}
    assert torch.equal(x, x[:, :1].expand_as(x))


def test_sinusoids() -> None:
    codes = sinusoids(5, 7, torch.zeros(1))
    assert codes.shape == (5, 7)
    assert codes[0].tolist() == [0, 1, 0, 1, 0, 1, 0]
    assert codes[1, 0].item() == pytest.approx(np.sin(1))


def test_loss_ignores_unknown_labels_and_padding() -> None:
    """Every known entry costs ln 2; one epidural of two slices is unknown."""
    logits, scan = torch.zeros(1, 3, 6), torch.zeros(1, 6)
    labels = torch.zeros(1, 3, 6, dtype=torch.uint8)
    labels[0, 1, 0] = 255
    lengths = torch.tensor([2])
    expected = np.log(2) * (1 - 0.5 / 7)
    assert scan_losses(logits, scan, labels, lengths, 0.0).item() == pytest.approx(expected)
    poisoned = logits.clone()
    poisoned[0, 1, 0], poisoned[0, 2] = float("nan"), float("inf")
    assert scan_losses(poisoned, scan, labels, lengths, 0.0).item() == pytest.approx(expected)
    alike = scan_losses(logits, scan, labels, lengths, 0.0, 1.0).item()
    assert alike == pytest.approx(np.log(2) * (1 - 0.5 / 6))
    both = scan_losses(logits, scan, labels, lengths, 2.0).item()
    assert both == pytest.approx(expected + 2 * np.log(2) * 6 / 7)
    mask = torch.tensor([[True, True, False]])
    assert scan_labels(labels, mask)[0].tolist() == [255, 0, 0, 0, 0, 0]
    labels[0, 0, 0] = 1
    assert scan_labels(labels, mask)[0].tolist() == [1, 0, 0, 0, 0, 0]


def test_label_weights_are_those_of_the_score_or_all_alike() -> None:
    per_label = torch.rand(6)
    score = (per_label.sum() + per_label[5]) / 7
    assert (per_label * label_weights(6)).sum().item() == pytest.approx(score.item())
    assert label_weights(6, 1.0).tolist() == pytest.approx([1 / 6] * 6)
    assert label_weights(4).tolist() == [0.25] * 4


def test_heads_that_do_not_divide_the_width_are_refused() -> None:
    with pytest.raises(UsageError, match="multiple of heads = 4, found 10"):
        build_scan_model(Sequence("transformer", hidden=10), 12, 6)


def test_every_kind_of_the_recipe_exists() -> None:
    assert {*ENCODERS, "mean", "none"} == set(SCAN_MODELS)


def test_the_embedding_is_mapped_when_its_width_differs() -> None:
    parts = scans()
    network = build_scan_model(small("bilstm_residual", hidden=5), WIDTH, LABELS).double()
    assert network.encoder.skip.weight.shape == (5, WIDTH)
    assert network(parts[0][0][None], parts[0][1][None], torch.tensor([5])).slices.shape == (1, 5, LABELS)


def test_a_longer_moving_mean_by_hand() -> None:
    z = torch.tensor([[1.0], [2.0], [4.0], [8.0]])
    network = build_scan_model(Sequence("mean", weights=(1.0, 2.0, 4.0, 2.0, 1.0)), 4, 1)
    out = network(torch.zeros(1, 4, 4), z[None], torch.tensor([4])).slices[0, :, 0]
    expected = [
        (1 + 2 + 4 + 4 + 4) / 10,
        (1 + 2 + 8 + 8 + 8) / 10,
        (1 + 4 + 16 + 16 + 8) / 10,
        (2 + 8 + 32 + 16 + 8) / 10,
    ]
    torch.testing.assert_close(out, torch.tensor(expected))


def test_packed_recurrent_needs_no_order_of_lengths() -> None:
    torch.manual_seed(0)
    network = PackedRecurrent("gru", 3, 2)
    x = torch.randn(2, 4, 3)
    out = network(x, torch.tensor([2, 4]))
    torch.testing.assert_close(out[1], network(x[1:], torch.tensor([4]))[0])

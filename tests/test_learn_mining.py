"""Easy positives, distance-weighted negatives, a memory of earlier batches, and large batches."""

import math

import numpy as np
import pytest
import torch
from pytorch_metric_learning import distances, losses, miners, reducers
from torch.nn.functional import normalize

from resight.learn import ContrastiveLoss, CrossBatchMemory, SupConLoss, TripletLoss
from resight.learn.mining import lowest, own_columns, rows_of
from test_learn_losses import at_angles, unit, written_out

MARGIN = 0.3


def theirs(positive, negative):
    squared = distances.LpDistance(power=2)
    loss = losses.TripletMarginLoss(MARGIN, distance=squared, reducer=reducers.AvgNonZeroReducer())
    miner = miners.BatchEasyHardMiner(positive, negative, distance=squared)

    def value(embeddings, labels):
        anchor, positives, other, negatives = miner(embeddings, labels)
        assert (anchor == other).all()
        return loss(embeddings, labels, (anchor, positives, negatives))

    return value


@pytest.mark.parametrize(
    ("mining", "reference"),
    [("easy-hard", theirs("easy", "hard")), ("easy-semihard", theirs("easy", "semihard"))],
)
def test_easy_positives_equal_pytorch_metric_learnings(mining, reference):
    labels = torch.arange(40).repeat(4)
    ours = normalize(unit(40, 8, 2)[labels] + 0.6 * unit(160, 8, 3), dim=1).requires_grad_()
    other = ours.detach().clone().requires_grad_()
    value, expected = TripletLoss(mining, MARGIN)(ours, labels), reference(other, labels)
    torch.testing.assert_close(value, expected)
    value.backward()
    expected.backward()
    torch.testing.assert_close(ours.grad, other.grad)


def test_easy_positive_by_hand():
    # Anchor at 0° with positives at 10° and 90°, negatives at 5° and 40°; only its term here.
    embeddings, labels = at_angles(0, 10, 90, 5, 40), torch.tensor([0, 0, 0, 1, 2])
    d = {angle: 2 - 2 * math.cos(math.radians(angle)) for angle in (5, 10, 30, 40, 50, 80, 85)}
    from_0, from_10 = d[10] - d[40] + 1, d[10] - d[30] + 1  # of 10°, 0° is the nearest positive
    from_90 = d[80] - d[85] + 1  # not 40°, 50° off, which is nearer than its positive
    value = TripletLoss("easy-semihard", 1.0)(embeddings, labels)
    assert value.item() == pytest.approx((from_0 + from_10 + from_90) / 3)


def test_weighted_draws_by_one_over_the_density():
    """How often each negative is drawn, against the weights of the paper written out."""
    dim, rounds = 8, 1500
    embeddings, labels = unit(7, dim, 130), torch.tensor([0, 0, 1, 2, 3, 4, 5])
    d = (2 - 2 * embeddings[:2] @ embeddings[2:].T).sqrt().numpy()
    assert (d < 0.5).any()  # each of the three cases is there
    assert ((d > 0.5) & (d < 1.4)).any()
    assert (d > 1.4).any()
    clipped = np.maximum(d, 0.5)
    density = clipped ** (dim - 2) * (1 - clipped**2 / 4) ** ((dim - 3) / 2)
    weights = np.where(d < 1.4, 1 / density, 0)
    weights /= weights.sum(1, keepdims=True)
    torch.manual_seed(0)
    loss, drawn = TripletLoss("weighted", 4.0), np.zeros(5)
    for _ in range(rounds):
        leaf = embeddings.clone().requires_grad_()
        loss(leaf, labels).backward()
        # A negative that neither anchor drew has no gradient.
        drawn += (leaf.grad[2:].abs().sum(1) > 0).numpy()
    expected = 1 - (1 - weights).prod(0)
    np.testing.assert_allclose(drawn / rounds, expected, atol=0.05)
    assert drawn[expected == 0].sum() == 0


def test_weighted_with_everything_far_still_has_negatives():
    embeddings, labels = at_angles(0, 1, 180, 179), torch.tensor([0, 0, 1, 1])
    loss = TripletLoss("weighted", 5.0)
    assert torch.isfinite(loss(embeddings, labels))
    assert (int(loss.mined.terms), int(loss.mined.active)) == (4, 4)


@pytest.mark.parametrize("mining", ["semihard", "hard", "easy-semihard", "all"])
def test_batches_beyond_one_block_equal_a_matrix_at_once(mining, monkeypatch):
    labels = torch.randint(0, 12, (100,), generator=torch.Generator().manual_seed(1))
    whole, parts = (unit(100, 5, 4).requires_grad_() for _ in range(2))
    expected = TripletLoss(mining)(whole, labels)
    monkeypatch.setattr("resight.learn.mining._CELLS_IN_CACHE", 100)
    value = TripletLoss(mining)(parts, labels)
    torch.testing.assert_close(value, expected)
    value.backward()
    expected.backward()
    torch.testing.assert_close(parts.grad, whole.grad)


@pytest.mark.parametrize("width", [8, 24, 25, 7])
def test_lowest_is_the_minimum(width):
    cells = torch.randn(9, width, generator=torch.Generator().manual_seed(width))
    cells[0, -1] = cells[1, 0] = -9
    cells[2] = torch.inf
    least, at = lowest(cells)
    assert (least == cells.min(1).values).all()
    assert (cells.gather(1, at[:, None])[:, 0] == least).all()
    cells[3, 2] = torch.nan
    assert lowest(cells)[0][3].isnan()


def test_own_columns_by_hand():
    own, missing = own_columns(torch.tensor([7, 3, 7, 2**60, 7, 2**60 + 1, 3]))
    mates = [set(row[~m].tolist()) for row, m in zip(own[:, 1:], missing, strict=True)]
    assert mates == [{2, 4}, {6}, {0, 4}, set(), {0, 2}, set(), {1}]
    assert own[:, 0].tolist() == list(range(7))
    # What is missing stands for one of the individual's: hiding `own` hides no negative.
    assert own[3].tolist() == [3, 3, 3]


def test_rows_hide_the_individual_s_own_photos():
    labels, further = torch.tensor([0, 1, 0]), torch.tensor([1, 5])
    columns = unit(5, 4)
    ((_, rows),) = rows_of(columns[:3], labels, columns, torch.cat([labels, further]), 2.0)
    hidden = rows.distances.isinf()
    assert hidden.tolist() == [
        [True, False, True, False, False],
        [False, True, False, True, False],
        [True, False, True, False, False],
    ]


@pytest.mark.parametrize("mining", ["semihard", "hard", "all", "easy-hard"])
def test_negatives_of_the_memory_equal_every_triplet_written_out(mining):
    labels, old = [0, 0, 1, 2, 1, 0, 2], [1, 1, 4, 0, 5]
    memory = unit(5, 4, 9)
    loss = TripletLoss(mining, 0.8)
    embeddings = unit(7, 4, 3).requires_grad_()
    value = loss(embeddings, torch.tensor(labels), (memory, torch.tensor(old)))
    expected, terms, active = written_out(
        embeddings.detach(),
        labels,
        mining,
        lambda gap: max(0, gap + 0.8),
        further=(memory.numpy(), old),
    )
    assert value.item() == pytest.approx(expected)
    assert (int(loss.mined.terms), int(loss.mined.active)) == (terms, active)
    assert torch.autograd.gradcheck(
        lambda e: loss(e, torch.tensor(labels), (memory, torch.tensor(old))), (embeddings,)
    )


def test_one_individual_in_the_batch_has_negatives_in_the_memory():
    batch, labels = unit(3, 4, 1), torch.tensor([2, 2, 2])
    loss = TripletLoss("hard", 4.0)
    loss(batch, labels, (unit(2, 4, 2), torch.tensor([2, 9])))
    assert int(loss.mined.active) == 3
    assert loss(batch, labels, (unit(2, 4, 2), torch.tensor([2, 2]))) == 0


@pytest.mark.parametrize("kind", [ContrastiveLoss, SupConLoss])
def test_a_memory_of_other_losses_has_a_gradient_and_their_value(kind):
    labels, memory = torch.tensor([0, 0, 1, 2]), (unit(5, 4, 9), torch.tensor([0, 1, 2, 2, 3]))
    embeddings = unit(4, 4, 3).requires_grad_()
    assert torch.autograd.gradcheck(lambda e: kind()(e, labels, memory), (embeddings,))
    if kind is SupConLoss:
        reference = losses.CrossBatchMemory(losses.SupConLoss(temperature=0.1), 4, 9)
        reference(unit(5, 4, 9), memory[1])
        expected = reference(embeddings, labels)
        torch.testing.assert_close(kind()(embeddings, labels, memory), expected)


def test_the_memory_keeps_the_last_photos_and_starts_late():
    torch.manual_seed(0)
    loss = CrossBatchMemory(TripletLoss("hard", 4.0), dim=4, size=5, start=1, individuals=10)
    batches = [unit(4, 4, seed, torch.float32) for seed in range(3)]
    labels = torch.tensor([0, 0, 1, 11])
    plain = TripletLoss("hard", 4.0)
    assert loss(batches[0], labels) == plain(batches[0], labels)  # it starts after one batch
    seen = (batches[0][:3], labels[:3])  # the last is nobody to remember
    assert loss(batches[1], labels) == plain(batches[1], labels, seen)
    assert int(loss.mined.terms) == 2
    five = torch.cat([batches[0][1:3], batches[1][:3]])
    assert {tuple(v) for v in loss.vectors.tolist()} == {tuple(v) for v in five.tolist()}
    again = CrossBatchMemory(TripletLoss("hard", 4.0), dim=4, size=5, start=1, individuals=10)
    again.load_state_dict(loss.state_dict())
    assert again(batches[2], labels) == loss(batches[2], labels)
    before = loss.vectors.clone()
    assert loss.eval()(batches[1], labels) == plain(batches[1], labels)
    assert (loss.vectors == before).all()


def test_a_memory_that_cannot_serve_is_refused():
    with pytest.raises(TypeError, match="pytorch-metric-learning"):
        CrossBatchMemory(losses.TripletMarginLoss(), dim=4)
    with pytest.raises(ValueError, match="size 0"):
        CrossBatchMemory(TripletLoss(), dim=4, size=0)
    with pytest.raises(ValueError, match="give it the dim"):
        CrossBatchMemory(TripletLoss(), dim=4)(unit(3, 5), torch.tensor([0, 0, 1]))

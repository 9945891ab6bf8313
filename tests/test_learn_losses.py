"""The losses, against every triplet written out, against pytorch-metric-learning, and by laws."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pytorch_metric_learning import distances, losses, miners, reducers
from torch.nn.functional import normalize

from resight.learn.losses import ContrastiveLoss, SupConLoss, TripletLoss, pairwise_distance

MININGS = ["semihard", "hard", "all", "easy-semihard", "easy-hard"]


def unit(n, dim=4, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return normalize(torch.randn(n, dim, generator=generator, dtype=dtype), dim=1)


def at_angles(*degrees):
    angles = torch.tensor(degrees, dtype=torch.float64) * math.pi / 180
    return torch.stack([angles.cos(), angles.sin()], 1)


def written_out(embeddings, labels, mining, term, kind="squared", further=((), ())):
    """The loss by its definition, triplet by triplet: its value, its terms, those above zero."""
    n = len(labels)
    e = np.concatenate([embeddings.numpy(), np.reshape(further[0], (-1, embeddings.shape[1]))])
    labels = [*labels, *further[1]]
    d = [
        [((a - b) ** 2).sum() if kind == "squared" else 1 - a @ b for b in e]  # unit vectors
        for a in e
    ]
    terms = []
    for a in range(n):
        positives = [p for p in range(n) if p != a and labels[p] == labels[a]]
        negatives = [q for q in range(len(e)) if labels[q] != labels[a]]
        if not positives or not negatives:
            continue
        if mining == "all":
            gaps = [d[a][p] - d[a][q] for p in positives for q in negatives]
        elif mining == "hard":
            gaps = [max(d[a][p] for p in positives) - min(d[a][q] for q in negatives)]
        elif mining == "easy-hard":
            gaps = [min(d[a][p] for p in positives) - min(d[a][q] for q in negatives)]
        else:
            if mining == "easy-semihard":
                positives = [min(positives, key=lambda p, a=a: d[a][p])]
            gaps = []
            for p in positives:
                farther = [d[a][q] for q in negatives if d[a][q] > d[a][p]]
                gaps.append(
                    d[a][p] - (min(farther) if farther else max(d[a][q] for q in negatives))
                )
        terms += [term(gap) for gap in gaps]
    above = [value for value in terms if value > 0]
    return sum(above) / max(1, len(above)), len(terms), len(above)


@pytest.mark.parametrize("mining", MININGS)
@pytest.mark.parametrize("kind", ["squared", "cosine"])
@pytest.mark.parametrize("margin", [0.2, 1.0, "soft"])
def test_equals_every_triplet_written_out(mining, kind, margin):
    labels = [0, 0, 1, 2, 1, 0, 2, 2, 3]  # the last has no positive
    embeddings = unit(len(labels), seed=3)

    def term(gap):
        return math.log1p(math.exp(gap / 0.1)) if margin == "soft" else max(0, gap + margin)

    loss = TripletLoss(mining, margin, kind, softness=0.1)
    value = loss(embeddings, torch.tensor(labels))
    expected, terms, active = written_out(embeddings, labels, mining, term, kind)
    assert value.item() == pytest.approx(expected, abs=1e-9)
    assert (int(loss.mined.terms), int(loss.mined.active)) == (terms, active)


def test_a_case_by_hand():
    # One individual at 0° and 60°, another at 90°: squared distances 2 − 2·cos.
    embeddings, labels = at_angles(0, 60, 90), torch.tensor([5, 5, 8])
    positive, near, far = 1.0, 2 - math.sqrt(3), 2.0
    # From 0°: the negative is farther than the positive. From 60°: it is nearer.
    hard = TripletLoss("hard", 0.2)(embeddings, labels)
    assert hard.item() == pytest.approx(positive - near + 0.2)
    everything = TripletLoss("all", 1.2)(embeddings, labels)
    assert everything.item() == pytest.approx(
        ((positive - far + 1.2) + (positive - near + 1.2)) / 2
    )


def test_semihard_takes_the_nearest_that_is_farther_than_the_positive():
    # Anchor at 0°, positive at 30°, negatives at 20° (nearer), 40° (semi-hard) and 170°.
    embeddings = at_angles(0, 30, 20, 40, 170)
    labels = torch.tensor([0, 0, 1, 2, 3])
    d = {angle: 2 - 2 * math.cos(math.radians(angle)) for angle in (30, 40, 10, 140)}
    # From the anchor: 40°. From the positive at 30° the negatives lie 10°, 10° and 140° off, so
    # only the one at 170° is farther than the anchor's 30°.
    from_anchor, from_positive = d[30] - d[40] + 0.5, max(0, d[30] - d[140] + 0.5)
    value = TripletLoss("semihard", 0.5)(embeddings, labels)
    assert from_positive == 0
    assert value.item() == pytest.approx(from_anchor)


def pml_hard():
    squared = distances.LpDistance(power=2)
    loss = losses.TripletMarginLoss(0.3, distance=squared, reducer=reducers.AvgNonZeroReducer())
    miner = miners.BatchHardMiner(distance=squared)
    return lambda e, y: loss(e, y, miner(e, y))


def pml_all():
    squared = distances.LpDistance(power=2)
    return losses.TripletMarginLoss(0.3, distance=squared, reducer=reducers.AvgNonZeroReducer())


@pytest.mark.parametrize(("mining", "reference"), [("hard", pml_hard()), ("all", pml_all())])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_equals_pytorch_metric_learning(mining, reference, dtype):
    labels = torch.arange(12).repeat(4)
    ours, theirs = (unit(48, 16, 1, dtype).requires_grad_() for _ in range(2))
    value, expected = TripletLoss(mining, 0.3)(ours, labels), reference(theirs, labels)
    torch.testing.assert_close(value, expected, rtol=1e-5, atol=1e-6)
    value.backward()
    expected.backward()
    # Theirs brings to unit length as ours does; both gradients lie in the tangent space.
    torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-4, atol=1e-6)


def test_semihard_triplets_are_pytorch_metric_learnings():
    """Their miner lists all triplets in the band; ours takes of each pair's the nearest one."""
    labels = torch.arange(10).repeat(4)
    embeddings = normalize(unit(10, 8, 2)[labels] + 0.5 * unit(40, 8, 3), dim=1)
    squared = distances.LpDistance(power=2)
    a, p, n = miners.TripletMarginMiner(0.5, "semihard", distance=squared)(embeddings, labels)
    d = pairwise_distance(embeddings)
    best: dict[tuple[int, int], float] = {}
    for triplet in zip(a.tolist(), p.tolist(), n.tolist(), strict=True):
        gap = float(d[triplet[0], triplet[1]] - d[triplet[0], triplet[2]]) + 0.5
        best[triplet[:2]] = max(best.get(triplet[:2], 0.0), gap)
    # Pairs with no negative that is farther would add their fallback; there are none here.
    different = labels[:, None] != labels[None, :]
    for i, j in itertools.permutations(range(40), 2):
        assert labels[i] != labels[j] or (d[i][different[i]] > d[i, j]).any()
    value = TripletLoss("semihard", 0.5)(embeddings, labels)
    assert value.item() == pytest.approx(np.mean(list(best.values())))


@pytest.mark.parametrize("mining", MININGS)
@pytest.mark.parametrize("margin", [0.4, "soft"])
def test_gradient(mining, margin):
    embeddings = unit(7, 3, 5).requires_grad_()
    labels = torch.tensor([0, 0, 1, 1, 2, 2, 2])
    loss = TripletLoss(mining, margin)
    assert torch.autograd.gradcheck(lambda e: loss(e, labels), (embeddings,))


@pytest.mark.parametrize("mining", ["semihard", "hard", "easy-hard"])
@pytest.mark.parametrize("margin", [0.4, "soft"])
def test_going_by_triplets_and_by_matrix_give_one_gradient(mining, margin, monkeypatch):
    labels, further = torch.tensor([0, 1, 0, 2, 1, 0, 3, 2]), torch.tensor([9, 0, 1])
    loss, memory = TripletLoss(mining, margin), (unit(3, 4, 5), further)
    for known in (None, memory):
        for share in (0.0, 1e9):  # of the distances, up to which it goes by triplets
            monkeypatch.setattr("resight.learn.gradient._BY_TRIPLETS_UP_TO", share)
            photos = (2 * unit(8, 4)).requires_grad_()
            assert torch.autograd.gradcheck(lambda e, known=known: loss(e, labels, known), [photos])


def test_contrastive_by_hand_and_its_gradient():
    embeddings, labels = at_angles(0, 60, 90), torch.tensor([1, 1, 2])
    loss = ContrastiveLoss(margin=1.0)
    # One positive pair at distance 1. Negatives: 90° apart is beyond the margin, 30° is not.
    inside = 2 * math.sin(math.radians(15))
    assert loss(embeddings, labels).item() == pytest.approx(1.0 + (1 - inside) ** 2)
    grown = unit(6, 3, 8).requires_grad_()
    six = torch.tensor([0, 0, 1, 1, 2, 2])
    assert torch.autograd.gradcheck(lambda e: ContrastiveLoss(1.6)(e, six), (grown,))


def test_supcon_by_hand_against_the_reference_and_its_gradient():
    # Two photos of one individual 60° apart, a stranger at 90°: cosines 1/2, √3/2 and 0.
    value = SupConLoss(temperature=1.0)(at_angles(0, 60, 90), torch.tensor([1, 1, 2]))
    first = math.log(1 + math.exp(0 - 0.5))
    second = math.log(1 + math.exp(math.sqrt(3) / 2 - 0.5))
    assert value.item() == pytest.approx((first + second) / 2)
    labels = torch.tensor([0, 0, 0, 1, 1, 2])
    embeddings = unit(6, 3, 4).requires_grad_()
    expected = losses.SupConLoss(temperature=0.2)(embeddings, labels)
    torch.testing.assert_close(SupConLoss(0.2)(embeddings, labels), expected)
    assert torch.autograd.gradcheck(lambda e: SupConLoss(0.2)(e, labels), (embeddings,))


LOSSES = [
    *(TripletLoss(mining, margin) for mining in MININGS for margin in (0.2, "soft")),
    TripletLoss("weighted"),
    ContrastiveLoss(),
    SupConLoss(),
]


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
@pytest.mark.parametrize(
    "labels",
    [[0, 0, 0, 0], [0, 1, 2, 3], [7]],
    ids=["one individual", "no two of anybody", "one photo"],
)
def test_nothing_to_compare_is_zero_and_not_nan(loss, labels):
    embeddings = unit(len(labels)).requires_grad_()
    value = loss(embeddings, torch.tensor(labels))
    value.backward()
    assert torch.isfinite(value)
    assert torch.isfinite(embeddings.grad).all()
    if isinstance(loss, TripletLoss):
        assert value == 0
        assert (embeddings.grad == 0).all()
        assert int(loss.mined.terms) == 0


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_all_photos_the_same_has_finite_gradients(loss):
    embeddings = torch.ones(6, 4).requires_grad_()
    value = loss(embeddings, torch.tensor([0, 0, 1, 1, 2, 2]))
    value.backward()
    assert torch.isfinite(value)
    assert torch.isfinite(embeddings.grad).all()


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_nan_embeddings_are_not_hidden(loss):
    embeddings = unit(6, dtype=torch.float32)
    embeddings[2] = float("nan")
    assert loss(embeddings, torch.tensor([0, 0, 1, 1, 2, 2])).isnan()


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_half_precision_is_computed_in_float32(loss):
    labels = torch.arange(8).repeat(2)
    embeddings = unit(16, dtype=torch.float32).bfloat16()
    torch.manual_seed(0)  # of "weighted"
    value = loss(embeddings, labels)
    assert value.dtype == torch.float32
    torch.manual_seed(0)
    torch.testing.assert_close(value, loss(embeddings.float(), labels))


@pytest.mark.parametrize("remembered", [0, 1, 40])
@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_autocast_changes_neither_value_nor_gradient(loss, remembered):
    labels, further = torch.arange(8).repeat(4), torch.arange(40) % 10
    memory = (3 * unit(40, 16, 5, torch.float32)[:remembered], further[:remembered])
    found = []
    for enabled in (False, True):
        embeddings = (2 * unit(32, 16, 4, torch.float32)).requires_grad_()
        torch.manual_seed(0)  # of "weighted"
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            value = loss(embeddings, labels, memory if remembered else None)
        value.backward()
        found.append((value.detach(), embeddings.grad))
    torch.testing.assert_close(found[1], found[0], rtol=1e-5, atol=1e-7)
    assert bool(found[0][1].any())


@given(
    labels=st.lists(st.integers(0, 4), min_size=1, max_size=14),
    seed=st.integers(0, 1000),
    mining=st.sampled_from(MININGS),
    margin=st.sampled_from([0.0, 0.2, 2.0]),
)
@settings(max_examples=150, deadline=None)
def test_any_batch(labels, seed, mining, margin):
    embeddings, y = unit(len(labels), 3, seed), torch.tensor(labels)
    value = TripletLoss(mining, margin)(embeddings, y)
    expected, _, _ = written_out(embeddings, labels, mining, lambda gap: max(0, gap + margin))
    assert value.item() == pytest.approx(expected, abs=1e-9)
    # Neither the order of the photos nor the names of the individuals matter, nor the length.
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    again = TripletLoss(mining, margin)(3 * embeddings[order], 100 - y[order])
    assert again.item() == pytest.approx(value.item(), abs=1e-9)


@pytest.mark.parametrize("mining", MININGS)
def test_no_tensor_of_all_triplets_is_made(mining):
    """Memory stays O(B²): the largest tensor of the forward pass has B² entries."""
    largest = 0

    class Watch(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            nonlocal largest
            out = func(*args, **(kwargs or {}))
            for tensor in out if isinstance(out, list | tuple) else [out]:
                if isinstance(tensor, torch.Tensor):
                    largest = max(largest, tensor.numel())
            return out

    with Watch():
        TripletLoss(mining)(unit(64, 8, dtype=torch.float32), torch.arange(16).repeat(4))
    assert largest == 64 * 64


@pytest.mark.parametrize(
    "bad",
    [
        {"mining": "hardest"},
        {"margin": -0.1},
        {"margin": "hard"},
        {"distance": "l1"},
        {"softness": 0},
        {"margin": float("nan")},
    ],
)
def test_senseless_options_are_refused(bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        TripletLoss(**bad)


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"\(3, 4\) and \(2,\)"):
        TripletLoss()(torch.zeros(3, 4), torch.zeros(2))
    with pytest.raises(ValueError, match="empty"):
        ContrastiveLoss()(torch.zeros(0, 4), torch.zeros(0))
    with pytest.raises(ValueError, match="margin"):
        ContrastiveLoss(3)
    with pytest.raises(ValueError, match="temperature"):
        SupConLoss(0)

"""ArcFace beside the reference, at its edges, and led in."""

import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pytorch_metric_learning.losses import ArcFaceLoss as ReferenceArcFace
from torch import nn

from learning import one_thread  # noqa: F401
from resight.learn.arcface import ArcFaceLoss


@given(st.integers(0, 1000), st.floats(0, 1.2), st.floats(1, 64))
def test_arcface_is_the_references(seed: int, margin: float, scale: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    vectors = torch.randn(12, 8, generator=generator, requires_grad=True)
    labels = torch.randint(0, 5, (12,), generator=generator)
    ours = ArcFaceLoss(5, 8, margin=margin, scale=scale)
    theirs = ReferenceArcFace(5, 8, margin=math.degrees(margin), scale=scale)
    theirs.W = nn.Parameter(ours.centres.detach().T.clone())
    found, expected = ours(vectors, labels), theirs(vectors, labels)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    (grad,) = torch.autograd.grad(found, vectors)
    (expected_grad,) = torch.autograd.grad(expected, vectors)
    torch.testing.assert_close(grad, expected_grad, rtol=1e-3, atol=1e-3)


def test_arcface_pulls_back_even_what_lies_opposite() -> None:
    margin, degrees = 0.3, torch.arange(140.0, 180.0)  # θ + m passes π at 162.8°
    angles = (degrees * math.pi / 180).requires_grad_()
    loss = ArcFaceLoss(2, 3, margin=margin, scale=1.0)
    loss.centres = nn.Parameter(torch.eye(2, 3))
    values = []
    for angle in angles:  # in the plane at a right angle to the other centre, whose cosine is 0
        photo = torch.stack([angle.cos(), torch.zeros(()), angle.sin()])[None]
        values.append(loss(photo, torch.tensor([0])))
    found = torch.stack(values)
    logits = -torch.expm1(found.detach()).log()  # loss = log(1 + exp(−logit))
    assert bool((logits.diff() < 0).all())
    assert float(logits.diff().min()) == pytest.approx(-0.05, abs=0.01)
    assert float(logits[-1]) == pytest.approx(
        math.cos(math.radians(179)) - margin * math.sin(margin), abs=1e-4
    )
    (pull,) = torch.autograd.grad(found.sum(), angles)
    assert bool((pull > 0).all())


def test_arcface_is_the_same_under_autocast() -> None:
    torch.manual_seed(0)
    loss, labels = ArcFaceLoss(8, 16), torch.arange(8).repeat(4)
    vectors, found = torch.randn(32, 16), []
    for enabled in (False, True):
        embeddings = vectors.clone().requires_grad_()
        loss.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            value = loss(embeddings, labels)
        value.backward()
        found.append((value.detach(), embeddings.grad, loss.centres.grad))
    torch.testing.assert_close(found[1], found[0], rtol=1e-5, atol=1e-6)


def test_arcface_by_hand() -> None:
    loss = ArcFaceLoss(2, 2, margin=math.pi / 3, scale=1.0)
    loss.centres = nn.Parameter(torch.eye(2))
    # On its centre: cos(0 + 60°) = 1/2 against 0.
    expected = -math.log(math.exp(0.5) / (math.exp(0.5) + 1))
    assert float(loss(torch.tensor([[3.0, 0.0]]), torch.tensor([0]))) == pytest.approx(
        expected, abs=1e-3
    )


def test_arcfaces_margin_is_led_in_by_training_only() -> None:
    vectors, labels = torch.randn(6, 4), torch.tensor([0, 0, 1, 1, 2, 2])
    loss = ArcFaceLoss(3, 4, lead_in=2)
    first = float(loss.eval()(vectors, labels))
    assert float(loss.eval()(vectors, labels)) == first
    led = [float(loss.train()(vectors, labels)) for _ in range(4)]
    assert led[0] == first < led[1] < led[2] == led[3]
    assert int(loss.state_dict()["seen"]) == 4  # so that a training can be taken up again


@pytest.mark.parametrize(
    "wish", [{"num_classes": 1}, {"margin": 2.0}, {"scale": 0.0}, {"lead_in": -1}], ids=str
)
def test_an_arcface_that_cannot_be_is_refused(wish: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="no ArcFace"):
        ArcFaceLoss(**{"num_classes": 3, "dim": 4, **wish})

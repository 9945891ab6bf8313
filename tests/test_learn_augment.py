"""Augmentation as tensors, and virtual individuals."""

import pytest
import torch
import torch.nn.functional as F

from resight.learn.augment import (
    Pen,
    Recentre,
    Warp,
    compose,
    random_affine,
    resample,
    smooth_field,
    turned,
)
from resight.learn.data import PhotoSet
from resight.learn.one import drawing_batch
from resight.learn.virtual import (
    HANDFUL,
    Turned,
    VirtualIndividuals,
    distinct_turns,
    glyph_augmentation,
)
from resight.photos.digits import embedded_digits


@pytest.fixture(scope="module")
def digits():
    d = embedded_digits()
    return PhotoSet.of(d.train_pixels, d.train_labels)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def batch(digits, photos=12):
    at = torch.cat([torch.nonzero(digits.labels == who)[:photos, 0] for who in range(10)])
    return digits.pixels[at].float() / 255, digits.labels[at]


@pytest.mark.parametrize("step", [Warp(), Pen(), Recentre()], ids=lambda s: type(s).__name__)
def test_a_step_keeps_shape_range_and_labels_and_follows_its_seed(step, digits):
    pixels, labels = batch(digits)
    before = pixels.clone()
    one, kept = step(pixels, labels, generator(1))
    two, _ = step(pixels, labels, generator(1))
    assert torch.equal(one, two)
    assert torch.equal(pixels, before)
    assert torch.equal(kept, labels)
    assert one.shape == pixels.shape
    assert one.min() >= 0
    assert one.max() <= 1
    if not isinstance(step, Recentre):
        assert not torch.equal(one, step(pixels, labels, generator(2))[0])


def test_a_warp_of_nothing_changes_nothing(digits):
    pixels, labels = batch(digits)
    out, _ = Warp(0, 0, 0, 0, 0, 0)(pixels, labels, generator())
    torch.testing.assert_close(out, pixels, atol=1e-5, rtol=0)


def test_affine_maps_compose():
    spread = Warp(0.3, 0.2, 0.1, 0.2, 0.2, 0)
    inner, outer = (random_affine(5, generator(s), spread) for s in (1, 2))
    point = torch.randn(5, 2, 1)

    def through(m, p):
        return m[:, :, :2] @ p + m[:, :, 2:]

    torch.testing.assert_close(
        through(compose(outer, inner), point), through(outer, through(inner, point))
    )


def test_resample_shifts_by_what_the_map_says():
    picture = torch.zeros(1, 1, 8, 8)
    picture[..., 3, 2] = 1
    # The result looks one pixel (2/8 of half a side) to the left of each place.
    shift = torch.tensor([[[1.0, 0, -0.25], [0, 1, 0]]])
    assert resample(picture, shift)[0, 0, 3, 3] == pytest.approx(1)


@pytest.mark.parametrize("bent", [False, True])
def test_resample_is_what_torch_samples_on_its_own_grid(bent):
    chance = generator(3)
    pixels = torch.rand(5, 3, 12, 19, generator=chance)
    matrix = random_affine(5, chance, Warp())
    grid = F.affine_grid(matrix, list(pixels.shape), align_corners=False)
    field = None
    if bent:
        field = smooth_field(5, (12, 19), 4, chance, 0.1)
        assert field.shape == (5, 2, 12, 19)
        grid = grid + field.permute(0, 2, 3, 1)
    wanted = F.grid_sample(pixels, grid, align_corners=False)
    torch.testing.assert_close(resample(pixels, matrix, field), wanted, atol=1e-5, rtol=0)


def test_turns_are_the_eight_symmetries():
    picture = torch.arange(9.0).reshape(1, 1, 3, 3).repeat(8, 1, 1, 1)
    out = turned(picture, torch.arange(8))
    assert len({tuple(p.flatten().tolist()) for p in out}) == 8
    assert torch.equal(out[0], picture[0])
    assert torch.equal(out[2, 0], picture[0, 0].flip(0, 1))
    assert torch.equal(out[4, 0], picture[0, 0].flip(1))


def test_recentre_gives_mnists_box():
    pixels = torch.zeros(2, 1, 28, 28)
    pixels[0, 0, 2:8, 20:23] = 1  # small, in a corner
    pixels[1, 0, 0:28, 12:15] = 1  # from edge to edge
    out, _ = Recentre()(pixels, torch.zeros(2), generator())
    for picture in out[:, 0]:
        rows = torch.nonzero((picture > 0.5).any(1))[:, 0]
        assert abs(len(rows) - 20) <= 1
        weight = picture / picture.sum()
        centre = (weight.sum(1) * (torch.arange(28) + 0.5)).sum()
        assert centre.item() == pytest.approx(14, abs=0.6)
    empty, _ = Recentre()(torch.zeros(1, 1, 28, 28), torch.zeros(1), generator())
    assert (empty == 0).all()


def test_pen_grows_and_shrinks_strokes():
    line = torch.zeros(1, 1, 9, 9)
    line[..., 3:6, :] = 1
    one = torch.tensor([0])
    thick, _ = Pen(thicker=1, thinner=0, ink=0)(line, one, generator())
    thin, _ = Pen(thicker=0, thinner=1, ink=0)(line, one, generator())
    assert thin.sum() < line.sum() < thick.sum()


def test_no_digit_is_taught_as_different_from_what_it_looks_like_turned():
    turns = distinct_turns("0123456789")
    for who, lookalikes in {0: (2, 4, 6), 1: (2, 4, 6), 8: (2, 4, 6), 2: (2,), 3: (6,)}.items():
        for turn in lookalikes:
            assert not turns[who, turn], (who, turn)
    assert not turns[6, 2], "a 6 upside down is a 9"
    assert not turns[9, 2], "a 9 upside down is a 6"
    # A 0 on its side is one new glyph, however it came to lie there.
    assert turns[0].sum() == 1
    # Of the sixteen turned 6s and 9s, two are the digits themselves, and each other glyph is
    # there once.
    assert turns[6, 1:].sum() + turns[9, 1:].sum() == 6
    assert turns[4].sum() == turns[7].sum() == 7
    assert turns.any(1).all(), "every row has a choice"


def test_turns_follow_from_what_is_said_to_be_alike():
    free = distinct_turns(["a"], ())
    assert free.tolist() == [[False] + [True] * 7]
    # A face that looks the same mirrored has four turns, one of which is itself.
    face = distinct_turns(["face"], [("face", 4, "face")])
    assert face.sum() == 3
    # A disc has none but itself.
    disc = distinct_turns(["disc"], [("disc", 1, "disc"), ("disc", 4, "disc")])
    assert disc.tolist() == [[True] + [False] * 7]
    assert distinct_turns(["a"], [("b", 2, "a")]).sum() == 7


def test_virtual_individuals_have_labels_by_what_they_are(digits):
    pixels, labels = batch(digits)
    turns = distinct_turns(digits.names)
    virtual = VirtualIndividuals(turns, photos=4, real=0.3, turned=0.4)
    out, names = virtual(pixels, labels, generator(3))
    assert out.shape == (120, 1, 28, 28)
    real, turn, fresh = names < 10, (names >= 10) & (names < 80), names >= 80
    # Of 30 handfuls 9 stay real and 12 are to be turned; a 5 or a 9 has no turn of its own.
    assert real.sum() >= 36
    assert real.sum() + turn.sum() == 84
    assert fresh.sum() == 36
    assert (real | turn | fresh).all()
    for label in names[turn].unique().tolist():
        assert turns[label % 10, label // 10]
    counts = names.unique(return_counts=True)[1]
    assert (counts % 4 == 0).all()
    assert (names[fresh].unique(return_counts=True)[1] == 4).all()
    # The real ones are the very photos with the very labels.
    known = {tuple(p.flatten().tolist()): int(y) for p, y in zip(pixels, labels, strict=True)}
    for picture, label in zip(out[real], names[real], strict=True):
        assert known[tuple(picture.flatten().tolist())] == int(label)


def test_a_composed_glyph_is_one_glyph_in_several_hands(digits):
    """Without a hand's variation, one source photo gives one picture of a composed glyph."""
    one = digits.pixels[:1].float().expand(40, 1, 28, 28) / 255
    labels = torch.arange(10).repeat_interleave(4)
    still = Warp(0, 0, 0, 0, 0, 0)
    virtual = VirtualIndividuals(
        torch.ones(10, 8, dtype=torch.bool), 4, real=0, turned=0, hand=still
    )
    out, names = virtual(one, labels, generator())
    for label in names.unique():
        group = out[names == label]
        torch.testing.assert_close(group, group[:1].expand_as(group))
    assert not torch.equal(out[0], out[4])


def test_photos_that_do_not_fill_a_handful_are_left_out(digits):
    pixels, labels = batch(digits, photos=7)
    virtual = VirtualIndividuals(torch.ones(10, 8, dtype=torch.bool), photos=4)
    assert len(virtual(pixels, labels, generator())[0]) == 40


@pytest.mark.parametrize(("share", "upright"), [(0, {10}), (0.5, {3, 4, 5, 6, 7}), (1, {0})])
def test_each_individual_of_a_batch_is_turned_in_one_way(digits, share, upright):
    pixels, labels = batch(digits)
    out, kept = Turned(share)(pixels, labels, generator(1))
    assert torch.equal(kept, labels)
    ways = []
    for who in labels.unique():
        of = labels == who
        same = [
            turn
            for turn in range(8)
            if torch.equal(out[of], turned(pixels[of], torch.full((int(of.sum()),), turn)))
        ]
        assert len(same) == 1, "handwriting is never symmetric to the pixel"
        ways += same
    assert ways.count(0) in upright
    assert share == 0 or len(set(ways)) >= 4


def test_what_is_not_square_is_not_laid_on_its_side():
    pixels = torch.rand(40, 1, 3, 4, generator=generator())
    out, _ = Turned(1)(pixels, torch.arange(40), generator())
    assert out.shape == pixels.shape
    ways = [
        turn
        for one, was in zip(out[:, None], pixels[:, None], strict=True)
        for turn in (0, 2, 4, 6)
        if torch.equal(one, turned(was, torch.tensor([turn])))
    ]
    assert len(ways) == 40
    assert set(ways) == {2, 4, 6}


@pytest.mark.parametrize(
    ("there", "asked", "shape"),
    [
        (10, None, (10, 24)),
        (5, None, (5, 48)),
        (7, None, (7, 33)),
        (41, None, (41, 6)),
        (60, None, (60, 3)),
        (122, None, (80, 3)),
        (122, 10, (10, 24)),
        (4, 10, (4, 60)),
        (400, 200, (200, 3)),
    ],
)
def test_a_batch_of_drawings_shows_as_many_individuals_as_there_are(there, asked, shape):
    assert drawing_batch(there, asked) == shape


def test_digits_are_turned_into_others_that_stand_beside_them(digits):
    first = glyph_augmentation(digits)[0]
    assert isinstance(first, VirtualIndividuals)
    assert (first.real, first.turned) == (0.25, 0.25)
    assert torch.equal(first.turns, distinct_turns(digits.names))


@pytest.mark.parametrize(("many", "real"), [(10, 0.25), (90, 0.75)])
def test_the_more_individuals_there_are_the_fewer_are_made_up(many, real):
    names = [f"glyph {i:02}" for i in range(many)]
    photos = PhotoSet.of(torch.zeros(many, 1, 28, 28, dtype=torch.uint8).numpy(), names)
    labels = torch.arange(many).repeat_interleave(HANDFUL * 2)
    pixels = torch.rand(len(labels), 1, 28, 28, generator=generator())
    for step in glyph_augmentation(photos):
        pixels, labels = step(pixels, labels, generator())
    assert (labels < many).float().mean() == pytest.approx(real, abs=0.03)


def test_the_steps_for_glyphs_run_one_after_another(digits):
    pixels, labels = batch(digits)
    random = generator()
    for step in glyph_augmentation(digits):
        pixels, labels = step(pixels, labels, random)
    assert len(pixels) == len(labels) == 120
    assert torch.isfinite(pixels).all()

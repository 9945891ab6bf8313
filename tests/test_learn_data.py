"""Photos in memory, and the batches cut from them."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from resight.errors import UnusablePhotos
from resight.learn import PhotoLoader, PhotoSet, PKSampler, Warp
from resight.learn.data import at_once, validation_batches

GREY = np.zeros((4, 16, 16), np.uint8)


def _photos(n: int = 24) -> PhotoSet:
    pixels = np.random.default_rng(0).integers(0, 256, (n, 12, 12)).astype(np.uint8)
    return PhotoSet.of(pixels, [f"who {i % 4}" for i in range(n)])


def _loader(photos: PhotoSet, **options: Any) -> PhotoLoader:
    sampler = PKSampler(photos.labels.numpy(), individuals=3, photos=2, seed=options.get("seed", 0))
    return PhotoLoader(photos, sampler, augment=[Warp()], **options)


def test_a_set_knows_its_photos() -> None:
    photos = PhotoSet.of(GREY, ["b", "a", "b", "c"])
    assert photos.names == ("a", "b", "c")
    assert photos.labels.tolist() == [1, 0, 1, 2]
    assert (len(photos), photos.channels, photos.size) == (4, 1, (16, 16))
    some = photos.take([3, 0])
    assert some.labels.tolist() == [2, 1]
    assert some.names == photos.names
    colour = PhotoSet.of(np.zeros((2, 3, 8, 9), np.uint8), np.array([7, 3]))
    assert (colour.channels, colour.size, colour.names) == (3, (8, 9), ("3", "7"))


@pytest.mark.parametrize(
    ("pixels", "individuals"),
    [
        (GREY.astype(np.float32), list("abcd")),
        (GREY[0], list("abcd")),
        (np.zeros((4, 16, 16, 3), np.uint8), list("abcd")),  # channels last
        (np.zeros((4, 2, 16, 16), np.uint8), list("abcd")),
        (np.zeros((4, 1, 1, 16, 16), np.uint8), list("abcd")),
        (GREY, list("abc")),
        (GREY[:0], []),
        (GREY[:, :0], list("abcd")),
        (GREY, "abcd"),
        (GREY, [["a"], ["b"], ["c"], ["d"]]),
        (GREY, ["a", "b", None, "d"]),
    ],
)
def test_what_does_not_fit_together_is_one_line(pixels: np.ndarray, individuals: Any) -> None:
    with pytest.raises(UnusablePhotos) as caught:
        PhotoSet.of(pixels, individuals)
    assert "\n" not in str(caught.value)


def test_two_sets_get_one_numbering() -> None:
    train = PhotoSet.of(GREY, ["b", "a", "b", "d"])
    valid = PhotoSet.of(GREY, ["c", "d", "a", "e"]).numbered_as(train)
    assert valid.names == ("a", "b", "d", "c", "e")
    assert [valid.names[i] for i in valid.labels] == ["c", "d", "a", "e"]
    assert valid.labels.tolist() == [3, 2, 0, 4]


def test_a_pass_follows_from_seed_and_epoch() -> None:
    photos = _photos()
    first, second = _loader(photos, seed=3), _loader(photos, seed=3)
    passes = [list(first) for _ in range(3)]
    second.epoch = 2
    for (a, b), (c, d) in zip(passes[2], second, strict=True):
        assert torch.equal(a, c)
        assert torch.equal(b, d)
    assert not torch.equal(passes[0][0][0], passes[1][0][0])
    assert not torch.equal(passes[0][0][0], next(iter(_loader(photos, seed=4)))[0])
    assert first.epoch == 3


def test_looking_at_a_batch_does_not_use_it_up() -> None:
    photos = _photos()
    loader = _loader(photos)
    looked = [loader.one_batch() for _ in range(2)]
    assert loader.epoch == 0
    pixels, labels = next(iter(loader))
    for seen in looked:
        assert torch.equal(seen[0], pixels)
        assert torch.equal(seen[1], labels)


def test_pixels_come_as_they_are_or_as_floats() -> None:
    photos = _photos()
    plain = PhotoLoader(photos, [[0, 5], [7]])
    (pixels, labels), (last, _) = list(plain)
    assert len(plain) == 2
    assert torch.equal(pixels, photos.pixels[[0, 5]])
    assert torch.equal(labels, photos.labels[[0, 5]])
    assert last.shape == (1, 1, 12, 12)
    augmented, _ = _loader(photos).one_batch()
    assert augmented.dtype == torch.float32
    assert float(augmented.min()) >= 0
    assert float(augmented.max()) <= 1


def test_a_plain_pass_has_every_photo_in_order() -> None:
    photos = _photos(300)
    batches = list(_loader(photos).new(shuffle=False, drop_last=False))
    assert torch.equal(torch.cat([pixels for pixels, _ in batches]), photos.pixels)
    assert torch.equal(torch.cat([labels for _, labels in batches]), photos.labels)


def test_a_very_large_seed_is_a_seed() -> None:
    assert len(list(_loader(_photos(), seed=2**62))) > 0


@given(
    labels=st.lists(st.integers(0, 9), max_size=80),
    photos=st.integers(2, 5),
    size=st.integers(4, 40),
)
def test_validation_has_every_photo_once(labels: list[int], photos: int, size: int) -> None:
    batches = validation_batches(torch.tensor(labels, dtype=torch.long), photos=photos, size=size)
    assert sorted(i for batch in batches for i in batch) == list(range(len(labels)))
    assert all(len(batch) == size for batch in batches[:-1])


def test_of_large_photos_fewer_are_looked_at_together() -> None:
    assert at_once((28, 28)) == at_once((96, 96)) == 256
    assert at_once((224, 224)) == 64
    assert at_once((304, 304)) == 34
    assert at_once((5000, 5000)) == 1
    photos = PhotoSet.of(np.zeros((9, 900, 900), np.uint8), list("aabbccdde"))
    plain = PhotoLoader(photos, []).new()
    assert [len(pixels) for pixels, _ in plain] == [3, 3, 3]


def test_validation_batches_hold_positives_and_negatives() -> None:
    labels = torch.arange(200) % 20  # sorted by nobody, ten photos each
    for batch in validation_batches(labels, photos=2, size=20):
        of = labels[batch].tolist()
        assert all(of.count(label) == 2 for label in of)
        assert len(set(of)) == 10

"""Looking closely at drawings: their strokes change the answer, where the model is of drawings."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from catalogues import unit_vectors
from resight.catalogue import Catalogue
from resight.compare import (
    DrawingCache,
    Keypoints,
    find_keypoints,
    found_again,
    match_scores,
)
from resight.errors import UnreadablePhoto
from resight.fingerprint import load_model
from resight.photos.content import content_hash
from resight.photos.glyphs import GLYPHS, draw_glyph
from resight.photos.photo import Photo

WHO = list(GLYPHS)[:6]


def _drawn(folder: Path, name: str, hand: int) -> Path:
    path = folder / f"{name}-{hand}.png"
    Image.fromarray(draw_glyph(name, np.random.default_rng(hand))).save(path)
    return path


@pytest.fixture
def drawings_model(tiny_model: Path, tmp_path: Path) -> Path:
    """The random projection, whose card says that it was trained on drawings."""
    models = pytest.importorskip("models", reason="needs the onnx package (the train extra)")
    card = replace(load_model(tiny_model).card, training={"kind": "drawings"})
    return models.make_model(tmp_path / "drawings.onnx", card=card)


@pytest.fixture
def book(tmp_path: Path, drawings_model: Path) -> Iterator[Catalogue]:
    """Six glyphs, one drawing each, whose fingerprints say nothing."""
    photos = [Photo(_drawn(tmp_path, name, 1), name) for name in WHO]
    with Catalogue.open(tmp_path / "glyphs.db", model=drawings_model, create=True) as made:
        made.enrol_many(photos, vectors=unit_vectors(6, seed=1))
        yield made


@pytest.mark.parametrize("place", range(6))
def test_strokes_find_whom_the_fingerprint_does_not(book: Catalogue, tmp_path: Path, place: int):
    every = unit_vectors(6, seed=1)
    misled = every[[place]] + 1.15 * every[[(place + 1) % 6]]
    misled /= np.linalg.norm(misled)
    book._fingerprinted = lambda sources, progress: (book.model_id, misled, np.arange(1), ())
    asked = _drawn(tmp_path, WHO[place], 2)
    assert book.identify([asked])[0].individual == WHO[(place + 1) % 6]
    close = book.identify([asked], closely=True)[0]
    assert close.individual == WHO[place]
    assert close.basis.closely
    assert not (tmp_path / "glyphs.db.keypoints").exists()
    picture = book.identify(np.asarray(Image.open(asked))[None, None], closely=True)[0]
    assert picture.individual == close.individual


def test_a_drawing_that_has_gone_costs_no_answer(book: Catalogue, tmp_path: Path):
    (tmp_path / f"{WHO[0]}-1.png").unlink()
    book._fingerprinted = lambda *_: (book.model_id, unit_vectors(1, seed=1), np.arange(1), ())
    answer = book.identify([_drawn(tmp_path, WHO[1], 2)], closely=True)[0]
    assert {one.individual for one in answer.candidates} <= set(WHO)


def test_the_cache_gives_what_the_file_holds_and_no_other(tmp_path: Path):
    path = _drawn(tmp_path, WHO[0], 1)
    content = content_hash(path)
    cache = DrawingCache((28, 28), "pad", 0, in_memory=1)
    plain = np.asarray(Image.open(path))
    np.testing.assert_array_equal(cache.of(path), plain)
    np.testing.assert_array_equal(cache.of(path, content=content), plain)
    part = cache.of(path, (4, 4, 20, 20), content=content)
    assert part.shape == plain.shape
    assert not np.array_equal(part, plain)
    path.write_bytes(_drawn(tmp_path, WHO[1], 1).read_bytes())
    assert np.array_equal(cache.of(path, (4, 4, 20, 20), content=content), part), "kept"
    with pytest.raises(UnreadablePhoto, match="another picture"):
        cache.of(path, content=content)  # the last one in memory was the other part
    path.unlink()
    with pytest.raises(UnreadablePhoto, match="no such file"):
        cache.of(path)


def test_scores_rise_with_what_is_found_again_and_photos_are_no_drawings():
    rng = np.random.default_rng(0)
    drawn = np.stack([draw_glyph(name, rng) for name in (WHO[0], WHO[0], WHO[1])])
    scores = match_scores(drawn[0], [*drawn])
    np.testing.assert_allclose(np.log1p(scores), 4 * found_again(drawn[0], drawn))
    assert scores[0] > scores[1] > scores[2] >= 0
    assert match_scores(drawn[0], []).shape == (0,)
    points: Keypoints = find_keypoints(rng.integers(0, 256, (64, 64), dtype=np.uint8))
    for one, other in ((points, drawn[0]), (drawn[0], points)):
        with pytest.raises(ValueError, match="nothing to compare"):
            match_scores(one, [other])

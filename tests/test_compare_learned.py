"""ALIKED and LightGlue through kornia, with weights that are made here: files, frames, errors.

The LightGlue of these tests compares descriptors and nothing else: its layers add nothing, so that
what it finds can be told from the descriptors alone.
"""

from pathlib import Path

import numpy as np
import pytest

from command_line import resight
from resight.compare import draw_match
from resight.compare import learned as module
from resight.compare.learned import LearnedKeypoints
from resight.errors import ResightError
from textures import texture

torch = pytest.importorskip("torch", reason="needs torch (the train extra)")
pytest.importorskip("kornia", reason="needs kornia")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the two files, the matcher's names as the published file has them."""
    from kornia.feature import ALIKED, LightGlue

    folder = tmp_path_factory.mktemp("weights")
    torch.manual_seed(0)
    finder = ALIKED("aliked-n16", max_num_keypoints=200, detection_threshold=0.0).eval()
    torch.save(finder.state_dict(), folder / "aliked-n16.pth")
    with torch.inference_mode():
        (seen,) = finder(torch.from_numpy(texture(1)).float().expand(1, 3, -1, -1) / 255)
    # Untrained descriptors are nearly alike: what they have in common is taken off, and what
    # differs is brought to one scale.
    common = seen.descriptors.mean(0)
    _, spread, ways = torch.linalg.svd(seen.descriptors - common, full_matrices=False)
    whiten = 60 * ways / spread.clamp_min(1e-6)[:, None]
    glue = LightGlue(None, input_dim=128)
    with torch.no_grad():
        eye = torch.eye(128)
        glue.input_proj.weight.copy_(torch.cat([eye, eye]))
        glue.input_proj.bias.zero_()
        for layer in glue.transformers:
            for part in (layer.self_attn, layer.cross_attn):
                part.ffn[-1].weight.zero_()
                part.ffn[-1].bias.zero_()
        for assign in glue.log_assignment:
            assign.final_proj.weight.zero_()
            assign.final_proj.weight[: len(whiten), :128] = whiten
            assign.final_proj.bias.zero_()
            assign.final_proj.bias[: len(whiten)] = -whiten @ common
            assign.matchability.weight.zero_()
            assign.matchability.bias.fill_(20.0)
    named = {}
    for name, tensor in glue.state_dict().items():
        parts = name.split(".")
        if parts[0] == "transformers":
            parts = [parts[2], parts[1], *parts[3:]]
        named[".".join(parts)] = tensor
    assert "self_attn.0.ffn.0.weight" in named
    torch.save(named, folder / "aliked_lightglue_v0-1_arxiv.pth")
    return folder


@pytest.fixture(scope="module")
def learned(weights: Path) -> LearnedKeypoints:
    return LearnedKeypoints.load(weights, most=200)


def test_a_photo_matches_its_copy_place_for_place(learned: LearnedKeypoints) -> None:
    cow = texture(1)
    first = learned.find(cow)
    second = learned.find(np.repeat(cow[..., None], 3, axis=2))
    assert 50 < len(first) <= 200
    assert first.descriptors.shape == (len(first), 128)
    np.testing.assert_allclose(np.linalg.norm(first.descriptors, axis=1), 1, atol=1e-4)
    np.testing.assert_allclose(first.places, second.places, atol=1e-3)
    found = learned.match(first, second)
    assert found.inliers > 0.5 * len(first)
    np.testing.assert_array_equal(found.pairs[:, 0], found.pairs[:, 1])
    assert found.transform is not None
    np.testing.assert_allclose(found.transform, [[1, 0, 0], [0, 1, 0]], atol=1e-2)
    assert found.score == pytest.approx((1 - found.ratios[found.fits]).sum(), rel=1e-5)
    assert draw_match(cow, cow, first, second, found).shape == (480, 972, 3)


def test_places_are_those_of_the_photo_as_given(learned: LearnedKeypoints) -> None:
    """Moved by 40 pixels, on a photo larger than what is looked at: so are its keypoints."""
    large = np.kron(texture(2, side=320), np.ones((2, 2), np.uint8))
    moved = np.full_like(large, 90)
    moved[:, 40:] = large[:, :-40]
    first, second = learned.find(large), learned.find(moved)
    assert first.places.max() > 400
    assert first.size == (640, 640)
    away = second.places[:, None] - first.places[None] - [40, 0]
    near = np.linalg.norm(away, axis=2).min(1) < 2.5
    assert near.mean() > 0.4


def test_blank_tiny_and_thin_photos_have_nothing_in_common(learned: LearnedKeypoints) -> None:
    cow = learned.find(texture(3))
    for image in (np.zeros((1, 1), np.uint8), np.zeros((3, 900, 3), np.uint8)):
        nothing = learned.find(image)
        assert learned.match(cow, nothing).inliers == 0
        assert learned.match(nothing, nothing).score == 0.0
    for wrong in (np.zeros((4, 4)), np.zeros((4, 4, 2), np.uint8), np.zeros((0, 4), np.uint8)):
        with pytest.raises(ValueError, match="photo"):
            learned.find(wrong)


def test_the_command_takes_the_weights(weights: Path, tmp_path: Path) -> None:
    from PIL import Image

    Image.fromarray(texture(1)).save(tmp_path / "a.png")
    ran = resight(
        "compare", tmp_path / "a.png", tmp_path / "a.png", "--learned", weights,
        "--out", tmp_path / "m.png",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    assert "agree" in ran.out
    assert (tmp_path / "m.png").stat().st_size > 5000
    line = resight(
        "compare", tmp_path / "a.png", tmp_path / "a.png", "--learned", tmp_path
    ).failed_in_one_line()
    assert "no aliked_lightglue.pth and no aliked-n16.pth" in line


def test_what_is_missing_or_broken_is_said_in_words(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(folder: Path, *words: str) -> None:
        with pytest.raises(ResightError) as caught:
            LearnedKeypoints.load(folder)
        for word in words:
            assert word in str(caught.value)
        assert "\n" not in str(caught.value)

    fails(tmp_path / "nowhere", "no folder with weights", "github.com")
    finder, matcher = tmp_path / "aliked-n16.pth", tmp_path / "aliked_lightglue.pth"
    fails(tmp_path, "no aliked-n16.pth")
    matcher.write_bytes((weights / "aliked_lightglue_v0-1_arxiv.pth").read_bytes())
    finder.write_bytes(b"not a file of weights")
    fails(tmp_path, "aliked-n16.pth", "not a readable file of weights")
    torch.save({"a": torch.zeros(3)}, finder)
    fails(tmp_path, "no weights of ALIKED", "is not in it")
    torch.save([1, 2], finder)
    fails(tmp_path, "it holds no tensors with names")
    finder.write_bytes((weights / "aliked-n16.pth").read_bytes())
    matcher.write_bytes(finder.read_bytes())
    fails(tmp_path, "no weights of LightGlue")
    held = torch.load(weights / "aliked-n16.pth", weights_only=True)
    name = next(iter(held))
    torch.save({**held, name: torch.zeros(1, 1)}, finder)
    fails(tmp_path, "no weights of ALIKED")
    # torch's own folder is where one looks without a word.
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(weights.parent))
    with pytest.raises(ResightError, match="checkpoints"):
        LearnedKeypoints.load()
    monkeypatch.setattr(module, "find_spec", lambda name: None if name == "kornia" else object())
    with pytest.raises(ResightError, match="pip install kornia"):
        LearnedKeypoints.load(weights)

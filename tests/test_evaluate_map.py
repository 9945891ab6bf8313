"""The map: t-SNE of any set, new photos placed into it, and pictures that survive any name."""

import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from resight.errors import ResightError
from resight.evaluate.drawing import COLOURS, MARKERS, draw_map
from resight.evaluate.lettering import Room, shortened
from resight.evaluate.map import Map, beside

HOSTILE = [
    "$x_1$",
    r"$\frac{",
    "🐋🐋🐋",
    "田中",
    "a\nb\tc",
    "../../etc",
    "<b>%s</b>",
    "",
    "   ",
    "\x00\x1b[31m",
    "\u202egnirts",
    "Z\u0351\u0352a\u0353",
    "x" * 5000,
    "\ud800",
    7,
    ("bay", 3),
]


def crowd(individuals: int, photos: int, noise: float = 0.2, seed: int = 0):
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(individuals), photos)
    vectors = rng.standard_normal((individuals, 16))[labels]
    return (vectors + noise * rng.standard_normal(vectors.shape)).astype(np.float32), labels


def nearest_label(places, reference, labels) -> NDArray[np.int64]:
    apart = ((places[:, None] - reference[None]) ** 2).sum(axis=2)
    return labels[apart.argmin(axis=1)]


def pixels(path: Path) -> NDArray[np.uint8]:
    with Image.open(path) as image:
        assert image.format == "PNG"
        return np.asarray(image.convert("RGB"))


@pytest.fixture(scope="module")
def five() -> tuple[Map, NDArray[np.float32], NDArray[np.int64]]:
    vectors, labels = crowd(5, 24)
    return Map.fit(vectors), vectors, labels


def test_like_photos_lie_together(five) -> None:
    fitted, _, labels = five
    assert fitted.positions.shape == (120, 2)
    assert fitted.positions.dtype == np.float64
    for row in range(120):
        others = np.arange(120) != row
        found = nearest_label(
            fitted.positions[row : row + 1], fitted.positions[others], labels[others]
        )
        assert found[0] == labels[row]


def test_new_photos_are_placed_among_their_like(five) -> None:
    fitted, _, labels = five
    more, more_labels = crowd(5, 26)
    unseen = np.concatenate([np.flatnonzero(more_labels == who)[-2:] for who in range(5)])
    placed = fitted.place(more[unseen])
    assert placed.shape == (10, 2)
    assert placed.dtype == np.float64
    own_middle = np.stack([fitted.positions[labels == who].mean(axis=0) for who in range(5)])
    assert np.array_equal(nearest_label(placed, own_middle, np.arange(5)), more_labels[unseen])


def test_the_same_twice_and_another_seed(five) -> None:
    fitted, vectors, _ = five
    again = Map.fit(vectors)
    assert np.array_equal(fitted.positions, again.positions)
    assert np.array_equal(fitted.place(vectors[:7]), again.place(vectors[:7]))
    assert not np.array_equal(fitted.positions, Map.fit(vectors, seed=1).positions)


def test_whoever_is_like_one_photo_alone_lies_on_it() -> None:
    """As the stars of the tutorial do: one of them is enrolled beside heaps of digits."""
    vectors, _ = crowd(6, 30)
    vectors = vectors[:-29]  # of the last individual one photo
    fitted = Map.fit(vectors)
    near = vectors[-1:] + 0.3 * (crowd(6, 30)[0][-29:] - vectors[-1:])
    away = np.linalg.norm(fitted.place(near) - fitted.positions[-1], axis=1)
    others = np.linalg.norm(fitted.positions[:-1] - fitted.positions[-1], axis=1)
    assert (away < others.min()).all()


def test_the_nearest_by_a_third_outweighs_a_heap_and_equals_share() -> None:
    """A lightning beside 4s: one enrolled at a distance of 0.21, seven 4s from 0.28 on."""
    across = np.arange(0, 8, dtype=np.float64)
    positions = np.stack([np.where(across > 0, 100 + across, 0), 0 * across], axis=1)
    of_each = np.eye(9, dtype=np.float32)

    def asked(distances: NDArray[np.float64]) -> float:
        """Where across the map lies what is at such distances of the eight."""
        cosines = 1 - distances
        others = np.concatenate(
            [of_each[:8, :8] * np.sqrt(1 - cosines**2)[:, None], cosines[:, None]], 1
        )
        return float(beside(of_each[8:], others.astype(np.float32), positions)[0, 0])

    assert asked(np.array([0.21, *np.linspace(0.28, 0.4, 7)])) < 30
    assert asked(np.full(8, 0.6)) == pytest.approx(positions[:, 0].mean(), rel=1e-3)


def test_length_does_not_matter_only_direction(five) -> None:
    fitted, vectors, _ = five
    assert np.allclose(fitted.place(vectors[:3]), fitted.place(vectors[:3] * 7), atol=1e-3)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 6, 9, 40])
def test_small_sets(n: int) -> None:
    vectors = crowd(n, 1)[0]
    fitted = Map.fit(vectors)
    assert fitted.positions.shape == (n, 2)
    assert np.isfinite(fitted.positions).all()
    assert len(np.unique(fitted.positions, axis=0)) == n
    assert np.isfinite(fitted.place(vectors[:1] + 0.1)).all()
    assert fitted.place(vectors[:0]).shape == (0, 2)


@pytest.mark.parametrize("n", [2, 4, 8, 60])
def test_equal_photos(n: int) -> None:
    fitted = Map.fit(np.tile(crowd(1, 1)[0], (n, 1)))
    assert np.isfinite(fitted.positions).all()
    assert np.isfinite(fitted.place(crowd(3, 1)[0])).all()


def test_one_number_a_fingerprint() -> None:
    assert np.isfinite(Map.fit(np.ones((3, 1), np.float32)).positions).all()


def test_bad_input_is_told_in_words(five) -> None:
    with pytest.raises(ResightError, match="different models"):
        five[0].place(np.ones((2, 3), np.float32))
    with pytest.raises(ResightError, match="not finite"):
        Map.fit(np.full((5, 3), np.nan, np.float32))
    with pytest.raises(ResightError, match=r"\(n, d\)"):
        Map.fit(np.empty((0, 3), np.float32))
    with pytest.raises(ResightError, match="perplexity"):
        Map.fit(np.ones((9, 3), np.float32), perplexity=0)


def test_a_picture_with_boxed_queries(tmp_path: Path, five) -> None:
    fitted, vectors, labels = five
    plain = pixels(draw_map(fitted.positions, labels, path=tmp_path / "plain.png"))
    path = tmp_path / "asked.png"
    placed = fitted.place(vectors[::40] + 0.05)
    assert draw_map(fitted.positions, labels, path=path, queries=placed, title="Five") == path
    asked = pixels(path)
    assert plain.shape == asked.shape == (1275, 1650, 3)
    yellow = np.array([255, 230, 0])
    assert not (plain == yellow).all(axis=2).any()
    assert (asked == yellow).all(axis=2).sum() > 200
    assert sorted(file.name for file in tmp_path.iterdir()) == ["asked.png", "plain.png"]


def test_the_same_picture_twice(tmp_path: Path, five) -> None:
    fitted, _, labels = five
    for name in ("one.png", "two.png"):
        draw_map(fitted.positions, labels, path=tmp_path / name, queries=fitted.positions[:2])
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()


@pytest.mark.filterwarnings("error")
def test_any_name_can_be_drawn(tmp_path: Path) -> None:
    places = np.random.default_rng(0).normal(0, 1, (len(HOSTILE), 2))
    draw_map(
        places, HOSTILE, path=tmp_path / "$m$.png", queries=places[::-1], query_labels=HOSTILE,
        title="$\\alpha$ 🐋 " * 40,
    )  # fmt: skip
    assert pixels(tmp_path / "$m$.png").shape == (1275, 1650, 3)


def test_shortened_keeps_both_ends_on_one_line() -> None:
    assert shortened("Alma") == "Alma"
    assert shortened("Scarface of the northern bay 210") == "Scarface of th…bay 210"
    assert shortened("$x_1$\n two") == "$x_1$ two"
    assert shortened("\x00") == "(no name)"
    for name in HOSTILE:
        assert 0 < len(shortened(name)) <= 22
        assert shortened(name).isprintable()


@pytest.mark.parametrize("individuals", [1, 24, 25, 400])
def test_the_legend_stays_inside_the_picture(tmp_path: Path, individuals: int) -> None:
    rng = np.random.default_rng(0)
    labels = [f"an individual with a long name, number {i}" for i in range(individuals)] * 2
    path = draw_map(
        rng.normal(0, 1, (len(labels), 2)), labels, path=tmp_path / "m.png", queries=[[0, 0]]
    )
    image = pixels(path)
    border = np.concatenate([image[:8].reshape(-1, 3), image[-8:].reshape(-1, 3)])
    sides = np.concatenate([image[:, :8].reshape(-1, 3), image[:, -4:].reshape(-1, 3)])
    assert (border == 255).all()
    assert (sides == 255).all()
    assert (image[:, 1300:] < 255).any()


@pytest.fixture
def rooms(monkeypatch: pytest.MonkeyPatch) -> list[Room]:
    """What the next maps make for their names."""
    made: list[Room] = []
    start = Room.__init__

    def remember(room: Room, axes: object) -> None:
        start(room, axes)
        made.append(room)

    monkeypatch.setattr(Room, "__init__", remember)
    return made


def test_the_name_of_one_photo_stays_beside_it(tmp_path: Path, rooms: list[Room]) -> None:
    rng = np.random.default_rng(2)
    heaps = np.concatenate([rng.normal(at, 0.3, (100, 2)) for at in ((0, 0), (9, 0), (0, 9))])
    singles = np.array([[0.1, 0.1], [0.2, 0.0], [0.0, 0.3], [5.0, 5.0]])
    names = [name for name in "012" for _ in range(100)] + ["star", "moon", "house", "tree"]
    draw_map(np.concatenate((heaps, singles)), names, path=tmp_path / "m.png")
    (room,) = rooms
    written = {text.get_text(): text for text in room.axes.texts}
    assert {"0", "1", "2", "tree"} <= set(written)  # a heap bears its name, a loner has room
    for name, place in zip(names[-4:], singles, strict=True):
        if name in written:
            area = written[name].get_window_extent(room.renderer)
            x, y = room.axes.transData.transform(place)
            assert area.x0 - 15 < x < area.x1 + 15
            assert area.y0 - 15 < y < area.y1 + 15


def test_names_never_cover_one_another(tmp_path: Path, rooms: list[Room]) -> None:
    vectors = np.random.default_rng(1).normal(0, 1, (300, 2))
    draw_map(vectors, [f"whale {i}" for i in range(300)], path=tmp_path / "m.png")
    (room,) = rooms
    areas = [text.get_window_extent(room.renderer) for text in room.axes.texts]
    assert 30 < len(areas) < 300
    for i, area in enumerate(areas):
        assert not any(area.overlaps(other) for other in areas[i + 1 :])
        assert area.x0 >= 0
        assert area.x1 <= room.inside[2]


def test_every_pair_of_colour_and_shape_is_its_own() -> None:
    pairs = {(COLOURS[i % 8], MARKERS[i % 7]) for i in range(56)}
    assert len(COLOURS) == 8
    assert len(MARKERS) == 7
    assert len(pairs) == 56


def test_highlight_greys_all_others(tmp_path: Path, five) -> None:
    fitted, _, labels = five
    image = pixels(
        draw_map(fitted.positions, labels, path=tmp_path / "m.png", highlight=[3])
    ).astype(int)
    coloured = image[:, :1250][np.ptp(image[:, :1250], axis=2) > 60]
    # Only one hue is left: the first colour, a blue.
    assert len(coloured) > 100
    assert (coloured[:, 2] > coloured[:, 0]).all()


def test_no_photos_at_all(tmp_path: Path) -> None:
    draw_map(np.empty((0, 2)), [], path=tmp_path / "m.png")
    draw_map([[1.0, 1.0]], ["one"], path=tmp_path / "m.png")


def test_wrong_places_are_told_in_words(tmp_path: Path) -> None:
    with pytest.raises(ResightError, match="2 places but 1 names"):
        draw_map(np.zeros((2, 2)), ["a"], path=tmp_path / "m.png")
    with pytest.raises(ResightError, match="must be finite"):
        draw_map([[np.nan, 0]], ["a"], path=tmp_path / "m.png")
    with pytest.raises(ResightError, match="must be finite"):
        draw_map(np.zeros((2, 3)), ["a", "b"], path=tmp_path / "m.png")
    with pytest.raises(ResightError, match="cannot write the map"):
        draw_map([[0, 0]], ["a"], path=tmp_path / "no" / "folder" / "m.png")


def test_a_failed_write_leaves_the_old_picture(tmp_path: Path, monkeypatch) -> None:
    path = draw_map([[0, 0]], ["a"], path=tmp_path / "m.png")
    before = path.read_bytes()

    def full(*args: object, **kwargs: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("matplotlib.figure.Figure.savefig", full)
    with pytest.raises(ResightError, match="No space left"):
        draw_map([[0, 0], [1, 1]], ["a", "b"], path=path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_the_room_starts_without_its_heavy_libraries() -> None:
    import subprocess

    code = (
        "import sys, resight.evaluate.map, resight.evaluate.protocols;"
        "print([m for m in ('openTSNE', 'matplotlib', 'sklearn', 'torch', 'scipy')"
        " if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

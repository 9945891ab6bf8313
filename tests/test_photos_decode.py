"""What becomes of every kind of picture; what becomes of what is none stands beside it."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from resight.errors import UnreadablePhoto
from resight.photos.decode import fit_image, read_image


def colours() -> np.ndarray:
    """A small RGB picture whose corners are red, green, blue and white."""
    pixels = np.full((6, 8, 3), 90, np.uint8)
    pixels[:2, :2], pixels[:2, -2:] = (255, 0, 0), (0, 255, 0)
    pixels[-2:, :2], pixels[-2:, -2:] = (0, 0, 255), (255, 255, 255)
    return pixels


def close(a: np.ndarray, b: np.ndarray, by: int = 1) -> bool:
    return a.shape == b.shape and int(np.abs(a.astype(int) - b).max()) <= by


def test_rgb_and_grey_files(tmp_path: Path) -> None:
    Image.fromarray(colours()).save(tmp_path / "a.png")
    assert np.array_equal(read_image(tmp_path / "a.png", channels=3), colours())
    grey = read_image(str(tmp_path / "a.png"), channels=1)
    assert grey.shape == (6, 8, 1)
    assert grey[0, 0, 0] == 76  # 0.299 of 255
    Image.fromarray(grey[:, :, 0]).save(tmp_path / "b.png")
    assert np.array_equal(read_image(tmp_path / "b.png", channels=1), grey)
    assert np.array_equal(read_image(tmp_path / "b.png", channels=3), np.repeat(grey, 3, 2))


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA", "La", "RGBa"])
@pytest.mark.parametrize("channels", [1, 3])
def test_transparency_lies_over_white(mode: str, channels: int) -> None:
    picture = Image.new("RGBA", (4, 2), (0, 0, 0, 0))
    picture.putpixel((0, 0), (0, 0, 0, 255))
    picture.putpixel((1, 0), (0, 0, 0, 128))
    if mode == "PA":
        picture = Image.new("PA", (4, 2))
        picture.putpalette(bytes(768))
        for x, opacity in enumerate((255, 128)):
            picture.putpixel((x, 0), (0, opacity))
    elif mode in ("La", "RGBa"):
        picture = picture.convert("LA" if mode == "La" else "RGBA").convert(mode)
    else:
        picture = picture.convert(mode)
    assert picture.mode == mode
    pixels = read_image(picture, channels=channels)
    assert pixels[0, 0].tolist() == [0] * channels
    assert close(pixels[0, 1], np.full(channels, 127))
    assert (pixels[1] == 255).all()


def test_palette_with_and_without_transparency(tmp_path: Path) -> None:
    palette = Image.fromarray(colours()).quantize(8)
    palette.save(tmp_path / "p.png")
    assert Image.open(tmp_path / "p.png").mode == "P"
    assert close(read_image(tmp_path / "p.png", channels=3), colours(), 2)
    red = palette.getpixel((0, 0))
    palette.save(tmp_path / "t.png", transparency=red)
    pixels = read_image(tmp_path / "t.png", channels=3)
    assert pixels[0, 0].tolist() == [255, 255, 255]
    assert pixels[0, -1].tolist() == [0, 255, 0]


def test_16_bit_grey_is_scaled_by_its_range(tmp_path: Path) -> None:
    values = np.array([[0, 128, 257, 25700, 65535], [1, 129, 300, 32768, 65407]], np.uint16)
    wanted = [[0, 0, 1, 100, 255], [0, 1, 1, 128, 255]]
    assert read_image(values, channels=1)[:, :, 0].tolist() == wanted
    assert read_image(values.astype(">u2"), channels=1)[:, :, 0].tolist() == wanted
    for name in ("a.png", "a.tif", "a.pgm"):
        Image.fromarray(values).save(tmp_path / name)
        assert read_image(tmp_path / name, channels=1)[:, :, 0].tolist() == wanted, name
        assert read_image(tmp_path / name, channels=3)[0, 3].tolist() == [100] * 3


def test_cmyk_and_other_colour_spaces(tmp_path: Path) -> None:
    big = Image.fromarray(colours()).resize((80, 60), Image.Resampling.NEAREST)
    big.convert("CMYK").save(tmp_path / "c.jpg", quality=95)
    big.convert("CMYK").save(tmp_path / "c.tif")
    assert Image.open(tmp_path / "c.jpg").mode == "CMYK"
    assert close(read_image(tmp_path / "c.tif", channels=3), np.asarray(big))
    pixels = read_image(tmp_path / "c.jpg", channels=3)
    assert close(pixels[5, 5], np.array([255, 0, 0]), 12)
    assert close(pixels[-5, -5], np.array([255, 255, 255]), 12)
    assert close(read_image(big.convert("HSV"), channels=3), np.asarray(big), 4)


def test_one_bit_and_bool() -> None:
    bits = np.array([[True, False, True]])
    assert read_image(bits, channels=1)[0, :, 0].tolist() == [255, 0, 255]
    assert read_image(Image.fromarray(bits), channels=1)[0, :, 0].tolist() == [255, 0, 255]


@pytest.mark.parametrize("turn", range(1, 9))
def test_exif_turned(tmp_path: Path, turn: int) -> None:
    upright = Image.fromarray(colours()).resize((80, 60), Image.Resampling.NEAREST)
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = upright.transpose(undo[turn]) if turn in undo else upright
    exif = Image.Exif()
    exif[0x0112] = turn
    for name in ("a.png", "a.jpg", "a.webp"):
        stored.save(tmp_path / name, exif=exif, **({"quality": 95} if name != "a.png" else {}))
        pixels = read_image(tmp_path / name, channels=3)
        assert close(pixels[2:6, 2:6], np.asarray(upright)[2:6, 2:6], 20), name
        assert close(pixels[-6:-2, -6:-2], np.asarray(upright)[-6:-2, -6:-2], 20), name
        assert close(pixels[2:6, -6:-2], np.asarray(upright)[2:6, -6:-2], 20), name
    opened = Image.open(tmp_path / "a.png")
    assert np.array_equal(read_image(opened, channels=3), np.asarray(upright))
    assert opened.getexif().get(0x0112) == turn  # the caller's picture is left as it was


def test_first_frame(tmp_path: Path) -> None:
    first, second = Image.new("RGB", (9, 5), "red"), Image.new("RGB", (9, 5), "blue")
    for name in ("a.gif", "a.tif", "a.webp"):
        first.save(tmp_path / name, save_all=True, append_images=[second], lossless=True)
        assert Image.open(tmp_path / name).n_frames == 2
        assert read_image(tmp_path / name, channels=3)[2, 4].tolist() in ([255, 0, 0], [254, 0, 0])


@pytest.mark.parametrize("depth", [None, 1, 3, 4])
@pytest.mark.parametrize("channels", [1, 3])
def test_arrays(depth: int | None, channels: int) -> None:
    shape = (5, 7) if depth is None else (5, 7, depth)
    values = np.full(shape, 200, np.uint8)
    if depth == 4:
        values[..., 3] = 255
    pixels = read_image(values, channels=channels)
    assert pixels.shape == (5, 7, channels)
    assert (pixels == 200).all()
    pixels[:] = 0  # and not the caller's memory
    assert (values[..., 0] == 200).all()


def test_box_is_cut_from_the_upright_picture() -> None:
    assert np.array_equal(read_image(colours(), channels=3, box=(1, 0, 8, 2)), colours()[0:2, 1:8])
    for box in ((0, 0, 9, 2), (3, 0, 3, 2), (-1, 0, 3, 2), (0, 5, 3, 7)):
        with pytest.raises(UnreadablePhoto, match="does not lie within 8 × 6"):
            read_image(colours(), channels=3, box=box)


def test_a_big_jpeg_decoded_small_looks_the_same(tmp_path: Path) -> None:
    rough = np.random.default_rng(0).integers(0, 255, (9, 12, 3), dtype=np.uint8)
    Image.fromarray(rough).resize((1200, 900), Image.Resampling.BICUBIC).save(tmp_path / "a.jpg")
    small = read_image(tmp_path / "a.jpg", channels=3, at_least=224)
    assert small.shape == (225, 300, 3)
    whole = fit_image(read_image(tmp_path / "a.jpg", channels=3), (112, 112))
    assert close(fit_image(small, (112, 112)), whole, 6)


@pytest.mark.parametrize("fit", ["pad", "stretch", "crop"])
@pytest.mark.parametrize("shape", [(28, 28), (1, 1), (1, 900), (900, 1), (31, 17), (200, 100)])
@pytest.mark.parametrize("channels", [1, 3])
def test_fit_gives_the_size(fit: str, shape: tuple[int, int], channels: int) -> None:
    image = np.full((*shape, channels), 77, np.uint8)
    result = fit_image(image, (28, 20), fit=fit, fill=5)
    assert result.shape == (channels, 28, 20)
    assert result.dtype == np.uint8
    assert set(np.unique(result)) <= {77, 5}
    assert (result == 77).any()
    assert fit == "pad" or (result == 77).all()


def test_fit_keeps_what_it_says() -> None:
    image = np.zeros((20, 40, 1), np.uint8)
    image[:, :10] = 255  # the left quarter is white
    padded = fit_image(image, (20, 20), fit="pad", fill=9)[0]
    assert (padded[:5] == 9).all()
    assert (padded[15:] == 9).all()
    assert padded[10, 2] == 255
    assert padded[10, 10] == 0
    assert (fit_image(image, (20, 20), fit="crop") == 0).all()  # it cuts the quarter away
    stretched = fit_image(image, (20, 20), fit="stretch")[0]
    assert (stretched[:, :4] == 255).all()
    assert (stretched[:, 6:] == 0).all()


def test_fit_passes_the_right_size_untouched_and_antialiases() -> None:
    image = np.random.default_rng(0).integers(0, 255, (28, 28, 3), dtype=np.uint8)
    assert np.array_equal(fit_image(image, (28, 28)), image.transpose(2, 0, 1))
    fine = np.tile(np.array([[0, 255], [255, 0]], np.uint8), (100, 100))[:, :, None]
    assert close(fit_image(fine, (20, 20)), np.full((1, 20, 20), 127), 3)


def test_senseless_arguments() -> None:
    with pytest.raises(ValueError, match="channels"):
        read_image(colours(), channels=2)
    with pytest.raises(ValueError, match="fit"):
        fit_image(colours(), (3, 3), fit="squeeze")  # type: ignore[arg-type]

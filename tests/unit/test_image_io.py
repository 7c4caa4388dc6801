"""Pictures as people bring them, good and bad."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from data2vec_core.processing.image_io import ImageTooLargeError, NotImageError, image_size, load_image, load_map

FORMATS = ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM"]


def pixels(height: int = 30, width: int = 40) -> np.ndarray:
    """A smooth picture, which lossy formats keep."""
    rows, columns = np.mgrid[0:height, 0:width]
    return np.stack([rows * 255 // height, columns * 255 // width, (rows + columns) * 2 % 256], axis=-1).astype(
        np.uint8
    )


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def png_header(width: int, height: int) -> bytes:
    """A PNG of a stated size with hardly any content."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


class TestSources:
    @pytest.mark.parametrize("kind", FORMATS)
    def test_file_formats(self, kind: str) -> None:
        image = load_image(encoded(Image.fromarray(pixels()), kind))
        assert (image.mode, image.size) == ("RGB", (40, 30))
        assert np.abs(np.asarray(image).astype(int) - pixels()).mean() < 12

    def test_path_bytes_open_file_image_and_array_are_the_same(self, tmp_path: Path) -> None:
        picture = Image.fromarray(pixels())
        path = tmp_path / "picture.png"
        picture.save(path)
        with path.open("rb") as file:
            from_file = load_image(file)
        others = (load_image(path), load_image(str(path)), load_image(path.read_bytes()), from_file)
        for image in (*others, load_image(picture), load_image(pixels())):
            assert np.array_equal(np.asarray(image), pixels())

    @pytest.mark.parametrize("size", [(1, 1), (1, 10_000), (10_000, 1)])
    def test_extreme_shapes(self, size: tuple[int, int]) -> None:
        assert load_image(encoded(Image.new("RGB", size))).size == size


class TestModes:
    @pytest.mark.parametrize("mode", ["RGBA", "LA", "PA"])
    def test_transparency_is_laid_on_white(self, mode: str) -> None:
        clear = Image.new("RGBA", (4, 4), (10, 20, 30, 0))
        solid = Image.new("RGBA", (4, 4), (10, 10, 10, 255))
        assert np.asarray(load_image(clear.convert(mode))).min() == 255
        assert np.asarray(load_image(solid.convert(mode))).max() == 10

    def test_a_transparent_palette_colour_is_laid_on_white(self) -> None:
        image = Image.new("P", (2, 1))
        image.putpalette([0, 0, 0, 200, 0, 0])
        image.putpixel((1, 0), 1)
        loaded = load_image(encoded(image, transparency=0))
        assert np.asarray(loaded)[0].tolist() == [[255, 255, 255], [200, 0, 0]]

    def test_cmyk(self) -> None:
        loaded = load_image(encoded(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "JPEG"))
        red, green, blue = np.asarray(loaded)[4, 4].tolist()
        assert red > 240
        assert green < 15
        assert blue < 15

    def test_sixteen_bits_are_scaled_and_not_clipped(self) -> None:
        grey = np.array([[0, 257, 32768, 65535]], np.uint16)
        for source in (grey, encoded(Image.fromarray(grey)), Image.fromarray(grey.astype(np.int32))):
            assert np.asarray(load_image(source))[0, :, 0].tolist() == [0, 1, 128, 255]

    def test_thirty_two_bits_are_refused(self) -> None:
        with pytest.raises(NotImageError, match="more than 16 bits"):
            load_image(Image.fromarray(np.array([[0, 70_000]], np.int32)))

    def test_of_an_animation_the_first_frame_counts(self) -> None:
        frames = [Image.new("RGB", (5, 5), colour) for colour in ("red", "green", "blue")]
        loaded = load_image(encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]))
        assert np.asarray(loaded)[2, 2].tolist() == [255, 0, 0]

    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_the_cameras_orientation_is_applied(self, orientation: int) -> None:
        undo = {
            2: Image.Transpose.FLIP_LEFT_RIGHT,
            3: Image.Transpose.ROTATE_180,
            4: Image.Transpose.FLIP_TOP_BOTTOM,
            5: Image.Transpose.TRANSPOSE,
            6: Image.Transpose.ROTATE_90,
            7: Image.Transpose.TRANSVERSE,
            8: Image.Transpose.ROTATE_270,
        }
        upright = Image.fromarray(pixels())
        stored = upright.transpose(undo[orientation]) if orientation in undo else upright
        exif = Image.Exif()
        exif[0x0112] = orientation
        loaded = load_image(encoded(stored, exif=exif))
        assert np.array_equal(np.asarray(loaded), pixels())


class TestArrays:
    def test_floats_and_booleans(self) -> None:
        assert np.asarray(load_image(np.array([[0.0, 0.5, 1.0]])))[0, :, 0].tolist() == [0, 128, 255]
        assert np.asarray(load_image(np.array([[True, False]])))[0, :, 1].tolist() == [255, 0]
        assert load_image(pixels()[..., :1]).size == (40, 30)

    @pytest.mark.parametrize(
        ("array", "message"),
        [
            (np.zeros((3, 50, 50), np.uint8), "1 to 4 channels"),
            (np.zeros((0, 5), np.uint8), "1 to 4 channels"),
            (np.zeros(5, np.uint8), "1 to 4 channels"),
            (np.full((2, 2), 128.0), "between 0 and 1"),
            (np.full((2, 2), np.nan), "between 0 and 1"),
            (np.zeros((2, 2), np.int64), "uint8, uint16 or floats"),
        ],
    )
    def test_what_is_not_a_picture(self, array: np.ndarray, message: str) -> None:
        with pytest.raises(NotImageError, match=message):
            load_image(array)


class TestRefusals:
    @pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"])
    def test_cut_off(self, kind: str) -> None:
        noise = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
        content = encoded(Image.fromarray(noise), kind)
        with pytest.raises(NotImageError, match="damaged"):
            load_image(content[: len(content) // 2])

    @pytest.mark.parametrize(
        "content", [b"", b"hello", b"<svg></svg>", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9"]
    )
    def test_not_a_picture(self, content: bytes) -> None:
        with pytest.raises(NotImageError, match="not a picture that can be read"):
            load_image(content)

    @pytest.mark.parametrize("side", [8000, 10_000, 100_000])
    @pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
    def test_huge_by_its_header(self, side: int) -> None:
        with pytest.raises(ImageTooLargeError, match="too large"):
            load_image(png_header(side, side))

    def test_size_by_the_header_alone(self, tmp_path: Path) -> None:
        path = tmp_path / "big.png"
        path.write_bytes(png_header(3000, 2000))  # too little content to be decoded
        assert image_size(path) == (2000, 3000)
        with pytest.raises(ImageTooLargeError, match="3000 x 2000"):
            image_size(path, max_pixels=1_000_000)
        path.write_bytes(b"no picture")
        with pytest.raises(NotImageError):
            image_size(path)

    def test_the_limit_itself_is_allowed(self) -> None:
        for source in (pixels(10, 10), encoded(Image.fromarray(pixels(10, 10)))):
            assert load_image(source, max_pixels=100).size == (10, 10)
            with pytest.raises(ImageTooLargeError, match="10 x 10"):
                load_image(source, max_pixels=99)

    def test_no_such_file_is_named_without_its_folder(self, tmp_path: Path) -> None:
        with pytest.raises(NotImageError, match=r"no file 'nothing.png'\.") as caught:
            load_image(tmp_path / "nothing.png")
        assert str(tmp_path) not in str(caught.value)

    @pytest.mark.parametrize("source", [None, {}, 3])
    def test_something_else(self, source: Any) -> None:
        with pytest.raises(NotImageError, match="A picture is a file"):
            load_image(source)


class TestMaps:
    def test_palette_indices_are_the_classes(self, tmp_path: Path) -> None:
        ids = np.array([[0, 1], [2, 255]], np.uint8)
        image = Image.fromarray(ids, mode="L").convert("P")
        image.putpalette([7, 8, 9] * 256)
        image.save(tmp_path / "map.png")
        assert load_map(tmp_path / "map.png").tolist() == ids.tolist()
        assert load_map(ids).dtype == np.int64

    @pytest.mark.parametrize("source", [pixels(), np.zeros((4, 4)), Image.fromarray(pixels())])
    def test_what_is_not_a_map(self, source: Any) -> None:
        with pytest.raises(NotImageError, match="one whole number a pixel"):
            load_map(source)

    def test_too_large(self) -> None:
        with pytest.raises(ImageTooLargeError):
            load_map(np.zeros((11, 10), np.uint8), max_pixels=100)

    def test_grey_values_are_the_classes(self) -> None:
        for ids in (np.array([[0, 3, 255]], np.uint8), np.array([[0, 3, 60_000]], np.uint16)):
            assert load_map(encoded(Image.fromarray(ids))).tolist() == ids.tolist()
        assert load_map(encoded(Image.fromarray(np.array([[True, False]])))).tolist() == [[1, 0]]

    def test_it_is_turned_as_its_photo_is(self) -> None:
        exif = Image.Exif()
        exif[0x0112] = 6
        stored = Image.fromarray(np.array([[1, 2, 3]], np.uint8))
        assert load_map(encoded(stored, exif=exif)).tolist() == [[1], [2], [3]]


class TestMapsInColours:
    COLOURS = {(0, 0, 0): 0, (230, 159, 0): 1, (86, 180, 233): 2}
    IDS = np.array([[0, 1], [2, 1], [0, 0]])

    def painted(self) -> np.ndarray:
        return np.array(list(self.COLOURS), np.uint8)[self.IDS]

    def test_known_colours_are_classes(self) -> None:
        image = Image.fromarray(self.painted())
        for source in (self.painted(), image, encoded(image), encoded(image.convert("RGBA"))):
            ids = load_map(source, colours=self.COLOURS)
            assert ids.tolist() == self.IDS.tolist()
            assert ids.dtype == np.int64

    def test_what_is_not_opaque_is_ignored(self) -> None:
        image = Image.fromarray(self.painted()).convert("RGBA")
        image.putpixel((1, 0), (9, 9, 9, 0))
        assert load_map(encoded(image), colours=self.COLOURS)[0].tolist() == [0, 255]

    def test_ids_stay_ids(self) -> None:
        ids = Image.fromarray(self.IDS.astype(np.uint8))
        assert load_map(encoded(ids), colours=self.COLOURS).tolist() == self.IDS.tolist()

    def test_a_colour_that_nobody_named(self) -> None:
        painted = self.painted()
        painted[0] = (1, 2, 3)
        with pytest.raises(NotImageError, match="1 colours that stand for no class, #010203 in 2 of its pixels"):
            load_map(painted, colours=self.COLOURS)


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
@pytest.mark.parametrize("is_lossless", [False, True])
def test_a_large_webp_is_refused_before_it_is_opened(
    mode: str, is_lossless: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pillow asks for two pictures' room as soon as it opens one."""
    file = encoded(Image.new(mode, (401, 57)), "WEBP", lossless=is_lossless)
    assert load_image(file, max_pixels=401 * 57).size == (401, 57)
    monkeypatch.setattr(Image, "open", lambda *_, **__: pytest.fail("opened"))
    with pytest.raises(ImageTooLargeError, match="401 x 57 pixels"):
        load_image(file, max_pixels=401 * 57 - 1)

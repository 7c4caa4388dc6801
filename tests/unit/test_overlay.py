"""A map of classes drawn over its photo, and the colours it takes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from analysis.figures.overlay import class_colours, class_hatches, colour_image, compose, id_image
from analysis.figures.palette import BLACK, OKABE_ITO, WHITE, Colour, Hatch
from data2vec_core.processing.image_io import load_map

GREY = Image.new("RGB", (8, 6), (100, 100, 100))
RED = (200, 0, 0)


def half_and_half() -> np.ndarray:
    mask = np.zeros((6, 8), dtype=np.uint8)
    mask[:, 4:] = 1
    return mask


def test_a_class_is_tinted_and_the_background_stays() -> None:
    drawn = np.asarray(compose(GREY, half_and_half(), {0: None, 1: RED}, opacity=0.5, outline=0))
    assert (drawn[:, :4] == 100).all()
    assert (drawn[:, 4:] == (150, 50, 50)).all()


def test_the_outline_is_solid_and_lies_inside_the_coloured_region() -> None:
    drawn = np.asarray(compose(GREY, half_and_half(), {0: None, 1: RED}, opacity=0.5, outline=1))
    assert (drawn[:, :4] == 100).all()
    assert (drawn[:, 4] == RED).all()
    assert (drawn[:, 5:] == (150, 50, 50)).all()


def test_ids_without_a_colour_stay() -> None:
    assert (np.asarray(compose(GREY, half_and_half(), {})) == 100).all()


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "CMYK"])
def test_pictures_of_any_mode_come_back_as_rgb(mode: str) -> None:
    drawn = compose(GREY.convert(mode), half_and_half(), {1: RED}, opacity=1)
    assert (drawn.mode, drawn.size) == ("RGB", (8, 6))
    assert (np.asarray(drawn)[:, 4:] == RED).all()


def test_sizes_have_to_agree() -> None:
    with pytest.raises(ValueError, match=r"image's size \(6, 8\), got \(8, 6\)"):
        compose(GREY, half_and_half().T, {})


@pytest.mark.parametrize("opacity", [-0.1, 1.1])
def test_opacity_is_a_fraction(opacity: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        compose(GREY, half_and_half(), {}, opacity=opacity)


def test_a_class_keeps_its_colour_from_photo_to_photo() -> None:
    assert class_colours({0: "background", 2: "dog"})[2] == class_colours({0: "background", 1: "cat", 2: "dog"})[2]
    assert class_colours({0: "Background"}) == {0: None}
    assert class_colours({}) == {}
    assert class_hatches([2, 30])[30] == class_hatches([30])[30]


def noise(height: int, width: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8))


def blobs(height: int, width: int, classes: int = 3) -> np.ndarray:
    """Regions of all sizes, single pixels among them."""
    rng = np.random.default_rng(1)
    coarse = rng.integers(0, classes, (height // 9 + 1, width // 9 + 1), dtype=np.uint8)
    mask = coarse.repeat(9, axis=0).repeat(9, axis=1)[:height, :width].copy()
    mask[rng.random((height, width)) < 0.01] = classes - 1
    return mask


def touches_another(mask: np.ndarray) -> np.ndarray:
    """By the definition: a neighbour above, below, left or right is of another class."""
    padded = np.pad(mask, 1, mode="edge")
    around = (padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:])
    return np.any([side != mask for side in around], axis=0)


def test_contours_are_exact_and_leave_the_rest_of_the_photo() -> None:
    photo, mask = noise(50, 70), blobs(50, 70)
    colours = {0: None, 1: OKABE_ITO[0], 2: OKABE_ITO[5]}
    drawn = np.asarray(compose(photo, mask, colours, outline=1, contours_only=True))
    border = touches_another(mask)
    for class_id, colour in ((1, OKABE_ITO[0]), (2, OKABE_ITO[5])):
        assert (drawn[border & (mask == class_id)] == colour).all()
    changed = (drawn != np.asarray(photo)).any(axis=2)
    assert {tuple(colour) for colour in drawn[changed & ~border].tolist()} == {BLACK, WHITE}  # the second line
    assert (drawn[mask == 0] == np.asarray(photo)[mask == 0]).all()


def test_a_lone_line_is_double() -> None:
    mask = np.zeros((9, 40), np.uint8)
    mask[:, 20:] = 1
    drawn = np.asarray(compose(noise(9, 40), mask, {1: OKABE_ITO[6]}, outline=4, contours_only=True))
    assert (drawn[:, 20:24] == OKABE_ITO[6]).all()
    assert (drawn[:, 24:26] == BLACK).all()
    assert (drawn[:, 26:] == np.asarray(noise(9, 40))[:, 26:]).all()


@pytest.mark.parametrize("width", [1, 2, 3, 5, 14, 30])
def test_a_line_is_as_wide_as_asked(width: int) -> None:
    mask = np.zeros((100, 90), np.uint8)
    mask[40:, 30:] = 1
    drawn = np.asarray(compose(Image.new("RGB", (90, 100)), mask, {1: RED}, opacity=0, outline=width))
    rows, columns = np.mgrid[:100, :90]
    expected = (mask == 1) & ((rows < 40 + width) | (columns < 30 + width))
    assert np.array_equal((drawn == RED).all(axis=2), expected)


def test_one_class_can_be_looked_at_alone() -> None:
    photo, mask = noise(40, 60), blobs(40, 60)
    colours = {0: None, 1: OKABE_ITO[0], 2: OKABE_ITO[5]}
    everything = np.asarray(compose(photo, mask, colours, outline=2))
    alone = np.asarray(compose(photo, mask, colours, outline=2, only=1))
    assert (alone[mask == 1] == everything[mask == 1]).all()
    faded = alone[mask != 1]
    assert (faded == faded[:, :1]).all()  # grey
    background = np.asarray(compose(photo, mask, colours, only=0))
    assert (background[mask == 0] == np.asarray(photo)[mask == 0]).all()
    nothing = np.asarray(compose(photo, mask, colours, only=9))
    assert (nothing == nothing[..., :1]).all()


def test_the_photo_itself_is_left_as_it_was() -> None:
    photo = noise(40, 60)
    compose(photo, blobs(40, 60), {1: RED}, only=1)
    assert np.array_equal(np.asarray(photo), np.asarray(noise(40, 60)))


def test_a_photo_from_a_camera_is_drawn_as_the_model_saw_it() -> None:
    """Upright, transparency on white, and 16 bits scaled and not clipped."""
    exif = Image.Exif()
    exif[0x0112] = 6
    sideways = noise(8, 6)
    sideways.getexif().update(exif)
    upright = np.asarray(compose(sideways, np.zeros((6, 8), np.uint8), {}))
    assert np.array_equal(upright, np.rot90(np.asarray(noise(8, 6)), -1))
    clear = Image.new("RGBA", (8, 6), (10, 20, 30, 0))
    assert (np.asarray(compose(clear, half_and_half(), {})) == 255).all()
    deep = Image.fromarray(np.full((6, 8), 100 * 257, np.uint16))
    assert (np.asarray(compose(deep, half_and_half(), {})) == 100).all()


HATCHES: list[Hatch] = ["/", "\\", "-", "|", "x", "+", "."]


@pytest.mark.parametrize("hatch", HATCHES)
def test_a_hatch_lies_over_its_class_alone(hatch: Hatch) -> None:
    mask = blobs(60, 80)
    drawn = np.asarray(colour_image(mask, {1: OKABE_ITO[0], 2: OKABE_ITO[5]}, {1: hatch}))
    assert (drawn[mask == 0] == WHITE).all()
    assert (drawn[mask == 2] == OKABE_ITO[5]).all()
    seen = {tuple(colour) for colour in drawn[mask == 1].tolist()}
    assert seen == {OKABE_ITO[0], BLACK}


def test_no_two_hatches_are_the_same() -> None:
    mask = np.zeros((64, 64), np.uint8)
    drawn = {colour_image(mask, {0: RED}, {0: hatch}).tobytes() for hatch in (*HATCHES, None)}
    assert len(drawn) == 8


@pytest.mark.parametrize("colours", [None, {0: None, 1: RED, 2: OKABE_ITO[3]}])
@pytest.mark.parametrize("classes", [3, 256])
def test_ids_come_back_from_a_file(tmp_path: Path, colours: dict[int, Colour | None] | None, classes: int) -> None:
    mask = blobs(60, 300, classes)
    id_image(mask, colours).save(tmp_path / "ids.png")
    assert np.array_equal(load_map(tmp_path / "ids.png"), mask)
    if colours is not None:
        with Image.open(tmp_path / "ids.png") as image:
            shown = np.asarray(image.convert("RGB"))
        assert np.array_equal(shown, np.asarray(colour_image(mask, colours)))


@pytest.mark.parametrize("bad", [np.array([[-1]]), np.array([[256]]), np.zeros((0, 3), int), np.zeros(4, int)])
def test_ids_have_eight_bits(bad: np.ndarray) -> None:
    with pytest.raises(ValueError, match="from 0 to 255"):
        id_image(bad)


def test_a_line_has_a_width() -> None:
    with pytest.raises(ValueError, match="0 or more"):
        compose(GREY, half_and_half(), {}, outline=-1)


@pytest.mark.parametrize("size", [(1, 1), (1, 1000), (1000, 1)])
def test_the_narrowest_pictures_are_drawn(size: tuple[int, int]) -> None:
    mask = blobs(*size)
    for contours_only in (False, True):
        drawn = compose(noise(*size), mask, {1: RED}, hatches={1: "x"}, contours_only=contours_only, only=1)
        assert drawn.size == size[::-1]

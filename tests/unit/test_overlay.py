"""A map of classes drawn over its photo, and the colours it takes."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from analysis.figures.overlay import class_colours, compose
from analysis.figures.palette import OKABE_ITO, categorical, hexadecimal

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


def test_the_first_colours_are_okabe_and_itos_and_none_repeats_for_long() -> None:
    assert categorical(7) == OKABE_ITO
    assert len(set(categorical(28))) == 28
    assert categorical(30)[28] == categorical(1)[0]


def test_colours_as_css() -> None:
    assert hexadecimal(OKABE_ITO[0]) == "#e69f00"

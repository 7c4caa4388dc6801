"""Colours that stay apart for every kind of colour vision, and lines that are seen on any ground."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from skimage.color import deltaE_ciede2000, rgb2lab

from analysis.figures.palette import (
    NEUTRAL,
    OKABE_ITO,
    PALETTES,
    WHITE,
    Colour,
    PaletteName,
    categorical,
    contrast,
    contrasting,
    hatch_of,
    hexadecimal,
)

LEAST_DIFFERENCE = 10.0
"""CIEDE2000, as the palettes' docstring promises."""
#: Machado, Oliveira and Fernandes (2009), table 1, severity 1.0: on linear RGB.
SIGHTS = {
    "typical": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritanopia": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}


def as_seen(colours: list[Colour], sight: str) -> np.ndarray:
    """(colours, 3) encoded RGB, 0 to 1."""
    encoded = np.array(colours) / 255
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ SIGHTS[sight].T, 0, 1)
    return np.where(seen <= 0.0031308, seen * 12.92, 1.055 * seen ** (1 / 2.4) - 0.055)


def differences(colours: list[Colour], sight: str) -> list[float]:
    """CIEDE2000 of every pair."""
    lab = rgb2lab(as_seen(colours, sight)[None])[0]
    return [float(deltaE_ciede2000(lab[i], lab[j])) for i, j in itertools.combinations(range(len(colours)), 2)]


def test_the_simulation_takes_what_a_missing_cone_takes() -> None:
    """Red and green of one lightness come near each other without long or middle cones, and greys stay."""
    red, green = (200, 90, 60), (120, 130, 60)
    assert differences([red, green], "deuteranopia")[0] < 0.4 * differences([red, green], "typical")[0]
    for sight in SIGHTS:
        assert as_seen([(0, 0, 0), (136, 136, 136), (255, 255, 255)], sight) == pytest.approx(
            np.array([[0] * 3, [136 / 255] * 3, [1] * 3]), abs=1e-3
        )


@pytest.mark.parametrize("sight", SIGHTS)
@pytest.mark.parametrize("palette", PALETTES)
def test_any_two_colours_of_a_palette_stay_apart(palette: PaletteName, sight: str) -> None:
    """And from the white of what has no colour."""
    assert min(differences([*PALETTES[palette], WHITE], sight)) >= LEAST_DIFFERENCE


@pytest.mark.parametrize("palette", PALETTES)
def test_categories_that_share_a_colour_differ_in_their_hatch(palette: PaletteName) -> None:
    count = 8 * len(PALETTES[palette])
    looks = list(zip(categorical(count, palette), (hatch_of(i, palette) for i in range(count)), strict=True))
    assert len(set(looks)) == count
    assert looks[: len(PALETTES[palette])] == [(colour, None) for colour in PALETTES[palette]]


@pytest.mark.parametrize("palette", PALETTES)
def test_neighbours_in_a_list_differ_in_colour(palette: PaletteName) -> None:
    colours = categorical(100, palette)
    assert all(one != next_one for one, next_one in itertools.pairwise(colours))


@pytest.mark.parametrize("colour", [*itertools.chain(*PALETTES.values()), NEUTRAL])
def test_a_double_line_is_seen_on_any_ground(colour: Colour) -> None:
    """Its halves stand out from each other, so that a ground can hide one of them at most."""
    assert contrast(colour, contrasting(colour)) >= 4.5
    levels = range(0, 256, 51)
    grounds = itertools.product(levels, levels, levels)
    assert min(max(contrast(ground, colour), contrast(ground, contrasting(colour))) for ground in grounds) > 2.1


def test_contrast_is_that_of_the_guideline() -> None:
    assert contrast((0, 0, 0), (255, 255, 255)) == pytest.approx(21)
    assert contrast((255, 255, 255), (119, 119, 119)) == pytest.approx(4.48, abs=0.01)  # the well-known grey
    assert contrast((1, 2, 3), (1, 2, 3)) == 1


def test_the_first_colours_are_okabe_and_itos() -> None:
    assert categorical(7) == OKABE_ITO
    assert categorical(0) == ()


def test_colours_as_css() -> None:
    assert hexadecimal(OKABE_ITO[0]) == "#e69f00"

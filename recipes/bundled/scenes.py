"""Pictures with label maps, from the packs that have them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from data2vec_core.labels import IGNORED_PIXEL
from recipes.finetuning.segmentation import Scene
from recipes.packs import Split, read_pictures


def scenes_of(data: Path, pack: str, split: Split, *, unscored: int) -> list[Scene]:
    """Pictures of a pack with their label maps.

    Args:
        unscored: the label of what counts neither in the loss nor in the score.
    """
    scenes = []
    for picture in read_pictures(data, pack, split):
        assert picture.labels is not None
        ids = np.where(picture.labels == unscored, IGNORED_PIXEL, picture.labels).astype(np.uint8)
        scenes.append(Scene(picture.image, ids))
    return scenes

"""Tools for pictures that are not one call of their task: why a class, many pictures at once, a map to compare with.

Each yields its answer as it grows, whole at last. What brings in torch is imported inside.
"""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from PIL import Image

from analysis.segmentation_scores import (
    EmptyMapError,
    MapClassError,
    MapScores,
    MapSizeError,
    check_map_classes,
    map_at_size,
)
from analysis.segmentation_scores import score_map as score_map_of
from data2vec_core.labels import IGNORED_PIXEL
from data2vec_core.processing.image_io import ImageError, ImageTooLargeError, load_map
from ui.words import say

if TYPE_CHECKING:
    from analysis.patch_relevance import PatchRelevance
    from data2vec_core.tasks import ImageClassifier, ImageSegmenter
    from data2vec_core.tasks.results import Classification, LabelScore
    from ui.inputs import WaitingPicture

EXPLAINED = 5
"""Most probable classes whose relevance may be asked for."""
THUMBNAIL = 320
"""Pixels of the longer side."""


@dataclass(frozen=True, kw_only=True)
class ExplainedPicture:
    """Classes of a picture, and which of its patches mattered for one of them."""

    labels: tuple[LabelScore, ...]
    """Every class, best first."""
    outside: bool | None
    """As of a `Classification`."""
    class_ids: tuple[int, ...]
    """Of the first `EXPLAINED` of `labels`."""
    relevance: PatchRelevance | None
    """None until it is found."""
    layers: int
    """Of the model, through which it was followed."""
    model: str

    def to_json(self) -> dict[str, Any]:
        """Of the relevance, what each patch has, row by row."""
        values: dict[str, Any] = {"labels": [{"label": one.label, "score": one.score} for one in self.labels]}
        if self.outside is not None:
            values["outside"] = self.outside
        if (found := self.relevance) is not None:
            values["relevance"] = {
                "class_id": found.class_id,
                "patches": [[round(float(value), 6) for value in row] for row in found.values],
            }
        return values | {"model": self.model}


@dataclass(frozen=True, kw_only=True)
class ClassifiedPicture:
    """One of many; without a classification where it cannot be read."""

    name: str
    thumbnail: bytes
    """WebP; empty where there is no picture."""
    classification: Classification | None
    problem: str
    """Why it cannot be read, in a sentence for the visitor."""


@dataclass(frozen=True, kw_only=True)
class ClassifiedPictures:
    """Of several pictures, as far as they have been looked at."""

    pictures: tuple[ClassifiedPicture, ...]
    """In the order in which they were given."""
    count: int
    """How many were given."""
    model: str


@dataclass(frozen=True, kw_only=True)
class MapComparison:
    """The map of a segmented picture beside one that was given for it."""

    names: tuple[str, ...]
    """Of all classes of the model, by id."""
    scores: MapScores | None
    problem: str
    """Why the given map cannot be compared, in a sentence for the visitor; empty where it can."""
    model: str


def explain_image(task: ImageClassifier, image: Image.Image, class_id: int | None = None) -> Iterator[ExplainedPicture]:
    """Classify a picture, then find which of its patches mattered; the latter in PyTorch alone.

    Args:
        class_id: for which class; the most probable when None.
    """
    from analysis.patch_relevance import patch_relevance

    found = task(image)
    answer = ExplainedPicture(
        labels=found.labels,
        outside=found.outside,
        class_ids=_ids_of(found.labels[:EXPLAINED], task.model.config.labels),
        relevance=None,
        layers=task.model.config.num_hidden_layers,
        model=task.model_name,
    )
    in_pytorch = task.runtime == "pytorch"
    if class_id is None or not in_pytorch:
        yield answer
    if not in_pytorch:
        return
    best = answer.class_ids[0] if class_id is None else class_id
    yield dataclasses.replace(answer, relevance=patch_relevance(task, image, best))


def classify_images(task: ImageClassifier, images: Sequence[WaitingPicture]) -> Iterator[ClassifiedPictures]:
    """Classify each picture by itself; one that cannot be read says so in its place."""
    done: list[ClassifiedPicture] = []
    for picture in images:  # one after the other: of the photos, one at a time is in memory
        try:
            photo = picture.read()
            found, problem, thumbnail = task(photo), "", _thumbnail(photo)
        except ImageError:
            found, problem, thumbnail = None, say("picture.too_large", megapixels=f"{task.max_pixels / 1e6:g}"), b""
        except ValueError as error:  # in words already
            found, problem, thumbnail = None, str(error), b""
        done.append(ClassifiedPicture(name=picture.name, thumbnail=thumbnail, classification=found, problem=problem))
        yield ClassifiedPictures(pictures=tuple(done), count=len(images), model=task.model_name)


def score_map(task: ImageSegmenter, mask: str, label_map: str) -> Iterator[MapComparison]:
    """Say how well the map that the model has made agrees with a given one.

    A map that cannot be compared is no error: it says why.

    Args:
        mask: path of the model's own map, a picture of class ids.
        label_map: path of the given one.
    """
    names = task.model.config.labels
    scores, problem = None, ""
    try:
        scores = _scores(mask, label_map, len(names), task.max_pixels)
    except MapClassError as error:
        shown = say("app.between_items").join(map(str, error.ids[:5]))
        problem = say("score_map.no_classes", ids=shown, last=len(names) - 1)
    except MapSizeError as error:
        problem = say("score_map.other_size", map=_size(error.found), photo=_size(error.expected))
    except EmptyMapError:
        problem = say("score_map.nothing", ignored=IGNORED_PIXEL)
    except ImageTooLargeError:
        problem = say("score_map.too_large", megapixels=f"{task.max_pixels / 1e6:g}")
    except ImageError:
        problem = say("score_map.unreadable")
    yield MapComparison(names=tuple(names), scores=scores, problem=problem, model=task.model_name)


def _scores(mask: str, label_map: str, classes: int, max_pixels: int) -> MapScores:
    own = load_map(mask, max_pixels=max_pixels).astype("uint8")
    greys = {(level, level, level): level for level in {*range(classes), IGNORED_PIXEL}}  # a grey map saved as RGB
    given = load_map(label_map, max_pixels=max_pixels, colours=greys)
    check_map_classes(given, classes)
    return score_map_of(own, map_at_size(given.astype("uint8"), own.shape), classes)


def _ids_of(labels: Sequence[LabelScore], names: Sequence[str]) -> tuple[int, ...]:
    """Numbers of some classes. Two of one name (a crane that lifts, and one that flies) take turns."""
    ids = []
    for item in labels:
        free = [number for number, name in enumerate(names) if name == item.label and number not in ids]
        ids.append(free[0])
    return tuple(ids)


def _thumbnail(photo: Image.Image) -> bytes:
    small = photo.reduce(max(1, max(photo.size) // (2 * THUMBNAIL)))
    small.thumbnail((THUMBNAIL, THUMBNAIL))
    file = io.BytesIO()
    small.save(file, "WEBP", quality=75)
    return file.getvalue()


def _size(shape: Sequence[int]) -> str:
    """(height, width) as people say it."""
    return f"{shape[1]} × {shape[0]}"

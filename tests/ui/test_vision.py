"""The Vision tab: what its panels show, how pictures are drawn and compared; without a server."""

from __future__ import annotations

import base64
import csv
import io
import json
import re
import shutil
import zlib
from collections.abc import Callable, Iterator
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import pytest
from gradio.utils import get_upload_folder
from PIL import Image

from analysis.figures.overlay import class_colours, class_hatches, compose
from analysis.patch_relevance import PatchRelevance
from data2vec_core.tasks.results import ClassShare
from ui.catalogue import TOOLS
from ui.drawing import Look, class_names, drawn_colours, drawn_overlay
from ui.inputs import MapInput, PicturesInput
from ui.pictures import ClassifiedPicture, ClassifiedPictures, MapComparison
from ui.service import Answer, Service
from ui.settings import Settings
from ui.steps import Step
from ui.views.pictures import classified_pictures
from ui.views.relevance import draw_relevance, relevance_figure
from ui.views.scores import map_scores
from ui.views.segments import segments_value, shares_table, shown_size
from ui.vision import Relevance, Segments, show_pictures
from ui.words import say

Files = Callable[[str], str]
HOSTILE = "<img src=x onerror=alert(1)>${alert(1)}{{x}}"
NAMES = {0: "background", 1: "cat", 9: "dog"}


@pytest.fixture(scope="module")
def service(settings: Settings) -> Service:
    return Service(settings)


def photo(width: int, height: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8))


def stripes(width: int, height: int) -> np.ndarray:
    """Three classes side by side, the last of a number whose colour needs a hatch."""
    return np.array([0, 1, 9], np.uint8)[np.arange(width) * 3 // width][None].repeat(height, axis=0)


def uploaded(picture: Image.Image, name: str) -> dict[str, str]:
    """As a browser sends it."""
    folder = Path(get_upload_folder()) / "test_vision"
    folder.mkdir(parents=True, exist_ok=True)
    picture.save(folder / name)
    return {"path": str(folder / name)}


def whole(steps: Iterator[Answer | Step]) -> list[Answer]:
    return [step for step in steps if isinstance(step, Answer)]


# Segmenting


@pytest.mark.parametrize("size", [(451, 300), (3000, 1), (1, 3000), (4000, 3000), (1601, 1599)])
def test_a_photo_is_shown_in_its_own_proportions(size: tuple[int, int]) -> None:
    shown = shown_size(size)
    assert max(shown) == min(1600, max(size))
    assert abs(shown[0] * size[1] - shown[1] * size[0]) <= max(size) * max(1, size[0] * size[1] // 10**7) or 1 in shown


def test_the_widget_gets_the_ids_as_they_are_and_every_palette() -> None:
    mask = stripes(60, 40)
    shares = [ClassShare(label=label, id=number, fraction=1 / 3) for number, label in NAMES.items()]
    value = json.loads(segments_value(photo(60, 40), mask, shares))
    ids = zlib.decompress(base64.b64decode(value["ids"]))
    assert (np.frombuffer(ids, np.uint8).reshape(value["height"], value["width"]) == mask).all()
    assert Image.open(io.BytesIO(base64.b64decode(value["photo"].split(",")[1]))).size == (60, 40)
    assert set(value["palettes"]) == {"okabe-ito", "petroff"}
    background, cat, dog = value["palettes"]["okabe-ito"]
    assert background == {"id": 0, "colour": None, "ink": None, "hatch": None}
    assert (cat["colour"], cat["hatch"]) == ("#56b4e9", None)
    assert dog["hatch"] == "/"
    assert value["classes"][1] == {"id": 1, "name": "cat", "fraction": 1 / 3, "share": "33 %"}


def test_a_large_photo_is_sent_smaller_with_no_class_in_between() -> None:
    mask = stripes(3210, 20)
    value = json.loads(segments_value(photo(3210, 20), mask, [ClassShare(label="cat", id=1, fraction=1.0)]))
    assert (value["width"], value["height"]) == (1600, 10)
    assert set(zlib.decompress(base64.b64decode(value["ids"]))) == {0, 1, 9}


def test_words_for_the_browser_keep_their_placeholders() -> None:
    value = json.loads(segments_value(photo(4, 4), np.zeros((4, 4), np.uint8), []))
    assert value["words"]["only_shown"] == say("segment_image.only_shown", name="{name}", share="{share}")
    script = Path("ui/views/segments.js").read_text(encoding="utf-8")
    template = Path("ui/views/segments.py").read_text(encoding="utf-8")
    used = set(re.findall(r'say\("(\w+)"', script)) | set(re.findall(r'data-word="(\w+)"', template))
    assert used == set(value["words"])


@pytest.mark.parametrize(
    "look",
    [
        Look(),
        Look(mode="fill", opacity=0.25),
        Look(mode="contour", palette="petroff"),
        Look(only=9),
        Look(only=0, mode="contour"),
    ],
)
def test_the_file_is_what_the_visitor_sees_at_full_size(look: Look, settings: Settings) -> None:
    picture, mask = photo(90, 60), stripes(90, 60)
    path = drawn_overlay(
        uploaded(picture, "photo.png"), uploaded(Image.fromarray(mask), "mask.png"), NAMES, look, settings
    )
    expected = compose(
        picture,
        mask,
        class_colours(NAMES, look.palette),
        look.opacity,
        0 if look.mode == "fill" else None,
        hatches=class_hatches(NAMES, look.palette),
        contours_only=look.mode == "contour",
        only=look.only,
    )
    assert (np.asarray(Image.open(path)) == np.asarray(expected)).all()


def test_colours_are_a_palette_of_the_ids_unless_a_class_needs_a_hatch(settings: Settings) -> None:
    mask = stripes(90, 60)
    given = uploaded(Image.fromarray(np.minimum(mask, 1)), "mask.png")
    plain = Image.open(drawn_colours(given, {0: "background", 1: "cat"}, Look(), settings))
    assert plain.mode == "P"
    assert (np.asarray(plain) == np.minimum(mask, 1)).all()
    assert plain.convert("RGB").getpixel((89, 0)) == (86, 180, 233)
    hatched = Image.open(drawn_colours(uploaded(Image.fromarray(mask), "mask.png"), NAMES, Look(), settings))
    assert hatched.mode == "RGB"


@pytest.mark.parametrize(
    "given",
    [
        (101, "both", "petroff", None),
        (True, "both", "petroff", None),
        ("50", "both", "petroff", None),
        (50, "half", "petroff", None),
        (50, "both", "rainbow", None),
        (50, "both", "petroff", 256),
        (50, "both", "petroff", "1"),
        (float("nan"), "both", "petroff", None),
    ],
)
def test_a_look_that_no_control_has_is_refused(given: tuple[Any, ...]) -> None:
    with pytest.raises(ValueError, match="cannot be made any more"):
        Look.received(*given)
    assert Look.received(25, "fill", "petroff", 3.0) == Look(opacity=0.25, mode="fill", palette="petroff", only=3)


@pytest.mark.parametrize("text", [None, "", "[1]", "3", '{"a": "b"}', "{"])
def test_names_that_are_none_are_refused(text: object) -> None:
    with pytest.raises(ValueError, match="cannot be made any more"):
        class_names(text)


def test_names_of_ids_beyond_a_map_are_left_out() -> None:
    assert class_names('{"1": "cat", "700": "dog"}') == {1: "cat"}


def test_a_drawing_reads_nothing_but_uploads_that_belong_together(settings: Settings, files: Files) -> None:
    own, other = uploaded(photo(60, 40), "photo.png"), uploaded(Image.fromarray(stripes(30, 40)), "mask.png")
    with pytest.raises(ValueError, match="upload"):
        drawn_overlay({"path": files("picture.png")}, other, NAMES, Look(), settings)
    with pytest.raises(ValueError, match="upload"):
        drawn_overlay(own, {"path": "/etc/hostname"}, NAMES, Look(), settings)
    for mask in (other, None):
        with pytest.raises(ValueError, match="cannot be made any more"):
            drawn_overlay(own, mask, NAMES, Look(), settings)


def test_a_segmented_picture_fills_the_widget_and_forgets_the_last_comparison(service: Service, files: Files) -> None:
    answer = service.ask("segment_image", {"image": files("picture.png")})
    with gr.Blocks():
        segments = Segments(service)
        outputs = segments.lay_out(gr.HTML(render=False))
        html, *values = segments.show(answer)
    assert len(values) == len(outputs)
    assert html.count("<tr>") == 1 + len(answer.result.classes)
    mask = Image.open(values[2].value["path"] if isinstance(values[2].value, dict) else values[2].value)
    assert (np.asarray(mask) == answer.result.mask).all()
    assert values[4].value is None
    assert class_names(values[7].value) == {share.id: share.label for share in answer.result.classes}


# A map to compare with


@pytest.fixture
def mask(service: Service, files: Files) -> np.ndarray:
    found: np.ndarray = service.ask("segment_image", {"image": files("picture.png")}).result.mask
    return found


def compared(service: Service, mask: np.ndarray, given: Image.Image, name: str = "map.png") -> MapComparison:
    inputs = {"mask": uploaded(Image.fromarray(mask), "mask.png"), "label_map": uploaded(given, name)}
    result: MapComparison = service.ask("score_map", TOOLS["score_map"].received(inputs)).result
    return result


def test_the_models_own_map_agrees_with_itself_in_any_form(service: Service, mask: np.ndarray) -> None:
    palette = Image.fromarray(mask)
    palette.putpalette([255 - i // 3 for i in range(768)])
    larger = Image.fromarray(mask).resize((120, 80), Image.Resampling.NEAREST)
    for given in (Image.fromarray(mask), Image.fromarray(mask).convert("RGB"), palette, larger):
        result = compared(service, mask, given)
        assert result.problem == ""
        assert result.scores is not None
        assert (result.scores.mean_iou, result.scores.pixel_accuracy) == (1.0, 1.0)


def test_pixels_of_255_do_not_count(service: Service, mask: np.ndarray) -> None:
    given = mask.copy()
    given[:10] = 255
    result = compared(service, mask, Image.fromarray(given))
    assert result.scores is not None
    assert result.scores.pixels == mask[10:].size


def test_a_wrong_map_gets_a_sentence_and_no_scores(service: Service, mask: np.ndarray) -> None:
    last = len(compared(service, mask, Image.fromarray(mask)).names) - 1
    strange = ", ".join(str(200 + number) for number in np.unique(mask)[:5])
    cases = [
        (Image.fromarray(mask + 200), say("score_map.no_classes", ids=strange, last=last)),
        (Image.fromarray(mask[:, :30]), say("score_map.other_size", map="30 × 40", photo="60 × 40")),
        (Image.fromarray(np.full_like(mask, 255)), say("score_map.nothing", ignored=255)),
        (photo(60, 40), say("score_map.unreadable")),
    ]
    for given, sentence in cases:
        result = compared(service, mask, given)
        assert result.scores is None
        assert result.problem == sentence
        assert 'role="alert"' in map_scores(result)


def test_a_file_that_is_no_picture_is_no_map(service: Service, mask: np.ndarray, files: Files) -> None:
    place = uploaded(Image.fromarray(mask), "map.png")
    shutil.copy(files("no_picture.png"), place["path"])
    with gr.Blocks():
        html = Segments(service).compare_maps(uploaded(Image.fromarray(mask), "mask.png"), place, "")
    assert say("score_map.unreadable") in html


def test_a_comparison_asks_for_uploads_only(service: Service) -> None:
    segments = Segments(service)
    assert escape(say("api.no_file")) in segments.compare_maps({"path": "/etc/hostname"}, None, "")
    assert say("score_map.missing") in segments.compare_maps(None, None, "")
    with pytest.raises(ValueError, match="no map yet"):
        MapInput("mask").read(None, Settings())


# Why a class


def relevance(values: list[list[float]], **fields: Any) -> PatchRelevance:
    given = {"class_token_share": 0.0, "class_id": 1, "probability": 0.5, "photo_size": (40, 20), "box": (0, 0, 40, 20)}
    return PatchRelevance(values=np.array(values, np.float32), **(given | fields))  # type: ignore[arg-type]


def test_bars_come_first_and_what_mattered_after(service: Service, files: Files) -> None:
    steps = whole(service.stream("explain_image", {"image": files("picture.png")}))
    assert [step.result.relevance is None for step in steps] == [True, False]
    first, last = (step.result for step in steps)
    assert first.labels == last.labels
    assert last.labels == service.ask("classify_image", {"image": files("picture.png")}).result.labels
    assert last.relevance.class_id == last.class_ids[0]
    names = service.ask("classify_image", {"image": files("picture.png")}).result
    assert last.to_json() | {"relevance": None} == names.to_json() | {"relevance": None}


def test_another_class_is_asked_for_by_its_number(service: Service, files: Files) -> None:
    best = service.ask("explain_image", {"image": files("picture.png")}).result
    second = service.ask("explain_image", {"image": files("picture.png"), "class_id": best.class_ids[1]}).result
    assert second.relevance.class_id == best.class_ids[1]
    assert not np.allclose(second.relevance.values, best.relevance.values)
    with pytest.raises(ValueError, match="numbered 0 to"):
        service.ask("explain_image", {"image": files("picture.png"), "class_id": 10_000})
    for wrong in (-1, True, "1"):
        with pytest.raises(ValueError, match="no class of the model"):
            service.ask("explain_image", {"image": files("picture.png"), "class_id": wrong})


def test_the_chooser_offers_the_best_classes_and_the_error_is_told(service: Service, files: Files) -> None:
    answer = service.ask("explain_image", {"image": files("picture.png")})
    with gr.Blocks():
        place = Relevance(service)
        outputs = place.lay_out(gr.HTML(render=False))
        picture = gr.Image(type="filepath")
    place._picture = picture
    html, *values = place.show(answer)
    assert len(values) == len(outputs)
    assert "headline" in html
    chooser = values[1]
    assert [value for _, value in chooser.choices] == [str(number) for number in answer.result.class_ids]
    assert chooser.value == str(answer.result.class_ids[0])
    given = {place._picture: uploaded(Image.open(files("picture.png")), "p.png"), place._model: ""}
    figure, file = place.explain_class({**given, place._chooser: chooser.choices[1][1]})
    assert "<figure" in figure.value
    figure, file = place.explain_class({**given, place._chooser: "no number"})
    assert say("classify_image.no_class") in figure.value
    assert not file.visible


def test_the_most_relevant_patches_are_told_by_their_place() -> None:
    found = relevance([[0, 1, 0, 0], [0, 0, 0, 3]], class_token_share=0.25)
    html = relevance_figure(draw_relevance(photo(40, 20), found), found, HOSTILE, 6)
    assert re.findall(r'<th scope="row">(\d)</th><td>(\d)</td><td>(\d)</td><td>(\d+) %', html)[:2] == [
        ("1", "2", "4", "75"),
        ("2", "1", "2", "25"),
    ]
    assert "row 2, column 4" in html
    assert "25 % of the relevance lies on the class token" in html
    assert "<img src=x" not in html


@pytest.mark.parametrize("size", [(40, 20), (2400, 1200), (400, 7), (1, 1)])
def test_patches_lie_on_the_photo_in_its_proportions(size: tuple[int, int]) -> None:
    found = relevance([[0, 0], [0, 1]], photo_size=size, box=(0, 0, *size))
    drawn = draw_relevance(photo(*size), found)
    assert max(drawn.size) == min(1200, max(size))
    if min(size) > 1:
        pixels = np.asarray(drawn).astype(int)
        yellow = pixels[..., 0] - pixels[..., 2]
        assert yellow[-1, -1] > 60  # of the ramp's bright end
        assert yellow[0, 0] < 0


# Many pictures


def test_many_pictures_are_classified_as_single_ones_and_a_broken_one_says_so(service: Service, files: Files) -> None:
    paths = [files("picture.png"), files("no_picture.png"), files("large.png")]
    steps = whole(service.stream("classify_images", {"images": paths}))
    assert [len(step.result.pictures) for step in steps] == [1, 2, 3]
    first, second, third = steps[-1].result.pictures
    alone = service.ask("classify_image", {"image": files("picture.png")}).result
    assert first.classification.labels[0].label == alone.labels[0].label
    assert first.name == "picture.png"
    assert Image.open(io.BytesIO(first.thumbnail)).format == "WEBP"
    assert (second.classification, second.problem) == (None, say("picture.unreadable"))
    assert third.problem == say("picture.too_large", megapixels="0.5")


def test_pictures_are_counted(settings: Settings) -> None:
    kind = PicturesInput("images")
    with pytest.raises(ValueError, match="no pictures yet"):
        kind.read([], settings)
    with pytest.raises(ValueError, match="33, and at most 32"):
        kind.read(["a.png"] * 33, settings)
    with pytest.raises(ValueError, match=re.escape(say("api.no_file"))):
        kind.received([{"path": "/etc/hostname"}])
    assert kind.received("x") == []


def test_a_gallery_is_text_and_a_table_to_keep(service: Service, files: Files) -> None:
    good = service.ask("classify_images", {"images": [files("picture.png")]}).result.pictures[0]
    bad = ClassifiedPicture(name=HOSTILE, thumbnail=b"", classification=None, problem=HOSTILE)
    result = ClassifiedPictures(pictures=(good, bad), count=3, model="objects")
    html = classified_pictures(result)
    assert "2 of 3 pictures" in html
    assert html.count('<li><div class="frame">') == 2
    assert "<img src=x" not in html
    _, button = show_pictures(Answer(result, {}, None))
    path = button.value["path"] if isinstance(button.value, dict) else button.value
    with Path(path).open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["file"] for row in rows] == ["picture.png", HOSTILE]
    assert rows[0]["label"] == good.classification.labels[0].label
    assert rows[1]["problem"] == HOSTILE


def test_shares_are_a_table_too() -> None:
    html = shares_table([ClassShare(label=HOSTILE, id=3, fraction=0.5)])
    assert "<img src=x" not in html
    assert "<td>3</td><td>50 %</td>" in html

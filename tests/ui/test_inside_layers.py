"""The view "Layers": which sides it compares, what it sends to the page, what it refuses, and its endpoint."""

from __future__ import annotations

import base64
import io
import subprocess
import sys
import threading
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import numpy as np
import pytest
import soundfile
from gradio.utils import get_upload_folder
from PIL import Image

from tests.ui.calling import answered, refused
from ui.inside import layers_ready
from ui.inside import layers_sections as sections
from ui.inside.layers import Layers
from ui.inside.layers_choice import read_choice
from ui.inside.layers_files import figures, make_files
from ui.inside.layers_own import own_items
from ui.inside.layers_sides import (
    Choice,
    Kept,
    OtherModelError,
    fitting_models,
    fitting_sets,
    kept,
    other_side,
    pair_of,
    settled,
)
from ui.inside.selection import Selection
from ui.service import Service
from ui.settings import Settings
from ui.views import layers_maps
from ui.views.layers_matrix import SHARES, matrix_table
from ui.words import speaking

ROOT = Path(__file__).resolve().parents[2]

MOST = 1_500_000
"""Characters that one view may send."""
NOTHING = Choice("", "", "teacher", "cka", "none", "pca")


@pytest.fixture(scope="module")
def service() -> Service:
    return Service(Settings())


@pytest.fixture(scope="module")
def view(service: Service) -> Layers:
    inputs = [gr.State() for _ in range(8)]
    strip = SimpleNamespace(inputs=inputs, read=lambda values: values[0])
    with gr.Blocks():
        return Layers(SimpleNamespace(service=service, strip=strip))  # type: ignore[arg-type]


def selected(modality: Any = "vision", model: str = "", role: str = "student") -> Selection:
    return Selection(modality, "", None, model or modality, role, layer=1, head=0, position=0)


def asked(items: str = "", other: str = "", role: str = "teacher", measure: str = "cka", null: Any = "none") -> Choice:
    return Choice(items, other, role, measure, null, "pca")


# Which sides ---------------------------------------------------------------------------------------------------------


def test_an_encoder_is_compared_with_its_teacher_and_a_fine_tuned_model_with_its_encoder(service: Service) -> None:
    for selection, expected in (
        (selected(), ("vision", "teacher")),
        (selected(role="teacher"), ("vision", "student")),
        (selected(role="difference"), ("vision", "teacher")),
        (selected("vision", "objects"), ("vision", "student")),
        (selected("text", "sst2"), ("text", "student")),
    ):
        choice = settled(service, selection, NOTHING)
        assert other_side(service, selection, choice) == expected


def test_sets_and_models_are_offered_that_have_vectors(service: Service) -> None:
    assert {"things", "photographs", "flowers5"} <= set(fitting_sets(service, "vision", "vision"))
    assert "trec" not in fitting_sets(service, "vision", "vision")
    assert set(fitting_models(service, "an4", "audio")) == {"audio", "an4", "speakers", "text"}
    assert {"audio", "text", "vision"} <= set(fitting_models(service, "things", "vision"))
    assert {"audio", "text"}.isdisjoint(fitting_models(service, "photographs", "vision"))


def test_what_does_not_fit_is_put_right(service: Service) -> None:
    choice = settled(service, selected("text"), asked("flowers5", "objects", "student"))
    assert (choice.items, choice.other_model) == ("trec", "")
    kept_choice = settled(service, selected("audio"), asked("an4", "text", "student"))
    assert (kept_choice.items, kept_choice.other_model, kept_choice.other_role) == ("an4", "text", "student")


def test_stored_vectors_are_not_taken_for_those_of_other_weights(bundled_folder: Path) -> None:
    other = Service(Settings(bundled_folder=bundled_folder))
    assert fitting_sets(other, "vision", "vision") == ["things", "photographs"]
    with pytest.raises(ValueError, match="of its own"):
        pair_of(other, selected(), asked("flowers5"))


def test_a_held_model_asks_for_no_other(service: Service) -> None:
    held = SimpleNamespace(dim=8, modality="vision")
    with pytest.raises(OtherModelError):
        pair_of(Service(Settings()), selected(), asked("things", "text"), subject=held)  # type: ignore[arg-type]
    assert service is not None


def test_what_is_kept_is_made_once_and_forgotten_in_turn() -> None:
    store, made = Kept(), []
    for _ in range(2):
        store.get("one", lambda: made.append(1))
        store.get(None, lambda: made.append(0))
    assert made == [1, 0, 0]
    for number in range(300):
        store.get(number, lambda: None)
    assert "one" not in store
    assert 299 in store


# What is said --------------------------------------------------------------------------------------------------------


def test_the_matrix_states_what_it_was_made_from(service: Service) -> None:
    html = sections.comparison_html(kept(service), pair_of(service, selected(), asked("flowers5")), asked("flowers5"))
    for told in ("n = 56 pairs", "p = 144 and 144", "linear CKA, debiased", "Chance: 0.00", "Beware"):
        assert told in html
    assert html.count("<td style=") == 81


def test_a_null_stands_beside_the_matrix(service: Service) -> None:
    choice = asked("an4", "text", "student", null="shuffled")
    pair = pair_of(service, selected("audio"), choice)
    found, null = sections.compared(kept(service), pair, "cka")
    assert null is not None
    assert abs(float(null.matrix.mean())) < float(found.matrix.mean())
    assert sections.comparison_html(kept(service), pair, choice).count('class="matrix"') == 2
    untrained = asked("an4", "text", "student", null="untrained")
    told = sections.comparison_html(kept(service), pair_of(service, selected("audio"), untrained), untrained)
    assert "not here" in told
    assert told.count('class="matrix"') == 1


def test_measures_that_do_not_fit_say_why(service: Service) -> None:
    store = kept(service)
    pair = pair_of(service, selected(), asked("flowers5"))
    with pytest.raises(ValueError, match=r"n = 56 items.* at least 576 items"):
        sections.compared(store, pair, "pwcca")
    with pytest.raises(ValueError, match="SVCCA is not shown"):
        sections.compared(store, pair, "svcca")
    across = pair_of(service, selected("audio"), asked("an4", "text", "student"))
    with pytest.raises(ValueError, match="share their axes"):
        sections.compared(store, across, "cosine")
    assert "at least 576" in sections.comparison_html(store, pair, asked("flowers5", measure="pwcca"))


def test_geometry_and_knowledge_have_curves_tables_and_warnings(service: Service) -> None:
    store, pair = kept(service), pair_of(service, selected("text", "sst2"), asked("sst2"))
    geometry = sections.geometry_html(store, pair)
    assert geometry.count("<svg viewBox") == 6
    assert "<table" in geometry
    assert "n = 56" in geometry
    assert sections.label_kinds(pair) == ["label"]
    known = sections.knowledge_html(store, pair, "label", None)
    assert "95 % confidence" in known
    assert "No baseline of raw inputs" in known
    assert known.count('class="student whisker"') == 2


def test_labels_that_are_too_rare_are_not_asked_for(service: Service) -> None:
    pair = pair_of(service, selected("audio"), asked("speechocean"))
    assert "speaker" not in sections.label_kinds(pair)
    assert "gender" in sections.label_kinds(pair)


def test_maps_are_small_and_hold_every_item_in_every_layer(service: Service, view: Layers) -> None:
    pair = pair_of(service, selected(), asked("flowers5"))
    value = view._maps.drawn(pair, None, sections.pca_layouts(kept(service), pair))["value"]
    points = np.frombuffer(base64.b64decode(value["points"]), "<u2").reshape(9, 56, 2)
    assert (points.min(axis=1) == 0).any(axis=1).all()
    near = np.frombuffer(base64.b64decode(value["near"]), "<u2").reshape(9, 56, value["k"])
    assert near.max() < 56
    assert not (near == np.arange(56)[None, :, None]).any()
    assert len(str(value)) < 40_000
    assert value["media"] == ""
    assert [label["name"] for label in value["labels"]] == ["label"]


def test_a_cell_is_readable_on_its_colour() -> None:
    def luminance(colour: tuple[int, int, int]) -> float:
        parts = [c / 255 for c in colour]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    for value in np.linspace(0, 1, 41):
        html = matrix_table(np.array([[value]]), "cka", "t", rows="r", columns="c")
        light = luminance(SHARES.colour(value))
        ratio = 1.05 / (light + 0.05) if "color:#fff" in html else (light + 0.05) / 0.05
        assert ratio >= 4.5, value


def test_names_of_strangers_are_text() -> None:
    html = matrix_table(np.array([[np.nan]]), "cka", "<b>", rows="<i>", columns="${x}")
    assert "<b>" not in html
    assert "<i>" not in html
    assert "–" in html


def test_links_restore_what_is_offered_and_nothing_else(view: Layers) -> None:
    given = {
        "items": ["things"],
        "measure": ["procrustes"],
        "null": ["bogus"],
        "map": ["umap"],
        "other_model": ["../x"],
    }
    pairs, updates = view.link(given)
    assert pairs == [("items", "things"), ("measure", "procrustes"), ("map", "umap")]
    assert len(updates) == 3


def test_controls_of_a_stranger_become_those_there_are() -> None:
    choice = read_choice([None, 3, {}, "x", "y", "z", None, None])
    assert choice == Choice("", "", "teacher", "cka", "none", "pca")


def test_media_of_bundled_sets_alone_can_be_fetched() -> None:
    sheet = layers_maps.fetch_media({"items": "things"})
    assert sheet.startswith("data:image/webp;base64,")
    assert len(sheet) < MOST
    clip = layers_maps.fetch_media({"items": "prompts", "index": 0})
    assert clip.startswith("data:audio/wav;base64,")
    assert layers_maps.fetch_media({"items": "/etc"}) == ""
    wrongs: list[object] = [None, [], {}, {"items": "things", "index": 999}, {"items": "things", "index": "0"}]
    for wrong in wrongs:
        with pytest.raises(ValueError, match="nothing to fetch"):
            layers_maps.fetch_media(wrong)


def test_it_speaks_chinese(service: Service) -> None:
    with speaking("zh-CN"):
        html = sections.comparison_html(kept(service), pair_of(service, selected(), asked("flowers5")), NOTHING)
    assert "样本" in html


# One's own items -----------------------------------------------------------------------------------------------------


def upload(name: str, content: bytes) -> dict[str, Any]:
    folder = Path(get_upload_folder()) / "layers-test"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)
    return {"path": str(folder / name)}


def png(seed: int = 0) -> bytes:
    file = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (12, 16, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(file, "png")
    return file.getvalue()


def packed(entries: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return file.getvalue()


def test_own_pictures_come_as_files_or_as_a_zip_whose_folders_are_labels() -> None:
    settings = Settings()
    found = own_items("vision", [upload(f"{n}.png", png(n)) for n in range(4)], None, settings)
    assert len(found) == 4
    assert found.labels == {}
    entries = {f"../{kind}/<b>{n}\u202e.png": png(n) for n, kind in enumerate(("cats", "cats", "dogs", "dogs"))}
    found = own_items(
        "vision", [upload("all.zip", packed({**entries, "__MACOSX/x": b"x", ".h": b"x"}))], None, settings
    )
    assert found.labels["folder"] == ("cats", "cats", "dogs", "dogs")
    assert found.names[0] == "<b>0.png"
    assert found.sources["vision"]()[0].size == (16, 12)


def test_own_sounds_and_texts() -> None:
    file = io.BytesIO()
    soundfile.write(file, 0.1 * np.random.default_rng(0).standard_normal(8000), 16_000, format="WAV")
    found = own_items("audio", [upload(f"{n}.wav", file.getvalue()) for n in range(4)], None, Settings())
    assert found.raw("audio").shape == (4, 80)  # type: ignore[union-attr]
    texts = own_items("text", None, "one\n\ntwo\nthree\n four", Settings())
    assert texts.names == ("one", "two", "three", "four")


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        (None, "at least four"),
        ([], "at least four"),
        (lambda: [upload("a.png", png())], "these are 1"),
        (lambda: [upload(f"{n}.png", png()) for n in range(33)], "33 items"),
        (lambda: [upload(f"{n}.png", b"no picture") for n in range(4)], r"0\.png: "),
        (lambda: [upload("bomb.zip", packed({f"{n}.png": bytes(3_000_000) for n in range(4)}))], "larger than 2 MB"),
        (
            lambda: [upload("broken.zip", packed({"a.png": png()})[:-30] + b"PK\x05\x06" + bytes(18))],
            "these are 0|read",
        ),
        (lambda: [{"path": "/etc/passwd"}], "."),
    ],
)
def test_what_cannot_be_compared_is_refused_in_a_sentence(files: Any, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        own_items("vision", files() if callable(files) else files, None, Settings(max_upload_mb=2))


def test_own_items_leave_nothing_behind(service: Service) -> None:
    own = own_items("vision", [upload(f"{n}.png", png(n)) for n in range(5)], None, Settings())
    choice = asked("own")
    store = kept(service)
    before = len(store._found)
    pair = pair_of(service, selected(), choice, own=own)
    assert pair.n == 5
    assert pair.key is None
    assert "n = 5 pairs" in sections.comparison_html(store, pair, choice)
    assert len(store._found) == before
    with pytest.raises(ValueError, match="at least four"):
        pair_of(service, selected(), choice)


# The endpoint --------------------------------------------------------------------------------------------------------


def test_the_endpoint_answers_as_it_says(address: str) -> None:
    found = answered(address, "compare_layers", ["vision", "", "student", "", "teacher", "cka", "photographs"])
    assert set(found) == {"matrix", "rows", "columns", "n", "p", "estimator"}
    assert found["n"] == 31
    assert len(found["matrix"]) == len(found["rows"])
    assert found["rows"][0] == 0
    assert found["estimator"] == "linear CKA, debiased"


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["smell"], "modality"),
        (["vision", "", "boss"], "role"),
        (["vision", "", "student", "", "teacher", "love"], "measure"),
        (["vision", "", "student", "", "teacher", "cka", "nowhere"], "there are things"),
        (["vision", "text"], "another modality"),
        (["text", "", "student", "", "teacher", "cka", "photographs"], "nothing to show"),
    ],
)
def test_the_endpoint_refuses_in_a_sentence(address: str, arguments: list[str], reason: str) -> None:
    assert reason in refused(address, "compare_layers", arguments)


def test_everything_behind_the_pictures_can_be_kept(service: Service) -> None:
    choice = asked("sst2", null="shuffled")
    pair = pair_of(service, selected("text", "sst2"), choice)
    store = kept(service)
    layouts = sections.pca_layouts(store, pair)
    plates = figures(store, pair, choice, layouts, None)
    assert set(plates) == {"comparison", "geometry", "knows", "maps"}
    assert all(plate.statement.items == "sst2" for plate in plates.values())
    paths = {Path(path).name: Path(path) for path in make_files(store, pair, choice, layouts, None)}
    assert {"layers-comparison.csv", "layers-geometry.csv", "layers-knows.csv", "layers-maps.svg"} <= set(paths)
    with np.load(paths["layers-vectors.npz"]) as arrays:
        np.testing.assert_array_equal(arrays["first"], pair.first.vectors)
        assert arrays["label label"].tolist() == list(pair.first.labels["label"])
    lines = paths["layers-comparison.csv"].read_text(encoding="utf-8-sig").splitlines()
    assert lines[0].startswith("layer,layer 0,layer 1")
    assert "null layer 0" in lines[0]
    refused_measure = make_files(store, pair, asked("sst2", measure="pwcca"), layouts, None)
    assert "layers-comparison.csv" not in {Path(path).name for path in refused_measure}


def test_umap_is_compiled_aside_and_once(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    monkeypatch.setattr(layers_ready, "_compile_umap", lambda: done.append(threading.current_thread().name))
    monkeypatch.setattr(layers_ready, "SECONDS_BEFORE", 0.0)
    layers_ready.get_umap_ready.cache_clear()
    try:
        layers_ready.get_umap_ready()
        layers_ready.get_umap_ready().join(timeout=10)
    finally:
        layers_ready.get_umap_ready.cache_clear()
    assert len(done) == 1
    assert done[0] != threading.current_thread().name


@pytest.mark.slow
def test_what_is_compiled_is_what_maps_need() -> None:
    """In a process of its own: a map of other items, after it, compiles nothing."""
    lines = (
        "import gc, numpy as np",
        "from ui.inside.layers_ready import _compile_umap",
        "from analysis.layouts import layout",
        "_compile_umap()",
        "from numba.core.dispatcher import Dispatcher",
        "known = [one for one in gc.get_objects() if isinstance(one, Dispatcher)]",
        "def compiled(): return sum(len(one.overloads) for one in known)",
        "before = compiled()",
        "layout(np.random.default_rng(1).standard_normal((56, 16)).astype(np.float32), 'umap')",
        "print(before, compiled())",
    )
    printed = subprocess.run([sys.executable, "-c", "\n".join(lines)], cwd=ROOT, capture_output=True, check=True).stdout
    before, after = map(int, printed.split())
    assert after == before > 0

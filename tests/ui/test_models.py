"""The Models tab: cards, what is in memory, and models that visitors bring: from the hub, a folder, a training file."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
import torch

from data2vec_core.checkpoints.card import Card, Metric
from data2vec_core.checkpoints.errors import CheckpointError
from tests.hub import COMMIT, LocalHub, running_hub
from tests.unit.test_checkpoints_convert import Explosive, pretrained_audio, pretrained_vision, saved
from ui.fetching import Cancelled, Downloads, hub_name
from ui.known_models import ModelEntry
from ui.models import ModelsTab, build
from ui.newcomers import find_here, find_on_hub
from ui.service import Service
from ui.settings import Settings
from ui.views.models import model_card, model_list
from ui.views.notice import made_by
from ui.words import say, speaking

ID = "someone/tiny"
HOSTILE = "<img src=x onerror=alert(1)> ${1+1} {{x}}"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, checkpoints: dict[str, Path]) -> Iterator[LocalHub]:
    """Serves a sentiment classifier as `someone/tiny` and a text encoder as `someone/encoder`."""
    with running_hub() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
        for hub_id, name in ((ID, "classify_text"), ("someone/encoder", "text")):
            hub.folders[hub_id] = tmp_path / name
            shutil.copytree(checkpoints[name], tmp_path / name)
        yield hub


def tab_of(service: Service) -> ModelsTab:
    with gr.Blocks():
        return build(service)


@pytest.fixture
def service(settings: Settings) -> Service:
    return Service(settings)


def brought(tab: ModelsTab, looked: list[Any]) -> str:
    """What the page says after what was looked at is loaded."""
    _, found, button = looked
    assert button.interactive
    *_, (_, ready) = tab.fetch(found)
    said: str = tab.bring(ready)[0]
    return said


def test_a_hub_id_with_a_revision_is_told_apart_from_other_names() -> None:
    assert hub_name("owner/name") == ("owner/name", None)
    assert hub_name("owner/name@refs/pr/1") == ("owner/name", "refs/pr/1")
    for name in ("name", "a/b/c", "/etc", "../x", "a/b@", "a/b@../../etc", "a/b@.."):
        assert hub_name(name) is None


@pytest.mark.usefixtures("hub")
def test_looking_tells_what_it_is_before_anything_is_downloaded(service: Service, hub: LocalHub) -> None:
    said, found, button = tab_of(service).look_on_hub(f" {ID} ", "")
    assert button.interactive
    assert found.size == sum(path.stat().st_size for path in hub.folders[ID].iterdir() if path.name != "special.json")
    for text in ("Data2VecTextForSequenceClassification", "Text › Classify", COMMIT, "model.safetensors"):
        assert text in said
    assert not any("resolve" in request and "safetensors" in request for request in hub.requests)


@pytest.mark.usefixtures("hub")
def test_a_hub_model_is_downloaded_loaded_and_offered(service: Service) -> None:
    tab = tab_of(service)
    said = brought(tab, tab.look_on_hub(ID, "main"))
    name = f"{ID}@main"
    assert say("models.loaded", model=name) in said
    assert [one.model for one in service.loaded()] == [name]
    assert name in [entry.name for entry in service.models_for("classify_text")]
    assert name not in [entry.name for entry in service.models_for("tag_tokens")]
    assert service.ask("classify_text", {"text": "a film"}, name).result.model == name


@pytest.mark.usefixtures("hub")
def test_only_an_encoder_is_listed_and_says_what_it_can_do(service: Service) -> None:
    tab = tab_of(service)
    looked = tab.look_on_hub("someone/encoder", "")
    assert say("models.headless") in looked[0]
    assert "recipes.finetune text-classification" in looked[0]
    assert "Data2VecTextModel.from_pretrained" in brought(tab, looked)
    assert service.loaded() == []
    with pytest.raises(ValueError, match=r"someone/encoder is an encoder without a trained head.*under Models"):
        service.ask("classify_text", {"text": "a film"}, "someone/encoder")


@pytest.mark.usefixtures("hub")
def test_a_head_that_was_not_trained_does_not_answer(service: Service) -> None:
    """A backbone that says nothing of itself, named by a visitor in a tool."""
    with pytest.raises(ValueError, match="someone/encoder is an encoder without a trained head"):
        service.ask("classify_text", {"text": "a film"}, "someone/encoder")
    assert service.loaded() == []


@pytest.mark.usefixtures("hub")
def test_what_cannot_be_brought_says_why(settings: Settings, hub: LocalHub, tmp_path: Path) -> None:
    tab = tab_of(Service(settings))
    (tmp_path / "bert").mkdir()
    (tmp_path / "bert" / "config.json").write_text('{"model_type": "bert <b>"}')
    (tmp_path / "bert" / "model.safetensors").write_bytes(b"1")
    hub.folders["someone/bert"] = tmp_path / "bert"
    for hub_id, revision, said in (
        ("", "", say("models.no_id")),
        ("no id", "", say("models.no_id")),
        (ID, "../../etc", say("models.no_id")),
        (ID, "v9", "no such revision"),
        ("someone/else", "", "the hub has no such model"),
        ("someone/bert", "", "(its configuration says bert &lt;b&gt;)"),
    ):
        html, found, button = tab.look_on_hub(hub_id, revision)
        assert said in html
        assert found is None
        assert not button.interactive
    small = Service(Settings(model_memory_mb=1, max_download_mb=1))
    with (hub.folders[ID] / "model.safetensors").open("ab") as file:
        file.truncate(2_000_000)
    with pytest.raises(ValueError, match="is too large for this host: 2.. MB, and at most 1 MB are downloaded"):
        find_on_hub(small, ID)
    with pytest.raises(ValueError, match="takes 2.0 MB of memory, and all models together may take 1.0 MB"):
        find_on_hub(Service(Settings(model_memory_mb=1)), ID)


def test_a_folder_is_brought_under_its_path(service: Service, checkpoints: dict[str, Path]) -> None:
    tab, folder = tab_of(service), str(checkpoints["classify_image"])
    assert say("models.loaded", model=folder) in brought(tab, tab.look_here(folder))
    assert folder in [entry.name for entry in service.models_for("classify_image")]
    assert not next(entry for entry in service.models if entry.name == folder).is_bundled


def test_a_training_file_is_converted_with_its_teacher_and_its_vocabulary(service: Service, tmp_path: Path) -> None:
    tab = tab_of(service)
    (tmp_path / "vocab.json").write_text('{"a": 0}')
    file = saved(pretrained_audio(), tmp_path).rename(tmp_path / "an4.pt")
    looked = tab.look_here(str(file))
    assert say("models.convertible") in looked[0]
    said = brought(tab, looked)
    entry = service.models[-1]
    assert entry.name == "an4-2"  # an4 is another one's name
    assert entry.folder is not None
    assert {"model.safetensors", "teacher.safetensors", "vocab.json"} <= {path.name for path in entry.folder.iterdir()}
    assert entry.card.is_encoder
    assert say("models.headless") in said
    vision = saved(pretrained_vision(), tmp_path).rename(tmp_path / "beit.pth")
    brought(tab, tab.look_here(str(vision)))
    assert [(entry.name, entry.card.modality) for entry in service.models[-2:]] == [
        ("an4-2", "audio"),
        ("beit", "vision"),
    ]


def test_an_unsafe_file_is_refused_wherever_it_is_given_and_nothing_of_it_runs(
    service: Service, checkpoints: dict[str, Path], tmp_path: Path
) -> None:
    trace = tmp_path / "was-run"
    evil = Explosive(exec, f"open({str(trace)!r}, 'w')")
    tab = tab_of(service)
    torch.save({"model": evil}, tmp_path / "evil.pt")
    assert "refused, because reading it would import builtins.exec" in brought(
        tab, tab.look_here(str(tmp_path / "evil.pt"))
    )
    folder = tmp_path / "model"
    shutil.copytree(checkpoints["classify_text"], folder)
    (folder / "model.safetensors").unlink()
    torch.save({"classifier.weight": evil}, folder / "pytorch_model.bin")
    assert "cannot be read" in brought(tab, tab.look_here(str(folder)))
    with pytest.raises(CheckpointError, match="cannot be read"):
        service.ask("classify_text", {"text": "a film"}, str(folder))
    assert not trace.exists()
    assert not any(entry.name == "evil" for entry in service.models)
    assert service.loaded() == []


def test_paths_that_lead_nowhere_say_so(service: Service, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("words")
    for path, said in (
        ("", say("models.no_path")),
        (str(tmp_path / "none"), "There is nothing at"),
        (str(tmp_path / "notes.txt"), "is no checkpoint"),
        (str(tmp_path), "has no config.json"),
    ):
        assert said in tab_of(service).look_here(path)[0]


def test_where_visitors_bring_nothing_there_are_no_fields_and_no_way_round_them(
    bundled_folder: Path, checkpoints: dict[str, Path]
) -> None:
    settings = Settings(
        bundled_folder=bundled_folder, allow_hub=False, allow_local_folders=False, allow_unloading=False
    )
    service = Service(settings)
    with gr.Blocks() as demo:
        build(service)
    fields = [c["props"].get("elem_id") for c in demo.config["components"] if c["type"] in ("textbox", "button")]
    assert fields == []
    assert any(say("models.closed") in str(c["props"].get("value")) for c in demo.config["components"])
    with pytest.raises(ValueError, match="does not download others"):
        find_on_hub(service, ID)
    with pytest.raises(ValueError, match="does not open its folders"):
        find_here(service, str(checkpoints["classify_text"]))
    with pytest.raises(ValueError, match="visitors do not unload models"):
        service.unload("sst2")


def test_unloading_frees_the_memory_and_says_when_it_cannot(service: Service) -> None:
    with gr.Blocks() as page:
        tab = build(service)
    [wired] = [one for one in page.fns.values() if one.name == "unload"]
    service.ask("classify_text", {"text": "a film"})
    said, _, memory, row, chooser, _ = tab.unload("sst2")
    assert (said, row.visible, chooser.choices) == ("", False, [])
    assert say("models.nothing_loaded") in memory
    stream = service.stream("continue_text", {"prompt": "so it goes"})
    next(stream)
    refused = tab.unload("causal")
    assert "is at work now" in refused[0]
    assert len(wired.outputs) == len(refused)
    stream.close()


def test_weights_are_held_as_somebody_chose(service: Service) -> None:
    tab = tab_of(service)
    assert tab.refresh()[-1] == service.settings.linear == "best"
    service.choose_linear("int8")
    asked = {"text": "a film"}
    answer = service.ask("classify_text", asked)
    assert answer.linear == "int8"
    assert say("made.int8") in made_by("sst2", answer.entry, answer.linear)
    assert f"<td>{say('models.bits_8')}</td>" in tab.refresh()[1]
    assert tab.refresh()[-1] == "int8"
    service.choose_linear("plain")
    exact = service.ask("classify_text", asked)
    assert exact.linear == "plain"
    assert exact.result.labels[0].score == pytest.approx(answer.result.labels[0].score, abs=0.05)
    assert exact.result != answer.result
    assert f"<td>{say('models.bits_8')}</td>" not in tab.refresh()[1]
    with pytest.raises(ValueError, match="one of best, plain, packed, int8"):
        service.choose_linear("int4")


def test_where_others_may_not_choose_the_host_does(bundled_folder: Path) -> None:
    service = Service(Settings(bundled_folder=bundled_folder, linear="int8", allow_unloading=False))
    with pytest.raises(ValueError, match="visitors do not choose how models hold their weights"):
        service.choose_linear("plain")
    assert service.ask("classify_text", {"text": "a film"}).linear == "int8"
    with service.subject("sst2") as subject:
        assert subject.encoder.linear_kind == "plain"  # what is looked at inside are the model's own numbers


def test_a_card_shows_all_its_facts_and_no_markup() -> None:
    card = Card(
        name=HOSTILE,
        modality="text",
        task="classification",
        title=f"title {HOSTILE}",
        description=f"description {HOSTILE}",
        trained_on="two texts",
        training_items=12_345,
        baseline="a coin",
        advice="be kind",
        licence=f"CC0 {HOSTILE}",
        parent="text",
        backbone="text",
        metrics=(Metric("accuracy", 0.875, "test"), Metric("perplexity", 17.25, "valid")),
        minutes=6.5,
        date="2026-11-22",
        parameters=4_000_000,
    )
    entry = ModelEntry(card=card, folder=Path("/nowhere"))
    shown = model_card(entry, [])
    for text in ("two texts", "12,345", "a coin", "be kind", "87.5 %", "17.2", "6.5", "2026-11-22", "4,000,000"):
        assert text in shown
    for html in (shown, model_list([entry], [])):
        assert "<img" not in html
        assert "&lt;img" in html
    with speaking("zh-CN"):
        assert say("models.licence") not in shown
        assert say("models.licence") in model_card(entry, [])


class SlowHub:
    """Stands in for a hub: gives a byte whenever it is told to, and notes who was cut off."""

    def __init__(self) -> None:
        self.calls = 0
        self.more = threading.Semaphore(0)
        self.ended = threading.Event()
        self.was_cancelled = False

    def __call__(self, _hub_id: str, _revision: str | None, came: Callable[[int], None]) -> None:
        self.calls += 1
        try:
            for _ in range(3):
                self.more.acquire(timeout=30)
                came(1)
        except Cancelled:
            self.was_cancelled = True
            raise
        finally:
            self.ended.set()


def test_two_visitors_share_a_download_and_one_may_leave() -> None:
    hub = SlowHub()
    downloads = Downloads(hub, interval=0.01)
    one, two = downloads.steps(ID), downloads.steps(ID)
    assert (next(one), next(two)) == (0, 0)
    one.close()
    hub.more.release(3)
    assert list(two)[-1] == 3
    assert (hub.calls, hub.was_cancelled, downloads.running()) == (1, False, [])


def test_a_download_ends_when_nobody_waits_for_it_and_can_be_begun_anew() -> None:
    hub = SlowHub()
    downloads = Downloads(hub, interval=0.01)
    only = downloads.steps(ID)
    next(only)
    only.close()
    assert downloads.running() == []
    hub.more.release(1)
    assert hub.ended.wait(30)
    assert hub.was_cancelled
    hub.more.release(3)
    assert list(downloads.steps(ID))[-1] == 3
    assert hub.calls == 2


def test_a_download_that_fails_fails_for_all_who_wait_and_is_forgotten() -> None:
    gate = threading.Event()

    def broken(*_: Any) -> None:
        gate.wait(30)
        raise CheckpointError("the hub is gone")

    downloads = Downloads(broken, interval=0.01)
    waiting = [downloads.steps(ID) for _ in range(2)]
    for one in waiting:
        next(one)
    gate.set()
    for one in waiting:
        with pytest.raises(CheckpointError, match="the hub is gone"):
            list(one)
    assert downloads.running() == []


@pytest.mark.usefixtures("hub")
def test_the_bytes_of_a_download_add_up_to_its_size(service: Service, hub: LocalHub) -> None:
    steps = list(service.fetching(ID))
    weights = (hub.folders[ID] / "model.safetensors").stat().st_size
    assert steps[-1] == (weights, weights)
    assert list(service.fetching("sst2")) == []  # a bundled one needs none

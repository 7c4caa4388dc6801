"""The loaded models: how many stay, who loads, what may be named."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from data2vec_core.checkpoints import hub
from data2vec_core.checkpoints.card import Card
from data2vec_core.checkpoints.errors import CheckpointError
from data2vec_core.tasks.results import Classification, LabelScore
from ui.catalogue import TOOLS, Tool
from ui.examples import Example
from ui.fetching import Downloads
from ui.known_models import PUBLIC_MODELS, ModelEntry
from ui.service import Answer, Service
from ui.settings import Settings
from ui.steps import Step

CARD = Card(name="sst2", modality="text", task="classification")
BUNDLED = ModelEntry(card=CARD, folder=Path("/models/sst2"))


class Loader:
    """Stands in for loading: counts, and can be held up or made to fail."""

    def __init__(self) -> None:
        self.places: list[str] = []
        self.megabytes: dict[str, int] = {}
        """Of models that take room, by place."""
        self.gate = threading.Event()
        self.gate.set()
        self.error: Exception | None = None
        self.running = 0
        self.most_running = 0

    def __call__(self, _tool: Tool, place: str) -> Any:
        self.gate.wait()
        self.places.append(place)
        if self.error is not None:
            raise self.error

        return FakeTask(place, self)


class FakeModel:
    """Stands in for a network: takes room."""

    def __init__(self, megabytes: int) -> None:
        self.nbytes = megabytes * 1_000_000


class FakeTask:
    """Stands in for a text classifier and a continuer: repeats what it is given."""

    def __init__(self, place: str, loader: Loader) -> None:
        self.model_name = place
        self.model = FakeModel(loader.megabytes.get(place, 0))
        self.loader = loader

    def __call__(self, text: str) -> Classification:
        loader = self.loader
        loader.running += 1
        loader.most_running = max(loader.most_running, loader.running)
        loader.running -= 1
        return Classification(model=self.model_name, labels=(LabelScore(label=text, score=1.0),))

    def batch(self, texts: Sequence[str]) -> list[Classification]:
        return [self(text) for text in texts]

    def stream(self, prompt: str, *, max_new_tokens: int, **_: Any) -> Iterator[str]:
        yield from prompt.split()[:max_new_tokens]


@pytest.fixture
def loader() -> Loader:
    return Loader()


@pytest.fixture
def picture(files: Callable[[str], str]) -> str:
    return files("picture.png")


def make(loader: Loader, patience: float = 0.05, **settings: Any) -> Service:
    here = Downloads(lambda *_: None)  # downloads nothing
    return Service(
        Settings(**settings), models=(BUNDLED, *PUBLIC_MODELS), load=loader, downloads=here, patience=patience
    )


def in_memory(service: Service) -> list[str]:
    return [one.model for one in service.loaded()]


@pytest.fixture
def folders(tmp_path: Path, loader: Loader) -> list[str]:
    """Three models of 4 MB."""
    for name in "abc":
        (tmp_path / name).mkdir()
        loader.megabytes[str(tmp_path / name)] = 4
    return [str(tmp_path / name) for name in "abc"]


def test_the_default_model_answers_and_is_named_without_its_folder(loader: Loader) -> None:
    answer = make(loader).ask("classify_text", {"text": " good "})
    assert loader.places == ["/models/sst2"]
    assert answer.result == Classification(model="sst2", labels=(LabelScore(label="good", score=1.0),))
    assert (answer.inputs, answer.entry) == ({"text": "good"}, BUNDLED)


def test_nothing_is_loaded_before_someone_asks_or_for_a_bad_input(loader: Loader) -> None:
    service = make(loader)
    with pytest.raises(ValueError, match="no text"):
        service.ask("classify_text", {"text": ""})
    assert loader.places == []


def test_a_model_is_loaded_once_under_concurrency(loader: Loader) -> None:
    service = make(loader)
    loader.gate.clear()
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(service.ask, "classify_text", {"text": str(i)}) for i in range(8)]
        loader.gate.set()
        assert [future.result().result.labels[0].label for future in asked] == [str(i) for i in range(8)]
    assert loader.places == ["/models/sst2"]
    assert loader.most_running == 1


def test_the_model_used_longest_ago_gives_way(loader: Loader, folders: list[str]) -> None:
    service = make(loader, model_memory_mb=10)
    a, b, c = folders
    for model in (a, b, a, c):
        service.ask("classify_text", {"text": "x"}, model)
    assert in_memory(service) == [a, c]
    assert [one.size for one in service.loaded()] == [4_000_000, 4_000_000]  # tied weights count once
    assert service.memory.used == 8_000_000
    service.ask("classify_text", {"text": "x"}, a)
    assert loader.places == [a, b, c]


def test_a_model_larger_than_the_memory_is_refused_and_nothing_gives_way(loader: Loader, folders: list[str]) -> None:
    service = make(loader, model_memory_mb=10)
    a, b, _ = folders
    loader.megabytes[b] = 11
    service.ask("classify_text", {"text": "x"}, a)
    with pytest.raises(ValueError, match="takes 11 MB of memory, and all models together may take 10 MB"):
        service.ask("classify_text", {"text": "x"}, b)
    assert in_memory(service) == [a]


def test_a_folder_too_large_for_the_memory_is_not_even_read(loader: Loader, folders: list[str]) -> None:
    (Path(folders[0]) / "config.json").write_text("{}", encoding="utf-8")
    with (Path(folders[0]) / "model.safetensors").open("wb") as file:
        file.truncate(11_000_000)
    with pytest.raises(ValueError, match="takes 11 MB of memory"):
        make(loader, model_memory_mb=10).ask("classify_text", {"text": "x"}, folders[0])
    assert loader.places == []


def test_a_model_in_use_stays_and_is_waited_for(loader: Loader, folders: list[str]) -> None:
    a, b, c = folders
    service = make(loader, model_memory_mb=10)
    begun = [service.stream("continue_text", {"prompt": "so it goes"}, model) for model in (a, b)]
    for stream in begun:
        next(stream)
    with pytest.raises(ValueError, match="There is no memory for .* now: other visitors' models take it"):
        service.ask("classify_text", {"text": "x"}, c)
    assert in_memory(service) == [a, b]
    with pytest.raises(ValueError, match="is at work now"):
        service.unload(a)
    patient = make(loader, model_memory_mb=10, patience=30)
    begun = [patient.stream("continue_text", {"prompt": "so it goes"}, model) for model in (a, b)]
    for stream in begun:
        next(stream)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(patient.ask, "classify_text", {"text": "x"}, c)
        begun[0].close()  # who is done, or gone, makes room
        assert waiting.result().result.model == c
    assert in_memory(patient) == [b, c]


def test_a_model_is_unloaded_when_nobody_uses_it_and_where_that_is_allowed(loader: Loader) -> None:
    service = make(loader)
    service.ask("classify_text", {"text": "x"})
    assert in_memory(service) == ["sst2"]
    service.unload("sst2")
    assert in_memory(service) == []
    service.ask("classify_text", {"text": "x"})
    assert loader.places == ["/models/sst2"] * 2
    public = make(loader, allow_unloading=False)
    public.ask("classify_text", {"text": "x"})
    with pytest.raises(ValueError, match="visitors do not unload models"):
        public.unload("sst2")
    assert in_memory(public) == ["sst2"]


def test_of_visitors_who_wait_for_one_model_each_has_its_own_try_when_it_fails(loader: Loader) -> None:
    service = make(loader)
    loader.gate.clear()
    loader.error = CheckpointError("no network")
    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(service.ask, "classify_text", {"text": "x"}) for _ in range(4)]
        loader.gate.set()
        for future in asked:
            with pytest.raises(CheckpointError, match="no network"):
                future.result()
    assert service.loaded() == []
    assert service.memory.used == 0
    loader.error = None
    assert service.ask("classify_text", {"text": "x"}).result.model == "sst2"


def test_a_visitor_who_leaves_while_a_model_loads_leaves_nothing_stuck(loader: Loader) -> None:
    service = make(loader)
    loader.gate.clear()
    stream = service.stream("classify_text", {"text": "x"})
    with ThreadPoolExecutor(2) as pool:
        leaving = pool.submit(next, stream)
        staying = pool.submit(service.ask, "classify_text", {"text": "y"})
        loader.gate.set()
        leaving.result()
        stream.close()  # as gradio does when the page is closed
        assert staying.result().result.labels[0].label == "y"
    assert [(one.model, one.is_in_use) for one in service.loaded()] == [("sst2", False)]
    assert loader.places == ["/models/sst2"]


def test_an_interrupted_load_leaves_nothing_stuck(loader: Loader) -> None:
    service = make(loader)
    loader.error = KeyboardInterrupt()  # type: ignore[assignment]
    with pytest.raises(KeyboardInterrupt):
        service.ask("classify_text", {"text": "x"})
    assert (service.loaded(), service.memory.used) == ([], 0)
    loader.error = None
    assert service.ask("classify_text", {"text": "x"}).result.model == "sst2"


def test_a_failed_load_leaves_room_for_another_try(loader: Loader) -> None:
    service = make(loader)
    loader.error = CheckpointError("no network")
    with pytest.raises(CheckpointError, match="no network"):
        service.ask("classify_text", {"text": "x"})
    assert service.loaded() == []
    loader.error = None
    assert service.ask("classify_text", {"text": "x"}).result.model == "sst2"


def test_an_example_is_answered_once_by_the_default_model(loader: Loader, tmp_path: Path) -> None:
    service, example = make(loader), Example("x", {"text": "x"})
    assert service.ask_example("classify_text", example) is service.ask_example("classify_text", example, "sst2")
    other = str(tmp_path)
    assert service.ask_example("classify_text", example, other).result.model == other


def test_a_hub_id_is_passed_on_where_it_is_allowed(loader: Loader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "hub_size", lambda *_, **__: 10_000_000)
    assert make(loader).ask("classify_text", {"text": "x"}, "someone/model").result.model == "someone/model"
    with pytest.raises(ValueError, match="someone/model is not a bundled model, and this host does not download"):
        make(loader, allow_hub=False).ask("classify_text", {"text": "x"}, "someone/model")


def test_a_public_checkpoint_is_allowed_even_where_other_ids_are_not(loader: Loader, picture: str) -> None:
    service = make(loader, allow_hub=False)
    loader.error = CheckpointError("facebook/data2vec-vision-base-ft1k needs a network")
    with pytest.raises(CheckpointError, match="^facebook/data2vec-vision-base-ft1k needs a network$"):
        service.ask("classify_image", {"image": picture}, "facebook/data2vec-vision-base-ft1k")


def test_a_download_beyond_the_limit_is_refused(loader: Loader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "hub_size", lambda *_, **__: 2_000_000_000)
    with pytest.raises(ValueError, match="someone/large is too large for this host: 2000 MB, and at most 1500 MB"):
        make(loader).ask("classify_text", {"text": "x"}, "someone/large")
    assert loader.places == []


def test_without_a_network_loading_says_what_is_missing(loader: Loader, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: Any, **__: Any) -> int:
        raise CheckpointError("the hub cannot be reached")

    monkeypatch.setattr(hub, "hub_size", unreachable)
    loader.error = CheckpointError("someone/model is not on this machine, and there is no network")
    with pytest.raises(CheckpointError, match="is not on this machine"):
        make(loader).ask("classify_text", {"text": "x"}, "someone/model")


def test_folders_are_opened_only_where_that_is_allowed(loader: Loader, tmp_path: Path) -> None:
    folder = str(tmp_path)
    assert make(loader).ask("classify_text", {"text": "x"}, folder).result.model == folder
    for place in (folder, "/etc", "../models", "~/models"):
        with pytest.raises(ValueError, match="does not open its folders"):
            make(loader, allow_local_folders=False).ask("classify_text", {"text": "x"}, place)


def test_an_unknown_name_lists_the_bundled_ones(loader: Loader) -> None:
    with pytest.raises(ValueError, match=r"no model called sst3 here. Models for this: sst2\."):
        make(loader).ask("classify_text", {"text": "x"}, "sst3")
    with pytest.raises(ValueError, match="by its name"):
        make(loader).ask("classify_text", {"text": "x"}, 5)  # type: ignore[arg-type]


def test_a_model_made_for_something_else_is_not_tried(loader: Loader) -> None:
    service = make(loader)
    with pytest.raises(ValueError, match=r"base-960h was made for something else. Models for this: sst2\."):
        service.ask("classify_text", {"text": "x"}, "facebook/data2vec-audio-base-960h")
    with pytest.raises(ValueError, match="text-base is an encoder without a trained head"):
        service.ask("classify_text", {"text": "x"}, "facebook/data2vec-text-base")
    assert loader.places == []


def test_an_error_names_the_model_and_not_the_hosts_folder(loader: Loader) -> None:
    loader.error = CheckpointError("/models/sst2: model.safetensors is damaged")
    with pytest.raises(CheckpointError, match="^sst2: model.safetensors is damaged$"):
        make(loader).ask("classify_text", {"text": "x"})


def test_a_tool_offers_the_models_made_for_it_and_public_encoders(loader: Loader) -> None:
    encoder = ModelEntry(card=Card(name="text", modality="text", task="pretraining"), folder=Path("/models/text"))
    service = Service(Settings(), models=(BUNDLED, encoder, *PUBLIC_MODELS), load=loader)
    assert [entry.name for entry in service.models_for("classify_text")] == ["sst2", "facebook/data2vec-text-base"]
    assert [entry.name for entry in service.models_for("transcribe")] == [
        "facebook/data2vec-audio-base-960h",
        "facebook/data2vec-audio-base",
    ]
    with pytest.raises(ValueError, match="text is an encoder without a trained head"):
        service.ask("classify_text", {"text": "x"}, "text")


CONTINUER = ModelEntry(card=Card(name="causal", modality="text", task="continuation"), folder=Path("/models/causal"))


def grown(answers: Iterable[Answer | Step]) -> list[Answer]:
    """An answer as it grows, of a tool that tells no steps between."""
    found = list(answers)
    assert all(isinstance(each, Answer) for each in found)
    return [each for each in found if isinstance(each, Answer)]


def test_an_answer_that_grows_comes_piece_by_piece_and_is_whole_at_last(loader: Loader) -> None:
    service = Service(Settings(), models=(CONTINUER,), load=loader)
    inputs = {"prompt": "so it goes ", "max_new_tokens": 2}
    answers = grown(service.stream("continue_text", inputs))
    assert [answer.result.text for answer in answers] == ["so it goes", "so it goesso", "so it goessoit"]
    assert {answer.result.model for answer in answers} == {"causal"}
    assert service.ask("continue_text", inputs).result.text == "so it goessoit"


def test_who_stops_listening_holds_up_nobody(loader: Loader) -> None:
    service = Service(Settings(), models=(CONTINUER,), load=loader)
    begun = service.stream("continue_text", {"prompt": "so it goes"})
    assert [answer.result.text for answer in grown(islice(begun, 2))] == ["so it goes", "so it goesso"]
    assert service.ask("continue_text", {"prompt": "on"}).result.text == "onon"  # while the other one waits


def test_a_seed_that_is_left_out_is_drawn_and_told(loader: Loader) -> None:
    service = Service(Settings(), models=(CONTINUER,), load=loader)
    seeds = {service.ask("continue_text", {"prompt": "on"}).inputs["seed"] for _ in range(20)}
    assert len(seeds) > 1
    assert service.ask("continue_text", {"prompt": "on", "seed": 7}).inputs["seed"] == 7


def test_tools_with_one_task_share_the_loaded_model(loader: Loader) -> None:
    service = make(loader)
    service.ask("classify_text", {"text": "x"})
    lines = "\n".join(["one", " ", *(str(i) for i in range(60))])
    answers = grown(service.stream("classify_lines", {"lines": lines}))
    assert [len(answer.result.classifications) for answer in answers] == [50, 61]
    assert [each.labels[0].label for each in answers[-1].result.classifications[:2]] == ["one", "0"]
    assert loader.places == ["/models/sst2"]


def test_a_tool_without_any_model_says_so(loader: Loader) -> None:
    service = Service(Settings(), models=(), load=loader)
    assert not service.knows(TOOLS["fill_mask"].default_model)
    with pytest.raises(ValueError, match="no model called mlm here. Models for this: none yet"):
        service.ask("fill_mask", {"text": "a <mask>"})

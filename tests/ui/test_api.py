"""The six endpoints, called over HTTP as from outside."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import numpy as np
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image

from ui.words import say

Files = Callable[[str], str]
MODELS = ["an4", "commands", "objects", "pets3", "sst2"]


@pytest.fixture(scope="module")
def client(address: str, tmp_path_factory: pytest.TempPathFactory) -> Client:
    return Client(
        address, verbose=False, analytics_enabled=False, download_files=str(tmp_path_factory.mktemp("downloads"))
    )


def test_the_api_page_lists_the_six_endpoints_and_nothing_else(client: Client) -> None:
    named: dict[str, Any] = client.view_api(return_format="dict")["named_endpoints"]
    parameters = {
        name: [(p["parameter_name"], p["parameter_has_default"]) for p in endpoint["parameters"]]
        for name, endpoint in named.items()
    }
    assert parameters == {
        "/transcribe": [("audio", False), ("model", True)],
        "/classify_audio": [("audio", False), ("model", True)],
        "/classify_text": [("text", False), ("model", True)],
        "/classify_image": [("image", False), ("model", True)],
        "/segment_image": [("image", False), ("model", True)],
        "/list_models": [],
    }
    assert all(endpoint["description"] for endpoint in named.values())


def test_transcribe(client: Client, files: Files) -> None:
    answer = client.predict(audio=handle_file(files("sound.wav")), api_name="/transcribe")
    assert answer.keys() == {"text", "words", "duration", "model"}
    assert (answer["model"], answer["duration"]) == ("an4", 1.0)
    assert answer["text"] == " ".join(word["word"] for word in answer["words"])
    assert answer["words"]
    for word in answer["words"]:
        assert word.keys() == {"word", "start", "end", "confidence"}
        assert 0 <= word["start"] < word["end"]
        assert 0 <= word["confidence"] <= 1


def check_classes(answer: dict[str, Any], model: str, labels: set[str]) -> None:
    assert answer.keys() == {"labels", "model"}
    assert answer["model"] == model
    assert {item["label"] for item in answer["labels"]} == labels
    scores = [item["score"] for item in answer["labels"]]
    assert scores == sorted(scores, reverse=True)
    assert sum(scores) == pytest.approx(1, abs=1e-5)


def test_classify_audio(client: Client, files: Files) -> None:
    answer = client.predict(audio=handle_file(files("sound.wav")), api_name="/classify_audio")
    check_classes(answer, "commands", {"yes", "no", "_silence_"})


def test_silence_is_classified_though_not_transcribed(client: Client, files: Files) -> None:
    silence = handle_file(files("silence.wav"))
    check_classes(client.predict(audio=silence, api_name="/classify_audio"), "commands", {"yes", "no", "_silence_"})
    with pytest.raises(AppError, match="This clip is silent"):
        client.predict(audio=silence, api_name="/transcribe")


def test_classify_text(client: Client) -> None:
    answer = client.predict(text="a warm film", api_name="/classify_text")
    check_classes(answer, "sst2", {"positive", "negative"})
    assert answer != client.predict(text="a dull plot", api_name="/classify_text")


def test_classify_image(client: Client, files: Files) -> None:
    answer = client.predict(image=handle_file(files("picture.png")), model="objects", api_name="/classify_image")
    check_classes(answer, "objects", {"crab", "laptop", "watch", "llama"})


def test_segment_image(client: Client, files: Files) -> None:
    answer = client.predict(image=handle_file(files("picture.png")), api_name="/segment_image")
    assert answer.keys() == {"classes", "mask", "overlay", "model"}
    assert answer["model"] == "pets3"
    mask, overlay = Image.open(answer["mask"]), Image.open(answer["overlay"])
    assert (mask.format, mask.mode, mask.size) == ("PNG", "L", (60, 40))
    assert (overlay.format, overlay.mode, overlay.size) == ("PNG", "RGB", (60, 40))
    ids, counts = np.unique(np.asarray(mask), return_counts=True)
    shares = {item["id"]: item["fraction"] for item in answer["classes"]}
    assert shares == {int(i): pytest.approx(count / 2400) for i, count in zip(ids, counts, strict=True)}
    assert all(item.keys() == {"label", "id", "fraction"} for item in answer["classes"])


def test_list_models(client: Client) -> None:
    models = {model["name"]: model for model in client.predict(api_name="/list_models")}
    assert [name for name, model in models.items() if model["bundled"]] == MODELS
    assert {key: models["pets3"][key] for key in ("modality", "task", "score", "metric", "split")} == {
        "modality": "vision",
        "task": "segmentation",
        "score": 0.25,
        "metric": "accuracy",
        "split": "test",
    }
    assert models["facebook/data2vec-audio-base-960h"]["score"] is None


@pytest.mark.parametrize(
    ("endpoint", "name", "sentence"),
    [
        ("/transcribe", "no_sound.wav", say("sound.unreadable")),
        ("/transcribe", "long.wav", say("sound.too_long", seconds="20")),
        ("/transcribe", "empty.wav", say("sound.empty")),
        ("/classify_audio", "short.wav", say("sound.too_short")),
        ("/classify_audio", "picture.png", say("sound.unreadable")),
        ("/classify_image", "no_picture.png", say("picture.unreadable")),
        ("/segment_image", "large.png", say("picture.too_large", megapixels="0.5")),
    ],
)
def test_a_bad_file_answers_with_the_sentence_of_the_page(
    endpoint: str, name: str, sentence: str, client: Client, files: Files
) -> None:
    with pytest.raises(AppError) as caught:
        client.predict(handle_file(files(name)), api_name=endpoint)
    assert caught.value.message == sentence


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"text": " "}, say("text.missing")),
        ({"text": "x" * 2001}, say("text.too_long", characters=2001, limit=2000)),
        ({"text": "fine", "model": "sst3"}, say("model.unknown", model="sst3", names="sst2")),
        ({"text": "fine", "model": "an4"}, say("model.misfit", model="an4", names="sst2")),
        ({"text": "fine", "model": 5}, say("model.no_text")),
    ],
)
def test_bad_words_answer_with_the_sentence_of_the_page(
    arguments: dict[str, Any], sentence: str, client: Client
) -> None:
    with pytest.raises(AppError) as caught:
        client.predict(**arguments, api_name="/classify_text")
    assert caught.value.message == sentence


def test_a_backbone_says_that_it_has_no_head(client: Client, checkpoints: dict[str, Any], files: Files) -> None:
    with pytest.raises(AppError, match="is only a backbone for this task"):
        client.predict(handle_file(files("sound.wav")), str(checkpoints["audio"]), api_name="/transcribe")


def test_a_file_above_the_limit_is_not_taken(address: str) -> None:
    files = {"files": ("large.wav", bytes(3_000_000))}
    assert httpx.post(f"{address}/gradio_api/upload", files=files).status_code == 413


def call(address: str, endpoint: str, data: list[Any]) -> str:
    """What the raw HTTP route answers, without a client's courtesy."""
    started = httpx.post(f"{address}/gradio_api/call/{endpoint}", json={"data": data}).json()
    return httpx.get(f"{address}/gradio_api/call/{endpoint}/{started['event_id']}", timeout=60).text


@pytest.mark.parametrize(
    "file",
    [
        {"path": "/etc/hostname"},
        {"path": "/etc/hostname", "meta": {"_type": "gradio.FileData"}},
        "/etc/hostname",
        {"path": None},
        {},
    ],
)
def test_a_path_of_the_server_is_not_read(file: Any, address: str) -> None:
    answer = call(address, "classify_image", [file, "objects"])
    assert "event: error" in answer
    assert "labels" not in answer
    assert "not an image" not in answer  # it was not even opened

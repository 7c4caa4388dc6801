"""The endpoints, called over HTTP as from outside."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import numpy as np
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image

from data2vec_core.checkpoints.card import MODALITIES
from ui.catalogue import TOOLS
from ui.words import say

Files = Callable[[str], str]
MODELS = sorted({*MODALITIES, *(tool.default_model for tool in TOOLS.values())})


@pytest.fixture(scope="module")
def client(address: str, tmp_path_factory: pytest.TempPathFactory) -> Client:
    return Client(
        address, verbose=False, analytics_enabled=False, download_files=str(tmp_path_factory.mktemp("downloads"))
    )


def test_the_api_page_lists_these_endpoints_and_nothing_else(client: Client) -> None:
    named: dict[str, Any] = client.view_api(return_format="dict")["named_endpoints"]
    parameters = {
        name: [(p["parameter_name"], p["parameter_has_default"]) for p in endpoint["parameters"]]
        for name, endpoint in named.items()
    }
    assert parameters == {
        "/transcribe": [("audio", False), ("model", True)],
        "/classify_audio": [("audio", False), ("model", True)],
        "/compare_speakers": [("audio_a", False), ("audio_b", False), ("model", True)],
        "/speaker_activity": [("audio", False), ("model", True)],
        "/classify_text": [("text", False), ("model", True)],
        "/tag_tokens": [("text", False), ("model", True)],
        "/answer_question": [("question", False), ("context", False), ("model", True)],
        "/choose": [("prompt", False), ("choices", False), ("model", True)],
        "/fill_mask": [("text", False), ("top_k", True), ("model", True)],
        "/continue_text": [
            ("prompt", False),
            ("max_new_tokens", True),
            ("temperature", True),
            ("seed", True),
            ("model", True),
        ],
        "/classify_image": [("image", False), ("model", True), ("runtime", True)],
        "/segment_image": [("image", False), ("model", True), ("runtime", True)],
        "/predict_masked": [
            ("modality", False),
            *((name, True) for name in ("text", "file", "model", "masked", "k", "seed")),
        ],
        "/attention_map": [
            ("modality", False),
            *((name, True) for name in ("text", "file", "model", "role", "layer", "head", "query")),
        ],
        "/embed": [
            ("modality", False),
            *((name, True) for name in ("text", "file", "model", "role", "layer", "pooling")),
        ],
        "/compare_layers": [
            ("modality", False),
            *((name, True) for name in ("model", "role", "other_model", "other_role", "measure", "items")),
        ],
        "/list_models": [],
    }
    assert all(endpoint["description"] for endpoint in named.values())
    assert all(endpoint["returns"][0]["python_type"]["type"] != "Any" for endpoint in named.values())


def test_settings_stand_at_the_same_defaults_as_on_the_page(client: Client) -> None:
    named: dict[str, Any] = client.view_api(return_format="dict")["named_endpoints"]
    for tool in TOOLS.values():
        parameters = {p["parameter_name"]: p for p in named.get(f"/{tool.name}", {"parameters": []})["parameters"]}
        for one in tool.inputs:
            if one.is_setting and one.name in parameters:
                assert parameters[one.name]["parameter_default"] == one.default
        if parameters:
            assert parameters["model"]["parameter_default"] == tool.default_model


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


def test_compare_speakers(client: Client, files: Files) -> None:
    sound, other = handle_file(files("sound.wav")), handle_file(files("other.wav"))
    answer = client.predict(audio_a=sound, audio_b=sound, api_name="/compare_speakers")
    assert answer == {
        "similarity": pytest.approx(1, abs=1e-5),
        "threshold": 0.5,
        "same_speaker": True,
        "model": "speakers",
    }
    assert client.predict(sound, other, api_name="/compare_speakers")["similarity"] < 0.9999


def test_speaker_activity(client: Client, files: Files) -> None:
    answer = client.predict(audio=handle_file(files("sound.wav")), api_name="/speaker_activity")
    assert answer.keys() == {"segments", "model"}
    assert answer["model"] == "activity"
    for turn in answer["segments"]:
        assert turn.keys() == {"speaker", "start", "end"}
        assert turn["speaker"] in ("first", "second")
        assert 0 <= turn["start"] < turn["end"] <= 1


def test_tag_tokens_counts_the_characters_of_the_text_as_it_was_sent(client: Client) -> None:
    text = "  \n " + "The film of 1999 moves you. A dull plot with a weak end. " * 3
    answer = client.predict(text=text, api_name="/tag_tokens")
    assert answer.keys() == {"entities", "model"}
    assert answer["entities"]
    for entity in answer["entities"]:
        assert entity.keys() == {"text", "label", "start", "end", "score"}
        assert text[entity["start"] : entity["end"]] == entity["text"]


def test_answer_question_counts_the_characters_of_the_passage_as_it_was_sent(client: Client) -> None:
    context = "   " + "A film that is warm and wise. " * 100  # many windows
    answer = client.predict(question="what?", context=context, api_name="/answer_question")
    assert answer.keys() == {"answer", "start", "end", "score", "model"}
    assert answer["answer"] == context[answer["start"] : answer["end"]] != ""


def test_choose(client: Client) -> None:
    answer = client.predict(prompt="a film", choices=["warm", "dull", "wise"], api_name="/choose")
    assert answer.keys() == {"choice", "scores", "model"}
    assert answer["scores"][answer["choice"]] == max(answer["scores"])
    assert sum(answer["scores"]) == pytest.approx(1, abs=1e-5)


def test_fill_mask(client: Client) -> None:
    answer = client.predict(text="a <mask> film", top_k=3, api_name="/fill_mask")
    assert answer.keys() == {"predictions", "model"}
    assert len(answer["predictions"]) == 3
    for prediction in answer["predictions"]:
        assert prediction.keys() == {"token", "score", "text"}
        assert prediction["token"] in prediction["text"]


def test_continue_text(client: Client) -> None:
    def written(**given: Any) -> str:
        answer = client.predict(prompt="a film ", max_new_tokens=6, api_name="/continue_text", **given)
        assert answer.keys() == {"text", "model"}
        assert answer["text"].startswith("a film")
        return str(answer["text"])

    assert written(seed=3) == written(seed=3)
    assert written(temperature=0) == written(temperature=0)  # nothing is drawn
    assert len({written(temperature=2.0) for _ in range(4)}) > 1


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
        ("/speaker_activity", "long.wav", say("sound.too_long", seconds="20")),
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


@pytest.mark.parametrize(
    ("endpoint", "arguments", "sentence"),
    [
        ("/tag_tokens", {"text": " "}, say("text.missing")),
        ("/answer_question", {"question": "", "context": "a film"}, say("answer_question.no_question")),
        ("/answer_question", {"question": "what?", "context": ""}, say("answer_question.no_context")),
        ("/answer_question", {"question": "what " * 99, "context": "a film"}, say("text.too_many_tokens")),
        (
            "/answer_question",
            {"question": "what?", "context": "x" * 20_001},
            say("text.too_long", characters=20_001, limit=20_000),
        ),
        ("/choose", {"prompt": "a film", "choices": ["one"]}, say("choose.miscounted", fewest=2, most=6)),
        ("/choose", {"prompt": "a film", "choices": ["one"] * 7}, say("choose.miscounted", fewest=2, most=6)),
        ("/choose", {"prompt": "a film", "choices": ["one", ""]}, say("choose.no_choice")),
        ("/choose", {"prompt": "a film", "choices": ["one", 2]}, say("choose.no_choice")),
        ("/choose", {"prompt": "a film", "choices": "one"}, say("choose.miscounted", fewest=2, most=6)),
        ("/choose", {"prompt": "a film", "choices": ["warm " * 100, "one"]}, say("text.too_many_tokens")),
        ("/fill_mask", {"text": "a film"}, say("text.no_mask")),
        ("/fill_mask", {"text": "<mask>" * 17}, say("text.no_mask")),
        ("/fill_mask", {"text": "a <mask>", "top_k": 0}, "top_k has to be a whole number from 1 to 20."),
        ("/fill_mask", {"text": "a <mask>", "top_k": "x"}, "top_k has to be a whole number from 1 to 20."),
        ("/continue_text", {"prompt": "a", "temperature": 9}, "temperature has to be a number from 0 to 2."),
        (
            "/continue_text",
            {"prompt": "a", "max_new_tokens": 10**9},
            "max_new_tokens has to be a whole number from 1 to 100.",
        ),
        ("/continue_text", {"prompt": "a", "seed": -1}, "seed has to be a whole number from 0 to 2147483647."),
    ],
)
def test_every_endpoint_refuses_in_words(
    endpoint: str, arguments: dict[str, Any], sentence: str, client: Client
) -> None:
    with pytest.raises(AppError) as caught:
        client.predict(**arguments, api_name=endpoint)
    assert caught.value.message == sentence


def test_a_clip_that_is_too_short_to_know_a_voice_is_refused(client: Client, files: Files) -> None:
    with pytest.raises(AppError) as caught:
        client.predict(
            audio_a=handle_file(files("sound.wav")),
            audio_b=handle_file(files("short.wav")),
            api_name="/compare_speakers",
        )
    assert caught.value.message == say("sound.too_short")


def test_a_backbone_says_that_it_has_no_head(client: Client, checkpoints: dict[str, Any], files: Files) -> None:
    with pytest.raises(AppError, match="is an encoder without a trained head"):
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

"""Loading by hub id, from a hub on this machine, and what is said when it cannot be done."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from data2vec_core import Data2VecTextConfig, Data2VecTextModel
from data2vec_core.checkpoints.card import Card
from data2vec_core.checkpoints.errors import CheckpointError
from data2vec_core.checkpoints.facts import folder_facts
from data2vec_core.checkpoints.files import write_json
from data2vec_core.checkpoints.hub import download, hub_facts, hub_size
from data2vec_core.checkpoints.source import open_checkpoint
from tests.hub import COMMIT, LocalHub, running_hub

CONFIG = Data2VecTextConfig(
    hidden_size=8,
    num_hidden_layers=1,
    num_attention_heads=2,
    intermediate_size=8,
    vocab_size=11,
    max_position_embeddings=8,
)
ID = "someone/tiny"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalHub]:
    with running_hub() as running:
        monkeypatch.setenv("HF_ENDPOINT", running.url)
        monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
        yield running


@pytest.fixture
def folder(hub: LocalHub, tmp_path: Path) -> Path:
    """What the hub serves as `someone/tiny`."""
    hub.folders[ID] = tmp_path / "published"
    hub.folders[ID].mkdir()
    return hub.folders[ID]


@pytest.fixture
def published(folder: Path) -> Data2VecTextModel:
    """The model in that folder."""
    model = Data2VecTextModel(CONFIG)
    model.save_pretrained(folder)
    return model


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def as_shards(folder: Path, suffix: str) -> None:
    """Split the weights of a folder over two files with an index, as transformers does with large models."""
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    stem, index = {
        "safetensors": ("model", "model.safetensors.index.json"),
        "bin": ("pytorch_model", "pytorch_model.bin.index.json"),
    }[suffix]
    names = sorted(tensors)
    weight_map: dict[str, str] = {}
    for number, part in enumerate((names[::2], names[1::2]), start=1):
        file = f"{stem}-{number:05d}-of-00002.{suffix}"
        shard = {name: tensors[name] for name in part}
        save_file(shard, folder / file) if suffix == "safetensors" else torch.save(shard, folder / file)
        weight_map |= dict.fromkeys(part, file)
    (folder / index).write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": weight_map}))


def as_torch_file(folder: Path, **options: bool) -> None:
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin", **options)
    (folder / "model.safetensors").unlink()


def assert_same_weights(loaded: Data2VecTextModel, published: Data2VecTextModel) -> None:
    expected = published.state_dict()
    assert loaded.load_report is not None
    assert loaded.load_report.sentences() == []
    for name, tensor in loaded.state_dict().items():
        assert torch.equal(tensor, expected[name]), name


def test_a_hub_id_loads(published: Data2VecTextModel, cache: Path) -> None:
    assert_same_weights(Data2VecTextModel.from_pretrained(ID, cache_dir=cache), published)


@pytest.mark.parametrize("layout", ["one .bin", "old .bin", "safetensors shards", ".bin shards"])
def test_every_layout_of_weights_loads(folder: Path, layout: str, published: Data2VecTextModel, cache: Path) -> None:
    match layout:
        case "one .bin":
            as_torch_file(folder)
        case "old .bin":
            as_torch_file(folder, _use_new_zipfile_serialization=False)
        case "safetensors shards":
            as_shards(folder, "safetensors")
        case ".bin shards":
            as_shards(folder, "bin")
    size = sum(path.stat().st_size for path in folder.glob("*model*") if not path.name.endswith(".json"))
    assert hub_size(ID) == size
    assert_same_weights(Data2VecTextModel.from_pretrained(ID, cache_dir=cache), published)
    assert_same_weights(Data2VecTextModel.from_pretrained(folder), published)


@pytest.mark.usefixtures("published")
def test_safetensors_are_preferred_and_nothing_needless_is_fetched(folder: Path, cache: Path) -> None:
    (folder / "pytorch_model.bin").write_bytes(b"not to be opened")
    (folder / "tf_model.h5").write_bytes(b"nor this")
    (folder / "teacher.safetensors").write_bytes(b"nor this")
    (folder / "vocab.json").write_text('{"a": 0}')
    snapshot = open_checkpoint(ID, role="student", cache_dir=cache).folder
    assert sorted(path.name for path in snapshot.iterdir()) == ["config.json", "model.safetensors", "vocab.json"]
    assert hub_size(ID) == (folder / "model.safetensors").stat().st_size


@pytest.mark.usefixtures("published")
def test_without_a_role_no_weights_are_fetched(cache: Path) -> None:
    snapshot = open_checkpoint(ID, cache_dir=cache).folder
    assert [path.name for path in snapshot.iterdir()] == ["config.json"]


@pytest.mark.usefixtures("published")
def test_a_second_load_asks_only_whether_there_is_something_new(hub: LocalHub, cache: Path) -> None:
    Data2VecTextModel.from_pretrained(ID, cache_dir=cache)
    hub.requests.clear()
    Data2VecTextModel.from_pretrained(ID, cache_dir=cache)
    assert {request.split()[0] for request in hub.requests} == {"HEAD"}
    assert {request.rsplit("/", 1)[1] for request in hub.requests} == {"config.json"}


def test_the_cache_serves_without_a_network(
    published: Data2VecTextModel, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Data2VecTextModel.from_pretrained(ID, cache_dir=cache)
    monkeypatch.setenv("HF_ENDPOINT", closed_port())
    assert_same_weights(Data2VecTextModel.from_pretrained(ID, cache_dir=cache), published)
    assert_same_weights(Data2VecTextModel.from_pretrained(ID, cache_dir=cache, local_files_only=True), published)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert_same_weights(Data2VecTextModel.from_pretrained(ID, cache_dir=cache), published)


def test_revisions_are_branches_and_commits(published: Data2VecTextModel, cache: Path) -> None:
    for revision in ("main", COMMIT):
        loaded = Data2VecTextModel.from_pretrained(ID, cache_dir=cache, revision=revision)
        assert_same_weights(loaded, published)
        assert loaded.load_report is not None
        assert loaded.load_report.source == f"{ID}@{revision}"
    with pytest.raises(CheckpointError, match="no such revision"):
        Data2VecTextModel.from_pretrained(ID, cache_dir=cache, revision="v9")
    with pytest.raises(CheckpointError, match="no such revision"):
        hub_size(ID, revision="v9")


@pytest.mark.usefixtures("published")
def test_a_teacher_is_fetched_when_asked_for(folder: Path, cache: Path) -> None:
    with pytest.raises(CheckpointError, match="has no teacher"):
        Data2VecTextModel.from_pretrained(ID, cache_dir=cache, role="teacher")
    teacher = Data2VecTextModel(CONFIG)
    teacher.save_pretrained(folder / "t")
    (folder / "t" / "model.safetensors").rename(folder / "teacher.safetensors")
    fresh_cache = cache / "fresh"  # the first one remembers that this commit has none
    assert_same_weights(Data2VecTextModel.from_pretrained(ID, cache_dir=fresh_cache, role="teacher"), teacher)


@pytest.mark.usefixtures("published")
def test_the_student_comes_along_where_the_teacher_leaves_tensors_to_it(folder: Path, cache: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    own = next(iter(tensors))
    save_file({own: tensors[own] + 1}, folder / "teacher.safetensors", metadata={"rest": "model.safetensors"})
    teacher = Data2VecTextModel.from_pretrained(ID, cache_dir=cache, role="teacher")
    (folder / "teacher.safetensors").unlink()
    save_file(tensors | {own: tensors[own] + 1}, folder / "model.safetensors", metadata={"format": "pt"})
    assert_same_weights(Data2VecTextModel.from_pretrained(folder), teacher)


@pytest.mark.usefixtures("published")
def test_a_backbone_in_a_folder_inside_is_fetched_too(folder: Path, cache: Path) -> None:
    (folder / "encoder").mkdir()
    for name in ("config.json", "model.safetensors"):
        (folder / name).rename(folder / "encoder" / name)
    write_json(folder / "config.json", CONFIG.to_dict())
    save_file({"classifier.weight": torch.ones(2, 8)}, folder / "model.safetensors")
    Card(name="tiny", modality="text", task="classification", backbone="encoder").save(folder)
    checkpoint = open_checkpoint(ID, role="student", cache_dir=cache)
    expected = {f"data2vec_text.{name}" for name in load_file(folder / "encoder" / "model.safetensors")}
    assert checkpoint.read_tensors().keys() == expected | {"classifier.weight"}


@pytest.mark.usefixtures("published")
@pytest.mark.parametrize("backbone", ["../../secret", "/etc", "a/../../b", "C:/x"])
def test_a_downloaded_card_may_not_lead_out_of_its_folder(folder: Path, backbone: str, cache: Path) -> None:
    Card(name="tiny", modality="text", task="classification", backbone=backbone).save(folder)
    with pytest.raises(CheckpointError, match="leads out of it"):
        Data2VecTextModel.from_pretrained(ID, cache_dir=cache)


@pytest.mark.usefixtures("published")
def test_a_downloaded_index_may_not_name_files_elsewhere(folder: Path, cache: Path) -> None:
    as_shards(folder, "safetensors")
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": "../../../etc/passwd.safetensors"}}))
    with pytest.raises(CheckpointError, match="refusing to open it"):
        Data2VecTextModel.from_pretrained(ID, cache_dir=cache)


@pytest.mark.usefixtures("published")
def test_what_the_hub_lacks_is_said(folder: Path, hub: LocalHub, cache: Path) -> None:
    with pytest.raises(CheckpointError, match="someone/else cannot be loaded: the hub has no such model"):
        Data2VecTextModel.from_pretrained("someone/else", cache_dir=cache)
    with pytest.raises(CheckpointError, match="no such model"):
        hub_size("someone/else")
    hub.gated.add(ID)
    with pytest.raises(CheckpointError, match="access is restricted"):
        Data2VecTextModel.from_pretrained(ID, cache_dir=cache)
    hub.gated.clear()
    (folder / "model.safetensors").rename(folder / "other.h5")
    with pytest.raises(CheckpointError, match="holds no weights that can be read here"):
        Data2VecTextModel.from_pretrained(ID, cache_dir=cache)
    with pytest.raises(CheckpointError, match="holds no weights that can be read here"):
        hub_size(ID)
    (folder / "config.json").unlink()
    with pytest.raises(CheckpointError, match=r"has no config\.json"):
        Data2VecTextModel.from_pretrained(ID, cache_dir=cache / "fresh")


@pytest.mark.usefixtures("published")
def test_an_incomplete_upload_is_said(folder: Path, cache: Path) -> None:
    as_shards(folder, "safetensors")
    (folder / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(CheckpointError, match="incomplete: its file model-00002-of-00002.safetensors"):
        Data2VecTextModel.from_pretrained(ID, cache_dir=cache)


@pytest.mark.parametrize("way", ["closed port", "local_files_only", "HF_HUB_OFFLINE"])
def test_no_network_is_said(way: str, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", closed_port())
    if way == "HF_HUB_OFFLINE":
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(CheckpointError, match="not in the local cache.*bundled model"):
        Data2VecTextModel.from_pretrained(ID, cache_dir=cache, local_files_only=way == "local_files_only")


@pytest.mark.usefixtures("published")
def test_a_login_page_instead_of_the_files_is_said(folder: Path, cache: Path) -> None:
    for name in ("model.safetensors", "config.json"):
        kept = (folder / name).read_bytes()
        (folder / name).write_text("<!DOCTYPE html><title>Please log in</title>")
        with pytest.raises(CheckpointError, match=f"{name}.*a web page"):
            Data2VecTextModel.from_pretrained(ID, cache_dir=cache / name)
        (folder / name).write_bytes(kept)


def closed_port() -> str:
    """An address where nobody answers."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{unused.getsockname()[1]}"


@pytest.mark.usefixtures("published")
def test_progress_counts_the_bytes_and_can_end_the_download(folder: Path, cache: Path) -> None:
    class Enough(Exception):
        pass

    def no_more(count: int) -> None:
        if count:
            raise Enough

    with pytest.raises(Enough):
        download(ID, cache_dir=cache, progress=no_more)
    came: list[int] = []
    snapshot = download(ID, cache_dir=cache, progress=came.append)
    assert sum(came) == (folder / "model.safetensors").stat().st_size
    assert (snapshot / "model.safetensors").read_bytes() == (folder / "model.safetensors").read_bytes()


@pytest.mark.usefixtures("published")
def test_facts_are_had_without_the_weights_and_agree_with_those_of_the_folder(
    hub: LocalHub, folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(cache))
    Card(name="tiny", modality="text", task="pretraining", licence="CC0").save(folder)
    (folder / "flax_model.msgpack").write_bytes(b"not needed")
    (folder / "teacher.safetensors").write_bytes(b"12345")
    facts = hub_facts(ID, revision="main")
    assert (facts.commit, facts.modality, facts.has_teacher) == (COMMIT, "text", True)
    assert facts.architectures == ("Data2VecTextModel",)
    assert sorted(facts.files) == ["card.json", "config.json", "model.safetensors"]
    assert facts.weights == facts.memory == (folder / "model.safetensors").stat().st_size
    assert facts.card is not None
    assert facts.card.licence == "CC0"
    assert not any("resolve" in request and "safetensors" in request for request in hub.requests)
    here = folder_facts(folder)
    assert (here.weights, here.config, here.card) == (facts.weights, facts.config, facts.card)
    download(ID, cache_dir=cache)
    monkeypatch.setenv("HF_ENDPOINT", closed_port())
    assert hub_facts(ID).weights == facts.weights  # from the cache


@pytest.mark.usefixtures("published")
def test_half_precision_takes_twice_its_file_in_memory_and_a_backbone_counts(folder: Path, tmp_path: Path) -> None:
    model = Data2VecTextModel(CONFIG)
    model.save_pretrained(tmp_path / "half", dtype=torch.float16)
    half = folder_facts(tmp_path / "half")
    assert half.memory == 2 * half.weights
    (tmp_path / "head").mkdir()
    write_json(tmp_path / "head" / "config.json", dict(half.config))
    with pytest.raises(CheckpointError, match="holds no weights"):
        folder_facts(tmp_path / "head")
    Card(name="x", modality="text", task="classification", backbone="../published").save(tmp_path / "head")
    assert folder_facts(tmp_path / "head").weights == (folder / "model.safetensors").stat().st_size


def test_facts_of_a_page_that_is_no_checkpoint_say_so(folder: Path) -> None:
    (folder / "config.json").write_text(json.dumps({"model_type": "data2vec-text"}))
    with pytest.raises(CheckpointError, match="holds no weights"):
        hub_facts(ID)
    (folder / "model.safetensors").write_bytes(b"1")
    (folder / "config.json").write_text(" " * 1_000_001)
    with pytest.raises(CheckpointError, match="too large to be one"):
        hub_facts(ID)

"""The items for the inside views are all there, can be read without the recipes, and state where they come from."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from analysis.items.manifest import ITEMS_FOLDER, MANIFEST_FILE, ItemsError, Manifest, Origin, Recording
from analysis.items.photographs import photographs
from analysis.items.prompts import Prompts
from analysis.items.things import Thing, Things
from analysis.items.vectors import VALUES, PackVectors, Rounded, vector_packs
from recipes.items import vectors
from recipes.items.packages import debian_file, debian_version, program, python_file, python_version
from recipes.items.prompts import transcripts
from recipes.items.things import all_things, font_licence
from recipes.items.vectors import Labelled, Pack, Shown, draw, make_vectors
from recipes.items.writing import clear, trim, write_manifest, write_recording

LIMITS = {"things": 4_000_000, "photographs": 1_500_000, "prompts": 1_000_000, "vectors": vectors.LARGEST}
SETS = [folder.name for folder in sorted(ITEMS_FOLDER.iterdir()) if folder.is_dir()]
RATE = 16_000


@pytest.fixture(scope="module")
def things() -> Things:
    return Things.open()


@pytest.mark.parametrize("name", SETS)
def test_every_file_of_a_set_states_source_licence_and_changes_and_the_set_is_small(name: str) -> None:
    folder = ITEMS_FOLDER / name
    manifest = Manifest.read(folder)
    sizes = {path.relative_to(folder).as_posix(): path.stat().st_size for path in folder.rglob("*") if path.is_file()}
    assert sorted(origin.file for origin in manifest.files) == sorted(sizes.keys() - {MANIFEST_FILE})
    assert all(origin.source and origin.licence and origin.changes for origin in manifest.files)
    assert sum(sizes.values()) < LIMITS[name]


def test_things_are_as_the_recipe_lists_them(things: Things) -> None:
    assert list(things.things) == all_things()
    assert len(things.things) >= 200
    assert len({thing.id for thing in things.things}) == len(things.things)
    assert set(Counter(thing.category for thing in things.things).values()) == {things.columns}
    assert len(things.categories) * things.columns == len(things.things)


def test_each_thing_has_a_picture_of_its_own(things: Things) -> None:
    pictures = {things.picture(thing).tobytes() for thing in things.things}
    assert len(pictures) == len(things.things)
    first = things.picture(things.things[0], ground="#102030")
    assert (first.mode, first.size) == ("RGB", (things.side, things.side))
    assert first.getpixel((0, 0)) == (16, 32, 48)  # the corners of a picture are ground
    for thing in things.things:
        seen = np.asarray(things.picture(thing)) < 250
        assert 0.05 < seen.any(axis=2).mean() <= 1, thing.name


def test_atlas_holds_what_its_boxes_say(things: Things) -> None:
    with Image.open(things.atlas_path) as atlas:
        left, top, right, bottom = things.box(things.things[-1])
        assert (right, bottom) == atlas.size
        assert right - left == bottom - top == things.side
        assert atlas.convert("RGBA").getchannel("A").getextrema() == (0, 255)


def test_each_thing_is_said_by_three_voices(things: Things) -> None:
    assert len(things.voices) == 3
    for voice in things.voices:
        for thing in things.things:
            spoken = things.speech(thing, voice.name)
            assert 0.2 * RATE < len(spoken) < 2 * RATE, (voice.name, thing.name)
            assert 0.02 < np.sqrt(np.square(spoken).mean()) < 0.4, (voice.name, thing.name)


def test_sounds_are_cut_where_they_begin_and_end(things: Things) -> None:
    for voice in things.voices:
        recording = Recording(things.manifest.path(voice.file))
        for (start, count), (after, _) in zip(voice.spans, voice.spans[1:], strict=False):
            assert np.abs(recording.cut((start + count, after - start - count))).max() < 0.1  # smeared a little at most


def test_a_thing_or_voice_of_another_set_is_refused(things: Things) -> None:
    stranger = Thing("unicorn", "🦄", "unicorn", "mammal")
    for ask in (things.box, things.picture, lambda thing: things.speech(thing, things.voices[0].name)):
        with pytest.raises(ItemsError, match="unicorn"):
            ask(stranger)
    with pytest.raises(ItemsError, match="voice='nobody': there are american"):
        things.speech(things.things[0], "nobody")


def test_photographs_are_a_few_dozen_and_small_and_carry_no_metadata() -> None:
    found = photographs()
    assert len(found) >= 24
    assert len({photograph.id for photograph in found}) == len(found)
    for photograph in found:
        with Image.open(photograph.path) as stored:
            assert (stored.format, stored.mode) == ("JPEG", "RGB")
            assert not stored.getexif()
        picture = photograph.open()
        assert max(picture.size) <= 320
        assert np.asarray(picture).std() > 5, photograph.title
        assert photograph.origin.file == photograph.path.name


def test_prompts_are_letters_numbers_and_dates() -> None:
    prompts = Prompts.open()
    assert [(prompt.id, prompt.kind, prompt.transcript) for prompt in prompts.prompts] == list(transcripts())
    kinds = Counter(prompt.kind for prompt in prompts.prompts)
    assert kinds == {"letter": 26, "number": 31, "ordinal": 27, "month": 12, "day": 7}
    known = {prompt.transcript for prompt in prompts.prompts if prompt.is_in_an4}
    assert {"A", "ZERO", "FIFTH", "NOVEMBER"} <= known
    assert known.isdisjoint({"SUNDAY", "TENTH"})
    for prompt in prompts.prompts:
        sound = prompts.sound(prompt)
        assert 0.3 * RATE < len(sound) < 1.5 * RATE, prompt.transcript
        assert 0.02 < np.sqrt(np.square(sound).mean()) < 0.4, prompt.transcript


def test_ordinals_and_numbers_are_spelled_rightly() -> None:
    spelled = {name: transcript for name, _, transcript in transcripts()}
    assert [spelled[f"digits/{name}"] for name in ("0", "13", "40", "90")] == ["ZERO", "THIRTEEN", "FORTY", "NINETY"]
    names = ("h-9", "h-12", "h-18", "h-20", "h-90")
    assert [spelled[f"digits/{name}"] for name in names] == ["NINTH", "TWELFTH", "EIGHTEENTH", "TWENTIETH", "NINETIETH"]
    assert (spelled["digits/mon-0"], spelled["digits/day-0"]) == ("JANUARY", "SUNDAY")


@pytest.mark.filterwarnings("ignore::data2vec_core.checkpoints.loading.CheckpointWarning")  # of heads left out
def test_vectors_are_those_of_the_bundled_models() -> None:
    from data2vec_core.pretraining.start import load_encoder
    from recipes.embed import weights_digest

    packs = vector_packs()
    assert [pack.pack for pack in packs] == [pack.name for pack in vectors.PACKS]
    runs = {(run.model, run.role): run for pack in packs for run in pack.runs}
    for (model, role), run in runs.items():
        encoder = load_encoder(model, role)
        shape = encoder.config.num_hidden_layers + 1, encoder.config.hidden_size
        assert (run.layers, run.dim) == shape, model
        assert run.weights == weights_digest(encoder), f"{model}: run `python -m recipes.items vectors`"


def test_vectors_of_a_pack_belong_to_its_labels() -> None:
    for pack in vector_packs():
        assert {len(labels) for labels in pack.labels.values()} == {len(pack)}
        for run in pack.runs:
            assert run.error < 0.12
            found = pack.vectors(run)
            assert found.shape == (run.layers, len(pack), run.dim)
            assert found.std(axis=1).mean() > 0


def test_rounding_moves_no_number_by_more_than_half_a_step() -> None:
    given = np.random.default_rng(0).normal(size=(3, 50, 7)).astype(np.float32)
    given[1, :, 2] = 4.5  # says nothing, and must come back as it is
    rounded = Rounded.of(given)
    restored = rounded.restore()
    assert rounded.codes.max() == VALUES - 1
    assert (np.abs(restored - given) <= 0.501 * rounded.step[:, None]).all()
    assert (restored[1, :, 2] == 4.5).all()
    assert restored.dtype == np.float32


@pytest.mark.parametrize(
    ("vectors", "message"),
    [
        (np.zeros((2, 3), np.float32), r"expected \(layers, items, dim\)"),
        (np.zeros((2, 0, 3), np.float32), "at least one item"),
        (np.full((2, 1, 3), np.nan, np.float32), "finite"),
    ],
)
def test_rounding_refuses_what_is_no_set_of_vectors(vectors: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Rounded.of(vectors)


def test_drawing_is_fair_to_small_classes_and_keeps_order_and_pairs() -> None:
    classes = ["common"] * 20 + ["rare"] * 3
    shown = (Shown("sound", "audio", list(range(23))), Shown("transcript", "text", [f"text {i}" for i in range(23)]))
    drawn = draw(Labelled(shown, {"label": classes, "number": [str(i) for i in range(23)]}), 8)
    assert Counter(drawn.labels["label"]) == {"common": 5, "rare": 3}
    sounds, texts = drawn.shown
    assert sounds.items == sorted(sounds.items)
    assert [f"text {i}" for i in sounds.items] == texts.items
    assert [str(i) for i in sounds.items] == drawn.labels["number"]
    assert draw(Labelled(shown, {"label": classes}), 100).shown[0].items == list(range(23))


def _words(_: Path) -> Labelled:
    return Labelled(
        (Shown("text", "text", ["a dog", "a cat", "rain", "snow"]),), {"kind": ["animal"] * 2 + ["sky"] * 2}
    )


@pytest.fixture
def few_vectors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The vectors of a pack of four texts."""
    pack = Pack(name="words", read=_words, taught=("sst2", "not-bundled"), source="a test", licence="CC0-1.0")
    monkeypatch.setattr(vectors, "PACKS", (pack,))
    said = list(make_vectors(tmp_path, tmp_path / "vectors"))
    assert said[:2] == [said[0], "words: no bundled model named not-bundled"]
    return tmp_path / "vectors"


def _only(folder: Path) -> PackVectors:
    (pack,) = vector_packs(folder)
    return pack


def test_written_vectors_are_what_the_models_make_of_the_items(few_vectors: Path) -> None:
    from data2vec_core.pretraining.start import load_encoder
    from recipes.health.pooling import embed

    pack = _only(few_vectors)
    assert pack.labels == {"kind": ("animal", "animal", "sky", "sky")}
    assert [run.key for run in pack.runs] == ["text.student.text", "text.teacher.text", "sst2.student.text"]
    expected = embed(load_encoder("text", "teacher"), "text", _words(few_vectors).shown[0].items).means
    found = pack.vectors(pack.run("text", "teacher"))
    step = (expected.max(axis=1) - expected.min(axis=1)) / (VALUES - 1)
    assert (np.abs(found - expected) <= 0.51 * step[:, None] + 1e-6).all()


def test_vectors_that_are_not_there_are_named(few_vectors: Path) -> None:
    pack = _only(few_vectors)
    with pytest.raises(ItemsError, match=r"no vectors of vision\.student, there are text\.student\.text"):
        pack.run("vision")
    with pytest.raises(ItemsError, match=r"text\.student\.sound"):
        pack.run("text", shown="sound")
    np.savez(pack.path, allow_pickle=False, other=np.zeros(1))
    with pytest.raises(ItemsError, match=r"no vectors of text\.student\.text"):
        pack.vectors(pack.runs[0])
    pack.path.write_bytes(b"no archive")
    with pytest.raises(ItemsError, match=r"words\.npz"):
        pack.vectors(pack.runs[0])
    pack.path.unlink()
    with pytest.raises(ItemsError, match=r"words\.npz is missing"):
        vector_packs(few_vectors)


def test_too_many_vectors_leave_the_old_ones_alone(few_vectors: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vectors, "LARGEST", 100)
    before = {path.name: path.read_bytes() for path in few_vectors.iterdir()}
    with pytest.raises(ValueError, match="more than 100: take fewer"):
        list(make_vectors(few_vectors, few_vectors))
    assert {path.name: path.read_bytes() for path in few_vectors.iterdir()} == before


@pytest.mark.parametrize("open_set", [Things.open, photographs, Prompts.open, vector_packs])
def test_missing_or_damaged_sets_say_what_to_do(open_set: object, tmp_path: Path) -> None:
    assert callable(open_set)
    with pytest.raises(ItemsError, match="python -m recipes.items"):
        open_set(tmp_path)
    for content in ("{", "[]", '{"files": [{"file": "a"}]}', '{"files": []}'):
        (tmp_path / MANIFEST_FILE).write_text(content, encoding="utf-8")
        with pytest.raises(ItemsError, match="not a manifest of"):
            open_set(tmp_path)


def test_recording_is_cut_sample_exact(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).normal(scale=0.1, size=(3, RATE)).astype(np.float32)
    pieces = [sound[:length] for sound, length in zip(noise, (8000, 8111, 7000), strict=True)]
    spans = write_recording(tmp_path / "noise.ogg", pieces)
    recording = Recording(tmp_path / "noise.ogg")
    for piece, span in zip(pieces, spans, strict=True):
        found = recording.cut(span)
        assert found.shape == piece.shape
        likeness = [np.corrcoef(np.roll(found, lag), piece)[0, 1] for lag in range(-3, 4)]
        assert np.argmax(likeness) == 3
        assert likeness[3] > 0.5
    with pytest.raises(ItemsError, match="no samples"):
        recording.cut((spans[-1][0], RATE))


def test_recording_of_another_rate_is_refused(tmp_path: Path) -> None:
    import soundfile

    soundfile.write(tmp_path / "slow.wav", np.zeros(100), 8000)
    with pytest.raises(ItemsError, match="at 16000 Hz, got"):
        Recording(tmp_path / "slow.wav").cut((0, 10))


def test_trimming_keeps_the_sound_and_makes_it_as_loud_as_others() -> None:
    sound = np.zeros(RATE, np.float32)
    sound[6000:9000] = 0.1
    trimmed = trim(sound)
    assert np.abs(trimmed).max() == pytest.approx(0.7)
    assert 3000 < len(trimmed) < 3000 + 2 * 0.05 * RATE
    with pytest.raises(ValueError, match="silence"):
        trim(np.zeros(100, np.float32))


def test_manifest_is_read_as_written_and_names_its_files(tmp_path: Path) -> None:
    origin = Origin("a.ogg", "somewhere", "CC0-1.0", "none")
    (tmp_path / "old.ogg").touch()
    clear(tmp_path, ["a.ogg"])
    assert not (tmp_path / "old.ogg").exists()
    write_manifest(tmp_path, [origin], {"things": [{"id": "é"}, {"id": "b"}], "side": 3})
    manifest = Manifest.read(tmp_path)
    assert manifest.files == (origin,)
    assert manifest.values == {"things": [{"id": "é"}, {"id": "b"}], "side": 3}
    assert (tmp_path / MANIFEST_FILE).read_text(encoding="utf-8").count("\n") > 4
    assert json.loads((tmp_path / MANIFEST_FILE).read_text(encoding="utf-8"))["side"] == 3
    with pytest.raises(ItemsError, match=r"a\.ogg is missing"):
        manifest.path("a.ogg")
    with pytest.raises(ItemsError, match=r"says nothing of b\.ogg"):
        manifest.origin("b.ogg")


def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="apt-get install some-package"):
        debian_file("some-package", "/usr/share/no-such-file")
    with pytest.raises(ValueError, match="apt-get install some-package"):
        program("some-package", "no-such-command")
    with pytest.raises(ValueError, match="pip install some-package"):
        python_file("some-package", "no_such_module", "a.png")
    with pytest.raises(ValueError, match="pip install some-package"):
        python_version("some-package")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ValueError, match="made on Debian"):
        debian_version("some-package")


def test_licence_of_the_font_goes_along_with_its_holders() -> None:
    text = (ITEMS_FOLDER / "things" / "OFL.txt").read_text(encoding="utf-8")
    assert text.startswith("Copyright 2013-2017 Google Inc., Arjen Nienhuis")
    assert "SIL OPEN FONT LICENSE Version 1.1" in text
    assert text.rstrip().endswith("OTHER DEALINGS IN THE FONT SOFTWARE.")
    with pytest.raises(ValueError, match="SIL-1.1"):
        font_licence("Files: *\nLicense: MIT\n")

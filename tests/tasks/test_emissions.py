"""What a speech model makes of every frame: the best texts, forced alignment, and emissions for a page."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from data2vec_core.processing.ctc import CTCTokenizer, UnspellableTextError
from data2vec_core.processing.ctc_alignment import TextDoesNotFitError
from data2vec_core.processing.lexicon import Lexicon
from data2vec_core.processing.text_errors import EmptyTextError
from data2vec_core.tasks import Transcriber
from data2vec_core.tasks.results import Emissions
from data2vec_core.tasks.windows import Windows
from tests.tasks.spoken import FRAME, LETTERS, RATE, random_speech, reader, sound_of

Noise = Callable[..., np.ndarray]


@pytest.fixture
def transcriber(checkpoints: dict[str, Path]) -> Transcriber:
    return Transcriber.from_pretrained(checkpoints["transcribe"], beam=8)


@pytest.fixture
def clip(noise: Noise) -> np.ndarray:
    """Half a second."""
    return noise(8000)


@pytest.fixture
def emissions(transcriber: Transcriber, clip: np.ndarray) -> Emissions:
    return transcriber.emissions(clip, sampling_rate=RATE)


def ids_of(frames: str) -> list[int]:
    """One character a frame, `_` for the blank."""
    return [LETTERS.vocab["<pad>" if character == "_" else character] for character in frames]


class TestEmissions:
    def test_frames_are_distributions_over_named_tokens(self, emissions: Emissions) -> None:
        assert emissions.probabilities.shape == (len(emissions.best_path), len(emissions.tokens))
        np.testing.assert_allclose(emissions.probabilities.sum(axis=1), 1, rtol=1e-5)
        assert emissions.tokens[emissions.blank] == "<pad>"
        assert emissions.tokens[LETTERS.vocab["Q"]] == "Q"
        assert emissions.duration == 0.5
        assert emissions.seconds_per_frame == FRAME
        assert np.array_equal(emissions.best_path, emissions.probabilities.argmax(axis=1))

    def test_a_text_is_read_from_them(self, transcriber: Transcriber, emissions: Emissions, clip: np.ndarray) -> None:
        assert transcriber.decode(emissions) == transcriber(clip, sampling_rate=RATE)

    def test_quantised_they_lose_half_a_step(self, emissions: Emissions) -> None:
        steps = emissions.quantised(-8.0)
        assert steps.dtype == np.uint8
        read = (1 - steps / 255) * -8.0
        assert np.abs(read - emissions.log_probabilities.clip(min=-8.0)).max() <= 8.0 / 255 / 2 + 1e-6
        with pytest.raises(ValueError, match="floor=0"):
            emissions.quantised(0)

    def test_json_holds_them_quantised(self, emissions: Emissions) -> None:
        values = json.loads(json.dumps(emissions.to_json()))
        steps = np.frombuffer(base64.b64decode(values["log_probabilities"]), np.uint8).reshape(values["shape"])
        assert np.array_equal(steps, emissions.quantised(values["floor"]))
        assert values["best_path"] == emissions.best_path.tolist()
        assert set(values) == {
            "log_probabilities",
            "floor",
            "shape",
            "tokens",
            "blank",
            "best_path",
            "seconds_per_frame",
            "duration",
            "model",
        }

    def test_tokens_without_a_name_are_unknown(self, noise: Noise) -> None:
        few = CTCTokenizer.of_characters("AB")
        heard = reader()
        named = Transcriber(heard.model, heard.extractor, few).emissions(noise(2000), sampling_rate=RATE)
        assert len(named.tokens) == len(LETTERS)
        assert set(named.tokens[len(few) :]) == {"<unk>"}


class TestAlternatives:
    def test_the_best_texts_come_first(self, transcriber: Transcriber, noise: Noise) -> None:
        transcript = transcriber(noise(3000), sampling_rate=RATE, alternatives=3)
        assert 1 <= len(transcript.alternatives) <= 3
        assert transcript.alternatives[0].text == transcript.text
        shares = [found.log_probability for found in transcript.alternatives]
        assert all(share <= 1e-6 for share in shares)
        assert len({found.text for found in transcript.alternatives}) == len(transcript.alternatives)
        values = transcript.to_json()
        assert values["alternatives"][0] == {"text": transcript.text, "log_probability": shares[0]}
        assert json.loads(json.dumps(values)) == values

    def test_a_text_sums_its_spellings(self) -> None:
        """Two frames of A, one of which may be a boundary: `A` is A, A| and |A."""
        shares = np.full((2, len(LETTERS)), 1e-9)
        shares[:, LETTERS.vocab["A"]] = 0.6
        shares[:, LETTERS.vocab["|"]] = 0.4
        given = Emissions(
            log_probabilities=np.log(shares).astype(np.float32),
            tokens=tuple(LETTERS.vocab),
            blank=LETTERS.pad_id,
            seconds_per_frame=FRAME,
            duration=0.1,
            model="x",
        )
        found = reader(beam=64).decode(given, alternatives=9).alternatives
        masses = {alternative.text: math.exp(alternative.log_probability) for alternative in found}
        assert masses["A"] == pytest.approx(0.36 + 0.24 + 0.24, abs=1e-6)
        assert masses[""] == pytest.approx(0.16, abs=1e-6)

    def test_with_a_lexicon_they_are_words(self, transcriber: Transcriber, noise: Noise) -> None:
        search = transcriber.with_search(16, Lexicon({"SO": 2, "WE": 1}, word_bonus=20.0))
        transcript = search(noise(3000), sampling_rate=RATE, alternatives=16)
        assert len(transcript.alternatives) > 2
        assert {word for found in transcript.alternatives for word in found.text.split()} <= {"SO", "WE"}

    def test_they_need_a_beam(self, transcriber: Transcriber, noise: Noise) -> None:
        with pytest.raises(ValueError, match="give the transcriber a beam"):
            transcriber.with_search(None)(noise(3000), sampling_rate=RATE, alternatives=3)
        with pytest.raises(ValueError, match="alternatives=-1"):
            transcriber(noise(3000), sampling_rate=RATE, alternatives=-1)

    def test_several_windows_have_none(self) -> None:
        search = reader(beam=4, windows=Windows(seconds=0.5, overlap=0.1))
        assert search(sound_of(random_speech(500, 0)), sampling_rate=RATE, alternatives=3).alternatives == ()


class TestAlignment:
    FRAMES = "__HH_I__|_YO_O__"

    def test_a_text_that_was_said_takes_its_frames(self) -> None:
        transcriber = reader()
        emissions = transcriber.emissions(sound_of(ids_of(self.FRAMES)), sampling_rate=RATE)
        found = transcriber.align(emissions, " hi  yoo\n")
        assert found.text == "HI YOO"
        assert [(span.text, span.start_frame, span.end_frame) for span in found.characters] == [
            ("H", 2, 4),
            ("I", 5, 6),
            (" ", 8, 9),
            ("Y", 10, 11),
            ("O", 11, 12),
            ("O", 13, 14),
        ]
        assert [(word.text, word.start, word.end) for word in found.words] == [
            ("HI", pytest.approx(2 * FRAME), pytest.approx(6 * FRAME)),
            ("YOO", pytest.approx(10 * FRAME), pytest.approx(14 * FRAME)),
        ]
        assert all(span.score == pytest.approx(1) for span in (*found.characters, *found.words))
        assert found.path == tuple(ids_of(self.FRAMES))
        assert found.log_probability == pytest.approx(0, abs=1e-6)
        assert json.loads(json.dumps(found.to_json())) == found.to_json()

    def test_what_was_not_said_has_a_low_score(self) -> None:
        transcriber = reader()
        emissions = transcriber.emissions(sound_of(ids_of(self.FRAMES)), sampling_rate=RATE)
        right, wrong = transcriber.align(emissions, "HI YOO"), transcriber.align(emissions, "HA YOO")
        assert wrong.words[0].score < 1e-3
        assert wrong.words[1].score == pytest.approx(1)
        assert wrong.log_probability < right.log_probability - 10

    def test_the_best_text_aligns_as_it_was_transcribed(self, transcriber: Transcriber, emissions: Emissions) -> None:
        transcript = transcriber.decode(emissions)
        found = transcriber.align(emissions, transcript.text)
        assert found.text == transcript.text
        assert len(found.words) == len(transcript.words)

    def test_what_cannot_be_aligned_is_told(self, transcriber: Transcriber, emissions: Emissions) -> None:
        with pytest.raises(EmptyTextError, match="write what is said"):
            transcriber.align(emissions, " \n")
        with pytest.raises(UnspellableTextError, match=r"does not write 3 É: leave"):
            transcriber.align(emissions, "CAFÉ 3")
        with pytest.raises(TextDoesNotFitError, match="200 characters do not fit"):
            transcriber.align(emissions, 200 * "A")

    @pytest.mark.parametrize("text", ["<pad>", "A<s>B", "A|B", "<unk>"])
    def test_tokens_that_are_no_characters_are_not_spelled(self, text: str) -> None:
        with pytest.raises(UnspellableTextError):
            LETTERS.spell(text)

    def test_case_follows_the_vocabulary(self) -> None:
        lower = CTCTokenizer.of_characters("abc")
        assert lower.spell("AbC") == [lower.vocab[letter] for letter in "abc"]
        both = CTCTokenizer.of_characters("aA")
        assert both.spell("aA") == [both.vocab["a"], both.vocab["A"]]
        folding = CTCTokenizer.of_characters("ABC", do_lower_case=True)
        assert folding.spelled(folding.spell("abc cab")) == "abc cab"
        unspaced = CTCTokenizer({"<pad>": 0, "A": 1})
        assert unspaced.spell("a A") == [1, 1]

"""The search for the best text, and the lexicon: examples, files and errors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from data2vec_core.checkpoints.errors import CheckpointError
from data2vec_core.processing.ctc import CTCTokenizer
from data2vec_core.processing.ctc_beam import PrefixBeam, Words, prefix_beam_search
from data2vec_core.processing.lexicon import LEXICON_FILE, Lexicon

LETTERS = CTCTokenizer({"<pad>": 0, "|": 1, "A": 2, "B": 3})


def test_many_poor_alignments_of_a_text_beat_the_best_single_one() -> None:
    # Two frames, blank 0.6 and A 0.4 in each: the best path is two blanks (0.36), but A has three paths (0.64)
    scores = np.log([[0.6, 1e-12, 0.4, 1e-12]] * 2)
    best, second, *_ = prefix_beam_search(scores, blank=0, width=8)
    assert (best.ids, second.ids) == ((2,), ())
    assert np.exp([best.log_probability, second.log_probability]) == pytest.approx([0.64, 0.36])


def test_a_doubled_character_needs_a_blank_between() -> None:
    scores = np.log([[0.02, 0.01, 0.96, 0.01], [0.96, 0.01, 0.02, 0.01], [0.02, 0.01, 0.96, 0.01]])
    assert prefix_beam_search(scores, blank=0)[0].ids == (2, 2)
    assert prefix_beam_search(scores[[0, 2]], blank=0)[0].ids == (2,)


def test_a_word_that_is_rare_loses_to_a_frequent_one() -> None:
    scores = np.log([[0.1, 0.1, 0.42, 0.38]])
    for weight, expected in ((0.0, (2,)), (1.0, (3,))):
        tree = Lexicon({"A": 1, "B": 9}, unigram_weight=weight).tree(LETTERS)
        assert prefix_beam_search(scores, blank=0, words=Words(spellings=tree, boundary=1))[0].ids == expected


def test_a_beam_of_one_ends_with_a_text_although_the_best_beginning_is_no_word() -> None:
    tree = Lexicon({"AB": 1}).tree(LETTERS)
    [only] = prefix_beam_search(
        np.log([[0.1, 0.1, 0.7, 0.1]]), blank=0, width=1, words=Words(spellings=tree, boundary=1)
    )
    assert only.ids == ()


def test_an_impossible_character_is_not_written() -> None:
    scores = np.log([[0.1, 0.2, 0.4, 0.3]])
    scores[:, 2] = -np.inf
    assert all(2 not in hypothesis.ids for hypothesis in prefix_beam_search(scores, blank=0))


def test_no_frames_have_no_characters() -> None:
    nothing = np.zeros((0, 4))
    [only] = prefix_beam_search(nothing, blank=0)
    assert (only.ids, only.log_probability) == ((), 0.0)


def test_what_does_not_fit_is_named() -> None:
    scores = np.log(np.full((2, 4), 0.25))
    with pytest.raises(ValueError, match="width=0"):
        prefix_beam_search(scores, blank=0, width=0)
    with pytest.raises(ValueError, match="reach=0"):
        PrefixBeam(blank=0, reach=0)
    with pytest.raises(ValueError, match="blank 4"):
        prefix_beam_search(scores, blank=4)
    with pytest.raises(ValueError, match=r"got \(2,\)"):
        prefix_beam_search(scores[:, 0], blank=0)


class TestLexicon:
    def test_it_survives_its_file(self, tmp_path: Path) -> None:
        lexicon = Lexicon.of_texts(["B A", "A"], unigram_weight=0.25, word_bonus=-1.0)
        lexicon.save_pretrained(tmp_path)
        read = Lexicon.from_folder(tmp_path)
        assert list(read.counts.items()) == [("A", 2), ("B", 1)]
        assert (read.unigram_weight, read.word_bonus) == (0.25, -1.0)
        assert read.weight("B") == pytest.approx(0.25 * np.log(1 / 3) - 1.0)

    @pytest.mark.parametrize(
        "content", ["[]", "{}", '{"words": {"A B": 1}}', '{"words": {"A": 0}}', '{"words": ["A"]}']
    )
    def test_a_broken_file_is_named(self, tmp_path: Path, content: str) -> None:
        (tmp_path / LEXICON_FILE).write_text(content)
        with pytest.raises(CheckpointError, match=LEXICON_FILE):
            Lexicon.from_folder(tmp_path)

    @pytest.mark.parametrize("counts", [{}, {"": 1}, {"A B": 1}, {" A": 1}, {"A": 0}])
    def test_it_holds_words_only(self, counts: dict[str, int]) -> None:
        with pytest.raises(ValueError, match="counts"):
            Lexicon(counts)

    def test_a_word_that_cannot_be_spelled_is_named(self) -> None:
        with pytest.raises(ValueError, match="'É'"):
            Lexicon({"É": 1}).tree(CTCTokenizer.of_characters())

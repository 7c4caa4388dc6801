"""SpecAugment spans against the reference's sampler, where chance plays no part: how many spans a row gets."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from data2vec_core.audio.masking import draw_spans

reference = pytest.importorskip("transformers.models.data2vec.modeling_data2vec_audio")

SIZE = 40


@pytest.mark.parametrize("min_spans", [0, 2, 9])
@pytest.mark.parametrize("probability", [0.0, 0.2, 1.0])
def test_number_of_single_frame_spans(probability: float, min_spans: int) -> None:
    """Spans of one frame do not overlap, so that masked frames count them; whole numbers need no rounding."""
    lengths = torch.tensor([40, 20, 10, 5])
    np.random.seed(0)
    expected = reference._compute_mask_indices(
        (len(lengths), SIZE),
        probability,
        1,
        attention_mask=(torch.arange(SIZE) < lengths[:, None]).long(),
        min_masks=min_spans,
    )
    ours = draw_spans(lengths, SIZE, probability=probability, span=1, min_spans=min_spans)
    assert ours.sum(dim=1).tolist() == expected.sum(axis=1).tolist()


@pytest.mark.parametrize("length", [10, 11, 19, 20, 21, 40])
def test_possible_amounts_of_masking(length: int) -> None:
    """Two spans at least, of ten frames: over many draws both samplers reach the same least and largest coverage."""
    np.random.seed(0)
    is_real = (torch.arange(SIZE) < length)[None].long()
    expected = {
        int(reference._compute_mask_indices((1, SIZE), 0.05, 10, attention_mask=is_real, min_masks=2)[0, :length].sum())
        for _ in range(600)
    }
    ours = {
        int(draw_spans(torch.tensor([length]), SIZE, probability=0.05, span=10, min_spans=2).sum()) for _ in range(600)
    }
    assert (min(ours), max(ours)) == (min(expected), max(expected))

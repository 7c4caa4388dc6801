"""Speech checkpoints from our side: the transformers library loads what we save, without a word, and computes alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from data2vec_core.audio.heads import (
    Data2VecAudioForAudioFrameClassification,
    Data2VecAudioForCTC,
    Data2VecAudioForSequenceClassification,
)
from data2vec_core.audio.model import Data2VecAudioModel
from data2vec_core.audio.xvector import Data2VecAudioForXVector
from data2vec_core.checkpoints.loading import CheckpointWarning
from data2vec_core.pretrained import PretrainedModel
from tests.clips import TINY
from tests.parity.reference import (
    assert_same_result,
    random_reference,
    reload_in_ours,
    reload_in_reference,
    transformers,
)

CONFIG = TINY.replace(num_labels=5)

CASES: dict[str, tuple[type[PretrainedModel], dict[str, Any]]] = {
    "model": (Data2VecAudioModel, {"conv_bias": True}),
    "model with adapter": (Data2VecAudioModel, {"add_adapter": True, "output_hidden_size": 20}),
    "model without mask embedding": (Data2VecAudioModel, {"mask_time_prob": 0.0}),
    "ctc": (Data2VecAudioForCTC, {}),
    "sequence classification": (Data2VecAudioForSequenceClassification, {"use_weighted_layer_sum": True}),
    "frame classification": (Data2VecAudioForAudioFrameClassification, {"use_weighted_layer_sum": True}),
    "x-vector": (Data2VecAudioForXVector, {"use_weighted_layer_sum": True, "fix_tdnn_lengths": True}),
}


@pytest.mark.parametrize(("our_class", "changes"), CASES.values(), ids=CASES.keys())
def test_the_reference_reads_our_files(
    tmp_path: Path, our_class: type[PretrainedModel], changes: dict[str, Any]
) -> None:
    ours = our_class(CONFIG.replace(**changes)).eval()
    with torch.no_grad():
        for parameter in ours.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    reference = reload_in_reference(ours, getattr(transformers, our_class.__name__), tmp_path)
    waveforms = torch.randn(2, 2400)
    with torch.no_grad():
        assert_same_result(ours(waveforms), reference(waveforms))
    assert reference.config.id2label == ours.config.id2label
    assert reference.config.architectures == [our_class.__name__]


def test_there_and_back_again(tmp_path: Path) -> None:
    ours = Data2VecAudioForXVector(CONFIG)
    reference = reload_in_reference(ours, transformers.Data2VecAudioForXVector, tmp_path)
    back = reload_in_ours(reference, Data2VecAudioForXVector, tmp_path)
    assert back.state_dict().keys() == ours.state_dict().keys()
    for name, tensor in back.state_dict().items():
        assert torch.equal(tensor, ours.state_dict()[name]), name


def test_backbone_under_a_new_head(tmp_path: Path) -> None:
    """The bare model's file fits a class with a head, whose own tensors are then named."""
    reference = random_reference(transformers.Data2VecAudioModel, CONFIG)
    reference.save_pretrained(tmp_path)
    with pytest.warns(CheckpointWarning, match="lm_head"):
        ours = Data2VecAudioForCTC.from_pretrained(tmp_path)
    assert ours.load_report is not None
    assert set(ours.load_report.initialised) == {"lm_head.weight", "lm_head.bias"}
    waveforms = torch.randn(2, 2400)
    with torch.no_grad():
        assert_same_result(ours.backbone(waveforms), reference(waveforms))


def test_model_out_of_a_file_with_a_head(tmp_path: Path) -> None:
    """The bare model takes the encoder; `feature_extractor` of the x-vector head is not the waveform encoder."""
    reference = random_reference(transformers.Data2VecAudioForXVector, CONFIG)
    reference.save_pretrained(tmp_path)
    with pytest.warns(CheckpointWarning, match="not in the model"):
        ours = Data2VecAudioModel.from_pretrained(tmp_path)
    assert ours.load_report is not None
    assert {"feature_extractor.weight", "objective.weight"} <= set(ours.load_report.left_over)
    assert ours.load_report.is_complete
    waveforms = torch.randn(2, 2400)
    with torch.no_grad():
        assert_same_result(ours(waveforms), reference.data2vec_audio(waveforms))
